//! Row A15: many requests on one connection, sent before the first is answered.

use std::time::Duration;

use serde_json::Value;

use crate::COMPLETIONS;
use crate::scene::{Scene, hidden, request};
use crate::support::{Behaviour, Draw, chat, streamed_chat, wait_for};

const HOST: &str = "host: localhost";
const JSON: &str = "content-type: application/json";
const SOON: Duration = Duration::from_secs(30);

fn post(body: &Value) -> String {
    let body = body.to_string();
    let length = format!("content-length: {}", body.len());
    request(&format!("POST {COMPLETIONS}"), &[HOST, JSON, &length], &body)
}

fn post_in_chunks(body: &Value) -> String {
    let body = body.to_string();
    let (begin, end) = body.split_at(10);
    let chunks = format!("a\r\n{begin}\r\n{:x}\r\n{end}\r\n0\r\n\r\n", end.len());
    let headers = [HOST, JSON, "transfer-encoding: chunked"];
    request(&format!("POST {COMPLETIONS}"), &headers, &chunks)
}

fn get(method: &str, headers: &[&str]) -> String {
    request(&format!("{method} /health/live"), &[&[HOST], headers].concat(), "")
}

#[test]
fn a15_a_hundred_pipelined_requests_are_answered_in_order() {
    let scene = Scene::new();
    let requests: String = (0..100)
        .map(|number| post(&chat(&format!("request {number}"))))
        .collect();
    scene.expect_calls(100);
    let mut client = scene.send(requests);
    let mut ids: Vec<String> = Vec::new();
    for number in 1..=100 {
        let reply = client.read_reply();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["id"], format!("chatcmpl-alpha-{number}"));
        ids.push(reply.request_id().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
    scene.finish();
}

#[test]
fn a15_each_pipelined_request_is_answered_in_its_own_way() {
    let scene = Scene::new();
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(20)));
    let requests = [
        post(&chat("one")),
        get("HEAD", &[]),
        post_in_chunks(&streamed_chat("two")),
        get("HEAD", &[]),
        post_in_chunks(&chat("three")),
        get("GET", &["connection: close"]),
    ];
    for pieces in [usize::MAX, 7] {
        scene.expect_calls(3);
        let mut client = scene.connect();
        for piece in requests.concat().as_bytes().chunks(pieces) {
            client.send(piece);
        }
        let (one, first) = (client.read_reply(), client.read_head());
        let (two, second) = (client.read_reply(), client.read_head());
        let (three, last) = (client.read_reply(), client.read_reply());
        for reply in [&one, &two, &three] {
            assert_eq!(
                (reply.status, reply.header("connection")),
                (200, None),
                "{}",
                reply.text()
            );
        }
        assert!(one.json()["id"].is_string() && three.json()["id"].is_string());
        assert!(two.is_done(), "{}", two.text());
        assert_eq!((first.status, second.status, last.status), (200, 200, 200));
        assert_eq!(first.header("connection"), None);
        assert_eq!(last.header("connection"), Some("close"));
        assert_eq!(first.header("content-length"), last.header("content-length"));
        assert_eq!(client.read_to_close(), "");
    }
    scene.finish();
}

#[test]
fn a15_whatever_is_pipelined_in_whatever_pieces_gets_the_same_answers_as_alone() {
    const SEEDS: u64 = 300;
    let kinds = [
        (get("GET", &[]), 200),
        (get("HEAD", &[]), 200),
        (request("GET /nowhere", &[HOST], ""), 404),
        (request("POST /v1/chat", &[HOST, JSON, "content-length: 2"], "{}"), 400),
        (
            request(
                "GET /v1/models",
                &[HOST, "transfer-encoding: chunked"],
                "3\r\nabc\r\n0\r\n\r\n",
            ),
            200,
        ),
        (post_in_chunks(&Value::String("no chat at all".to_owned())), 400),
    ];
    let scene = Scene::new();
    for seed in 0..SEEDS {
        let mut draw = Draw::new(seed);
        let drawn: Vec<_> = (0..=draw.below(20)).map(|_| draw.of(&kinds)).collect();
        let bytes: String = drawn.iter().map(|(request, _)| request.as_str()).collect();
        let mut client = scene.connect();
        let mut rest = bytes.as_bytes();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(draw.below(400).clamp(1, rest.len()));
            client.send(piece);
            rest = behind;
        }
        for (place, (request, status)) in drawn.iter().enumerate() {
            let is_head = request.starts_with("HEAD");
            let reply = if is_head {
                client.read_head()
            } else {
                client.read_reply()
            };
            assert_eq!(
                reply.status, *status,
                "seed {seed}, answer {place}: {request:?} got {reply:?}"
            );
        }
    }
    scene.finish();
}

#[test]
fn a15_what_is_no_request_costs_none_of_those_in_front_of_it_their_answers() {
    let scene = Scene::new();
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(20)));
    scene.expect_calls(2);
    let requests = [
        post(&chat("one")),
        post(&streamed_chat("two")),
        "no request\r\n\r\n".to_owned(),
        hidden(),
    ];
    let mut client = scene.send(requests.concat());
    assert_eq!(client.read_reply().status, 200);
    assert!(client.read_reply().is_done());
    assert_eq!(client.read_bare_refusal(), 400);
    assert_eq!(client.read_to_close(), "");
    scene.finish();
}

#[test]
fn a15_a_request_that_is_too_long_to_be_read_ahead_follows_all_the_same() {
    let scene = Scene::new();
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(20)));
    scene.expect_calls(2);
    let long = "word ".repeat(100_000);
    let mut client = scene.connect();
    let mut sender = client.second();
    let requests = [post(&chat("one")), post(&chat(&long))].concat();
    let sending = std::thread::spawn(move || sender.send(requests));
    assert_eq!((client.read_reply().status, client.read_reply().status), (200, 200));
    sending.join().unwrap();
    assert_eq!(scene.alpha.last_request().messages(), [long]);
    scene.finish();
}

#[test]
fn a15_nothing_behind_the_last_request_of_a_connection_is_looked_at() {
    let scene = Scene::new();
    scene.expect_calls(1);
    let requests = [post(&chat("one")), get("GET", &["connection: close"]), hidden()];
    let mut client = scene.send(requests.concat());
    assert_eq!(client.read_reply().header("connection"), None);
    assert_eq!(client.read_reply().header("connection"), Some("close"));
    assert_eq!(client.read_to_close(), "");
    scene.finish();
}

#[test]
fn a15_a_long_answer_is_whole_whatever_was_sent_behind_its_request() {
    const TOKENS: usize = 400_000;
    let scene = Scene::new();
    scene.alpha.set_tokens(TOKENS);
    scene.expect_calls(1);
    let mut client = scene.send([post(&chat("one")), "no request\r\n\r\n".to_owned()].concat());
    wait_for("the answer to be made", SOON, || {
        scene.gateway.stats()["requests"]["total"] == 1
    });
    let reply = client.read_reply();
    assert_eq!(reply.json()["usage"]["completion_tokens"], TOKENS);
    assert_eq!(client.read_bare_refusal(), 400);
    scene.finish();
}

#[test]
fn a15_a_client_that_leaves_with_requests_waiting_is_noticed_and_they_are_not_run() {
    let scene = Scene::new();
    scene.alpha.set(Behaviour::StallMidStream);
    scene.expect_calls(1);
    let client = scene.send([post(&streamed_chat("one")), hidden()].concat());
    wait_for("the call", SOON, || scene.alpha.running() == 1);
    client.reset();
    scene.gateway.wait_until_settled();
    assert_eq!(scene.alpha.running(), 0);
    scene.alpha.set(Behaviour::Answer);
    scene.finish();
}

#[test]
fn a15_a_stream_of_http_1_0_ends_with_its_connection_and_has_no_chunks() {
    let scene = Scene::new();
    scene.expect_calls(1);
    let old = post(&streamed_chat("one")).replace(" HTTP/1.1", " HTTP/1.0");
    let old = old.replace(HOST, "host: localhost\r\nconnection: keep-alive");
    let mut client = scene.send(old + &hidden());
    let head = client.read_head();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
    let events = client.read_to_close();
    assert!(
        events.starts_with("data: ") && events.ends_with("data: [DONE]\n\n"),
        "{events:?}"
    );
    scene.finish();
}
