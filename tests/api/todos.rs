//! The to-do list of a task that is not small: stored with its conversation as it grows, and gone on with by the next
//! request, in the next process too.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Behaviour, Content, Gateway, Model, Provider, Setup, wait_for};

const LIST: &str = r#"{"steps":["Write it","Test it","Explain it"]}"#;
/// What each answer costs, in nano-USD: as many tokens as it has, at a dollar for a million.
const TOKENS: usize = 500;
const COST: u64 = 500_000;
/// What is held for a step: its longest answer.
const HELD: u64 = 8_000_000;
const GLOBAL: &str = "/v1/admin/budgets/global";
const SOON: Duration = Duration::from_secs(20);

fn task() -> Value {
    json!({
        "task": "Write a module that sorts lists of numbers",
        "context": { "requirements": ["fast", "stable", "tested"] },
        "conversationId": "c-1",
    })
}

fn limit(gateway: &Gateway, nano_usd: u64) {
    let body = json!({ "limitNanoUsd": nano_usd, "window": "total" });
    let reply = gateway.client().send_json("PUT", GLOBAL, &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[track_caller]
fn works(gateway: &Gateway) -> Value {
    let reply = gateway.client().post("/v1/code-agent", &task());
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// The text and the state of each step of a list.
fn steps(list: &Value) -> Vec<(&str, &str)> {
    let steps = list["steps"].as_array().unwrap().iter();
    steps
        .map(|step| (step["text"].as_str().unwrap(), step["status"].as_str().unwrap()))
        .collect()
}

/// The lists that are stored with the conversation.
fn stored(gateway: &Gateway) -> Vec<Value> {
    let page = gateway.client().get("/v1/context/c-1").json();
    page["todos"].as_array().unwrap().clone()
}

/// The last message of each request that the provider has had.
fn asked(alpha: &Provider) -> Vec<String> {
    let received = alpha.received();
    received
        .iter()
        .map(|sent| sent.messages().last().unwrap().clone())
        .collect()
}

/// The answer has the results of all three steps, each under its heading.
#[track_caller]
fn assert_has_all_results(answer: &Value) {
    let text = answer["result"]["response"].as_str().unwrap();
    let headings = [
        "## 1. Write it\n\n{",
        "\n\n## 2. Test it\n\n{",
        "\n\n## 3. Explain it\n\n{",
    ];
    assert!(headings.iter().all(|heading| text.contains(heading)), "{text}");
}

#[test]
fn a_tasks_list_is_stored_with_its_conversation_and_the_next_request_goes_on_with_it() {
    let alpha = Provider::start("alpha");
    alpha.say(Content::saying(LIST));
    alpha.set_tokens(TOKENS);
    let model = Model::free("paid", &alpha).priced("0", "1").window(16_000);
    let setup = Setup::new()
        .env("CODE_MODELS", "paid")
        .env("CHAT_MODELS", "paid")
        .provider(&alpha)
        .model(&model);
    let mut gateway = Gateway::start(setup);
    // Enough for the plan and one step.
    limit(&gateway, COST + HELD + COST / 2);
    let answer = works(&gateway);
    assert_eq!(answer["status"], "partial", "{answer}");
    let half = [("Write it", "done"), ("Test it", "open"), ("Explain it", "open")];
    assert_eq!(steps(&answer["todo"]), half);
    assert_eq!(alpha.requests(), 2, "{:?}", asked(&alpha));
    let lists = stored(&gateway);
    assert_eq!(lists.len(), 1, "{lists:?}");
    assert_eq!(steps(&lists[0]), half);
    assert_eq!(lists[0]["id"], answer["todo"]["id"], "{lists:?}");
    assert_eq!(lists[0]["steps"][0].get("result"), None, "{lists:?}");

    // The next process finds it where it was left.
    gateway.wait_until_settled();
    gateway.sigterm();
    assert_eq!(gateway.wait_exit(SOON), 0);
    gateway.restart();
    assert_eq!(stored(&gateway), lists);
    limit(&gateway, 1_000_000_000);
    let answer = works(&gateway);
    assert_eq!(answer["status"], "done", "{answer}");
    let whole = half.map(|(text, _)| (text, "done"));
    assert_eq!(steps(&answer["todo"]), whole);
    assert_eq!(answer["todo"]["id"], lists[0]["id"]);
    // What was done before is in the answer, and was told to whoever went on.
    assert_has_all_results(&answer);
    let asked = asked(&alpha);
    assert_eq!(asked.len(), 4, "it was planned again: {asked:?}");
    for (sent, step) in asked[1..].iter().zip(["Write it", "Test it", "Explain it"]) {
        assert!(sent.contains(&format!("# Your step\n\n{step}")), "{sent}");
    }
    assert!(asked[2].contains("## 1. Write it\n\n{"), "{}", asked[2]);
    let lists = stored(&gateway);
    assert_eq!(lists.len(), 1, "{lists:?}");
    assert_eq!(steps(&lists[0]), whole);
    alpha.say(Content::text());
    gateway.finish();
}

#[test]
fn what_was_done_of_a_task_by_kill_9_is_in_the_answer_of_the_request_that_goes_on_with_it() {
    let alpha = Provider::start("alpha");
    alpha.say(Content::saying(LIST));
    alpha.set(Behaviour::Slow(Duration::from_secs(1)));
    let model = Model::free("small", &alpha).window(16_000);
    let setup = Setup::new()
        .env("CODE_MODELS", "small")
        .env("CHAT_MODELS", "small")
        .provider(&alpha)
        .model(&model);
    let mut gateway = Gateway::start(setup);
    let client = gateway.client();
    thread::scope(|scope| {
        let asking = scope.spawn(|| client.try_post("/v1/code-agent", &task()).is_ok());
        wait_for("the second step", SOON, || alpha.requests() == 3);
        gateway.kill_9();
        asking.join().unwrap();
    });
    alpha.set(Behaviour::Answer);
    gateway.restart();
    let answer = works(&gateway);
    assert_eq!(answer["status"], "done", "{answer}");
    let asked = asked(&alpha);
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert!(asked[3].contains("## 1. Write it\n\n{"), "{}", asked[3]);
    assert_has_all_results(&answer);
    alpha.say(Content::text());
    gateway.finish();
}
