//! What of a client's request reaches a provider of each dialect: every feature of a request, asked in every dialect that
//! has it, on the way that requests really take.
//!
//! Bodies are written from the schemas that clients and providers publish: those of clients, and of providers that speak
//! the same, from the `openai` Python package, version 3.57.0 (`types/chat`, `types/responses`), and from the `anthropic`
//! Python package, version 2.14.0 (`types`); the forms that Gemini is to be sent from the `google-genai` Python package,
//! version 3.6.1 (`types.py`), and those for Ollama from its `docs/api.md` and `api/types.go`. What is from elsewhere is
//! said beside it.

mod case;
mod cases;
mod classify;
mod known_members;
mod models;
mod older;
mod table;

use bytes::Bytes;
use gateway_actors::protocol::Dialect;

use self::case::{Case, PROBE, body};
use self::classify::{sent, written_anew};
use self::models::Models;
use self::table::section;
use super::page;
use super::sides::{CLIENTS, PROVIDERS};
use crate::dialects::neutral::Feature;

/// Every case.
fn all() -> Vec<&'static Case> {
    cases::ALL.iter().flat_map(|cases| cases.iter()).collect()
}

#[test]
fn what_becomes_of_each_feature_is_what_the_page_says() {
    match section(&all()) {
        Ok(text) => page::says("requests", &text),
        Err(wrong) => panic!("{} cells:\n{}", wrong.len(), wrong.join("\n\n")),
    }
}

#[test]
fn no_feature_is_without_a_case() {
    for feature in Feature::ALL {
        assert!(
            all().iter().any(|case| case.feature == *feature),
            "no client says whether it has {feature:?}"
        );
    }
}

#[test]
fn the_plainest_request_reaches_every_model_and_loses_nothing_but_what_nobody_knows() {
    for client in CLIENTS {
        let asked = body(client, "");
        for models in [Models::Current, Models::Earlier, Models::Routed] {
            for provider in PROVIDERS.into_iter().filter(|provider| *provider != client) {
                let model = models.model(provider);
                let outgoing = sent(client, &asked, &model).unwrap();
                assert_eq!(outgoing.dropped, [PROBE], "{client:?} {provider:?}");
                written_anew(&asked, &outgoing.body.to_bytes(), &outgoing, &model).unwrap();
            }
        }
    }
}

#[test]
fn of_a_stream_in_chat_completions_nothing_is_added_but_the_wish_for_its_usage() {
    let asked = body(Dialect::OpenaiChat, r#""stream" : true"#);
    let model = Models::Current.model(Dialect::OpenaiChat);
    let written: Bytes = sent(Dialect::OpenaiChat, &asked, &model).unwrap().body.to_bytes();
    let written = std::str::from_utf8(&written).unwrap();
    let options = r#""stream_options":{"include_usage":true}"#;
    assert!(written.contains(options), "{written}");
    let own = format!(r#""model": "{}""#, model.api_model);
    let without = written
        .replacen(&format!(",{options}"), "", 1)
        .replacen(&own, r#""model": "asked""#, 1);
    assert_eq!(without.as_bytes(), &asked[..]);
}
