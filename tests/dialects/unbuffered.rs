//! Nothing of a stream is kept back: each piece of text is with the client before the provider says the next one, in
//! whatever dialects the two speak.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::scene::{Kind, setup};
use crate::support::{Content, Gateway, Provider};
use crate::tongue::Tongue;

const PIECES: usize = 5;
/// Behind each piece, so that it is told from ids, which have the provider's name and a number too.
const LETTER: &str = "~";

/// The settings of a provider at this address, whose model is `gated`.
fn gated(kind: Kind, address: SocketAddr) -> String {
    let behind = match kind {
        Kind::Anthropic | Kind::Ollama => "",
        Kind::Gemini => "/v1beta",
        Kind::Chat | Kind::Responses => "/v1",
    };
    let api = if kind == Kind::Responses {
        "api = \"responses\"\n"
    } else {
        ""
    };
    format!(
        "[[providers]]\nname = \"gated\"\nkind = \"{}\"\nbase_url = \"http://{address}{behind}\"\n\
         api_key_env = \"PROVIDER_KEY\"\n[[models]]\nid = \"gated\"\nprovider = \"gated\"\napi_model = \"one-api\"\n\
         layer = \"L1\"\ncapabilities = [\"chat\", \"tools\"]\ncontext_window = 8000\nmax_output_tokens = 4000\n\
         input_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n{api}",
        kind.word()
    )
}

/// A piece of the text.
fn said(piece: usize) -> String {
    format!("alpha-{piece}{LETTER}")
}

/// The frames of a stream, each with what ends it.
fn frames(stream: &str) -> Vec<String> {
    let end = ["\r\n\r\n", "\n\n", "\n"].into_iter().find(|end| stream.contains(end));
    stream.split_inclusive(end.unwrap()).map(str::to_owned).collect()
}

/// Answers one request with these frames. Behind each that brings a piece of the text it waits until the gate is opened.
fn play(listener: TcpListener, kind: Kind, frames: Vec<String>, gate: mpsc::Receiver<()>) -> JoinHandle<()> {
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        read_request(&connection);
        let media = if kind == Kind::Ollama {
            "application/x-ndjson"
        } else {
            "text/event-stream"
        };
        write!(
            connection,
            "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut piece = 1;
        for frame in frames {
            write!(connection, "{:x}\r\n{frame}\r\n", frame.len()).unwrap();
            // What comes behind the pieces may tell the whole text again.
            if piece <= PIECES && frame.contains(&said(piece)) {
                piece += 1;
                if gate.recv().is_err() {
                    return; // The test has failed.
                }
            }
        }
        write!(connection, "0\r\n\r\n").unwrap();
    })
}

fn read_request(connection: &TcpStream) {
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
}

#[test]
fn each_piece_of_a_stream_is_with_the_client_before_the_provider_says_the_next() {
    for kind in Kind::ALL {
        for tongue in Tongue::ALL {
            println!("{tongue:?} before {kind:?}");
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let alpha = Provider::start("alpha");
            alpha.say(Content::text().with_letters(LETTER));
            let more = gated(kind, listener.local_addr().unwrap());
            let gateway = Gateway::start(setup(&[(&alpha, kind)]).toml(&more));
            // What a provider of this kind says, to be said once more.
            let client = gateway.client();
            let whole = client.post(tongue.path(), &tongue.ask("one", "hello", true));
            let text = tongue.heard(&whole).text;
            assert_eq!(text, "alpha-1~ alpha-2~ alpha-3~ alpha-4~ alpha-5~");
            let frames = frames(std::str::from_utf8(&alpha.last_body()).unwrap());

            let (open, gate) = mpsc::channel();
            let player = play(listener, kind, frames, gate);
            let mut stream = client.open_stream(tongue.path(), &tongue.ask("gated", "hello", true));
            for piece in 1..=PIECES {
                while !stream.next_event().expect("the stream goes on").contains(&said(piece)) {}
                open.send(()).unwrap();
            }
            let reply = stream.finish();
            assert_eq!(tongue.heard(&reply).text, text);
            assert_eq!(reply.header("x-gateway-model"), Some("gated"));
            player.join().unwrap();
            gateway.finish();
        }
    }
}
