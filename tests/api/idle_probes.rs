//! A provider that was away is found to be back without a client's request, by a question that costs nothing.

use std::time::Duration;

use serde_json::Value;

use crate::COMPLETIONS;
use crate::support::{Behaviour, Client, Gateway, Model, Provider, Setup, chat, wait_for};

const SOON: Duration = Duration::from_secs(30);

fn state(client: &Client) -> Value {
    client.get("/health").json()["providers"]["alpha"].clone()
}

/// One provider with a key, whose breaker opens and lets probes through quickly.
fn setup(alpha: &Provider, idle_ms: u32) -> Setup {
    Setup::new()
        .provider_with(alpha, "api_key_env = \"ALPHA_KEY\"")
        .env("ALPHA_KEY", "sk-alpha")
        .model(&Model::free("alpha-small", alpha))
        .toml(&format!(
            "[breaker]\nconsecutive_failures = 2\nopen_base_ms = 100\nopen_cap_ms = 500\nidle_probe_ms = {idle_ms}"
        ))
}

#[test]
fn without_traffic_a_provider_that_is_back_is_asked_for_its_models_and_its_gate_closes() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha, 500));
    let client = gateway.client();
    alpha.kill();
    wait_for("the breaker to open", SOON, || {
        client.post(COMPLETIONS, &chat("hello"));
        state(&client)["trouble"] == "unreachable"
    });
    assert_ne!(state(&client)["state"], "closed");

    alpha.revive();
    wait_for("the gate to close", SOON, || state(&client)["state"] == "closed");

    let asked = alpha.probes();
    assert!(!asked.is_empty());
    for question in asked {
        assert_eq!(question.path, "/v1/models");
        assert_eq!(question.header("authorization"), Some("Bearer sk-alpha"));
    }
    assert_eq!(alpha.requests(), 0, "a model was asked");
    assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
    gateway.finish();
}

#[test]
fn with_traffic_no_list_of_models_is_asked_for() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha, 10_000));
    let client = gateway.client();
    alpha.kill();
    wait_for("the breaker to open", SOON, || {
        client.post(COMPLETIONS, &chat("hello"));
        state(&client)["trouble"] == "unreachable"
    });
    alpha.revive();
    wait_for("traffic to close the gate", SOON, || {
        client.post(COMPLETIONS, &chat("hello"));
        state(&client)["state"] == "closed"
    });
    assert!(alpha.probes().is_empty());
    gateway.finish();
}

#[test]
fn an_answer_to_the_question_does_not_clear_a_model_whose_calls_fail() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha, 500));
    let client = gateway.client();
    let model = |client: &Client| state(client)["models"]["alpha-small"]["state"].clone();
    alpha.set(Behaviour::BROKEN);
    wait_for("the model's breaker to open", SOON, || {
        client.post(COMPLETIONS, &chat("hello"));
        model(&client) == "open"
    });
    alpha.kill();
    wait_for("the provider's breaker to open", SOON, || {
        client.post(COMPLETIONS, &chat("hello"));
        state(&client)["trouble"] == "unreachable"
    });
    alpha.revive();
    wait_for("the provider's gate to close", SOON, || {
        state(&client)["state"] == "closed"
    });
    assert!(!alpha.probes().is_empty());
    assert_eq!(model(&client), "open");
    alpha.set(Behaviour::Answer);
    gateway.finish();
}
