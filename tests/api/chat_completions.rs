//! `POST /v1/chat/completions` and `GET /v1/models`: OpenAI's dialect goes through byte for byte.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Behaviour, Gateway, Model, Provider, Setup, chat, streamed_chat};

/// Spelled in a way that no JSON library would print: every blank and digit must survive.
const ODD_BODY: &str = r#"{ "x_unknown" : {"a":1.50 ,"b":[ ],"c":"\u0041\/"} , "model":  "alpha-small",
  "messages":[{"role":"user","content":"caf\u00e9 \ud83d\ude00","x_extra":null}],"temperature":0.70, "seed": 10 }"#;

fn start(provider: &Provider) -> Gateway {
    Gateway::start(
        Setup::new()
            .provider_with(provider, "api_key_env = \"ALPHA_KEY\"")
            .model(&Model::free("alpha-small", provider).api_model("tiny"))
            .env("ALPHA_KEY", "sk-canary-0123456789"),
    )
}

#[test]
fn the_body_reaches_the_provider_byte_for_byte_save_the_model() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let reply = gateway.client().post_bytes(COMPLETIONS, ODD_BODY);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        alpha.last_request().text(),
        ODD_BODY.replace("\"alpha-small\"", "\"tiny\"")
    );
    assert_eq!(alpha.last_request().path, COMPLETIONS);
    gateway.finish();
}

#[test]
fn the_answer_reaches_the_client_byte_for_byte() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let reply = gateway.client().post(COMPLETIONS, &chat("hello"));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, alpha.last_body());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.request_id().starts_with("req_"));
    gateway.finish();
}

#[test]
fn a_stream_reaches_the_client_byte_for_byte() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("content-type").unwrap().starts_with("text/event-stream"));
    assert_eq!(reply.text(), String::from_utf8(alpha.last_body()).unwrap());
    assert!(!reply.cut && reply.is_done());
    gateway.finish();
}

#[test]
fn usage_is_always_asked_of_the_provider_but_told_only_to_clients_that_asked() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let not_asking = r#"{"model":"auto","stream":true,"x_unknown": 1.50 ,"messages":[{"role":"user","content":"hi"}]}"#;
    let with_false = not_asking.replacen('{', r#"{"stream_options":{"include_usage":false},"#, 1);
    for body in [not_asking.to_owned(), with_false] {
        let reply = gateway.client().post_bytes(COMPLETIONS, body);
        assert!(reply.is_done());
        let sent = alpha.last_request();
        assert_eq!(sent.json()["stream_options"]["include_usage"], true);
        assert!(sent.text().contains("\"x_unknown\": 1.50 ,"), "{}", sent.text());
        assert_eq!(reply.text(), without_usage_event(&alpha.last_body()));
    }
    let calls = gateway.wait_for_calls(2);
    assert!(
        calls.iter().all(|call| call.output_tokens == 5 && !call.estimated),
        "{calls:#?}"
    );
    gateway.finish();
}

fn without_usage_event(stream: &[u8]) -> String {
    let text = std::str::from_utf8(stream).unwrap();
    let kept = text
        .split_inclusive("\n\n")
        .filter(|event| !event.contains("\"usage\""));
    kept.collect()
}

#[test]
fn an_owned_field_given_twice_is_refused_before_anything_is_sent() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    for (param, body) in [
        (
            "model",
            r#"{"model":"auto","model":"auto","messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (
            "model",
            r#"{"model":"auto","mode\u006c":"auto","messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (
            "stream",
            r#"{"model":"auto","stream":true,"stream":false,"messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (
            "stream_options",
            r#"{"model":"auto","stream_options":{},"stream_options":{},"messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (
            "max_tokens",
            r#"{"model":"auto","max_tokens":1,"max_tokens":2,"messages":[{"role":"user","content":"hi"}]}"#,
        ),
    ] {
        let error = gateway.client().post_bytes(COMPLETIONS, body).error(400);
        assert_eq!(error["param"], param, "{error}");
    }
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}

#[test]
fn errors_have_openais_shape() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    let unknown = client.post(
        COMPLETIONS,
        &json!({ "model": "nobody", "messages": [{ "role": "user", "content": "" }] }),
    );
    let error = unknown.error(404);
    assert_eq!(
        (&error["code"], &error["param"]),
        (&json!("model_not_found"), &json!("model"))
    );
    assert!(error["message"].as_str().unwrap().contains("nobody"));

    for body in [
        "",
        "{",
        "nul",
        "[]",
        "5",
        "{}",
        r#"{"model":"auto"}"#,
        r#"{"model":"auto","messages":5}"#,
    ] {
        let error = client.post_bytes(COMPLETIONS, body).error(400);
        let keys: BTreeSet<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            BTreeSet::from(["code", "message", "param", "type"]),
            "for {body:?}"
        );
        assert!(
            error["message"].is_string() && error["type"].is_string(),
            "for {body:?}: {error}"
        );
    }
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}

#[test]
fn without_a_good_answer_the_client_gets_an_error_with_a_status_and_not_a_stream() {
    let cases: &[(Behaviour, Value, &str)] = &[
        (Behaviour::HTML, chat("hi"), "upstream_malformed"),
        (Behaviour::TruncatedBody, chat("hi"), "upstream_error"),
        (Behaviour::ErrorFrameFirst, streamed_chat("hi"), "upstream_error"),
        (Behaviour::EmptyStream, streamed_chat("hi"), "upstream_empty"),
        (Behaviour::CommentsOnly, streamed_chat("hi"), "upstream_empty"),
        (Behaviour::BROKEN, chat("hi"), "upstream_error"),
    ];
    for (behaviour, request, code) in cases {
        let alpha = Provider::start("alpha");
        let gateway = start(&alpha);
        alpha.set(behaviour.clone());
        let reply = gateway.client().post(COMPLETIONS, request);
        assert_eq!(reply.error(502)["code"], *code, "{behaviour:?}");
        alpha.set(Behaviour::Answer);
        gateway.finish();
    }
}

#[test]
fn the_provider_sees_the_gateways_key_and_nothing_of_the_callers_credentials() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway
        .client()
        .with_header("authorization", "Bearer callers-own-key")
        .with_header("cookie", "session=callers")
        .with_header("x-forwarded-for", "192.0.2.7")
        .with_header("x-api-key", "callers-own-key");
    let reply = client.post(COMPLETIONS, &chat("hello"));
    let sent = alpha.last_request();
    assert_eq!(sent.header("authorization"), Some("Bearer sk-canary-0123456789"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
    for name in ["cookie", "x-forwarded-for", "x-api-key"] {
        assert_eq!(sent.header(name), None, "{name} was forwarded");
    }
    assert!(
        !shown_to_anyone(&gateway, &reply.body, "sk-canary"),
        "the provider's key leaked"
    );
    gateway.finish();
}

fn shown_to_anyone(gateway: &Gateway, body: &[u8], secret: &str) -> bool {
    let pages = ["/health", "/v1/models", "/v1/server-stats"].map(|path| gateway.client().get(path).body);
    let bodies = pages.iter().map(Vec::as_slice).chain([body]);
    let in_bodies = bodies.map(String::from_utf8_lossy).any(|text| text.contains(secret));
    in_bodies || gateway.log().iter().any(|line| line.contains(secret))
}

#[test]
fn tools_and_parts_go_through_untouched() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let mut request = chat("ignored");
    request["tools"] = json!([{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }]);
    request["messages"] = json!([
        { "role": "user", "content": [{ "type": "text", "text": "hi" }] },
        { "role": "assistant", "content": null, "tool_calls": [
            { "id": "1", "type": "function", "function": { "name": "f", "arguments": "{}" } }
        ] },
        { "role": "tool", "tool_call_id": "1", "content": "done" }
    ]);
    assert_eq!(gateway.client().post(COMPLETIONS, &request).status, 200);
    request["model"] = json!("tiny");
    assert_eq!(alpha.last_request().json(), request);
    gateway.finish();
}

#[test]
fn models_are_listed_in_openais_shape() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let list = gateway.client().get("/v1/models").json();
    assert_eq!(list["object"], "list");
    let models = list["data"].as_array().unwrap();
    let alpha_small = models.iter().find(|model| model["id"] == "alpha-small").unwrap();
    assert_eq!(alpha_small["object"], "model");
    assert_eq!(alpha_small["owned_by"], "alpha");
    assert!(alpha_small["created"].is_u64());
    gateway.finish();
}

#[test]
fn a_completion_leaves_no_conversation_behind_but_a_call_record() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    gateway.client().post(COMPLETIONS, &chat("one two"));
    let call = gateway.wait_for_calls(1).remove(0);
    assert_eq!(call.conversation_id, None);
    assert_eq!(
        (call.model_id.as_str(), call.api_model.as_str()),
        ("alpha-small", "tiny")
    );
    assert_eq!((call.provider.as_str(), call.layer.as_str()), ("alpha", "L0"));
    assert_eq!((call.input_tokens, call.output_tokens, call.cost_nano_usd), (2, 5, 0));
    assert_eq!((call.status, call.streamed), (Some(200), false));
    gateway.finish();
}
