//! Row G10: providers that refuse a request before they have read it as a whole.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{assert_answered_by, assert_refused, for_model};
use crate::support::{Gateway, Model, Provider, Setup, chat};

/// Far more than the buffers between gateway and provider hold.
const LONG: usize = 9 * 1024 * 1024;
/// What a breaker stands at most.
const MANY: usize = 8;

/// What becomes of the connection of a request that was refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It is closed, with the rest of the request unread.
    Close,
    /// It stays open, and nobody reads from it.
    Ignore,
}

/// A provider that reads the head of each request, refuses it with this status, and reads no further.
fn hasty(status: u16, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut ignored = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            read_head(&mut stream);
            let body = r#"{"error":{"message":"secret-upstream-detail"}}"#;
            let head = format!(
                "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).unwrap();
            if then == Then::Ignore {
                ignored.push(stream);
            }
        }
    });
    address
}

fn read_head(stream: &mut TcpStream) {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
        read.push(byte[0]);
    }
}

/// A gateway with a paid model of that provider, and another provider's that is asked for whatever names none.
fn gateway(hasty: SocketAddr, beta: &Provider) -> Gateway {
    let setup = Setup::new()
        .toml(&format!(
            "[[providers]]\nname = \"hasty\"\nkind = \"openai-compatible\"\nbase_url = \"http://{hasty}/v1\""
        ))
        .toml(
            "[[models]]\nid = \"hasty-large\"\nprovider = \"hasty\"\napi_model = \"x\"\nlayer = \"L0\"\n\
             context_window = 100_000_000\nmax_output_tokens = 1000\ncapabilities = [\"chat\"]\n\
             input_usd_per_mtok = 1\noutput_usd_per_mtok = 2",
        )
        .provider(beta)
        .model(&Model::free("beta-small", beta))
        .env("CHAT_MODELS", "beta-small");
    Gateway::start(setup)
}

#[test]
fn g10_a_refusal_that_comes_before_the_whole_request_was_read_is_told_and_costs_nothing() {
    for then in [Then::Close, Then::Ignore] {
        let beta = Provider::start("beta");
        let gateway = gateway(hasty(413, then), &beta);
        let mut request = for_model("hasty-large");
        request["messages"] = json!([{ "role": "user", "content": "x".repeat(LONG) }]);
        for _ in 0..MANY {
            assert_refused(&gateway.client().post(COMPLETIONS, &request), 422, "upstream_rejected");
        }
        for call in gateway.wait_for_calls(MANY) {
            assert_eq!(
                (call.status, call.cost_nano_usd, call.estimated),
                (Some(413), 0, false),
                "{call:?}"
            );
        }
        assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "beta");
        gateway.finish();
    }
}

#[test]
fn g7_a_key_that_is_refused_before_the_whole_request_was_read_costs_nothing() {
    let beta = Provider::start("beta");
    let gateway = gateway(hasty(401, Then::Close), &beta);
    let mut request = for_model("hasty-large");
    request["messages"] = json!([{ "role": "user", "content": "x".repeat(LONG) }]);
    assert_refused(&gateway.client().post(COMPLETIONS, &request), 502, "upstream_auth");
    let call = gateway.wait_for_calls(1).remove(0);
    assert_eq!((call.cost_nano_usd, call.estimated), (0, false), "{call:?}");
    gateway.finish();
}
