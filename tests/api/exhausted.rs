//! A budget that is spent, told with the status that clients of other services know it by.

use std::process::Command;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Gateway, Model, Provider, Setup, chat};

/// What the clients ask, and how they tell what they saw.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/money/clients.py");
/// The local user needs no key, the clients have to show one.
const ANY_KEY: &str = "any";

/// A gateway at which nothing may be spent.
fn start(paid: &Provider, free: &Provider, toml: &str) -> Gateway {
    let setup = Setup::new().toml(toml).provider(paid).provider(free);
    let setup = setup.model(&Model::free("paid", paid).priced("1", "2"));
    let gateway = Gateway::start(setup.model(&Model::free("free", free)));
    let nothing = json!({ "limitNanoUsd": 0, "window": "total" });
    let set = gateway.client().send_json("PUT", "/v1/admin/budgets/global", &nothing);
    assert_eq!(set.status, 200, "{}", set.text());
    gateway
}

fn for_model(model: &str) -> Value {
    let mut body = chat("hello");
    body["model"] = json!(model);
    body
}

#[test]
fn a_spent_budget_answers_429_in_every_shape_where_the_settings_say_so() {
    let (paid, free) = (Provider::start("paid"), Provider::start("free"));
    let gateway = start(&paid, &free, "[budget]\nexhausted_status = 429\n");
    let client = gateway.client();
    let mut streamed = for_model("paid");
    streamed["stream"] = json!(true);
    let messages = json!({ "model": "paid", "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] });
    for (path, body, word, kind) in [
        (COMPLETIONS, for_model("paid"), "type", "insufficient_quota"),
        (COMPLETIONS, for_model("paid"), "code", "budget_exceeded"),
        (COMPLETIONS, streamed, "code", "budget_exceeded"),
        (
            "/v1/responses",
            json!({ "model": "paid", "input": "hello" }),
            "code",
            "budget_exceeded",
        ),
        ("/v1/messages", messages, "type", "billing_error"),
        (
            "/v1/route",
            json!({ "message": "hello", "model": "paid" }),
            "type",
            "budget_exceeded",
        ),
    ] {
        let reply = client.post(path, &body);
        assert_eq!(reply.error(429)[word], kind, "{path}");
        assert_eq!(reply.header("x-gateway-error"), Some("budget_exceeded"), "{path}");
        assert_eq!(reply.header("x-should-retry"), Some("false"), "{path}");
        // Nobody knows when there will be money.
        assert_eq!(reply.header("retry-after"), None, "{path}");
    }
    assert_eq!(paid.requests(), 0);
    gateway.finish_after(&for_model("free"));
}

#[test]
fn clients_do_not_try_again_when_a_spent_budget_answers_429() {
    let python = std::env::var("GATEWAY_TEST_PYTHON");
    let python = python.expect("GATEWAY_TEST_PYTHON is not set: run `make test`, which installs the clients");
    let (paid, free) = (Provider::start("paid"), Provider::start("free"));
    let gateway = start(&paid, &free, "[budget]\nexhausted_status = 429\n");
    for client in ["openai", "anthropic"] {
        let address = format!("http://{}", gateway.address());
        let output = Command::new(&python)
            .args([CLIENTS, &address, ANY_KEY, client, "1"])
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(seen, json!({ "status": 429, "sent": 1 }), "{client}");
    }
    assert_eq!(paid.requests(), 0);
    gateway.finish_after(&for_model("free"));
}

#[test]
fn a_spent_budget_answers_402_where_the_settings_say_nothing() {
    let (paid, free) = (Provider::start("paid"), Provider::start("free"));
    let gateway = start(&paid, &free, "");
    let reply = gateway.client().post(COMPLETIONS, &for_model("paid"));
    assert_eq!(reply.error(402)["code"], "budget_exceeded");
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    gateway.finish_after(&for_model("free"));
}
