//! Rows B22 to B24: header values that are out of range or meant to break what they are written into.

use serde_json::{Value, json};

use crate::scene::{Scene, request};
use crate::support::{Reply, chat};
use crate::{COMPLETIONS, WITH_BODY};

const HOST: &str = "host: localhost";
const JSON: &str = "content-type: application/json";

#[test]
fn b22_no_header_of_an_answer_can_be_made_up_by_a_client() {
    let scene = Scene::new();
    let evil = "a\r\nset-cookie: x=1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    for path in ["/v1/chat", "/v1/route"] {
        let body = json!({ "message": "x", "conversationId": evil }).to_string();
        scene.refuses(path, body, 400, "invalid_request");
    }
    let body = json!({ "model": evil, "messages": [{ "role": "user", "content": "x" }] }).to_string();
    let reply = scene.client().post_bytes(COMPLETIONS, body);
    assert!(reply.header("set-cookie").is_none());
    scene.assert_refused(&reply, 404, "model_not_found");
    // In the target and in a header field the parser itself knows no such bytes.
    scene.parser_refuses("GET /v1/context/a\rb HTTP/1.1\r\nhost: localhost\r\n\r\n", 400);
    scene.parser_refuses(
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx-request-id: a\rb\r\n\r\n",
        400,
    );
    scene.finish();
}

#[test]
fn b23_deadlines_out_of_their_range_are_refused() {
    let scene = Scene::new();
    for deadline in [
        "0",
        "-1",
        "1000000000000",
        "3600001",
        "99999999999999999999",
        "abc",
        "1.5",
        "1e3",
        "",
        "5, 5",
    ] {
        let client = scene.client().with_header("x-request-timeout-ms", deadline);
        for path in WITH_BODY {
            let reply = client.post(path, &chat("hello"));
            let error = scene.assert_refused(&reply, 400, "invalid_header");
            assert_eq!(error["param"], "X-Request-Timeout-Ms", "{deadline}");
        }
    }
    scene.finish();
}

#[test]
fn b23_two_deadlines_are_refused_whatever_they_say() {
    let scene = Scene::new();
    for path in WITH_BODY {
        for deadlines in [["1000", "1000"], ["1000", "abc"], ["60000", "1"]] {
            let deadlines = deadlines.map(|deadline| format!("x-request-timeout-ms: {deadline}"));
            let headers = [
                HOST,
                JSON,
                "connection: close",
                "content-length: 2",
                &deadlines[0],
                &deadlines[1],
            ];
            let bytes = request(&format!("POST {path}"), &headers, "{}");
            let error = scene.refuses_raw(bytes, 400, "invalid_header");
            assert!(error["message"].as_str().unwrap().contains("twice"), "{error}");
        }
    }
    scene.finish();
}

#[test]
fn b24_the_id_of_a_request_is_the_gateways_own_and_log_lines_stay_whole() {
    let scene = Scene::set_up(|setup| setup.toml("[log]\nformat = \"json\"\nlevel = \"debug\"\n"));
    for id in [
        "the-callers-own",
        "{\"level\":\"fake\"}",
        "req_00000000000000000000000000000000",
        "\t\u{1b}x",
    ] {
        let printable = !id.contains('\u{1b}');
        let bytes = request(
            "GET /nobody",
            &[HOST, "connection: close", &format!("x-request-id: {id}")],
            "",
        );
        if printable {
            let reply = scene.send(bytes).read_reply();
            assert_ne!(reply.request_id(), id);
            scene.assert_refused(&reply, 404, "not_found");
        } else {
            scene.parser_refuses(bytes, 400);
        }
    }
    let long = format!("x-request-id: {}", "x".repeat(1024 * 1024));
    scene.parser_refuses(request("GET /nobody", &[HOST, &long], ""), 431);
    let body = json!({ "message": "x", "userId": "u\n{\"level\":\"fake\"}" }).to_string();
    scene.refuses("/v1/chat", body, 400, "invalid_request");
    let lines: Vec<String> = scene.gateway.log();
    let logged = lines.iter().filter(|line| !line.starts_with("listening on "));
    for line in logged {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_ne!(parsed["level"], "fake", "{line}");
        assert!(!line.contains("the-callers-own"), "{line}");
    }
    scene.finish();
}

#[test]
fn b24_every_answer_has_an_id_of_its_own() {
    let scene = Scene::new();
    let client = scene.client().with_header("x-request-id", "same");
    scene.expect_calls(1);
    let replies: Vec<Reply> = ["/health", "/nobody", "/v1/models", "/v1/chat", "/v1/context/x"]
        .iter()
        .map(|path| client.get(path))
        .chain([client.post(COMPLETIONS, &chat("hello"))])
        .collect();
    let mut ids: Vec<&str> = replies.iter().map(Reply::request_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), replies.len());
    scene.finish();
}
