//! Rows G14 and G15: answers and heads that do not end.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::COMPLETIONS;
use crate::scene::{QUICK_BREAKERS, Scene, assert_answered_by, assert_refused, for_model};
use crate::support::{Gateway, Model, Provider, Setup, chat, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(30);
/// How large an answer may be here, as `limits` of the settings say it.
const LIMITS: &str = "limits = { body_bytes = 1048576, event_bytes = 65536 }";
/// How much memory may grow however much is sent: some times the limit, and what allocators keep.
const SLACK: u64 = 48 * 1024 * 1024;

/// What is said instead of an answer.
#[derive(Debug, Clone)]
struct Flood {
    head: Vec<u8>,
    /// Said again and again until nobody listens. If it is empty, nothing more is said.
    piece: Vec<u8>,
}

impl Flood {
    fn of(head: impl Into<Vec<u8>>, piece: impl Into<Vec<u8>>) -> Self {
        Self {
            head: head.into(),
            piece: piece.into(),
        }
    }

    /// A body in chunks that begins with this text.
    fn chunked(content_type: &str, begin: &str, piece: &str) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n");
        Self::of(head + &chunk(begin), chunk(piece))
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// Stands before a provider: leads to it, or floods who asks.
#[derive(Debug)]
struct Dam {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    provider: SocketAddr,
    flood: watch::Sender<Option<Flood>>,
    /// Connections that lead to the provider.
    led: watch::Sender<Vec<TcpStream>>,
    /// Questions that were flooded.
    flooded: AtomicUsize,
    /// Connections on which the flood goes on.
    flooding: AtomicUsize,
}

impl Dam {
    fn before(provider: &Provider) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            provider: provider.address(),
            flood: watch::Sender::default(),
            led: watch::Sender::default(),
            flooded: AtomicUsize::default(),
            flooding: AtomicUsize::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                // Whoever asks may leave at any time.
                thread::spawn(move || state.serve(stream).ok());
            }
        });
        Self { address, state }
    }

    /// From now on everybody gets this.
    fn open(&self, flood: &Flood) {
        self.state.flood.send_replace(Some(flood.clone()));
        for stream in self.state.led.send_replace(Vec::new()) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// From now on everybody is led to the provider.
    fn close(&self) {
        self.state.flood.send_replace(None);
    }

    fn flooded(&self) -> usize {
        self.state.flooded.load(Ordering::SeqCst)
    }

    fn flooding(&self) -> usize {
        self.state.flooding.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let flood = self.flood.borrow().clone();
        let Some(flood) = flood else {
            return self.lead(stream);
        };
        self.flooding.fetch_add(1, Ordering::SeqCst);
        let said = (|| {
            if read_request(&stream)?.starts_with("POST ") {
                self.flooded.fetch_add(1, Ordering::SeqCst);
            }
            stream.write_all(&flood.head)?;
            while !flood.piece.is_empty() {
                stream.write_all(&flood.piece)?;
            }
            // The other side is to close.
            io::copy(&mut stream, &mut io::sink())
        })();
        self.flooding.fetch_sub(1, Ordering::SeqCst);
        said.map(drop)
    }

    fn lead(&self, stream: TcpStream) -> io::Result<()> {
        let provider = TcpStream::connect(self.provider)?;
        let ours = stream.try_clone()?;
        self.led.send_modify(|led| led.push(ours));
        let (mut up, mut down) = ((stream.try_clone()?, provider.try_clone()?), (provider, stream));
        thread::spawn(move || {
            io::copy(&mut up.0, &mut up.1).ok();
            up.1.shutdown(Shutdown::Both).ok();
        });
        io::copy(&mut down.0, &mut down.1).ok();
        down.1.shutdown(Shutdown::Both)
    }
}

/// Reads a request to its end; gives its first line.
fn read_request(stream: &TcpStream) -> io::Result<String> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    Ok(first)
}

/// A scene whose alpha is asked through a dam.
fn scene() -> (Scene, Dam) {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let dam = Dam::before(&alpha);
    let behind = format!(
        "[[providers]]\nname = \"alpha\"\nkind = \"openai-compatible\"\nbase_url = \"http://{}/v1\"\n{LIMITS}",
        dam.address
    );
    let setup = Setup::new()
        .toml(&behind)
        .provider(&beta)
        .model(&Model::free("alpha-small", &alpha))
        .model(&Model::free("beta-small", &beta))
        .env("CHAT_MODELS", "alpha-small,beta-small")
        .toml(QUICK_BREAKERS);
    let gateway = Gateway::start(setup);
    (Scene { alpha, beta, gateway }, dam)
}

/// The most memory that the process ever had, in bytes: a flood that was let in and has drained away shows here.
fn peak_bytes(gateway: &Gateway) -> u64 {
    let path = format!("/proc/{}/status", gateway.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024
}

/// A question for alpha's model alone, and one for whichever is there.
fn questions(streamed: bool) -> (Value, Value) {
    if !streamed {
        return (for_model("alpha-small"), chat("hello"));
    }
    let mut alone = streamed_chat("hello");
    alone["model"] = "alpha-small".into();
    (alone, streamed_chat("hello"))
}

/// Each of these is given up: told as this word where alpha is alone, made good by beta where that may be asked. Memory
/// stays, and no connection is left on which the flood goes on.
#[track_caller]
fn are_given_up(floods: &[(&str, Flood, &str)], streamed: &[bool]) {
    let (scene, dam) = scene();
    for streamed in [false, true] {
        let (alone, free) = questions(streamed);
        assert_answered_by(&scene.client().post(COMPLETIONS, &alone), "alpha");
        assert_answered_by(&scene.client().post(COMPLETIONS, &free), "alpha");
    }
    let before = peak_bytes(&scene.gateway);
    for (what, flood, word) in floods {
        for streamed in streamed {
            let (alone, free) = questions(*streamed);
            let (asked, beta) = (dam.flooded(), scene.beta.requests());
            dam.open(flood);
            assert_refused(&scene.client().post(COMPLETIONS, &alone), 502, word);
            assert!(dam.flooded() > asked, "{what}: there was no flood");
            assert_eq!(
                scene.beta.requests(),
                beta,
                "{what}: a model was asked that was not named"
            );
            assert_answered_by(&scene.client().post(COMPLETIONS, &free), "beta");
            wait_for("the flood to be cut off", SOON, || dam.flooding() == 0);
            dam.close();
            scene.mend_alpha();
        }
    }
    let grown = peak_bytes(&scene.gateway).saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes more");
    scene.end();
}

#[test]
fn g14_an_answer_without_end_is_given_up_at_its_limit_and_memory_stays() {
    let spaces = " ".repeat(64 * 1024);
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let begin = r#"{"choices":[{"message":{"content":""#;
    let broken = "HTTP/1.1 500 Broken\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    are_given_up(
        &[
            (
                "announced",
                Flood::of(format!("{json}content-length: 1099511627776\r\n\r\n{begin}"), &*spaces),
                "upstream_malformed",
            ),
            (
                "in chunks",
                Flood::chunked("application/json", begin, &spaces),
                "upstream_malformed",
            ),
            (
                "until the connection ends",
                Flood::of(format!("{json}\r\n{begin}"), &*spaces),
                "upstream_malformed",
            ),
            (
                "an error's explanation",
                Flood::of(broken, chunk(&format!("secret-upstream-detail{spaces}"))),
                "upstream_error",
            ),
        ],
        &[false, true],
    );
}

#[test]
fn g14_a_stream_whose_line_or_silence_has_no_end_is_given_up_at_its_limit_and_memory_stays() {
    let long = "x".repeat(64 * 1024);
    let stream = "text/event-stream";
    let begin = r#"data: {"choices":[{"delta":{"content":""#;
    are_given_up(
        &[
            ("one line", Flood::chunked(stream, begin, &long), "upstream_malformed"),
            (
                "one event of many lines",
                Flood::chunked(stream, begin, "\ndata: more"),
                "upstream_malformed",
            ),
            (
                "comments",
                Flood::chunked(stream, ": working on it\n\n", ": still working\n\n"),
                "upstream_malformed",
            ),
            ("one comment", Flood::chunked(stream, ": ", &long), "upstream_malformed"),
            (
                "empty lines",
                Flood::chunked(stream, "\n", "\n\n\n\n"),
                "upstream_malformed",
            ),
        ],
        &[true],
    );
}

#[test]
fn g14_a_line_without_end_in_the_middle_of_a_stream_ends_it_with_an_error() {
    let (scene, dam) = scene();
    assert_answered_by(&scene.ask(), "alpha");
    let before = peak_bytes(&scene.gateway);
    let event =
        r#"data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"alpha-1"}}]}"#;
    let begin = format!("{event}\n\ndata: {{\"choices\":[{{\"delta\":{{\"content\":\"secret-upstream-detail");
    dam.open(&Flood::chunked("text/event-stream", &begin, &"x".repeat(64 * 1024)));
    let reply = scene.client().post(COMPLETIONS, &streamed_chat("hello"));
    assert_answered_by(&reply, "alpha-1");
    assert!(!reply.cut && !reply.is_done(), "{}", reply.text());
    let last: Value = serde_json::from_str(reply.events().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "upstream_malformed", "{last}");
    assert_eq!(scene.beta.requests(), 0, "an answer that had begun was asked for again");
    wait_for("the flood to be cut off", SOON, || dam.flooding() == 0);
    let grown = peak_bytes(&scene.gateway).saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes more");
    dam.close();
    scene.end();
}

/// A gigabyte of blanks and more, as gzip packs it: the header, then one block without end in the fixed code, first a
/// blank, then runs of 258 times the byte before.
fn bomb() -> Flood {
    // Bits of the deflate format, the first in the lowest place: block header (not the last, fixed code), the blank
    // (0x30 + 32, most significant bit first), then eight runs (length 285: 11000101, distance 1: 00000).
    let mut bits: Vec<u8> = vec![0, 1, 0];
    bits.extend((0..8).rev().map(|bit| (0x50_u8 >> bit) & 1));
    let run = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    // So many that runs begin at a byte's first bit from there on.
    while !bits.len().is_multiple_of(8) {
        bits.extend(run);
    }
    let pack = |bits: &[u8]| -> Vec<u8> {
        let bytes = bits.chunks(8).map(|byte| {
            let places = byte.iter().enumerate();
            places.fold(0, |all, (place, bit)| all | (bit << place))
        });
        bytes.collect()
    };
    let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    body.extend(pack(&bits));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\r\n";
    Flood::of([head.as_bytes(), &body].concat(), pack(&run.repeat(8)).repeat(512))
}

#[test]
fn g14_a_compressed_answer_is_given_up_and_never_unpacked() {
    are_given_up(&[("bomb", bomb(), "upstream_malformed")], &[false, true]);
    let (scene, _dam) = scene();
    assert_answered_by(&scene.ask(), "alpha");
    assert_eq!(scene.alpha.last_request().header("accept-encoding"), Some("identity"));
    scene.end();
}

#[test]
fn g15_a_head_too_large_or_without_end_is_given_up_and_memory_stays() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let long = format!("x-long: {}\r\n", "a".repeat(1_000_000));
    let many: String = (0..10_000)
        .map(|number| format!("x-{number}: secret-upstream-detail\r\n"))
        .collect();
    let filler = "a".repeat(64 * 1024);
    let hint = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n";
    let floods = [
        (
            "one field of a megabyte",
            format!("{ok}{long}content-length: 2\r\n\r\n{{}}"),
            "",
        ),
        ("10,000 fields", format!("{ok}{many}content-length: 2\r\n\r\n{{}}"), ""),
        ("a field without end", format!("{ok}x-long: "), &*filler),
        ("fields without end", ok.to_owned(), "x-more: 1\r\n"),
        ("a status line without end", "HTTP/1.1 200 ".to_owned(), &*filler),
        ("interim answers without end", hint.to_owned(), hint),
    ];
    let floods = floods.map(|(what, head, piece)| (what, Flood::of(head, piece), "upstream_malformed"));
    are_given_up(&floods, &[false, true]);
}
