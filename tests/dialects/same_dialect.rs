//! A client before a provider of its own dialect: what either says reaches the other byte for byte.

use crate::scene::{KEY, Kind, start};
use crate::support::{Content, Gateway, Provider};
use crate::tongue::Tongue;

/// Spelled in a way that no JSON library would print: every blank and digit must survive.
const ODD_MESSAGE: &str = r#"{ "x_unknown" : {"a":1.50 ,"b":[ ],"c":"\u0041\/"} , "model":  "one", "max_tokens": 10e1,
  "messages":[{"role":"user","content":"caf\u00e9 \ud83d\ude00","x_extra":null}],"temperature":0.70, "top_k": 10 }"#;
const ODD_RESPONSE: &str = r#"{ "x_unknown" : {"a":1.50 ,"b":[ ],"c":"\u0041\/"} , "model":  "one",
  "input":[{"role":"user","content":"caf\u00e9 \ud83d\ude00","x_extra":null}],"temperature":0.70, "truncation": "auto" }"#;

/// The client's dialect, its provider's kind, and an odd body.
const NATIVE: [(Tongue, Kind, &str); 2] = [
    (Tongue::Messages, Kind::Anthropic, ODD_MESSAGE),
    (Tongue::Responses, Kind::Responses, ODD_RESPONSE),
];

fn for_each_dialect(look: impl Fn(Tongue, &str, &Provider, &Gateway)) {
    for (tongue, kind, odd) in NATIVE {
        println!("{tongue:?}");
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, kind)]);
        look(tongue, odd, &alpha, &gateway);
        alpha.say(Content::text());
        gateway.finish();
    }
}

#[test]
fn a_body_reaches_the_provider_byte_for_byte_save_the_model() {
    for_each_dialect(|tongue, odd, alpha, gateway| {
        let streamed = odd.replacen('{', "{ \"stream\" :true ,", 1);
        for body in [odd.replace("10e1", "100"), streamed.replace("10e1", "100")] {
            let reply = gateway.client().post_bytes(tongue.path(), body.as_bytes());
            assert_eq!(reply.status, 200, "{}", reply.text());
            let sent = alpha.last_request();
            assert_eq!(sent.text(), body.replace("\"one\"", "\"one-api\""));
            assert_eq!(sent.path, tongue.path());
        }
    });
}

#[test]
fn an_answer_reaches_the_client_byte_for_byte_whole_and_streamed() {
    for_each_dialect(|tongue, _, alpha, gateway| {
        for content in [
            Content::text(),
            Content::text().thinking(),
            Content::cut_text(),
            Content::refusal(),
            Content::calls(&[("weather", r#"{"city":"Oslo"}"#), ("weather", "{}")]).after_text(),
        ] {
            alpha.say(content);
            for stream in [false, true] {
                let reply = gateway
                    .client()
                    .post(tongue.path(), &tongue.ask("one", "hello", stream));
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert_eq!(reply.text(), String::from_utf8(alpha.last_body()).unwrap());
                tongue.heard(&reply);
                let kind = reply.header("content-type").unwrap();
                assert!(kind.starts_with(if stream {
                    "text/event-stream"
                } else {
                    "application/json"
                }));
            }
        }
    });
}

#[test]
fn betas_and_versions_are_what_anthropic_is_told_and_nobody_else() {
    let alpha = Provider::start("alpha");
    let beta = Provider::start("beta");
    let gateway = start(&[(&alpha, Kind::Anthropic), (&beta, Kind::Chat)]);
    let client = gateway
        .client()
        .with_header("anthropic-beta", "context-1m-2025-08-07")
        .with_header("anthropic-beta", "x-2")
        .with_header("anthropic-version", "2023-06-01");
    for model in ["one", "two"] {
        let reply = client.post(Tongue::Messages.path(), &Tongue::Messages.ask(model, "hello", false));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let sent = alpha.last_request();
    assert_eq!(sent.header("anthropic-beta"), Some("context-1m-2025-08-07,x-2"));
    assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(sent.header("x-api-key"), Some(KEY));
    let sent = beta.last_request();
    for name in ["anthropic-beta", "anthropic-version"] {
        assert_eq!(sent.header(name), None, "{name} was forwarded");
    }
    // Another version has other rules: the client is answered by those that it names.
    let newer = gateway.client().with_header("anthropic-version", "2026-01-31");
    for (model, dropped) in [("one", None), ("two", Some("anthropic-version"))] {
        let reply = newer.post(Tongue::Messages.path(), &Tongue::Messages.ask(model, "hello", false));
        assert_eq!((reply.status, reply.header("x-gateway-dropped")), (200, dropped));
    }
    let sent = alpha.last_request();
    let versions = sent
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("anthropic-version"));
    let versions: Vec<&str> = versions.map(|(_, value)| value.as_str()).collect();
    assert_eq!(versions, ["2026-01-31"]);
    gateway.finish();
}
