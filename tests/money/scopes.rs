//! Several budgets at once, what a budget allows, and what it goes on with when it is spent.

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, On, Scene, TOKENS, assert_exhausted, for_model, on_each_database, paid};
use crate::support::{Client, Model, chat};

on_each_database![
    e1_every_budget_of_a_call_pays_for_it_or_none_does,
    e1_a_budget_for_the_name_of_a_conversation_pays_for_every_tenants_conversation_of_that_name,
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

fn e1_a_budget_for_the_name_of_a_conversation_pays_for_every_tenants_conversation_of_that_name(on: On) {
    let scene = Scene::new(on);
    let (_, ann) = scene.key(&json!({ "name": "ann", "projectId": "a" }));
    let (_, bob) = scene.key(&json!({ "name": "bob", "projectId": "b" }));
    let turn = |conversation: &str| json!({ "conversationId": conversation, "message": "hello", "model": "paid", "maxTokens": TOKENS });
    // `x_talk` is not `xatalk`, nor the end of it.
    for conversation in ["x_talk", "xatalk", "talk", "a-x_talk"] {
        assert_eq!(ann.post("/v1/chat", &turn(conversation)).status, 200);
    }
    scene.gateway.wait_until_settled();
    scene.limit("conversation:x_talk", 2 * COST);
    assert_eq!(scene.spent_at_rest("conversation:x_talk"), COST);
    assert_eq!(bob.post("/v1/chat", &turn("x_talk")).status, 200);
    assert_eq!(scene.spent_at_rest("conversation:x_talk"), 2 * COST);
    // The budget of one tenant's conversation goes on beside it.
    scene.limit("conversation:p=b/x_talk", 100 * COST);
    let asked = scene.paid.requests();
    for client in [&ann, &bob, &scene.admin()] {
        let refused = client.post("/v1/chat", &turn("x_talk"));
        assert_eq!(refused.error(402)["type"], "budget_exceeded");
    }
    assert_eq!(scene.paid.requests(), asked);
    assert_eq!(ann.post("/v1/chat", &turn("talk")).status, 200);
    scene.limit("conversation:x_talk", 100 * COST);
    assert_eq!(bob.post("/v1/chat", &turn("x_talk")).status, 200);
    assert_eq!(scene.spent_at_rest("conversation:x_talk"), 3 * COST);
    assert_eq!(scene.spent_at_rest("conversation:p=b/x_talk"), 2 * COST);

    // So do the reports.
    let calls = |client: &Client, id: &str| {
        let stats = client.get(&format!("/v1/stats/conversation/{id}"));
        assert_eq!(stats.status, 200, "{}", stats.text());
        stats.json()["totals"]["calls"].clone()
    };
    assert_eq!(calls(&scene.admin(), "x_talk"), 3);
    assert_eq!(calls(&scene.admin(), "p=a%2Fx_talk"), 1);
    assert_eq!(
        (
            calls(&ann, "x_talk"),
            calls(&bob, "x_talk"),
            calls(&bob, "p=b%2Fx_talk")
        ),
        (json!(1), json!(2), json!(2))
    );
    assert_eq!(ann.get("/v1/stats/conversation/p=b%2Fx_talk").status, 404);
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
fn e1_where_money_is_what_is_missing_that_is_told_and_not_that_another_model_has_no_price() {
    let scene = Scene::with(On::Sqlite, |setup, paid| {
        setup
            .env("CHAT_MODELS", "unpriced,paid,spare")
            .toml(&format!(
                "[[models]]\nid = \"unpriced\"\nprovider = \"{}\"\nlayer = \"L0\"\ncontext_window = 128000\n\
                 max_output_tokens = 64000\ncapabilities = [\"chat\"]\n",
                paid.name()
            ))
            .model(&Model::free("spare", paid).priced("0", "4"))
    });
    let rule = json!({ "limitUsd": "0", "window": "total", "onExhausted": "free_only" });
    let models = json!(["unpriced", "paid", "spare"]);
    let (_, client) = scene.key(&json!({ "name": "poor", "models": models, "budget": rule }));
    assert_exhausted(&client.post(COMPLETIONS, &chat("hello")));
    assert_eq!(scene.paid.requests(), 0);
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
