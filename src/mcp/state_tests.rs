//! The state by which a call comes again in revision 2026-07-28 is a client's to keep, not to change: it is good for the
//! task and the caller that it was made for, as it was made.

use serde_json::{Value, json};

use super::raw_client_tests::Client;

fn task() -> Value {
    json!({"task": "Sort a list", "conversationId": "c-1"})
}

/// Asks, and gives the state of the question.
async fn asked(client: &mut Client) -> String {
    let id = client.call_new(true, &task(), &json!({}));
    let asked = client.answer(&id).await["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    asked["requestState"].as_str().unwrap().to_owned()
}

/// The call once more, with this state and what the user says.
fn again(client: &mut Client, task: &Value, state: &str, choice: &str) -> Value {
    let said = json!({"escalate": {"action": "accept", "content": {"escalate": choice}}});
    let more = json!({"requestState": state, "inputResponses": said});
    client.call_new(true, task, &more)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_with_any_byte_changed_is_refused_and_spends_nothing() {
    let mut client = Client::start();
    let state = asked(&mut client).await;
    let mut changed: Vec<String> = (0..state.len())
        .map(|place| {
            let mut bytes = state.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        })
        .collect();
    changed.extend([state[..state.len() - 1].to_owned(), format!("{state}A")]);
    changed.extend(["x".to_owned(), "esc1.".to_owned(), "esc1.a.b".to_owned()]);
    for state in &changed {
        for choice in ["approve", "reject"] {
            let id = again(&mut client, &task(), state, choice);
            assert_eq!(client.fails(&id).await, "escalation_invalid", "{state} {choice}");
        }
    }
    assert_eq!((client.tasks().len(), client.paid()), (1, 0));
    // It was good all the time.
    let id = again(&mut client, &task(), &state, "approve");
    assert_eq!(client.works(&id).await["result"], "better");
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_for_another_task_is_refused_and_spends_nothing() {
    let mut client = Client::start();
    let state = asked(&mut client).await;
    let changed = |name: &str, value: Value| {
        let mut task = task();
        task[name] = value;
        task
    };
    for other in [
        changed("task", json!("Sort another list")),
        changed("conversationId", json!("c-2")),
        changed("quality", json!("high")),
        changed("context", json!({"requirements": ["fast"]})),
        changed("layer", json!("L1")),
    ] {
        for choice in ["approve", "reject"] {
            let id = again(&mut client, &other, &state, choice);
            assert_eq!(client.fails(&id).await, "escalation_invalid", "{other} {choice}");
        }
    }
    assert_eq!((client.tasks().len(), client.paid()), (1, 0));
    let id = again(&mut client, &task(), &state, "approve");
    assert_eq!(client.works(&id).await["result"], "better");
    client.end().await;
}
