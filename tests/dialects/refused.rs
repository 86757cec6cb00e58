//! What a model's dialect has no place for, over HTTP: refused by name, left to the next candidate that can carry it, or
//! left out and named.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::scene::{Kind, start};
use crate::support::{Provider, Reply};
use crate::tongue::Tongue;

const BETAS: &str = "beta-1 beta-2 beta-3 beta-4 beta-5";

/// Something a client asks that one kind of provider cannot be told, and another can.
struct Case {
    tongue: Tongue,
    /// The client's name for it, the value, and where that arrives at the one who can.
    name: &'static str,
    member: (&'static str, Value),
    cannot: Kind,
    can: (Kind, &'static str, Value),
}

fn cases() -> Vec<Case> {
    let object = json!({ "format": { "type": "json_object" } });
    vec![
        Case {
            tongue: Tongue::Chat,
            name: "logprobs",
            member: ("logprobs", json!(true)),
            cannot: Kind::Anthropic,
            can: (Kind::Chat, "/logprobs", json!(true)),
        },
        Case {
            tongue: Tongue::Chat,
            name: "tool_choice",
            member: ("tool_choice", json!("required")),
            cannot: Kind::Ollama,
            can: (Kind::Anthropic, "/tool_choice/type", json!("any")),
        },
        Case {
            tongue: Tongue::Responses,
            name: "text.format",
            member: ("text", object),
            cannot: Kind::Anthropic,
            can: (Kind::Chat, "/response_format/type", json!("json_object")),
        },
        Case {
            tongue: Tongue::Messages,
            name: "stop_sequences",
            member: ("stop_sequences", json!(["END"])),
            cannot: Kind::Responses,
            can: (Kind::Chat, "/stop/0", json!("END")),
        },
    ]
}

/// The refusal in the client's own shape, which names the field.
#[track_caller]
fn assert_names(tongue: Tongue, reply: &Reply, name: &str) {
    let body = reply.json();
    let error = reply.error(400);
    assert_eq!(error["type"], "invalid_request_error", "{body}");
    assert_eq!(reply.header("x-gateway-error"), Some("invalid_request"));
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("`{name}`: ")), "{body}");
    if tongue == Tongue::Messages {
        assert_eq!(body["type"], "error");
        assert_eq!(body["request_id"].as_str(), Some(reply.request_id()));
    } else {
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!(name), &json!("invalid_request"))
        );
    }
}

#[test]
fn what_would_change_the_question_is_refused_by_the_clients_name_and_nobody_is_asked() {
    for case in cases() {
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, case.cannot)]);
        for stream in [false, true] {
            for model in ["one", "auto"] {
                let mut body = case.tongue.ask(model, "hello", stream);
                body[case.member.0] = case.member.1.clone();
                let reply = gateway.client().post(case.tongue.path(), &body);
                assert_names(case.tongue, &reply, case.name);
            }
        }
        assert_eq!(alpha.requests(), 0);
        gateway.finish();
    }
}

#[test]
fn a_candidate_that_can_carry_it_answers_in_the_place_of_one_that_cannot() {
    for case in cases() {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let (kind, place, value) = &case.can;
        let gateway = start(&[(&alpha, case.cannot), (&beta, *kind)]);
        for stream in [false, true] {
            let mut body = case.tongue.ask("auto", "hello", stream);
            body[case.member.0] = case.member.1.clone();
            let reply = gateway.client().post(case.tongue.path(), &body);
            assert_eq!(case.tongue.heard(&reply).text, BETAS, "{}", case.name);
            assert_eq!(reply.header("x-gateway-model"), Some("two"));
            let sent = beta.last_request().json();
            assert_eq!(sent.pointer(place), Some(value), "{}: {sent}", case.name);
        }
        assert_eq!(alpha.requests(), 0, "{}", case.name);
        // Without it the first is asked.
        let reply = gateway
            .client()
            .post(case.tongue.path(), &case.tongue.ask("auto", "hello", false));
        assert_eq!(reply.header("x-gateway-model"), Some("one"));
        gateway.finish();
    }
}

/// The names in the header, which each stand there once.
fn dropped(reply: &Reply) -> BTreeSet<&str> {
    let Some(line) = reply.header("x-gateway-dropped") else {
        return BTreeSet::new();
    };
    let names: Vec<&str> = line.split(", ").collect();
    let set: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(set.len(), names.len(), "{line}");
    set
}

#[test]
fn what_is_left_out_is_named_in_a_header_whole_and_streamed() {
    for (tongue, kind, members) in [
        (Tongue::Chat, Kind::Anthropic, json!({ "seed": 7, "x_mine": true })),
        (
            Tongue::Responses,
            Kind::Anthropic,
            json!({ "metadata": { "a": "b" }, "x_mine": true }),
        ),
        (
            Tongue::Messages,
            Kind::Gemini,
            json!({ "service_tier": "standard_only", "x_mine": true }),
        ),
    ] {
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, kind)]);
        for stream in [false, true] {
            let plain = tongue.ask("one", "hello", stream);
            let reply = gateway.client().post(tongue.path(), &plain);
            assert_eq!(reply.header("x-gateway-dropped"), None, "{tongue:?}");
            let mut body = plain.clone();
            for (name, value) in members.as_object().unwrap() {
                body[name] = value.clone();
            }
            let reply = gateway.client().post(tongue.path(), &body);
            assert_eq!(tongue.heard(&reply).text, "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
            let names = members.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(dropped(&reply), names, "{tongue:?}, streamed: {stream}");
            let sent = alpha.last_request();
            assert!(!sent.text().contains("x_mine"), "{}", sent.text());
        }
        gateway.finish();
    }
}
