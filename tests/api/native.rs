//! `/v1/route`, `/v1/chat` and `/v1/context`: their shapes, and the conversation behind them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Behaviour, Client, Gateway, Model, Provider, Setup, in_parallel, wait_for};

const SOON: Duration = Duration::from_secs(20);

fn start(provider: &Provider) -> Gateway {
    Gateway::start(
        Setup::new()
            .provider(provider)
            .model(&Model::free("alpha-small", provider).priced("0.15", "0.60")),
    )
}

/// One turn that must succeed.
#[track_caller]
fn say(client: &Client, conversation: &str, message: &str) -> Value {
    let reply = client.post(
        "/v1/chat",
        &json!({ "conversationId": conversation, "message": message }),
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn page(client: &Client, path: &str) -> Value {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn seqs(page: &Value) -> Vec<i64> {
    let messages = page["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["seq"].as_i64().unwrap())
        .collect()
}

#[test]
fn both_endpoints_answer_in_the_documented_shape() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    for path in ["/v1/route", "/v1/chat"] {
        let body = json!({
            "conversationId": "conv-123",
            "message": "one two three",
            "userId": "user-1",
            "projectId": "project-1",
            "qualityLevel": "normal",
            "taskType": "code",
            "layer": "L0",
            "maxLayer": "L2",
            "maxTokens": 100,
            "temperature": 0.5,
        });
        let reply = gateway.client().post(path, &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = reply.json();
        assert_eq!(answer["result"]["response"], "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
        assert_eq!(answer["result"]["model"], "alpha-small");
        assert_eq!(answer["result"]["provider"], "alpha");
        assert_eq!(answer["result"]["layer"], "L0");
        assert!(
            answer["routing"]["summary"].as_str().unwrap().starts_with("L0"),
            "{answer}"
        );
        assert_eq!(answer["routing"]["fromCache"], false);
        assert_eq!(answer["context"]["conversationId"], "conv-123");
        assert!(answer["performance"]["durationMs"].is_u64());
        assert_eq!(answer["performance"]["tokens"]["output"], 5);
        assert_eq!(answer["requestId"], reply.request_id());

        let sent = alpha.last_request().json();
        assert_eq!((&sent["max_tokens"], &sent["temperature"]), (&json!(100), &json!(0.5)));
        assert_eq!(sent["model"], "alpha-small-api");
    }
    gateway.finish();
}

#[test]
fn the_cost_is_exact_and_is_the_one_recorded() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let reply = gateway
        .client()
        .post("/v1/route", &json!({ "message": "one two three" }));
    let answer = reply.json();
    // 3 x 0.15 + 5 x 0.60 USD per million tokens = 3,450 nano-USD
    assert_eq!(answer["performance"]["tokens"], json!({ "input": 3, "output": 5 }));
    assert_eq!(answer["performance"]["costNanoUsd"], 3_450);
    assert!(reply.text().contains("\"cost\":0.00000345,"), "{}", reply.text());
    assert_eq!(gateway.wait_for_calls(1)[0].cost_nano_usd, 3_450);
    gateway.finish();
}

#[test]
fn a_temperature_of_zero_is_sent_as_zero_and_an_absent_one_is_not_sent() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    gateway
        .client()
        .post("/v1/route", &json!({ "message": "hello", "temperature": 0 }));
    assert_eq!(alpha.last_request().json()["temperature"].as_f64(), Some(0.0));
    gateway.client().post("/v1/route", &json!({ "message": "hello" }));
    assert_eq!(alpha.last_request().json().get("temperature"), None);
    gateway.finish();
}

#[test]
fn the_second_turn_carries_the_first() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    for path in ["/v1/chat", "/v1/route"] {
        let conversation = format!("conv{}", path.replace('/', "-"));
        let turn = |message: &str| client.post(path, &json!({ "conversationId": conversation, "message": message }));
        assert_eq!(turn("my name is Ada").status, 200);
        assert_eq!(turn("what is my name?").status, 200);
        let sent = alpha.last_request().json();
        let roles_and_texts: Vec<(&str, &str)> = sent["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| (message["role"].as_str().unwrap(), message["content"].as_str().unwrap()))
            .filter(|(role, _)| *role != "system")
            .collect();
        let expected = [
            ("user", "my name is Ada"),
            ("assistant", "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5"),
            ("user", "what is my name?"),
        ];
        assert_eq!(roles_and_texts, expected);
    }
    gateway.finish();
}

#[test]
fn a_chat_without_a_conversation_gets_one_that_can_go_on() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    let first = client.post("/v1/chat", &json!({ "message": "my name is Ada" })).json();
    let conversation = first["context"]["conversationId"].as_str().unwrap().to_owned();
    say(&client, &conversation, "what is my name?");
    assert!(alpha.last_request().messages().contains(&"my name is Ada".to_owned()));
    let other = client.post("/v1/chat", &json!({ "message": "hello" })).json();
    assert_ne!(other["context"]["conversationId"], first["context"]["conversationId"]);
    gateway.finish();
}

#[test]
fn a_route_without_a_conversation_remembers_nothing() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    client.post("/v1/route", &json!({ "message": "my name is Ada" }));
    client.post("/v1/route", &json!({ "message": "what is my name?" }));
    assert_eq!(alpha.last_request().messages().last().unwrap(), "what is my name?");
    assert!(!alpha.last_request().text().contains("Ada"));
    gateway.finish();
}

#[test]
fn f9_a_message_sent_twice_under_one_client_id_is_stored_and_answered_once() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    let body = json!({ "conversationId": "c", "clientMessageId": "m-1", "message": "hello" });
    let first = client.post("/v1/chat", &body);
    let second = client.post("/v1/chat", &body);
    assert_eq!((first.status, second.status), (200, 200), "{}", second.text());
    assert_eq!(first.json()["result"]["response"], second.json()["result"]["response"]);
    assert_eq!(alpha.requests(), 1, "the repeated message was answered again");
    assert_eq!(seqs(&page(&client, "/v1/context/c")), [1, 2]);
    gateway.finish();
}

#[test]
fn a_context_is_read_page_by_page_from_its_end() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    for turn in 1..=4 {
        say(&client, "c", &format!("turn {turn}"));
    }
    let whole = page(&client, "/v1/context/c");
    assert_eq!(whole["conversationId"], "c");
    assert_eq!(whole["summary"], Value::Null);
    assert_eq!(whole["todos"], json!([]));
    assert_eq!(whole["nextBefore"], Value::Null);
    assert_eq!(seqs(&whole), (1..=8).collect::<Vec<i64>>());
    let first = &whole["messages"][0];
    assert_eq!(
        (&first["role"], &first["content"], &first["status"]),
        (&json!("user"), &json!("turn 1"), &json!("done"))
    );
    assert!(first["createdAt"].is_string(), "{first}");

    let newest = page(&client, "/v1/context/c?limit=3");
    assert_eq!((seqs(&newest), &newest["nextBefore"]), (vec![6, 7, 8], &json!(6)));
    let middle = page(&client, "/v1/context/c?limit=3&before=6");
    assert_eq!((seqs(&middle), &middle["nextBefore"]), (vec![3, 4, 5], &json!(3)));
    let oldest = page(&client, "/v1/context/c?limit=3&before=3");
    assert_eq!((seqs(&oldest), &oldest["nextBefore"]), (vec![1, 2], &Value::Null));

    assert_eq!(client.get("/v1/context/nobody").error(404)["type"], "not_found");
    gateway.finish();
}

#[test]
fn f10_a_turn_that_came_to_nothing_is_marked_and_not_told_to_the_next_model() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    alpha.set(Behaviour::BROKEN);
    let failed = client.post("/v1/chat", &json!({ "conversationId": "c", "message": "lost words" }));
    assert_eq!(failed.status, 502, "{}", failed.text());
    alpha.set(Behaviour::Answer);
    say(&client, "c", "second try");
    assert!(!alpha.last_request().text().contains("lost words"));
    let page = page(&client, "/v1/context/c");
    assert_eq!(seqs(&page), [1, 2, 3, 4]);
    let statuses: Vec<&str> = (0..4)
        .map(|place| page["messages"][place]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["failed", "failed", "done", "done"]);
    gateway.finish();
}

#[test]
fn f8_turns_of_one_conversation_take_their_turn_and_too_many_are_told_it_is_busy() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    alpha.set(Behaviour::Held);
    let refused = AtomicUsize::new(0);
    let replies = thread::scope(|scope| {
        let turns = scope.spawn(|| {
            in_parallel(20, 20, |turn| {
                let turn = json!({ "conversationId": "c", "message": format!("turn {turn}") });
                let reply = client.post("/v1/chat", &turn);
                refused.fetch_add(usize::from(reply.status == 409), Ordering::Relaxed);
                reply
            })
        });
        wait_for("all but one that runs and four that wait to be refused", SOON, || {
            refused.load(Ordering::Relaxed) == 15
        });
        alpha.set(Behaviour::Answer);
        turns.join().unwrap()
    });
    let (answered, busy): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((answered.len(), busy.len()), (5, 15));
    for reply in busy {
        assert_eq!(reply.error(409)["type"], "conversation_busy");
    }
    let page = page(&client, "/v1/context/c");
    let expected: Vec<i64> = (1..).take(answered.len() * 2).collect();
    assert_eq!(seqs(&page), expected);
    for pair in page["messages"].as_array().unwrap().chunks(2) {
        assert_eq!(
            (&pair[0]["role"], &pair[1]["role"]),
            (&json!("user"), &json!("assistant"))
        );
    }
    gateway.finish();
}

#[test]
fn a_long_conversation_drops_its_oldest_turns_to_fit_the_window() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider(&alpha)
        .model(&Model::free("alpha-small", &alpha).window(2_000));
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    for turn in 1..=12 {
        say(&client, "c", &format!("turn {turn} {}", "padding words ".repeat(40)));
    }
    let sent = alpha.last_request();
    assert!(sent.text().contains("turn 12 "));
    assert!(!sent.text().contains("turn 1 "), "the oldest turn still goes along");
    gateway.finish();
}
