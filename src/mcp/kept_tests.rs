//! What was answered before somebody decided is never lost for it, and is told as what it is.

use std::time::Duration;

use gateway_actors::protocol::{
    AgentAnswer, AgentStatus, ErrorKind, GatewayError, Leave, TodoList, TodoStatus, TodoStep,
};
use gateway_actors::runtime::unix_micros;
use serde_json::{Value, json};

use super::raw_client_tests::Client;
use crate::agent::samples::{agent_answer, need};

const LONG: Duration = Duration::from_secs(900);

fn task() -> Value {
    json!({"task": "Sort a list"})
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"escalate": "approve"}})
}

/// Half of a task, which leave may better.
fn half(text: &str) -> AgentAnswer {
    let step = |text: &str, status| TodoStep {
        text: text.to_owned(),
        status,
        model: None,
        result: None,
    };
    AgentAnswer {
        todo: Some(TodoList {
            id: "todo_1".into(),
            task: "t".into(),
            steps: vec![step("a", TodoStatus::Done), step("b", TodoStatus::Open)],
        }),
        status: AgentStatus::Partial,
        ..agent_answer(text, 5, Some(need()))
    }
}

/// A client whose tasks are half done, and fail with leave.
fn failing(ttl: Duration) -> Client {
    Client::start_with(ttl, |task| match task.plan.wish.leave {
        Leave::Standing => Ok(half("so far")),
        Leave::UpTo(_) => Err(GatewayError::new(ErrorKind::BudgetExceeded, "no money")),
    })
}

/// Waits for the end of this second: offers that hold for no time are good so long.
async fn next_second() {
    let second = || unix_micros() / 1_000_000;
    let now = second();
    while second() == now {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[track_caller]
fn assert_is_half(told: &Value) {
    assert_eq!(
        (&told["result"], &told["status"]),
        (&json!("so far"), &json!("partial")),
        "{told}"
    );
    assert_eq!(told["todo"]["steps"][1]["status"], "open", "{told}");
    assert_eq!(told["performance"]["costNanoUsd"], 5, "{told}");
    assert_eq!(told["routing"]["model"], "small", "{told}");
    assert_eq!(told["requestId"], told["escalation"]["requestId"], "{told}");
}

/// Asks in revision 2026-07-28, and gives what the call is to come again with.
async fn asked(client: &mut Client) -> Value {
    let id = client.call_new(true, &task(), &json!({}));
    let asked = client.answer(&id).await["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    json!({"requestState": asked["requestState"], "inputResponses": {"escalate": yes()}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_again_with_a_yes_and_fails_tells_the_answer_so_far() {
    let mut client = failing(LONG);
    let more = asked(&mut client).await;
    let id = client.call_new(true, &task(), &more);
    let told = client.works(&id).await;
    assert_is_half(&told);
    let escalation = &told["escalation"];
    assert_eq!(
        (&escalation["decision"], &escalation["error"]),
        (&json!("approved"), &json!("budget_exceeded"))
    );
    assert_eq!(client.paid(), 1);
    // The offer is used.
    let id = client.call_new(true, &task(), &more);
    assert_eq!(client.fails(&id).await, "escalation_used");
    assert_eq!(client.paid(), 1);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_again_too_late_tells_the_answer_so_far() {
    let mut client = failing(Duration::ZERO);
    let more = asked(&mut client).await;
    next_second().await;
    let id = client.call_new(true, &task(), &more);
    let told = client.works(&id).await;
    assert_is_half(&told);
    let escalation = &told["escalation"];
    assert_eq!(
        (&escalation["decision"], &escalation["error"]),
        (&json!("rejected"), &json!("escalation_expired"))
    );
    assert_eq!(client.paid(), 0);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_tells_status_steps_and_cost_of_the_answer_so_far() {
    let mut client = failing(LONG);
    let id = client.call_new(false, &task(), &json!({}));
    let token = client.works(&id).await["escalation"]["token"].clone();
    let no = json!({"escalationToken": token, "escalationDecision": "reject"});
    let id = client.call_new(false, &no, &json!({}));
    let told = client.works(&id).await;
    assert_is_half(&told);
    assert_eq!(told["escalation"]["decision"], "rejected");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_by_token_that_fails_tells_the_answer_so_far() {
    let mut client = failing(LONG);
    let id = client.call_new(false, &task(), &json!({}));
    let token = client.works(&id).await["escalation"]["token"].clone();
    let yes = json!({"escalationToken": token, "escalationDecision": "approve"});
    let id = client.call_new(false, &yes, &json!({}));
    let told = client.works(&id).await;
    assert_is_half(&told);
    assert_eq!(told["escalation"]["error"], "budget_exceeded");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_long_to_be_kept_comes_with_the_offer() {
    let long = "x".repeat(300 * 1024);
    let said = long.clone();
    let mut client = Client::start_with(LONG, move |_| Ok(half(&said)));
    let id = client.call_new(true, &task(), &json!({}));
    let told = client.works(&id).await;
    assert_eq!(told["result"].as_str().map(str::len), Some(long.len()));
    let token = told["escalation"]["token"].clone();
    let no = json!({"escalationToken": token, "escalationDecision": "reject"});
    let id = client.call_new(true, &no, &json!({}));
    let told = client.works(&id).await;
    assert!(
        told["result"].as_str().unwrap().contains("came with the offer"),
        "{told}"
    );
    assert_eq!(
        (&told["status"], &told["performance"]["costNanoUsd"]),
        (&json!("partial"), &json!(5))
    );
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_within_the_call_that_comes_after_the_offers_end_leaves_the_answer_so_far() {
    let mut client = failing(Duration::ZERO).begun(true).await;
    let id = client.call(&task());
    let question = client.next().await;
    next_second().await;
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()}));
    let told = client.works(&id).await;
    assert_is_half(&told);
    let escalation = &told["escalation"];
    assert_eq!(
        (&escalation["decision"], &escalation["error"]),
        (&json!("rejected"), &json!("escalation_expired"))
    );
    assert_eq!(client.paid(), 0);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_spend_any_more_when_the_yes_comes_spends_nothing() {
    let mut client = failing(LONG).begun(true).await;
    let id = client.call(&task());
    let question = client.next().await;
    // From now on a key is wanted, and this process has none.
    client.make_key().await;
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()}));
    let told = client.works(&id).await;
    assert_is_half(&told);
    assert_eq!(told["escalation"]["error"], "unauthenticated", "{told}");
    assert_eq!(client.paid(), 0);
    client.end().await;
}
