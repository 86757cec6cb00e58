//! Section D: nothing is paid for without leave.

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{assert_answered_by, assert_lives};
use crate::support::{Behaviour, Content, Gateway, Model, Provider, Setup, chat, streamed_chat};

/// A free model in L0, and a priced one in L3.
fn free_and_dear() -> (Provider, Provider, Gateway) {
    let (free, dear) = (Provider::start("free"), Provider::start("dear"));
    let setup = Setup::new()
        .provider(&free)
        .provider(&dear)
        .model(&Model::free("free-small", &free))
        .model(&Model::free("dear-large", &dear).layer("L3").priced("10", "20"));
    (free, dear, Gateway::start(setup))
}

#[test]
fn d3_without_leave_the_answer_comes_with_an_offer_and_nothing_is_paid() {
    let (free, dear, gateway) = free_and_dear();
    let client = gateway.client();
    let contents = [(Content::cut_text(), "truncated"), (Content::refusal(), "refusal")];
    for (content, reason) in contents {
        free.say(content);
        let reply = client.post("/v1/route", &json!({ "message": "hello" }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = reply.json();
        assert_eq!(answer["escalation"]["reason"], reason, "{answer}");
        assert_eq!(answer["escalation"]["suggestedLayer"], "L3");
        assert_eq!(answer["performance"]["costNanoUsd"], 0);
        assert!(answer["escalation"]["token"].is_string(), "{answer}");
        let text = answer["result"]["response"].as_str().unwrap();
        assert_eq!(text.is_empty(), reason == "refusal", "{answer}");
        assert_eq!(dear.requests(), 0, "paid without leave");
    }
    free.say(Content::text());
    let plain = client.post("/v1/route", &json!({ "message": "hello" })).json();
    assert_eq!(
        plain.get("escalation"),
        None,
        "nothing speaks against this answer: {plain}"
    );
    assert_lives(&gateway);
    gateway.finish();
    assert_eq!(dear.requests(), 0);
}

#[test]
fn d3_after_failed_tests_the_answer_comes_with_an_offer_and_nothing_is_paid() {
    let (_free, dear, gateway) = free_and_dear();
    let client = gateway.client();
    for (failed, reason) in [(0, None), (3, Some("failed_tests"))] {
        let tests = json!({ "passed": 4, "failed": failed });
        let answer = client.post("/v1/route", &json!({ "message": "hello", "testResults": tests }));
        let answer = answer.json();
        assert_eq!(answer["escalation"]["reason"].as_str(), reason, "{answer}");
        assert_eq!(answer["escalation"]["token"].is_string(), reason.is_some(), "{answer}");
        assert_eq!(answer["performance"]["costNanoUsd"], 0);
    }
    assert_eq!(dear.requests(), 0, "paid without leave");
    gateway.finish();
}

#[test]
fn d3_a_dialect_answers_without_the_dear_layer_and_says_so() {
    let (free, dear, gateway) = free_and_dear();
    let client = gateway.client();
    free.say(Content::cut_text());
    let whole = client.post(COMPLETIONS, &chat("hello"));
    assert_answered_by(&whole, "free");
    assert_eq!(
        whole.header("x-gateway-escalation"),
        Some("required; layer=L3; reason=truncated")
    );
    // What is wrong with a stream is known when it is over.
    let stream = client.open_stream(COMPLETIONS, &streamed_chat("hello")).finish();
    assert_eq!((stream.status, stream.header("x-gateway-escalation")), (200, None));
    free.say(Content::text());
    assert_eq!(
        client.post(COMPLETIONS, &chat("hello")).header("x-gateway-escalation"),
        None
    );
    assert_eq!(dear.requests(), 0);
    gateway.finish();
}

#[test]
fn d3_a_provider_that_fails_is_no_reason_to_ask_for_money() {
    let (free, dear, gateway) = free_and_dear();
    free.set(Behaviour::BROKEN);
    let reply = gateway.client().post("/v1/route", &json!({ "message": "hello" }));
    assert_eq!(reply.error(502)["type"], "upstream_error");
    assert_eq!(dear.requests(), 0);
    free.set(Behaviour::Answer);
    gateway.finish();
}
