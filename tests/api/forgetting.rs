//! Conversations that are deleted by their callers: what goes, what stays, and what becomes of turns that run meanwhile.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::conversations::assert_contiguous;
use crate::support::{
    Behaviour, CallRow, Client, Content, Gateway, Model, PostgresDatabase, Provider, Reply, Setup, wait_for,
};

const SOON: Duration = Duration::from_secs(20);
const PATH: &str = "/v1/context/plans";

/// A priced model of layer L0 at this provider.
fn setup(provider: &Provider) -> Setup {
    Setup::new()
        .provider(provider)
        .model(&Model::free("alpha-small", provider).priced("1", "2"))
}

/// Does it once on SQLite and once on PostgreSQL.
fn on_both_databases(work: impl Fn(&Gateway, &Provider)) {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    work(&gateway, &alpha);
    gateway.finish();
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    let gateway = Gateway::start(setup(&alpha).env("DATABASE_URL", &database.url()));
    work(&gateway, &alpha);
    gateway.finish();
}

fn say(client: &Client, message: &str) -> Reply {
    client.post("/v1/chat", &json!({ "conversationId": "plans", "message": message }))
}

#[track_caller]
fn said(client: &Client, message: &str) {
    let reply = say(client, message);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

fn delete(client: &Client) -> Reply {
    client.request("DELETE", PATH)
}

#[track_caller]
fn deleted(client: &Client) {
    let reply = delete(client);
    assert_eq!((reply.status, reply.text()), (204, ""));
}

/// The messages of the conversation, and its to-do lists.
#[track_caller]
fn page(client: &Client) -> (Vec<Value>, Value) {
    let reply = client.get(PATH);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let page = reply.json();
    let messages = page["messages"].as_array().unwrap().clone();
    assert_contiguous(&messages);
    (messages, page["todos"].clone())
}

/// What its user said.
#[track_caller]
fn questions(client: &Client) -> Vec<String> {
    let (messages, _) = page(client);
    let mine = messages.iter().filter(|message| message["role"] == "user");
    mine.map(|message| message["content"].as_str().unwrap().to_owned())
        .collect()
}

/// A turn that ended since its conversation is gone.
#[track_caller]
fn assert_gone(reply: &Reply) {
    let error = reply.error(404);
    assert_eq!(error["type"], "not_found", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("was deleted while this message was being answered") && message.contains("send"),
        "{message}"
    );
    assert_eq!(reply.header("retry-after"), None);
}

/// The record of the call that was made for this answer is there, with all that it cost.
#[track_caller]
fn assert_booked<'a>(calls: &'a [CallRow], reply: &Reply) -> &'a CallRow {
    let call = calls.iter().find(|call| call.request_id == reply.request_id());
    let call = call.unwrap_or_else(|| panic!("no record of {reply:?}: {calls:#?}"));
    let cost = 1_000 * call.input_tokens + 2_000 * call.output_tokens;
    assert!(call.success && !call.estimated && call.output_tokens > 0, "{call:?}");
    assert_eq!((call.outcome.as_str(), call.cost_nano_usd), ("completed", cost));
    call
}

/// Asks while the provider says nothing, and waits until it is asked.
fn held<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    alpha: &Provider,
    ask: impl FnOnce() -> Reply + Send + 'scope,
) -> thread::ScopedJoinHandle<'scope, Reply> {
    alpha.set(Behaviour::Held);
    let turn = scope.spawn(ask);
    wait_for("the provider to be asked", SOON, || alpha.running() == 1);
    turn
}

#[test]
fn f14_a_conversation_that_is_deleted_during_a_turn_is_gone_and_the_turn_is_booked() {
    on_both_databases(|gateway, alpha| {
        let client = gateway.client();
        said(&client, "before");
        let budget = json!({ "limitUsd": "1", "window": "total" });
        let global = "/v1/admin/budgets/global";
        assert_eq!(client.send_json("PUT", global, &budget).status, 200);
        let late = thread::scope(|scope| {
            let turn = held(scope, alpha, || say(&client, "during"));
            deleted(&client);
            client.get(PATH).error(404);
            delete(&client).error(404);
            alpha.set(Behaviour::Answer);
            turn.join().unwrap()
        });
        assert_gone(&late);
        client.get(PATH).error(404);
        let calls = gateway.wait_for_calls(2);
        let cost: i64 = calls.iter().map(|call| call.cost_nano_usd).sum();
        let call = assert_booked(&calls, &late);
        assert_eq!(call.conversation_id.as_deref(), Some("plans"));
        wait_for("nothing to be held", SOON, || {
            client.get(global).json()["heldNanoUsd"] == 0
        });
        assert_eq!(client.get(global).json()["spentNanoUsd"], cost);
        let report = client.get("/v1/stats/conversation/plans").json();
        assert!(report.to_string().contains(&cost.to_string()), "{report}");

        said(&client, "after");
        assert_eq!(questions(&client), ["after"]);
        assert_eq!(alpha.last_request().messages(), ["after"]);
    });
}

#[test]
fn f14_a_turn_that_waits_while_its_conversation_is_deleted_begins_the_next_one() {
    on_both_databases(|gateway, alpha| {
        let client = gateway.client();
        said(&client, "before");
        let (late, next) = thread::scope(|scope| {
            let turn = held(scope, alpha, || say(&client, "during"));
            let next = scope.spawn(|| say(&client, "next"));
            wait_for("the next turn to wait", SOON, || {
                gateway.stats()["gateway"]["openTurns"] == 2
            });
            deleted(&client);
            alpha.set(Behaviour::Answer);
            (turn.join().unwrap(), next.join().unwrap())
        });
        assert_gone(&late);
        assert_eq!(next.status, 200, "{}", next.text());
        assert_eq!(questions(&client), ["next"]);
        assert_eq!(alpha.last_request().messages(), ["next"]);
        let calls = gateway.wait_for_calls(3);
        assert_booked(&calls, &late);
        assert_booked(&calls, &next);
    });
}

#[test]
fn f14_a_turn_of_another_replica_finds_its_conversation_gone_and_leaves_the_next_one_alone() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let database = PostgresDatabase::create();
    let replicas = [&alpha, &beta].map(|provider| {
        let own = setup(provider).env("DATABASE_URL", &database.url());
        Gateway::start(own)
    });
    let [first, second] = replicas.each_ref().map(Gateway::client);
    let (late, next) = thread::scope(|scope| {
        let turn = held(scope, &alpha, || say(&first, "during"));
        assert_eq!(say(&second, "too early").status, 409);
        deleted(&second);
        let next = held(scope, &beta, || say(&second, "next"));
        alpha.set(Behaviour::Answer);
        let late = turn.join().unwrap();
        // The next turn holds its conversation as before.
        assert_eq!(say(&first, "too early").status, 409);
        beta.set(Behaviour::Answer);
        (late, next.join().unwrap())
    });
    assert_gone(&late);
    assert_eq!(next.status, 200, "{}", next.text());
    assert_eq!(questions(&second), ["next"]);
    said(&first, "last");
    assert_eq!(questions(&second), ["next", "last"]);
    let calls = replicas[0].wait_for_calls(3);
    assert_booked(&calls, &late);
    for replica in replicas {
        replica.finish();
    }
}

#[test]
fn f14_a_task_in_steps_whose_conversation_is_deleted_leaves_no_list_behind() {
    on_both_databases(|gateway, alpha| {
        let client = gateway.client();
        alpha.say(Content::saying(r#"{"steps":["Write it","Test it"]}"#));
        let task = json!({
            "task": "Write a module that sorts lists of numbers",
            "context": { "requirements": ["fast", "stable", "tested"] },
            "conversationId": "plans",
        });
        let late = thread::scope(|scope| {
            let turn = held(scope, alpha, || client.post("/v1/code-agent", &task));
            deleted(&client);
            alpha.set(Behaviour::Answer);
            turn.join().unwrap()
        });
        assert_gone(&late);
        client.get(PATH).error(404);
        // The plan and both steps.
        gateway.wait_for_calls(3);
        alpha.say(Content::text());
        said(&client, "after");
        let (messages, todos) = page(&client);
        assert_eq!((messages.len(), todos), (2, json!([])));
    });
}

/// A free model that cuts its answers short, and a priced one of layer L2 that is offered.
fn offering(free: &Provider, dear: &Provider) -> Gateway {
    free.say(Content::cut_text());
    let setup = Setup::new()
        .provider(free)
        .provider(dear)
        .model(&Model::free("free-small", free))
        .model(&Model::free("dear-large", dear).layer("L2").priced("1", "2"));
    Gateway::start(setup)
}

/// Asks, and gets the way to approve the offer that came with the answer.
#[track_caller]
fn offered(client: &Client) -> String {
    let answer = say(client, "Tell me about the sea.").json();
    let token = answer["escalation"]["token"].as_str();
    let token = token.unwrap_or_else(|| panic!("no offer in {answer}"));
    format!("/v1/escalations/{token}/approve")
}

#[test]
fn an_offer_goes_with_its_conversation() {
    let (free, dear) = (Provider::start("free"), Provider::start("dear"));
    let gateway = offering(&free, &dear);
    let client = gateway.client();
    let approve = offered(&client);
    deleted(&client);
    let refused = client.post(&approve, &json!({})).error(403);
    assert_eq!(refused["type"], "escalation_invalid");
    assert_eq!(dear.requests(), 0);
    free.say(Content::text());
    gateway.finish();
}

#[test]
fn f14_a_better_answer_whose_conversation_is_deleted_is_given_and_not_stored() {
    let (free, dear) = (Provider::start("free"), Provider::start("dear"));
    let gateway = offering(&free, &dear);
    let client = gateway.client();
    let approve = offered(&client);
    let better = thread::scope(|scope| {
        let turn = held(scope, &dear, || client.post(&approve, &json!({})));
        deleted(&client);
        dear.set(Behaviour::Answer);
        turn.join().unwrap()
    });
    assert_eq!(better.status, 200, "{}", better.text());
    let answer = better.json();
    assert_eq!(
        (&answer["result"]["model"], &answer["context"]["stored"]),
        (&json!("dear-large"), &json!(false))
    );
    client.get(PATH).error(404);
    assert_booked(&gateway.wait_for_calls(2), &better);
    free.say(Content::text());
    gateway.finish();
}

#[test]
fn a_conversation_is_deleted_once_and_its_id_is_free_again() {
    on_both_databases(|gateway, alpha| {
        let client = gateway.client();
        let missing = client.get("/v1/context/never-was").error(404);
        let told = |error: &Value| (error["type"].clone(), error["message"].clone());
        let message = json!({ "conversationId": "plans", "clientMessageId": "m-1", "message": "hello" });
        assert_eq!(client.post("/v1/chat", &message).status, 200);
        said(&client, "and more");
        let refused = client.request("DELETE", &format!("{PATH}?limit=5")).error(400);
        assert_eq!(
            (&refused["type"], &refused["param"]),
            (&json!("invalid_request"), &json!("limit"))
        );
        client.request("DELETE", "/v1/context/no%20id").error(400);
        let refused = client.with_header("x-request-timeout-ms", "0").request("DELETE", PATH);
        assert_eq!(refused.error(400)["type"], "invalid_header");
        assert_eq!(questions(&client), ["hello", "and more"]);
        let refused = client.send_json("PUT", PATH, &json!({}));
        assert_eq!(refused.status, 405, "{}", refused.text());
        assert_eq!(refused.header("allow"), Some("GET, HEAD, DELETE"));

        gateway.wait_for_calls(2);
        let costs = || {
            let mut told = client.get("/v1/stats/conversation/plans").json();
            assert!(told["timestamp"].take().is_string(), "{told}");
            told
        };
        let before = costs();
        deleted(&client);
        for gone in [
            delete(&client),
            client.get(PATH),
            client.request("DELETE", "/v1/context/never-was"),
        ] {
            assert_eq!(told(&gone.error(404)), told(&missing));
        }
        assert_eq!(costs(), before);
        // What was known by its client's name is asked again.
        let asked = alpha.requests();
        assert_eq!(client.post("/v1/chat", &message).status, 200);
        assert_eq!(alpha.requests(), asked + 1);
        assert_eq!(alpha.last_request().messages(), ["hello"]);
        assert_eq!(questions(&client), ["hello"]);
    });
}
