//! Several budgets at once, what a budget allows, and what it goes on with when it is spent.

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, On, Scene, TOKENS, assert_exhausted, for_model, on_each_database, paid};
use crate::support::{Model, chat};

on_each_database![
    e1_every_budget_of_a_call_pays_for_it_or_none_does,
    e3_a_limit_of_nothing_lets_free_models_answer_and_no_others,
];

#[test]
fn e6_a_new_key_spends_within_its_budget_from_its_first_call_in_every_process() {
    let scene = Scene::new(On::Postgres);
    let replica = scene.replica(|setup| setup);
    for number in 0..5 {
        let budget = json!({ "limitNanoUsd": 0, "window": "total" });
        let fields = json!({ "name": format!("key {number}"), "projectId": format!("p{number}"), "budget": budget });
        let made = scene.admin().post("/v1/admin/keys", &fields).json();
        let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
        let client = replica.anonymous().with_header("authorization", &bearer);
        assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
        let budget = json!({ "limitNanoUsd": COST, "window": "total" });
        let scope = format!("project:q{number}");
        scene.set(&scope, &budget);
        let fields = json!({ "name": "rich", "projectId": format!("q{number}") });
        let made = scene.admin().post("/v1/admin/keys", &fields).json();
        let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
        let client = replica.anonymous().with_header("authorization", &bearer);
        assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
        assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
        assert_eq!(scene.spent_at_rest(&scope), COST);
    }
    replica.finish_after(&for_model("free"));
    scene.finish();
}

fn e1_every_budget_of_a_call_pays_for_it_or_none_does(on: On) {
    let scene = Scene::new(on);
    let (key, client) = scene.key(&json!({ "name": "all", "projectId": "p", "userId": "u" }));
    let scopes = ["global", "project:p", "user:u", &format!("key:{key}")].map(str::to_owned);
    let turn = |text: &str| json!({ "conversationId": "talk", "message": text, "model": "paid", "maxTokens": TOKENS });
    assert_eq!(client.post("/v1/chat", &turn("before there is a budget")).status, 200);
    scene.gateway.wait_until_settled();
    // What the call records of the scope's window show is spent already.
    for scope in &scopes {
        scene.limit(scope, 100 * COST);
        assert_eq!(scene.spent_at_rest(scope), COST, "{scope}");
    }
    let stored = scene.gateway.calls()[0].conversation_id.clone().unwrap();
    let conversation = format!("conversation:{stored}");
    let scopes = [&scopes[0], &scopes[1], &scopes[2], &scopes[3], &conversation];
    scene.limit(&conversation, 100 * COST);
    let asked = scene.paid.requests();
    for poor in scopes {
        scene.limit(poor, COST);
        let refused = client.post("/v1/chat", &turn("too much"));
        assert_eq!(refused.status, 402, "{poor}: {}", refused.text());
        for scope in scopes {
            assert_eq!(scene.spent_at_rest(scope), COST, "{scope} while {poor} is poor");
        }
        scene.limit(poor, 100 * COST);
    }
    assert_eq!(scene.paid.requests(), asked);
    assert_eq!(client.post("/v1/chat", &turn("enough")).status, 200);
    for scope in scopes {
        assert_eq!(scene.spent_at_rest(scope), 2 * COST, "{scope}");
    }
    // Another caller's call is no business of theirs, but of everybody's.
    let (_, other) = scene.key(&json!({ "name": "other", "projectId": "q" }));
    assert_eq!(other.post(COMPLETIONS, &paid(TOKENS)).status, 200);
    assert_eq!(scene.spent_at_rest("global"), 3 * COST);
    for scope in &scopes[1..] {
        assert_eq!(scene.spent_at_rest(scope), 2 * COST, "{scope}");
    }
    scene.finish();
}

fn e3_a_limit_of_nothing_lets_free_models_answer_and_no_others(on: On) {
    let scene = Scene::new(on);
    scene.limit("global", 0);
    assert_exhausted(&scene.ask());
    assert_eq!(scene.admin().post(COMPLETIONS, &for_model("free")).status, 200);
    assert_eq!((scene.paid.requests(), scene.free.requests()), (0, 1));
    scene.finish();
}

#[test]
fn e1_a_budget_that_goes_on_with_free_models_does_so_for_auto_and_not_for_a_named_model() {
    let scene = Scene::with(On::Sqlite, |setup, paid| {
        // The free model is of a higher layer: `auto` comes to it last.
        setup.model(&Model::free("late", paid).layer("L1").priced("0", "0"))
    });
    let rule = json!({ "limitNanoUsd": COST, "window": "daily", "onExhausted": "free_only" });
    let (key, client) = scene.key(&json!({ "name": "frugal", "budget": rule }));
    assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
    assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
    for _ in 0..3 {
        assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
    }
    assert_eq!(scene.spent_at_rest(&format!("key:{key}")), COST);
    assert_eq!(scene.bill(), scene.books().recorded());
    scene.finish();
}

#[test]
fn e1_a_budget_allows_no_layer_above_its_own() {
    let scene = Scene::with(On::Sqlite, |setup, paid| {
        setup.model(&Model::free("high", paid).layer("L2").priced("0", "2"))
    });
    let rule = json!({ "limitUsd": "1", "window": "total", "maxLayer": "L1" });
    let (_, client) = scene.key(&json!({ "name": "low", "budget": rule }));
    let mut body = paid(TOKENS);
    body["model"] = json!("high");
    let error = client.post(COMPLETIONS, &body).error(403);
    assert_eq!(error["code"], "layer_not_allowed", "{error}");
    assert_eq!(scene.paid.requests(), 0);
    assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
    // Without the budget nobody minds.
    assert_eq!(scene.admin().post(COMPLETIONS, &body).status, 200);
    scene.finish();
}
