//! What clients are told of: what was left out of a request, by their own names for it, and what is not there.

use serde_json::{Value, json};

use crate::scene::{KEY, Kind, start};
use crate::support::{Gateway, Model, Provider, Setup};
use crate::tongue::Tongue;

#[test]
fn a_path_that_is_not_there_is_told_in_the_shape_that_the_client_knows() {
    let alpha = Provider::start("alpha");
    let gateway = start(&[(&alpha, Kind::Chat)]);
    let plain = gateway.client();
    let anthropic = gateway.client().with_header("anthropic-version", "2023-06-01");
    for path in [
        "/v1/messages/batches",
        "/v1/messages/batches/x/results",
        "/v1/complete",
        "/v1/files",
    ] {
        let reply = anthropic.get(path);
        assert_eq!(reply.error(404)["type"], "not_found_error", "{path}");
        assert_eq!(reply.json()["type"], "error", "{path}");
    }
    // Only Anthropic has such a path, whatever the headers are.
    assert_eq!(plain.get("/v1/messages/batches").json()["type"], "error");
    for path in [
        "/v1/files",
        "/v1/batches/b",
        "/v1/chat/completions/c",
        "/v1/responses/r/cancel",
    ] {
        let reply = plain.get(path);
        let error = reply.error(404);
        let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "message", "param", "type"], "{path}");
    }
    assert!(plain.get("/v1/nothing").error(404)["requestId"].is_string());
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}

#[test]
fn a_field_is_named_as_the_client_called_it_and_every_loss_is_told() {
    let alpha = Provider::start("alpha");
    let gateway = start(&[(&alpha, Kind::Responses)]);
    let client = gateway.client();
    let completion = json!({ "model": "one", "prompt": "x", "max_tokens": 8 });
    assert_eq!(
        client.post("/v1/completions", &completion).error(400)["param"],
        "max_tokens"
    );
    for name in ["max_tokens", "max_completion_tokens"] {
        let mut body = Tongue::Chat.ask("one", "hello", false);
        body[name] = json!(8);
        assert_eq!(client.post(Tongue::Chat.path(), &body).error(400)["param"], name);
        body[name] = json!(1_000_000);
        let reply = client.post(Tongue::Chat.path(), &body);
        assert_eq!((reply.status, reply.header("x-gateway-dropped")), (200, Some(name)));
    }
    let body = Tongue::Messages.ask("one", "hello", false);
    let reply = client
        .with_header("anthropic-beta", "x-1")
        .post(Tongue::Messages.path(), &body);
    assert_eq!(
        (reply.status, reply.header("x-gateway-dropped")),
        (200, Some("anthropic-beta"))
    );
    let mut body = Tongue::Chat.ask("one", "hello", false);
    for number in 0..100 {
        body[format!("x_{number}")] = json!(1);
    }
    body["seed"] = json!(7);
    let reply = client.post(Tongue::Chat.path(), &body);
    let dropped = reply.header("x-gateway-dropped").unwrap();
    assert!(dropped.starts_with("seed") && dropped.ends_with("more"), "{dropped}");
    gateway.finish();
}

#[test]
fn a_provider_that_refuses_stream_options_is_not_sent_any() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new().env("PROVIDER_KEY", KEY);
    let setup = setup.provider_kind(&alpha, "mistral", "api_key_env = \"PROVIDER_KEY\"");
    let gateway = Gateway::start(setup.model(&Model::free("one", &alpha)));
    let ask = |options: &str| {
        format!(
            r#"{{ "stream_options" : {options} , "model":"one","stream": true,"messages":[{{"role":"user","content":"x"}}]}}"#
        )
    };
    for options in [r#"{"include_usage":true}"#, r#"{"include_usage":false}"#, "null", "{}"] {
        let reply = gateway
            .client()
            .post_bytes(Tongue::Chat.path(), ask(options).as_bytes());
        assert_eq!(
            Tongue::Chat.heard(&reply).text,
            "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5"
        );
        let sent = alpha.last_request();
        let body: Value = serde_json::from_str(sent.text()).unwrap();
        let names: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["messages", "model", "stream"], "{}", sent.text());
        assert_eq!(body["model"], "one-api");
    }
    gateway.finish();
}
