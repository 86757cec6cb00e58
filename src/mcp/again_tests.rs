//! A better answer that falls short too, and a session that begins in two ways.

use std::time::Duration;

use gateway_actors::protocol::{EscalationNeed, Layer, Leave};
use serde_json::{Value, json};

use super::raw_client_tests::Client;
use crate::agent::samples::{agent_answer, need};

fn task() -> Value {
    json!({"task": "Sort a list"})
}

fn said(choice: &str) -> Value {
    json!({"action": "accept", "content": {"escalate": choice}})
}

/// A client whose tasks fall short up to L2: 5, 100 and 1,000 nano-USD are what each layer costs.
fn falling_short() -> Client {
    Client::start_with(Duration::from_secs(900), |task| {
        let better = EscalationNeed {
            current: Layer::L2,
            suggested: Layer::L3,
            ..need()
        };
        Ok(match task.plan.wish.leave {
            Leave::Standing => agent_answer("so far", 5, Some(need())),
            Leave::UpTo(Layer::L3) => agent_answer("best", 1_000, None),
            Leave::UpTo(_) => agent_answer("better", 100, Some(better)),
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn in_revision_2026_07_28_the_call_asks_again_where_the_better_answer_falls_short_too() {
    let mut client = falling_short();
    for (second, text, decision) in [("approve", "best", "approved"), ("reject", "better", "rejected")] {
        let id = client.call_new(true, &task(), &json!({}));
        let mut asked = client.answer(&id).await["result"].clone();
        for choice in ["approve", second] {
            assert_eq!(asked["resultType"], "input_required", "{asked}");
            let more = json!({"requestState": asked["requestState"], "inputResponses": {"escalate": said(choice)}});
            let id = client.call_new(true, &task(), &more);
            asked = client.answer(&id).await["result"].clone();
        }
        let told = &asked["structuredContent"];
        assert_eq!(
            (&told["result"], &told["escalation"]["decision"]),
            (&json!(text), &json!(decision)),
            "{told}"
        );
    }
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_that_the_client_is_asked_again_within_the_call() {
    let mut client = falling_short().begun(true).await;
    for (second, text, decision, cost) in [
        ("approve", "best", "approved", 1_105),
        ("reject", "better", "rejected", 105),
    ] {
        let id = client.call(&task());
        for choice in ["approve", second] {
            let question = client.next().await;
            assert_eq!(question["method"], "elicitation/create", "{question}");
            client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": said(choice)}));
        }
        let told = client.works(&id).await;
        assert_eq!(
            (&told["result"], &told["escalation"]["decision"]),
            (&json!(text), &json!(decision)),
            "{told}"
        );
        assert_eq!(told["performance"]["costNanoUsd"], cost, "{told}");
    }
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_more_often_within_a_call_than_there_are_layers_above() {
    let mut client = Client::start_with(Duration::from_secs(900), |_| {
        Ok(agent_answer("so far", 5, Some(need())))
    });
    client = client.begun(true).await;
    let id = client.call(&task());
    for _ in 0..3 {
        let question = client.next().await;
        assert_eq!(question["method"], "elicitation/create", "{question}");
        client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": said("approve")}));
    }
    let told = client.works(&id).await;
    assert!(told["escalation"]["token"].is_string(), "{told}");
    assert_eq!(client.paid(), 3);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_asked_gets_a_further_token() {
    let mut client = falling_short();
    let id = client.call_new(false, &task(), &json!({}));
    let first = client.works(&id).await["escalation"]["token"].clone();
    let yes = |token: &Value| json!({"escalationToken": token, "escalationDecision": "approve"});
    let id = client.call_new(false, &yes(&first), &json!({}));
    let told = client.works(&id).await;
    assert_eq!(
        (&told["result"], &told["escalation"]["suggestedLayer"]),
        (&json!("better"), &json!("L3"))
    );
    let id = client.call_new(false, &yes(&told["escalation"]["token"]), &json!({}));
    assert_eq!(client.works(&id).await["result"], "best");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_begun_without_initialize_refuses_it_and_goes_on() {
    let mut client = falling_short();
    let id = client.call_new(false, &task(), &json!({}));
    client.works(&id).await;
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}});
    let id = client.ask("initialize", &params);
    let refused = client.answer(&id).await;
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("has begun without initialize"), "{message}");
    let id = client.call_new(false, &task(), &json!({}));
    client.works(&id).await;
    client.end().await;
}
