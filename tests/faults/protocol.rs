//! Rows A16, A17, A18 and A20: methods, origins, accepted types and upgrades that the gateway does not know.

use crate::scene::{Scene, request};
use crate::support::chat;
use crate::{COMPLETIONS, WITH_BODY};

const HOST: &str = "host: localhost";
const CLOSE: &str = "connection: close";

#[test]
fn a16_unknown_methods_are_refused_with_those_that_are_known() {
    let scene = Scene::new();
    for method in ["TRACE", "CONNECT", "OPTIONS", "PATCH", "DELETE", "BREW", "post", "GET"] {
        for path in WITH_BODY {
            let mut client = scene.send(request(&format!("{method} {path}"), &[HOST, CLOSE], ""));
            let reply = client.read_reply();
            scene.assert_refused(&reply, 405, "method_not_allowed");
            assert_eq!(reply.header("allow"), Some("POST"), "{method} {path}");
            assert!(!reply.text().contains(CLOSE), "a request was echoed");
        }
    }
    // The target of a CONNECT is no path at all.
    scene.refuses_raw(
        request("CONNECT evil.example:443", &[HOST, CLOSE], ""),
        404,
        "not_found",
    );
    scene.refuses_raw(request("OPTIONS *", &[HOST, CLOSE], ""), 404, "not_found");
    scene.finish();
}

#[test]
fn a17_no_origin_is_ever_allowed() {
    let scene = Scene::new();
    for origin in ["https://evil.example", "null", "http://localhost:3000"] {
        let client = scene.client().with_header("origin", origin);
        scene.expect_calls(1);
        let mut replies = vec![client.get("/v1/models"), client.post(COMPLETIONS, &chat("hello"))];
        let preflight = client
            .with_header("access-control-request-method", "POST")
            .with_header("access-control-request-headers", "authorization");
        replies.push(preflight.request("OPTIONS", COMPLETIONS));
        for reply in replies {
            let allows = |name: &ureq::http::HeaderName| name.as_str().starts_with("access-control-");
            assert!(!reply.headers.keys().any(allows), "{origin}: {:?}", reply.headers);
        }
        let refused = preflight.request("OPTIONS", "/v1/chat");
        scene.assert_refused(&refused, 405, "method_not_allowed");
    }
    scene.finish();
}

#[test]
fn a18_what_a_client_accepts_does_not_change_what_it_gets() {
    let scene = Scene::new();
    for accepted in [
        "text/html",
        "text/event-stream",
        "image/png;q=0.1",
        "nonsense",
        "*/*;q=0",
    ] {
        let client = scene.client().with_header("accept", accepted);
        scene.expect_calls(1);
        let reply = client.post(COMPLETIONS, &chat("hello"));
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("application/json"))
        );
        let refused = client.get("/nobody");
        scene.assert_refused(&refused, 404, "not_found");
    }
    scene.finish();
}

#[test]
fn a20_no_connection_is_switched_to_another_protocol() {
    let scene = Scene::new();
    for upgrade in [
        &[
            "connection: upgrade",
            "upgrade: websocket",
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        ][..],
        &[
            "connection: upgrade, http2-settings",
            "upgrade: h2c",
            "http2-settings: AAMAAABkAAQAAP__",
        ],
        &["connection: upgrade", "upgrade: TLS/1.3"],
    ] {
        for (path, status) in [("/v1/models", 200), (COMPLETIONS, 405), ("/nobody", 404)] {
            let mut client = scene.send(request(&format!("GET {path}"), &[&[HOST], upgrade].concat(), ""));
            let reply = client.read_reply();
            assert_eq!(reply.status, status, "{upgrade:?} {path}");
            assert!(reply.header("upgrade").is_none(), "{upgrade:?} {path}");
            // Whatever follows is no frame of another protocol: the connection ends, or goes on with HTTP/1.1.
            client.try_send(request("GET /health/live", &[HOST, CLOSE], ""));
            let rest = client.read_to_close();
            assert!(
                rest.is_empty() || rest.starts_with("HTTP/1.1 200"),
                "{upgrade:?} {path}: {rest}"
            );
        }
    }
    // HTTP/2 without asking.
    let mut client = scene.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let answer = client.read_to_close();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    scene.finish();
}
