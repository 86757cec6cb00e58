//! Sessions of a client that is asked for leave, in every way that there is.

use std::time::Duration;

use gateway_actors::protocol::{GatewayError, Layer, Leave};
use serde_json::{Value, json};

use super::raw_client_tests::{Client, Unasked};
use crate::agent::samples::{agent_answer, need};

/// What the client's user says, as a client tells it.
fn said(action: &str, choice: Option<&str>) -> Value {
    match choice {
        Some(choice) => json!({"action": action, "content": {"escalate": choice}}),
        None => json!({"action": action}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_revision_2026_07_28_the_call_comes_again_with_what_was_decided() {
    let mut client = Client::start();
    let task = json!({"task": "Sort a list", "conversationId": "c-1"});
    for (answer, is_yes) in [
        (said("accept", Some("approve")), true),
        (said("accept", Some("reject")), false),
        (said("accept", Some("APPROVE")), false),
        (said("accept", None), false),
        (said("decline", Some("approve")), false),
        (said("cancel", None), false),
        (json!({"content": {"escalate": "approve"}}), false),
        (json!("approve"), false),
    ] {
        let before = client.paid();
        let id = client.call_new(true, &task, &json!({}));
        let asked = client.answer(&id).await["result"].clone();
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let question = &asked["inputRequests"]["escalate"];
        assert_eq!(question["method"], "elicitation/create", "{asked}");
        let params = &question["params"];
        assert_eq!(
            params["requestedSchema"]["properties"]["escalate"]["enum"],
            json!(["approve", "reject"])
        );
        assert_eq!(params["requestedSchema"]["required"], json!(["escalate"]));
        let message = params["message"].as_str().unwrap();
        assert!(
            message.contains("L2") && message.contains("0.0123 USD for the whole task") && message.contains("so far"),
            "{message}"
        );
        assert_eq!(client.paid(), before, "paid before anybody approved");
        let more = json!({"requestState": asked["requestState"], "inputResponses": {"escalate": answer}});
        let id = client.call_new(true, &task, &more);
        let told = client.works(&id).await;
        assert_eq!(client.paid() - before, usize::from(is_yes), "{answer}");
        if is_yes {
            assert_eq!(
                (&told["result"], &told["escalation"]["decision"]),
                (&json!("better"), &json!("approved"))
            );
            let last = client.tasks().pop().unwrap();
            assert_eq!((last.leave, last.floor), (Leave::UpTo(Layer::L2), Some(Layer::L2)));
            assert_eq!((last.has_note, last.amend), (true, Some(3)));
        } else {
            assert_eq!(
                (&told["result"], &told["escalation"]["decision"]),
                (&json!("so far"), &json!("rejected"))
            );
            // It is the answer so far, with what that took.
            assert_eq!(told["performance"]["costNanoUsd"], 5, "{told}");
            assert_eq!(told["requestId"], told["escalation"]["requestId"], "{told}");
            assert_eq!(told["routing"]["fromCache"], false, "{told}");
        }
        // The same again, and what was decided is decided.
        let id = client.call_new(true, &task, &more);
        assert_eq!(client.fails(&id).await, "escalation_used");
    }
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_that_the_client_is_asked_within_the_call() {
    let mut client = Client::start().begun(true).await;
    for (answer, is_yes) in [
        (json!({"result": said("accept", Some("approve"))}), true),
        (json!({"result": said("accept", Some("reject"))}), false),
        (json!({"result": said("decline", None)}), false),
        (json!({"result": said("cancel", None)}), false),
        (json!({"result": {}}), false),
        (
            json!({"error": {"code": -32601, "message": "never heard of it"}}),
            false,
        ),
    ] {
        let before = client.paid();
        let id = client.call(&json!({"task": "Sort a list"}));
        let asked = client.next().await;
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        assert_eq!(asked["params"]["mode"], "form");
        assert_eq!(client.paid(), before, "paid before anybody approved");
        // What nobody asked for is no answer.
        client.send(&json!({"jsonrpc": "2.0", "id": 4_711, "result": said("accept", Some("approve"))}));
        let mut reply = json!({"jsonrpc": "2.0", "id": asked["id"]});
        for (name, value) in answer.as_object().unwrap() {
            reply[name] = value.clone();
        }
        client.send(&reply);
        let told = client.works(&id).await;
        assert_eq!(client.paid() - before, usize::from(is_yes), "{answer}");
        let (text, decision, cost) = if is_yes {
            ("better", "approved", 105)
        } else {
            ("so far", "rejected", 5)
        };
        assert_eq!(
            (&told["result"], &told["escalation"]["decision"]),
            (&json!(text), &json!(decision))
        );
        assert_eq!(told["performance"]["costNanoUsd"], cost, "{told}");
        // A second answer to the same question changes nothing.
        client.send(&reply);
    }
    client.end().await;
}

#[tokio::test]
async fn whoever_does_not_answer_has_not_said_yes() {
    let mut client = Client::start().begun(true).await;
    let id = client.call(&json!({"task": "Sort a list"}));
    let asked = client.next().await;
    assert_eq!(asked["method"], "elicitation/create");
    // Time passes by itself while nobody does anything.
    tokio::time::pause();
    let taken_back = client.lines.recv().await.unwrap();
    tokio::time::resume();
    assert_eq!(taken_back["method"], "notifications/cancelled", "{taken_back}");
    assert_eq!(taken_back["params"]["requestId"], asked["id"]);
    let told = client.works(&id).await;
    assert_eq!(
        (&told["result"], &told["escalation"]["decision"]),
        (&json!("so far"), &json!("rejected"))
    );
    // A yes that comes too late is none.
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": said("accept", Some("approve"))}));
    assert_eq!(client.paid(), 0);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_ends_with_its_call_and_with_the_input() {
    let mut client = Client::start().begun(true).await;
    let id = client.call(&json!({"task": "Sort a list"}));
    let asked = client.next().await;
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    let taken_back = client.next().await;
    assert_eq!(taken_back["method"], "notifications/cancelled", "{taken_back}");
    assert_eq!(taken_back["params"]["requestId"], asked["id"]);
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": said("accept", Some("approve"))}));

    let id = client.call(&json!({"task": "Sort a list"}));
    assert_eq!(client.next().await["method"], "elicitation/create");
    client.input = None;
    let told = client.works(&id).await;
    assert_eq!(told["escalation"]["decision"], "rejected");
    assert_eq!(client.paid(), 0);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_thinks_holds_a_place_among_the_calls_that_run() {
    let mut client = Client::start().begun(true).await;
    let ids: Vec<Value> = (0..20).map(|_| client.call(&json!({"task": "Sort a list"}))).collect();
    let mut asked = Vec::new();
    for _ in &ids {
        let question = client.next().await;
        assert_eq!(question["method"], "elicitation/create", "{question}");
        asked.push(question["id"].clone());
    }
    // More than run at once are waiting for a person, and one more gets through.
    let status = client.ask("tools/call", &json!({"name": "gateway_status", "arguments": {}}));
    assert_eq!(client.works(&status).await["gateway"]["inFlight"], 0);
    for id in asked {
        client.send(&json!({"jsonrpc": "2.0", "id": id, "result": said("decline", None)}));
    }
    for _ in &ids {
        let answer = client.next().await;
        assert_eq!(
            answer["result"]["structuredContent"]["escalation"]["decision"], "rejected",
            "{answer}"
        );
    }
    assert_eq!(client.paid(), 0);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_elicitation_the_token_is_an_argument() {
    for is_new in [false, true] {
        let mut user = Unasked::start(is_new).await;
        // With the whole task, or with nothing else.
        let token = user.offer().await;
        assert_eq!(user.client.paid(), 0);
        assert_eq!(user.works(&Unasked::whole(&token, "approve")).await["result"], "better");
        assert_eq!(user.fails(&Unasked::whole(&token, "approve")).await, "escalation_used");
        assert_eq!(user.client.paid(), 1);
        let token = user.offer().await;
        assert_eq!(user.works(&Unasked::bare(&token, "approve")).await["result"], "better");
        let seen = user.client.tasks();
        assert_eq!(seen.last().unwrap().message, seen.first().unwrap().message);
        assert_eq!(user.fails(&Unasked::bare(&token, "approve")).await, "escalation_used");
        assert_eq!(user.client.paid(), 2);
        // A no ends the offer.
        let token = user.offer().await;
        let told = user.works(&Unasked::bare(&token, "reject")).await;
        assert_eq!(
            (&told["result"], &told["escalation"]["decision"]),
            (&json!("so far"), &json!("rejected"))
        );
        assert_eq!(user.fails(&Unasked::whole(&token, "approve")).await, "escalation_used");
        assert_eq!(user.client.paid(), 2);
        user.client.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_changed_is_for_another_task_or_has_no_decision_spends_nothing() {
    for is_new in [false, true] {
        let mut user = Unasked::start(is_new).await;
        let token = user.offer().await;
        let changed = |name: &str, value: Value| {
            let mut arguments = Unasked::whole(&token, "approve");
            arguments[name] = value;
            arguments
        };
        let longer = json!(format!("{}x", token.as_str().unwrap()));
        for (arguments, error) in [
            (changed("escalationDecision", Value::Null), "invalid_args"),
            (changed("escalationDecision", json!("yes")), "invalid_args"),
            (changed("task", json!("Sort another list")), "escalation_invalid"),
            (changed("quality", json!("high")), "escalation_invalid"),
            (changed("escalationToken", longer), "escalation_invalid"),
            (changed("escalationToken", json!("esc1.a.b")), "escalation_invalid"),
        ] {
            assert_eq!(user.fails(&arguments).await, error, "{arguments}");
        }
        assert_eq!((user.client.tasks().len(), user.client.paid()), (1, 0));
        assert_eq!(
            user.works(&Unasked::whole(&token, "approve")).await["result"],
            "better",
            "it is still good"
        );
        user.client.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_has_ended_is_none() {
    let mut client = Client::start_with(Duration::ZERO, |_| Ok(agent_answer("so far", 0, Some(need()))));
    let id = client.call_new(false, &json!({"task": "x"}), &json!({}));
    let token = client.works(&id).await["escalation"]["token"].clone();
    let arguments = json!({"escalationToken": token, "escalationDecision": "approve"});
    // It is good to the end of its second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let id = client.call_new(false, &arguments, &json!({}));
    assert_eq!(client.fails(&id).await, "escalation_expired");
    assert_eq!(client.paid(), 0);
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_the_answer_comes_and_nobody_is_asked() {
    let mut client = Client::start();
    client.notes.set_away(true);
    let id = client.call_new(true, &json!({"task": "Sort a list"}), &json!({}));
    let told = client.works(&id).await;
    assert_eq!(
        (&told["result"], &told["escalation"]["token"]),
        (&json!("so far"), &Value::Null)
    );
    client.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_and_failed_leaves_the_answer_so_far() {
    let mut client = Client::start_with(Duration::from_secs(900), |task| match task.plan.wish.leave {
        Leave::Standing => Ok(agent_answer("so far", 5, Some(need()))),
        Leave::UpTo(_) => Err(GatewayError::component_failed("worker")),
    })
    .begun(true)
    .await;
    let id = client.call(&json!({"task": "Sort a list"}));
    let asked = client.next().await;
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": said("accept", Some("approve"))}));
    let told = client.works(&id).await;
    assert_eq!(told["result"], "so far");
    assert_eq!(told["escalation"]["error"], "component_failed", "{told}");
    client.end().await;
}
