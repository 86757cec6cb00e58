//! Rows A4 to A10: heads and framing that no client library sends.

use crate::scene::{ADMIN_KEY, Scene, hidden, request};
use crate::support::chat;
use crate::{COMPLETIONS, WITH_BODY};

const HOST: &str = "host: localhost";
const JSON: &str = "content-type: application/json";

#[test]
fn a4_too_many_header_fields_and_too_long_ones_are_refused() {
    let scene = Scene::new();
    let many: String = (0..97).map(|number| format!("x-{number}: 1\r\n")).collect();
    scene.parser_refuses(format!("GET /health HTTP/1.1\r\n{HOST}\r\n{many}\r\n"), 431);
    let long = "x".repeat(140 * 1024);
    scene.parser_refuses(format!("GET /health HTTP/1.1\r\n{HOST}\r\nx: {long}\r\n\r\n"), 431);
    let as_many_as_may_be: String = (0..95).map(|number| format!("x-{number}: 1\r\n")).collect();
    let mut client = scene.send(format!("GET /health HTTP/1.1\r\n{HOST}\r\n{as_many_as_may_be}\r\n"));
    assert_eq!(client.read_reply().status, 200);
    scene.finish();
}

#[test]
fn a5_a_length_and_chunks_at_once_are_refused_and_nothing_behind_them_runs() {
    let scene = Scene::new();
    for both in [
        ["content-length: 5", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", "content-length: 5"],
        ["transfer-encoding: chunked", "transfer-encoding: identity"],
        ["transfer-encoding: gzip, chunked", "x: y"],
        ["transfer-encoding: xchunked", "x: y"],
    ] {
        let head = request("POST /v1/chat", &[HOST, JSON, both[0], both[1]], "0\r\n\r\n");
        scene.parser_refuses(head + &hidden(), 400);
    }
    scene.finish();
}

#[test]
fn a5_two_content_lengths_are_refused_and_nothing_behind_them_runs() {
    let scene = Scene::new();
    for lengths in [
        ["content-length: 5", "content-length: 6"],
        ["content-length: 5", "content-length: 5"],
    ] {
        let head = request("POST /v1/chat", &[HOST, JSON, lengths[0], lengths[1]], "hello");
        scene.parser_refuses(head + &hidden(), 400);
    }
    scene.finish();
}

#[test]
fn a5_lengths_that_are_no_numbers_are_refused_and_nothing_behind_them_runs() {
    let scene = Scene::new();
    for length in ["+5", "-1", "99999999999999999999", "5, 5", "0x5", "5 5", "", "٥"] {
        let length = format!("content-length: {length}");
        let head = request("POST /v1/chat", &[HOST, JSON, &length], "hello");
        scene.parser_refuses(head + &hidden(), 400);
    }
    scene.finish();
}

#[test]
fn a6_broken_chunks_are_refused_and_nothing_behind_them_runs() {
    let scene = Scene::new();
    for path in WITH_BODY {
        for chunks in [
            "ffffffffffffffff1\r\n{",
            "x\r\n{\r\n",
            "-1\r\n{\r\n",
            "+1\r\n{\r\n",
            "0x1\r\n{\r\n",
            "1;a=\n\r\n{\r\n0\r\n\r\n",
            "1\n{\n0\n\n",
            "1\r\n{0\r\n\r\n",
            "1\r\n{\n0\r\n\r\n",
            "2\r\n{}\r\r\n0\r\n\r\n",
        ] {
            let headers = [HOST, JSON, "transfer-encoding: chunked"];
            let bytes = request(&format!("POST {path}"), &headers, chunks) + &hidden();

            let error = scene.refuses_raw(&bytes, 400, "invalid_request");
            assert!(
                error["message"].as_str().unwrap().contains("chunks"),
                "{chunks:?}: {error}"
            );
        }
    }
    scene.finish();
}

#[test]
fn a6_good_chunks_are_put_together() {
    let scene = Scene::new();
    let body = chat("in many pieces").to_string();
    let chunks: String = body.chars().map(|piece| format!("1;a=b\r\n{piece}\r\n")).collect();
    let headers = [HOST, JSON, "transfer-encoding: chunked"];
    scene.expect_calls(1);
    let mut client = scene.send(request(
        &format!("POST {COMPLETIONS}"),
        &headers,
        &(chunks + "0\r\n\r\n"),
    ));
    assert_eq!(client.read_reply().status, 200);
    assert_eq!(scene.alpha.last_request().messages(), ["in many pieces"]);
    scene.finish();
}

#[test]
fn a7_a_request_without_a_host_or_with_two_is_refused() {
    let scene = Scene::new();
    scene.parser_refuses(request("GET /v1/models", &["x: y"], ""), 400);
    scene.parser_refuses(request("GET /v1/models", &[HOST, HOST], ""), 400);
    scene.parser_refuses(request("GET /v1/models", &[HOST, "host: evil.example"], ""), 400);
    scene.parser_refuses(b"GET /v1/models HTTP/1.1\r\nhost: local\0host\r\n\r\n", 400);
    scene.finish();
}

#[test]
fn a7_a_host_that_is_no_host_is_refused_with_the_right_key_and_without() {
    let open = Scene::new();
    let locked = Scene::locked();
    let key = format!("x-api-key: {ADMIN_KEY}");
    for host in [
        "localhost/",
        "user@localhost",
        "localhost:x",
        "local host",
        "",
        "[::1",
        "a\\b",
    ] {
        let host = format!("host: {host}");
        for scene in [&open, &locked] {
            let bytes = request("GET /v1/server-stats", &[&host, &key, "connection: close"], "");
            let error = scene.refuses_raw(bytes, 400, "invalid_header");
            assert_eq!(error["param"], "Host", "{host}");
        }
    }
    open.finish();
    locked.finish();
}

#[test]
fn a8_targets_of_other_hosts_are_refused_without_a_key() {
    let scene = Scene::new();
    for target in ["http://evil.example/v1/models", "https://evil.example:443/v1/models"] {
        let bytes = request(&format!("GET {target}"), &[HOST, "connection: close"], "");
        scene.refuses_raw(bytes, 403, "forbidden");
    }
    scene.finish();
}

#[test]
fn a8_paths_in_disguise_are_other_paths_and_reach_no_route() {
    let scene = Scene::locked();
    let body = chat("hello").to_string();
    let length = format!("content-length: {}", body.len());
    for target in [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/%2e%2e/v1/chat/completions",
        "/v1/chat%2fcompletions",
        "/V1/Chat/Completions",
        "/v1/chat/completions/",
        "/v1/chat/completions;x",
        "/v1/chat/completions%00",
        "/v1/%2e%2e/health",
        // Whoever compares paths in front of the gateway would take it for another.
        "/v1/%63hat/completions",
    ] {
        let headers = [HOST, JSON, "connection: close", &length];
        scene.refuses_raw(request(&format!("POST {target}"), &headers, &body), 404, "not_found");
    }
    scene.finish();
}

#[test]
fn a9_a_target_that_is_too_long_is_refused() {
    let scene = Scene::new();
    scene.parser_refuses(request(&format!("GET /{}", "x".repeat(70 * 1024)), &[HOST], ""), 400);
    scene.finish();
}

#[test]
fn a10_a_tls_handshake_is_refused() {
    let scene = Scene::new();
    let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[0xa5; 506]].concat();
    scene.parser_refuses(hello, 400);
    scene.finish();
}
