//! What callers say of answers, and what becomes of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Gateway, Provider, Setup, wait_for};

const ADMIN_KEY: &str = "admin-0123456789abcdef0123456789abcdef";
const SOON: Duration = Duration::from_secs(30);

fn start(provider: &Provider) -> Gateway {
    Gateway::start(Setup::free_l0(&[provider]).env("GATEWAY_ADMIN_KEY", ADMIN_KEY))
}

fn key(gateway: &Gateway, body: Value) -> Client {
    let made = gateway.client().post("/v1/admin/keys", &body);
    assert_eq!(made.status, 201, "{}", made.text());
    let authorization = format!("Bearer {}", made.json()["key"].as_str().unwrap());
    gateway.anonymous().with_header("authorization", &authorization)
}

/// Asks; the id of the request.
fn ask(client: &Client, body: &Value) -> String {
    let reply = client.post("/v1/route", body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.request_id().to_owned()
}

/// Says something of a request as soon as it is known.
fn say(client: &Client, body: &Value) {
    wait_for("the request to be known", SOON, || {
        client.post("/v1/feedback", body).status == 200
    });
}

/// Answers, successes and failures in the table of what was learned.
fn learned(gateway: &Gateway) -> (u64, u64, u64) {
    let table = gateway.client().get("/v1/improvement/models").json();
    let rows = table["rows"].as_array().unwrap();
    let sum = |name: &str| rows.iter().map(|row| row[name].as_u64().unwrap()).sum();
    (sum("answers"), sum("successes"), sum("failures"))
}

#[test]
fn feedback_changes_what_was_learned_and_said_again_it_replaces() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = key(&gateway, json!({ "name": "k" }));
    let request = ask(&client, &json!({ "message": "hello" }));
    // Nobody has said anything of it: it is no success.
    wait_for("the outcome", SOON, || learned(&gateway) == (1, 0, 0));
    let reply = client.post(
        "/v1/feedback",
        &json!({ "requestId": request, "rating": -1, "comment": "no" }),
    );
    assert_eq!(
        reply.json(),
        json!({ "status": "noted", "requestId": request }),
        "{}",
        reply.text()
    );
    assert_eq!(learned(&gateway), (1, 0, 1));
    say(&client, &json!({ "requestId": request, "rating": 1, "accepted": true }));
    assert_eq!(learned(&gateway), (1, 1, 0));
    say(
        &client,
        &json!({ "requestId": request, "tests": { "passed": 3, "failed": 1 } }),
    );
    assert_eq!(learned(&gateway), (1, 0, 1));
    let models = gateway.client().get("/v1/improvement/models").json();
    let row = &models["rows"][0];
    assert_eq!(
        (&row["model"], &row["failures"], &row["rate"]["value"]),
        (&json!("alpha-small"), &json!(1), &json!(0.0))
    );
    gateway.finish();
}

#[test]
fn tests_that_come_with_the_next_message_of_a_conversation_count_for_the_answer_before_it() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = key(&gateway, json!({ "name": "k" }));
    let turn = |message: &str, conversation: &str, tests: Value| {
        let body = json!({ "message": message, "conversationId": conversation, "testResults": tests });
        let reply = client.post("/v1/chat", &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    // Of a conversation that has no answer yet nothing is known.
    turn("hello", "c1", json!({ "passed": 9 }));
    turn("better", "c1", json!({ "passed": 2, "failed": 1 }));
    wait_for("the failed test to count", SOON, || learned(&gateway) == (2, 0, 1));
    turn("and now", "c1", json!({ "passed": 3 }));
    wait_for("the tests that passed to count", SOON, || {
        learned(&gateway) == (3, 1, 1)
    });
    // No conversation, no earlier answer.
    ask(&client, &json!({ "message": "hello", "testResults": { "failed": 1 } }));
    turn("elsewhere", "c2", json!({ "failed": 1 }));
    wait_for("all answers", SOON, || learned(&gateway).0 == 5);
    turn("again", "c1", json!({ "failed": 2 }));
    wait_for("the third tests to count", SOON, || learned(&gateway) == (6, 1, 2));
    gateway.finish();
}

#[test]
fn only_who_asked_may_say_something_of_the_answer() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let (one, other) = (
        key(&gateway, json!({ "name": "one" })),
        key(&gateway, json!({ "name": "other" })),
    );
    let request = ask(&one, &json!({ "message": "hello" }));
    gateway.wait_for_calls(1);
    let body = json!({ "requestId": request, "accepted": false });
    assert_eq!(other.post("/v1/feedback", &body).error(404)["type"], "not_found");
    say(&one, &body);
    assert_eq!(other.post("/v1/feedback", &body).error(404)["type"], "not_found");
    let unknown = json!({ "requestId": "req_0190f1c2a4b87c3d9e0f112233445566", "accepted": false });
    assert_eq!(one.post("/v1/feedback", &unknown).error(404)["param"], "requestId");
    // An operator sees everything, and changes nothing.
    let operator = key(&gateway, json!({ "name": "watch", "role": "operator" }));
    assert_eq!(operator.post("/v1/feedback", &body).error(404)["type"], "not_found");
    let own = ask(&operator, &json!({ "message": "hello" }));
    say(&operator, &json!({ "requestId": own, "accepted": true }));
    // An administrator may.
    say(&gateway.client(), &body);
    gateway.finish();
}

#[test]
fn a_named_models_answer_can_be_judged_too() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    let request = ask(&client, &json!({ "message": "hello", "model": "alpha-small" }));
    gateway.wait_for_calls(1);
    say(&client, &json!({ "requestId": request, "rating": 1 }));
    gateway.finish();
}

#[test]
fn feedback_that_says_nothing_or_the_impossible_is_refused() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let id = "req_0190f1c2a4b87c3d9e0f112233445566";
    for (body, param) in [
        (json!({ "rating": 1 }), "requestId"),
        (json!({ "requestId": "x", "rating": 1 }), "requestId"),
        (json!({ "requestId": id }), "rating"),
        (json!({ "requestId": id, "rating": 5 }), "rating"),
        (json!({ "requestId": id, "tests": { "failed": -1 } }), "tests.failed"),
        (json!({ "requestId": id, "comment": "x".repeat(2_049) }), "comment"),
    ] {
        let error = gateway.client().post("/v1/feedback", &body).error(400);
        assert_eq!(error["param"], param, "{error}");
    }
    gateway.finish();
}
