//! When not to fail over: a refused request, a named model, a dearer layer; and what clients are told when nobody is left.

use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::support::{Behaviour, Gateway, Model, Provider, Setup, chat, in_parallel, streamed_chat, wait_for};

/// Requests that may still reach a provider before its closed gate is known everywhere.
const STRAGGLERS: usize = 3;
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[test]
fn g1_with_every_provider_down_clients_are_told_so_in_json_and_when_to_try_again() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    alpha.kill();
    beta.kill();
    let client = gateway.client();
    for request in [chat("hello"), streamed_chat("hello")] {
        let replies = in_parallel(40, 4, |_| client.post(COMPLETIONS, &request));
        for reply in &replies {
            assert!(matches!(reply.status, 502 | 503), "{}: {}", reply.status, reply.text());
            assert!(reply.json()["error"]["message"].is_string());
        }
    }
    let mut replies = (0..20).map(|_| client.post(COMPLETIONS, &chat("hello")));
    let refused = replies
        .find(|reply| reply.status == 503)
        .expect("every breaker is open, but every request is tried");
    let seconds: u64 = refused.header("retry-after").expect("retry-after").parse().unwrap();
    assert!((1..=300).contains(&seconds), "retry-after: {seconds}");
    assert_eq!(refused.error(503)["code"], "no_provider_available");
    alpha.revive();
    beta.revive();
    gateway.finish();
}

#[test]
fn a_named_model_is_never_replaced_by_another() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    alpha.kill();
    let mut request = chat("hello");
    request["model"] = "alpha-small".into();
    for _ in 0..10 {
        let reply = gateway.client().post(COMPLETIONS, &request);
        assert!(matches!(reply.status, 502 | 503), "{}: {}", reply.status, reply.text());
    }
    assert_eq!(beta.requests(), 0);
    alpha.revive();
    gateway.finish();
}

#[test]
fn d3_failover_enters_a_dearer_layer_only_when_that_is_allowed() {
    for (allowed, statuses) in [("false", 502..=503), ("true", 200..=200)] {
        let (free, paid) = (Provider::start("free"), Provider::start("paid"));
        let setup = Setup::new()
            .provider(&free)
            .provider(&paid)
            .model(&Model::free("free-small", &free))
            .model(&Model::free("paid-large", &paid).layer("L1").priced("1", "2"))
            .env("ENABLE_AUTO_ESCALATE", allowed);
        let gateway = Gateway::start(setup);
        free.kill();
        let reply = gateway.client().post(COMPLETIONS, &chat("hello"));
        assert!(statuses.contains(&reply.status), "{}: {}", reply.status, reply.text());
        assert_eq!(paid.requests() > 0, reply.status == 200);
        free.revive();
        gateway.finish();
    }
}

#[test]
fn a_request_the_provider_refuses_goes_nowhere_else_and_does_not_hurt_the_provider() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    let client = gateway.client();
    alpha.set(Behaviour::Status(
        400,
        JSON,
        r#"{"error":{"message":"secret-upstream-detail"}}"#,
    ));
    for _ in 0..20 {
        let reply = client.post(COMPLETIONS, &chat("hello"));
        assert!(
            (400..=422).contains(&reply.status),
            "{}: {}",
            reply.status,
            reply.text()
        );
    }
    assert_eq!((alpha.requests(), beta.requests()), (20, 0));
    alpha.set(Behaviour::Answer);
    assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
    assert_eq!((alpha.requests(), beta.requests()), (21, 0));
    gateway.finish();
}

#[test]
fn g8_an_input_the_provider_finds_too_long_is_422_and_does_not_hurt_the_provider() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    let body = r#"{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    alpha.set(Behaviour::Status(400, JSON, body));
    for _ in 0..10 {
        let error = gateway.client().post(COMPLETIONS, &chat("hello")).error(422);
        assert_eq!(error["code"], "context_length_exceeded", "as OpenAI calls it");
    }
    assert_eq!(alpha.requests(), 10);
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

#[test]
fn g7_a_provider_that_refuses_our_key_is_left_alone_and_its_clients_are_served_elsewhere() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    alpha.set(Behaviour::Status(
        401,
        JSON,
        r#"{"error":{"message":"bad key sk-secret"}}"#,
    ));
    for _ in 0..30 {
        let reply = gateway.client().post(COMPLETIONS, &chat("hello"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.content().starts_with("beta"));
    }
    assert!(
        alpha.requests() <= STRAGGLERS,
        "asked {} times with a key it refuses",
        alpha.requests()
    );
    gateway.finish();
}

#[test]
fn g7_a_refused_key_is_the_gateways_fault_and_not_the_clients() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    let mut request = chat("hello");
    request["model"] = "alpha-small".into();
    alpha.set(Behaviour::Status(
        403,
        JSON,
        r#"{"error":{"message":"bad key sk-secret"}}"#,
    ));
    let reply = gateway.client().post(COMPLETIONS, &request);
    assert_eq!(reply.error(502)["code"], "upstream_auth");
    gateway.finish();
}

#[test]
fn g6_a_provider_that_limits_our_rate_cools_down_and_comes_back() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    let client = gateway.client();
    alpha.set(Behaviour::Status(429, &[("retry-after", "3")], ""));
    for _ in 0..30 {
        let reply = client.post(COMPLETIONS, &chat("hello"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.content().starts_with("beta"));
    }
    assert!(
        alpha.requests() <= STRAGGLERS,
        "asked {} times in its pause",
        alpha.requests()
    );
    alpha.set(Behaviour::Answer);
    wait_for("the cool-down to end", Duration::from_secs(15), || {
        client.post(COMPLETIONS, &chat("hello")).content().starts_with("alpha")
    });
    gateway.finish();
}

#[test]
fn g6_when_every_provider_limits_our_rate_clients_are_told_for_how_long() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    alpha.set(Behaviour::Status(429, &[("retry-after", "7")], ""));
    let reply = gateway.client().post(COMPLETIONS, &chat("hello"));
    assert_eq!(reply.error(429)["code"], "upstream_rate_limited");
    assert_eq!(reply.header("retry-after"), Some("7"));
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

/// A model of this provider that can see or cannot, in this layer, at a price.
fn model(id: &str, provider: &str, layer: &str, capabilities: &str) -> String {
    format!(
        "[[models]]\nid = \"{id}\"\nprovider = \"{provider}\"\nlayer = \"{layer}\"\ncapabilities = [{capabilities}]\n\
         context_window = 8000\nmax_output_tokens = 100\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1"
    )
}

#[test]
fn without_its_key_every_layer_of_a_provider_names_the_key_and_no_other_layer() {
    let alpha = Provider::start("alpha");
    let mut setup = Setup::new().provider_with(&alpha, "api_key_env = \"ALPHA_KEY\"");
    for layer in ["L0", "L1", "L2"] {
        setup = setup.toml(&model(&format!("alpha-{layer}"), "alpha", layer, "\"chat\""));
    }
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    for body in [
        json!({ "message": "hello" }),
        json!({ "message": "hello", "layer": "L0" }),
        json!({ "message": "hello", "layer": "L1" }),
        json!({ "message": "hello", "layer": "L2" }),
        json!({ "message": "hello", "model": "alpha-L1" }),
    ] {
        let error = client.post("/v1/route", &body).error(503);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("`alpha` has no key: set ALPHA_KEY"),
            "{body}: {message}"
        );
        assert!(!message.contains("has one"), "{body}: {message}");
    }
    assert_eq!(alpha.requests(), 0);
    gateway.finish_without_a_model();
}

#[test]
fn an_image_that_no_free_model_can_see_is_told_the_layer_that_can_and_goes_there_when_asked_to() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider(&alpha)
        .toml(&model("blind", "alpha", "L0", "\"chat\""))
        .toml(&model("seeing", "alpha", "L2", "\"chat\", \"vision\""));
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } });
    let mut request = chat("hello");
    request["messages"][0]["content"] = json!([{ "type": "text", "text": "what is it?" }, image]);
    let error = client.post(COMPLETIONS, &request).error(400);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("missing vision; layer L2 has one: ask for it with `layer` or `model` set to L2"),
        "{message}"
    );
    assert_eq!(alpha.requests(), 0);
    request["model"] = json!("L2");
    let reply = client.post(COMPLETIONS, &request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    gateway.finish();
}
