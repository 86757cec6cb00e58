//! Rows A2, A3, A11, A12, A13 and A19: bodies that are slow, cut, too long, compressed, or not wanted.

use std::time::Duration;

use serde_json::json;

use crate::scene::{ADMIN_KEY, Scene, request};
use crate::support::{chat, in_parallel, wait_for};
use crate::{COMPLETIONS, WITH_BODY};

const HOST: &str = "host: localhost";
const JSON: &str = "content-type: application/json";
const SOON: Duration = Duration::from_secs(10);
const MIB: usize = 1024 * 1024;

fn post(path: &str, headers: &[&str], body: &str) -> String {
    let headers = [&[HOST, JSON], headers].concat();
    request(&format!("POST {path}"), &headers, body)
}

#[test]
fn a2_a_body_that_stops_is_given_up() {
    let scene = Scene::with("[http]\nbody_grace_ms = 300\n");
    for path in WITH_BODY {
        scene.refuses_raw(post(path, &["content-length: 100"], "{"), 408, "request_timeout");
        let chunks = post(path, &["transfer-encoding: chunked"], "1\r\n{\r\n");
        scene.refuses_raw(chunks, 408, "request_timeout");
    }
    scene.finish();
}

#[test]
fn a2_a_body_that_drips_is_given_up_however_steadily_it_comes() {
    let scene = Scene::with("[http]\nbody_grace_ms = 300\n");
    let mut client = scene.send(post(COMPLETIONS, &["content-length: 100000"], "{"));
    wait_for("the gateway to close", SOON, || !client.try_send(" "));
    scene.finish();
}

#[test]
fn a2_a_body_that_comes_fast_enough_but_never_ends_is_given_up() {
    let scene = Scene::with("[http]\nbody_grace_ms = 0\nbody_timeout_ms = 1000\nbody_min_bytes_per_second = 1\n");
    let mut client = scene.send(post(COMPLETIONS, &["transfer-encoding: chunked"], ""));
    wait_for("the gateway to close", SOON, || !client.try_send("1\r\n \r\n"));
    scene.finish();
}

#[test]
fn a3_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_but_a_line_in_the_log() {
    let scene = Scene::new();
    let body = json!({ "message": "hello", "conversationId": "left-behind" }).to_string();
    let head = post("/v1/chat", &["content-length: 1000"], &body[..10]);
    scene.send(&head).leave();
    wait_for("the line in the log", SOON, || {
        scene
            .gateway
            .log()
            .iter()
            .any(|line| line.contains("client_closed") && line.contains("499"))
    });
    scene.send(&head).reset();
    assert_eq!(scene.client().get("/v1/context/left-behind").status, 404);
    scene.finish();
}

#[test]
fn a11_a_body_one_byte_over_its_limit_is_refused_by_its_length_alone() {
    let scene = Scene::new();
    for (path, length) in [
        ("/v1/chat", 2 * MIB + 1),
        ("/v1/route", 2 * MIB + 1),
        (COMPLETIONS, 32 * MIB + 1),
        (COMPLETIONS, 10 * 1024 * MIB),
    ] {
        let declared = format!("content-length: {length}");
        scene.refuses_raw(post(path, &[&declared], ""), 413, "payload_too_large");
    }
    let small = json!({ "message": "hello" }).to_string();
    let full = " ".repeat(2 * MIB - small.len()) + &small;
    scene.expect_calls(1);
    assert_eq!(scene.client().post_bytes("/v1/route", full).status, 200, "at the limit");
    scene.finish();
}

#[test]
fn a11_chunks_without_an_end_are_refused_at_the_limit() {
    let scene = Scene::new();
    let mut client = scene.send(post("/v1/chat", &["transfer-encoding: chunked"], ""));
    let piece = format!("{:x}\r\n{}\r\n", MIB, " ".repeat(MIB));
    assert!(client.try_send(&piece) && client.try_send(&piece));
    client.try_send("1\r\n \r\n");
    scene.assert_refused(&client.read_reply(), 413, "payload_too_large");
    wait_for("the gateway to close", SOON, || !client.try_send(&piece));
    scene.finish();
}

#[test]
fn a11_all_bodies_together_are_held_within_a_limit_and_the_next_is_told_to_wait() {
    let scene = Scene::with("[http]\nheld_body_bytes = 2_000_000\n");
    let body = " ".repeat(1_500_000);
    let mut first = scene.send(post(COMPLETIONS, &["content-length: 1600000"], &body));
    wait_for("the first body to be held", SOON, || {
        scene.gateway.stats()["gateway"]["bodyBytes"] == 1_500_000
    });
    let reply = scene.client().post_bytes(COMPLETIONS, body);
    assert_eq!(reply.header("retry-after"), Some("1"));
    scene.assert_refused(&reply, 503, "overloaded");
    assert_eq!(
        scene.gateway.stats()["gateway"]["bodyBytes"],
        1_500_000,
        "what was refused is not held"
    );
    let end = chat("hello").to_string();
    first.send(" ".repeat(100_000 - end.len()) + &end);
    scene.expect_calls(1);
    assert_eq!(first.read_reply().status, 200);
    wait_for("the body to be let go", SOON, || {
        scene.gateway.stats()["gateway"]["bodyBytes"] == 0
    });
    scene.finish();
}

#[test]
fn a11_a_flood_of_large_bodies_takes_no_more_memory_than_is_allowed() {
    let scene = Scene::with("[http]\nheld_body_bytes = 16_777_216\n");
    let resident = || scene.gateway.stats()["memory"]["heapTotal"].as_u64().unwrap();
    let before = resident();
    let body = " ".repeat(8 * MIB);
    let client = scene.client();
    let statuses = in_parallel(40, 20, |_| client.post_bytes(COMPLETIONS, body.clone()).status);
    assert!(
        statuses.iter().all(|status| [400, 503].contains(status)),
        "{statuses:?}"
    );
    assert!(statuses.contains(&400), "nobody got through: {statuses:?}");
    let grown = resident() - before;
    assert!(grown < 100, "{grown} MiB more for bodies of at most 16 MiB");
    scene.finish();
}

#[test]
fn a12_compressed_bodies_are_refused_before_they_are_read() {
    let scene = Scene::new();
    for encoding in ["gzip", "br", "deflate", "zstd", "gzip, identity", "x"] {
        let encoding = format!("content-encoding: {encoding}");
        for path in WITH_BODY {
            let bytes = post(path, &[&encoding, "content-length: 10000000"], "\x1f\u{8b}");
            scene.refuses_raw(bytes, 415, "unsupported_media_type");
        }
    }
    scene.finish();
}

#[test]
fn a13_who_may_not_come_in_is_told_so_before_the_body_is_asked_for() {
    let scene = Scene::locked();
    for key in ["x-api-key: wrong", "authorization: Basic x", "x: y"] {
        for path in WITH_BODY {
            let head = post(path, &["expect: 100-continue", "content-length: 50", key], "");
            let mut client = scene.send(head);
            assert!(client.read_until("\r\n\r\n"));
            assert!(client.text().starts_with("HTTP/1.1 401"), "{}", client.text());
            let reply = client.read_reply();
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
            scene.assert_refused(&reply, 401, "unauthenticated");
            assert_eq!(client.read_to_close(), "");
        }
    }
    scene.finish();
}

#[test]
fn a13_who_may_come_in_is_asked_for_the_body() {
    let scene = Scene::locked();
    let body = chat("hello").to_string();
    let (key, length) = (
        format!("x-api-key: {ADMIN_KEY}"),
        format!("content-length: {}", body.len()),
    );
    let mut client = scene.send(post(COMPLETIONS, &["expect: 100-continue", &key, &length], ""));
    assert!(client.read_until("\r\n\r\n"));
    assert_eq!(client.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    scene.expect_calls(1);
    client.send(body);
    assert_eq!(client.read_reply().status, 200);
    scene.finish();
}

#[test]
fn a19_a_body_where_none_belongs_is_passed_over_and_the_connection_goes_on_or_ends() {
    let scene = Scene::new();
    for method in ["GET", "HEAD"] {
        for path in ["/v1/models", "/health", "/nobody"] {
            let hidden = "GET /hidden HTTP/1.1\r\n\r\n";
            let length = format!("content-length: {}", hidden.len());
            let bytes = request(&format!("{method} {path}"), &[HOST, &length], hidden);
            let next = request("GET /health/live", &[HOST, "connection: close"], "");
            let mut client = scene.send(bytes + &next);
            let all = client.read_to_close();
            assert!(!all.contains("HTTP/1.1 400"), "the body was taken for a request: {all}");
            let expected = if path == "/nobody" { "404" } else { "200" };
            assert!(
                all.starts_with(&format!("HTTP/1.1 {expected}")),
                "{method} {path}: {all}"
            );
        }
    }
    scene.finish();
}
