//! The HTTP edge: health, unknown paths, limits, framing and who may come in.

use serde_json::json;

use crate::COMPLETIONS;
use crate::support::{Client, Gateway, Provider, RawClient, Reply, Setup, chat};

const ADMIN_KEY: &str = "admin-key-of-at-least-thirty-two-bytes";
const NATIVE_LIMIT: usize = 2 * 1024 * 1024;

fn start(provider: &Provider) -> Gateway {
    Gateway::start(Setup::free_l0(&[provider]))
}

#[test]
fn health_tells_the_state_of_every_part() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    let health = client.get("/health").json();
    assert_eq!(
        (&health["status"], &health["database"]),
        (&json!("ok"), &json!(true)),
        "{health}"
    );
    assert_eq!(health.get("redis"), Some(&json!(null)), "redis is not configured");
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(health["providers"].to_string().contains("alpha"), "{health}");
    assert!(health["layers"].to_string().contains("L0"), "{health}");
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(client.get(path).status, 200);
    }
    let head = client.request("HEAD", "/");
    assert!((200..300).contains(&head.status) && head.body.is_empty());
    gateway.finish();
}

#[test]
fn a_dead_provider_does_not_make_the_gateway_unready() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    alpha.kill();
    for _ in 0..10 {
        gateway.client().post(COMPLETIONS, &chat("hello"));
    }
    assert_eq!(gateway.client().get("/health/ready").status, 200);
    alpha.revive();
    gateway.finish();
}

#[test]
fn unknown_paths_and_methods_are_told_so_in_json() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    for path in ["/nobody", "/v1", "/v1/chat/", "//v1/chat", "/V1/Chat", "/v1/context"] {
        let reply = client.get(path);
        assert_eq!(reply.error(404)["requestId"], reply.request_id(), "{path}");
    }
    for (method, path) in [
        ("GET", "/v1/chat"),
        ("DELETE", COMPLETIONS),
        ("POST", "/health"),
        ("PUT", "/v1/route"),
    ] {
        let reply = client.request(method, path);
        let error = reply.error(405);
        assert!(error["message"].is_string(), "{method} {path}");
        assert!(reply.header("allow").is_some(), "{method} {path} without Allow");
    }
    gateway.finish();
}

#[test]
fn every_answer_carries_a_request_id_of_its_own() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client().with_header("x-request-id", "the-callers-own");
    let replies = ["/health", "/nobody", "/v1/models", "/v1/chat"].map(|path| client.get(path));
    let mut ids: Vec<&str> = replies.iter().map(Reply::request_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), replies.len());
    gateway.finish();
}

/// Declares a body of this length, sends its first byte and returns the status of the answer.
fn status_for_declared_length(gateway: &Gateway, path: &str, length: usize) -> u16 {
    let mut client = RawClient::connect(gateway.address());
    client.send(format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{{"
    ));
    client.read_status()
}

#[test]
fn a_body_at_the_limit_is_read_and_a_longer_one_is_refused_before_it_is_read() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let body = json!({ "message": "hello" }).to_string();
    let full = " ".repeat(NATIVE_LIMIT - body.len()) + &body;
    assert_eq!(gateway.client().post_bytes("/v1/chat", full).status, 200);
    for (path, length) in [
        ("/v1/chat", NATIVE_LIMIT + 1),
        ("/v1/route", NATIVE_LIMIT + 1),
        (COMPLETIONS, 32 * 1024 * 1024 + 1),
        (COMPLETIONS, 10_737_418_240),
    ] {
        assert_eq!(
            status_for_declared_length(&gateway, path, length),
            413,
            "{path} {length}"
        );
    }
    assert_eq!(alpha.requests(), 1);
    gateway.finish();
}

#[test]
fn an_endless_body_is_refused_at_the_limit() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let mut client = RawClient::connect(gateway.address());
    client.send(
        "POST /v1/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    let piece = format!("{:x}\r\n{}\r\n", 1024 * 1024, " ".repeat(1024 * 1024));
    client.send(&piece);
    client.send(&piece);
    client.send("1\r\n \r\n");
    assert_eq!(client.read_status(), 413);
    gateway.finish();
}

#[test]
fn only_json_is_read() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    for path in ["/v1/chat", "/v1/route", COMPLETIONS] {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
        ] {
            let client = gateway.client().with_header("content-type", kind);
            let reply = client.post(path, &chat("hello"));
            assert!(reply.error(415)["message"].is_string(), "{path} {kind}");
        }
        let body = chat("hello").to_string();
        let mut client = RawClient::connect(gateway.address());
        client.send(format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(client.read_status(), 415, "{path} without a content type");
    }
    let client = gateway
        .client()
        .with_header("content-type", "application/json; charset=utf-8");
    assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
    assert_eq!(alpha.requests(), 1);
    gateway.finish();
}

#[test]
fn ambiguous_framing_is_refused_and_nothing_is_smuggled() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let hidden = "POST /v1/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    for headers in [
        "host: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n",
        "host: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n",
        "host: localhost\r\ncontent-length: +5\r\n",
        "host: localhost\r\ncontent-length: -1\r\n",
        "host: localhost\r\nhost: localhost\r\ncontent-length: 0\r\n",
        "content-length: 0\r\n",
    ] {
        let mut client = RawClient::connect(gateway.address());
        client.send(format!(
            "POST /v1/chat HTTP/1.1\r\ncontent-type: application/json\r\n{headers}\r\n0\r\n\r\n{hidden}"
        ));
        assert_eq!(client.read_status(), 400, "{headers:?}");
        assert!(
            !client.read_until("HTTP/1.1 2"),
            "a smuggled request was answered: {}",
            client.text()
        );
    }
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_request_leaves_nothing_behind() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    for reset in [false, true] {
        let mut client = RawClient::connect(gateway.address());
        client.send(
            "POST /v1/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"messa",
        );
        if reset {
            client.reset();
        } else {
            client.leave();
        }
    }
    assert_eq!(gateway.client().post(COMPLETIONS, &chat("hello")).status, 200);
    assert_eq!((alpha.requests(), gateway.wait_for_calls(1).len()), (1, 1));
    gateway.finish();
}

#[test]
fn without_keys_only_callers_that_address_the_loopback_are_served() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let port = gateway.address().port();
    for (host, refused) in [
        ("evil.example".to_owned(), true),
        (format!("evil.example:{port}"), true),
        ("192.0.2.1".to_owned(), true),
        ("localhost.evil.example".to_owned(), true),
        ("127.0.0.1".to_owned(), false),
        (format!("localhost:{port}"), false),
        (format!("[::1]:{port}"), false),
    ] {
        let mut client = RawClient::connect(gateway.address());
        client.send(format!(
            "GET /v1/models HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ));
        let status = client.read_status();
        assert_eq!(matches!(status, 401 | 403), refused, "host {host}: {status}");
        if refused {
            assert!(client.read_until("\"error\""), "{}", client.text());
        }
    }
    gateway.finish();
}

#[test]
fn with_an_admin_key_every_route_but_live_and_ready_wants_it() {
    let alpha = Provider::start("alpha");
    let start = || Gateway::start(Setup::free_l0(&[&alpha]).env("GATEWAY_ADMIN_KEY", ADMIN_KEY));
    let gateway = start();
    let anonymous = gateway.anonymous();
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(anonymous.get(path).status, 200, "{path}");
    }
    let wrong = [
        None,
        Some(("authorization", "Bearer".to_owned())),
        Some(("authorization", "Bearer ".to_owned())),
        Some(("authorization", format!("Basic {ADMIN_KEY}"))),
        Some(("authorization", format!("Bearer {ADMIN_KEY}x"))),
        Some(("authorization", format!("Bearer {}", &ADMIN_KEY[..37]))),
        Some(("authorization", "Bearer ' OR '1'='1".to_owned())),
        Some(("x-api-key", "nobody".to_owned())),
    ];
    for header in wrong {
        // Of its own: who sends many wrong keys is not answered for a while.
        let (gateway, asked) = (start(), alpha.requests());
        let client = match header {
            None => gateway.anonymous(),
            Some((name, value)) => gateway.anonymous().with_header(name, &value),
        };
        for reply in every_route(&client) {
            let error = reply.error(401);
            assert!(error["message"].is_string());
            assert!(reply.header("www-authenticate").is_some());
            assert!(!reply.text().contains(ADMIN_KEY));
        }
        assert_eq!(alpha.requests(), asked);
        gateway.finish();
    }
    for (name, value) in [
        ("authorization", format!("Bearer {ADMIN_KEY}")),
        ("authorization", format!("bearer {ADMIN_KEY}")),
        ("x-api-key", ADMIN_KEY.to_owned()),
    ] {
        for reply in every_route(&anonymous.with_header(name, &value)) {
            assert_ne!(reply.status, 401, "{name}: {}", reply.text());
        }
    }
    assert!(
        !gateway.log().iter().any(|line| line.contains(ADMIN_KEY)),
        "the admin key is in the log"
    );
    gateway.finish();
}

/// Asks every route that there is, and one that there is not.
fn every_route(client: &Client) -> Vec<Reply> {
    let mut replies: Vec<Reply> = ["/health", "/v1/models", "/v1/server-stats", "/v1/context/c", "/"]
        .iter()
        .map(|path| client.get(path))
        .collect();
    replies.extend(["/v1/chat", "/v1/route"].map(|path| client.post(path, &json!({ "message": "hello" }))));
    replies.push(client.post(COMPLETIONS, &chat("hello")));
    replies.push(client.post("/v1/faults/nobody", &json!({})));
    replies
}

#[test]
fn answers_are_not_for_shared_caches() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    for reply in [
        gateway.client().post(COMPLETIONS, &chat("hello")),
        gateway.client().get("/v1/server-stats"),
    ] {
        assert!(
            reply
                .header("cache-control")
                .is_some_and(|value| value.contains("no-store")),
            "{:?}",
            reply.headers
        );
    }
    gateway.finish();
}
