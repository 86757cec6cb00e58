//! Names that programs ask for without knowing what is configured: they are answered by the vendor's own models, or not
//! at all.

use serde_json::json;

use crate::COMPLETIONS;
use crate::support::{Gateway, Provider, Reply, Setup};

/// A gateway with the shipped catalogue, which has this vendor's key and finds it at `provider`.
fn start(provider: &Provider, vendor: &str) -> Gateway {
    let setup = Setup::new()
        .env("DEFAULT_LAYER", "L1")
        .env(&format!("{vendor}_API_KEY"), "sk-test")
        .env(&format!("{vendor}_BASE_URL"), &provider.base_url());
    Gateway::start(setup)
}

fn ask(gateway: &Gateway, model: &str) -> Reply {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
    gateway.client().post(COMPLETIONS, &body)
}

#[test]
fn what_agents_ask_for_reaches_its_vendors_models_at_openrouter() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha, "OPENROUTER");
    for (asked, served) in [
        ("claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-5.5"),
        ("claude-haiku-4-5-20251001", "anthropic/claude-haiku-4.5"),
        ("claude-opus-4-8", "anthropic/claude-opus-4.8"),
        ("claude-3-opus-latest", "anthropic/claude-opus-5.5"),
        ("gpt-4o-2024-11-20", "openai/gpt-4o"),
        ("gpt-5.1-codex-mini", "openai/gpt-5.3-codex"),
        ("gpt-5-mini", "openai/gpt-5-mini"),
        ("o3", "openai/gpt-6.1-sol"),
        ("gemini-2.5-pro", "google/gemini-3.1-pro-preview"),
        ("gemini-2.5-flash-lite", "google/gemini-2.5-flash-lite"),
    ] {
        let reply = ask(&gateway, asked);
        assert_eq!(reply.status, 200, "{asked}: {}", reply.text());
        assert_eq!(alpha.last_request().json()["model"], served, "{asked}");
        assert_eq!(reply.header("x-gateway-model"), Some(served), "{asked}");
    }
    gateway.finish();
}

#[test]
fn what_agents_ask_for_is_never_answered_by_another_vendor() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha, "OPENAI");
    for asked in ["claude-sonnet-5-5", "claude-anything", "gemini-2.5-flash"] {
        let reply = ask(&gateway, asked);
        assert_eq!(reply.status, 404, "{asked}: {}", reply.text());
        assert_eq!(reply.json()["error"]["code"], "model_not_found", "{asked}");
    }
    assert_eq!(alpha.requests(), 0);
    for (asked, served) in [("gpt-4o-mini-2024-07-18", "gpt-4o-mini"), ("o4-mini", "gpt-6.1-terra")] {
        assert_eq!(ask(&gateway, asked).status, 200);
        assert_eq!(alpha.last_request().json()["model"], served, "{asked}");
    }
    gateway.finish();
}

#[test]
fn a_model_of_vectors_is_asked_no_question() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha, "OPENAI");
    let reply = ask(&gateway, "text-embedding-3-small");
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("missing chat"), "{}", reply.text());
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}
