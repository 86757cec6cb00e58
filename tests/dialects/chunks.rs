//! Bytes come in pieces of which nobody is the master: whatever the network makes of a provider's answer, its client gets
//! the same events, and whatever it makes of a client's request, its provider gets the same body.

use std::collections::HashMap;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::scene::{Kind, setup, start, text_model};
use crate::support::{Content, Cuts, Gateway, PieceWriter, Provider, RawClient, Reply, SlicingProxy, UsageScript};
use crate::tongue::{Tongue, Usage};

/// One letter of each length that UTF-8 knows beyond one byte.
const LETTERS: &str = "é語😀";
const TEXT: &str = "alpha-1é語😀 alpha-2é語😀 alpha-3é語😀";
const THOUGHTS: &str = "alpha-thought-1é語😀 alpha-thought-2é語😀";

/// A provider whose answers have something of every sort.
fn provider() -> Provider {
    let alpha = Provider::start("alpha");
    let calls = [
        ("weather", r#"{"city":"Tromsø"}"#),
        ("weather", r#"{"city":"北京 🏯"}"#),
    ];
    alpha.say(Content::calls(&calls).after_text().thinking().with_letters(LETTERS));
    alpha.set_tokens(3);
    alpha.set_usage(UsageScript {
        cached: 2,
        ..UsageScript::default()
    });
    alpha
}

/// What must be the same however an answer comes: its events, or its body. Ids are told apart by the order in which they
/// appear, and times are left out: both are new in every answer.
fn gist(gateway: &Gateway, alpha: &Provider, tongue: Tongue, stream: bool) -> Vec<Value> {
    let reply = gateway
        .client()
        .post(tongue.path(), &tongue.ask("one", "hello you there", stream));
    let heard = tongue.heard(&reply);
    assert_eq!((heard.text.as_str(), heard.thoughts.as_str()), (TEXT, THOUGHTS));
    let cities: Vec<&Value> = heard.calls.iter().map(|call| &call.arguments["city"]).collect();
    assert_eq!(cities, ["Tromsø", "北京 🏯"]);
    assert_ne!(heard.usage, Usage::default());
    plain(&reply, alpha, stream)
}

/// An answer's events, or its body, without what is new in every answer.
fn plain(reply: &Reply, alpha: &Provider, stream: bool) -> Vec<Value> {
    let mut gist: Vec<Value> = if stream {
        let events = reply.sse().into_iter();
        events.map(|event| json!([event.name, event.data])).collect()
    } else {
        vec![reply.json()]
    };
    let mut plain = Plain {
        // Opaque state has the ids of items in it.
        part: format!("_alpha_{}_", alpha.bill().len()),
        ids: HashMap::new(),
    };
    gist.iter_mut().for_each(|value| plain.make(value));
    gist
}

/// Makes what is new in every answer the same in all of them.
struct Plain {
    /// What stands in the provider's ids of the parts of this answer.
    part: String,
    ids: HashMap<String, usize>,
}

impl Plain {
    fn make(&mut self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.make(value)),
            Value::String(text) => *text = text.replace(&self.part, "_alpha_n_"),
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), &*value) {
                        ("id" | "item_id" | "call_id", Value::String(id)) => {
                            let next = self.ids.len();
                            *value = json!(*self.ids.entry(id.clone()).or_insert(next));
                        }
                        ("created" | "created_at" | "completed_at", Value::Number(_)) => *value = json!("then"),
                        _ => self.make(value),
                    }
                }
            }
            _ => {}
        }
    }
}

/// All ways to cut.
fn every_manner() -> Vec<Cuts> {
    let random = (1..=4).map(Cuts::Random);
    let all = random.chain([
        Cuts::Nowhere,
        Cuts::Everywhere,
        Cuts::InCharacters,
        Cuts::InLineEnds,
        Cuts::AtColons,
        Cuts::InFraming,
    ]);
    all.collect()
}

/// Cuts this kind of provider's answers in every manner, for each kind of client.
fn comes_in_pieces(kind: Kind) {
    let alpha = provider();
    let proxy = SlicingProxy::before(alpha.address());
    let gateway = Gateway::start(setup(&[(&alpha, kind)]).through(alpha.address(), proxy.address()));
    let all = every_manner();
    for tongue in Tongue::ALL {
        for stream in [true, false] {
            proxy.set(Cuts::AsItComes);
            let expected = gist(&gateway, &alpha, tongue, stream);
            for cuts in &all {
                println!("{tongue:?} before {kind:?}, stream: {stream}, cut {cuts:?}");
                proxy.set(*cuts);
                assert_eq!(gist(&gateway, &alpha, tongue, stream), expected);
                let pieces = proxy.pieces();
                assert_eq!(pieces > 1, *cuts != Cuts::Nowhere, "{pieces} pieces");
            }
        }
    }
    let calls = gateway.wait_for_calls(alpha.bill().len());
    for (call, charge) in calls.iter().zip(alpha.bill()) {
        assert!(call.success && !call.estimated, "{call:?}");
        let charged = [charge.input_tokens, charge.output_tokens].map(|count| i64::try_from(count).unwrap());
        assert_eq!([call.input_tokens, call.output_tokens], charged, "{call:?}");
    }
    proxy.set(Cuts::AsItComes);
    alpha.say(Content::text());
    gateway.finish();
}

#[test]
fn a_chat_completion_is_the_same_however_its_bytes_come() {
    comes_in_pieces(Kind::Chat);
}

#[test]
fn a_response_is_the_same_however_its_bytes_come() {
    comes_in_pieces(Kind::Responses);
}

#[test]
fn a_message_is_the_same_however_its_bytes_come() {
    comes_in_pieces(Kind::Anthropic);
}

#[test]
fn an_answer_of_gemini_with_its_long_line_ends_is_the_same_however_its_bytes_come() {
    comes_in_pieces(Kind::Gemini);
}

#[test]
fn an_answer_of_ollama_in_lines_of_json_is_the_same_however_its_bytes_come() {
    comes_in_pieces(Kind::Ollama);
}

#[test]
fn a_completion_is_the_same_however_its_bytes_come() {
    for (kind, model) in Kind::ALL
        .map(|kind| (kind, "one"))
        .into_iter()
        .chain([(Kind::Chat, "texts")])
    {
        let alpha = Provider::start("alpha");
        alpha.say(Content::text().with_letters(LETTERS));
        alpha.set_tokens(3);
        let proxy = SlicingProxy::before(alpha.address());
        let setup = setup(&[(&alpha, kind)]).toml(&text_model("texts", &alpha));
        let gateway = Gateway::start(setup.through(alpha.address(), proxy.address()));
        for stream in [true, false] {
            let body = json!({ "model": model, "prompt": "once upon", "max_tokens": 50, "stream": stream });
            let gist = || {
                let reply = gateway.client().post("/v1/completions", &body);
                assert_eq!(reply.status, 200, "{}", reply.text());
                let gist = plain(&reply, &alpha, stream);
                let bodies = gist.iter().map(|event| if stream { &event[1] } else { event });
                let texts = bodies.map(|body| body["choices"][0]["text"].as_str().unwrap_or_default());
                assert_eq!(texts.collect::<String>(), TEXT);
                gist
            };
            proxy.set(Cuts::AsItComes);
            let expected = gist();
            for cuts in every_manner() {
                println!("{model} of {kind:?}, stream: {stream}, cut {cuts:?}");
                proxy.set(cuts);
                assert_eq!(gist(), expected);
            }
        }
        proxy.set(Cuts::AsItComes);
        alpha.say(Content::text());
        gateway.finish();
    }
}

/// A request as its bytes, its body with its length or in chunks.
fn request(tongue: Tongue, body: &str, in_chunks: bool) -> Vec<u8> {
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n",
        tongue.path()
    );
    let mut bytes = head.into_bytes();
    if !in_chunks {
        bytes.extend(format!("content-length: {}\r\n\r\n{body}", body.len()).bytes());
        return bytes;
    }
    bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
    for chunk in body.as_bytes().chunks(100) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[test]
fn a_request_that_comes_byte_by_byte_reaches_every_provider_as_the_same_body() {
    for kind in Kind::ALL {
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, kind)]);
        for tongue in Tongue::ALL {
            let body = tongue.ask("one", "wie geht's, 東京 😀?\n\"\\", true).to_string();
            let reply = gateway.client().post_bytes(tongue.path(), body.as_bytes());
            assert_eq!(reply.status, 200, "{}", reply.text());
            let expected = alpha.last_request();
            assert!(expected.text().contains("東京 😀"));
            for in_chunks in [false, true] {
                println!("{tongue:?} before {kind:?}, in chunks: {in_chunks}");
                let asked = alpha.requests();
                let bytes = request(tongue, &body, in_chunks);
                let stream = TcpStream::connect(gateway.address()).unwrap();
                let mut client = RawClient::over(stream.try_clone().unwrap());
                // What is behind the last piece may be the answer's.
                assert!(PieceWriter::new(stream).write_cut(&bytes, 1..bytes.len()));
                let reply = client.read_reply();
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert_eq!(alpha.requests(), asked + 1);
                let sent = alpha.last_request();
                assert_eq!((&sent.path, sent.text()), (&expected.path, expected.text()));
            }
        }
        gateway.finish();
    }
}
