//! What operators are told of budgets: in the log, at `/health` and at the webhook, once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::{COST, NANO_A_TOKEN, OUTPUT_PRICE, On, SOON, Scene, TOKENS, on_each_database, paid};
use crate::support::{Behaviour, Gateway, Model, wait_for};
use crate::webhook::Hook;

const SECRET: &str = "hook-secret-0123456789";

on_each_database![
    e10_an_event_of_a_budget_is_logged_shown_and_delivered_once,
    e10_a_call_above_its_hold_is_told_of_within_the_limit_and_once,
    e10_an_answer_above_its_cap_is_told_of_though_its_hold_covers_it,
    e10_a_limit_that_is_raised_is_told_of_anew,
];

fn with_hook(on: On, hook: &Hook) -> Scene {
    let settings = format!(
        "[alerts]\nwebhook_url = \"http://{}/hook\"\nwebhook_secret_env = \"HOOK_SECRET\"",
        hook.address()
    );
    Scene::with(on, |setup, _| setup.env("HOOK_SECRET", SECRET).toml(&settings))
}

/// The lines of the log about this event.
fn logged(gateway: &Gateway, event: &str) -> Vec<String> {
    let mut lines = gateway.log();
    lines.retain(|line| line.contains(event) && !line.contains("not delivered"));
    lines
}

fn e10_an_event_of_a_budget_is_logged_shown_and_delivered_once(on: On) {
    let hook = Hook::start(vec![204]);
    let scene = with_hook(on, &hook);
    let rule = json!({ "limitNanoUsd": 4 * COST, "window": "monthly", "alertPercents": [50] });
    scene.set("global", &rule);
    for _ in 0..4 {
        assert_eq!(scene.ask().status, 200);
    }
    let post = hook.wait_for(1, SOON).remove(0);
    assert_eq!(post.path, "/hook");
    assert!(post.is_signed_with(SECRET), "{post:?}");
    let told: Value = serde_json::from_str(&post.body).unwrap();
    let id = told["id"].as_str().unwrap();
    assert_eq!(
        (post.header("x-gateway-event-id"), &told["kind"]),
        (Some(id), &json!("budget_threshold"))
    );
    assert_eq!(
        (&told["detail"]["scope"], &told["detail"]["percent"]),
        (&json!("global"), &json!(50))
    );
    let alerts = scene.admin().get("/health").json()["alerts"].clone();
    assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
    assert_eq!((&alerts[0]["id"], &alerts[0]["detail"]), (&told["id"], &told["detail"]));
    wait_for("the event to be logged", SOON, || {
        !logged(&scene.gateway, id).is_empty()
    });
    assert_eq!(scene.spent_at_rest("global"), 4 * COST);
    // Set again as it was, nothing more is told of it.
    scene.set("global", &rule);
    let lines = logged(&scene.gateway, id);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("budget_threshold") && lines[0].contains("WARN"),
        "{lines:?}"
    );
    assert_eq!((scene.books().events("budget_threshold"), hook.posts().len()), (1, 1));
    scene.finish();
}

fn e10_a_call_above_its_hold_is_told_of_within_the_limit_and_once(on: On) {
    let scene = Scene::new(on);
    scene.set(
        "global",
        &json!({ "limitUsd": "1000", "window": "total", "alertPercents": [100] }),
    );
    assert_eq!(scene.ask().status, 200);
    scene.paid.set(crate::usage::answer(
        r#"{"prompt_tokens":3,"completion_tokens":1000,"total_tokens":1003}"#,
    ));
    for _ in 0..2 {
        assert_eq!(scene.ask().status, 200);
    }
    let cost = 1000 * NANO_A_TOKEN;
    assert_eq!(scene.spent_at_rest("global"), COST + 2 * cost);
    let books = scene.books();
    assert_eq!(
        (books.events("cost_above_hold"), books.events("budget_overrun")),
        (1, 0)
    );
    let alerts = scene.admin().get("/health").json()["alerts"].clone();
    let detail = &alerts[0]["detail"];
    assert_eq!(
        (&detail["costNanoUsd"], &detail["heldNanoUsd"], &detail["model"]),
        (&json!(cost), &json!(TOKENS * NANO_A_TOKEN), &json!("paid")),
        "{alerts}"
    );
    let id = alerts[0]["id"].as_str().unwrap();
    wait_for("the event to be logged", Duration::from_secs(5), || {
        logged(&scene.gateway, id).len() == 1
    });
    scene.paid.set(Behaviour::Answer);
    scene.finish();
}

/// Where input has a price, the hold covers what one answer has too much.
fn e10_an_answer_above_its_cap_is_told_of_though_its_hold_covers_it(on: On) {
    let scene = Scene::with(on, |setup, paid| {
        setup.model(&Model::free("both", paid).priced("1000", OUTPUT_PRICE))
    });
    scene.set(
        "global",
        &json!({ "limitUsd": "1000", "window": "total", "alertPercents": [100] }),
    );
    let above = TOKENS + 1;
    let usage = |output: i64| {
        format!(
            r#"{{"prompt_tokens":3,"completion_tokens":{output},"total_tokens":{}}}"#,
            output + 3
        )
    };
    let mut body = paid(TOKENS);
    body["model"] = json!("both");
    for output in [TOKENS, above, above] {
        scene.paid.set(crate::usage::answer(&usage(output)));
        assert_eq!(scene.admin().post(COMPLETIONS, &body).status, 200);
    }
    let cost = |output: i64| 3 * 1_000_000 + output * NANO_A_TOKEN;
    assert_eq!(scene.spent_at_rest("global"), cost(TOKENS) + 2 * cost(above));
    let books = scene.books();
    assert_eq!(
        (books.events("output_above_cap"), books.events("cost_above_hold")),
        (1, 0)
    );
    let alerts = scene.admin().get("/health").json()["alerts"].clone();
    let detail = &alerts[0]["detail"];
    assert_eq!(
        (&detail["outputTokens"], &detail["outputCapTokens"], &detail["model"]),
        (&json!(above), &json!(TOKENS), &json!("both")),
        "{alerts}"
    );
    let dearest = scene.admin().get("/v1/analytics/top-expensive").json()["calls"].clone();
    let flags: Vec<_> = dearest
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["aboveAllowed"].clone())
        .collect();
    assert_eq!(flags, [json!(true), json!(true), json!(false)], "{dearest}");
    scene.paid.set(Behaviour::Answer);
    scene.finish();
}

fn e10_a_limit_that_is_raised_is_told_of_anew(on: On) {
    let scene = Scene::new(on);
    let limit = |calls: i64| {
        let rule = json!({ "limitNanoUsd": calls * COST, "window": "total", "alertPercents": [100] });
        scene.set("global", &rule);
    };
    let told = || scene.books().events("budget_threshold");
    limit(1);
    assert_eq!(scene.ask().status, 200);
    wait_for("the first limit to be told of", SOON, || told() == 1);
    limit(2);
    assert_eq!(told(), 1);
    assert_eq!(scene.ask().status, 200);
    wait_for("the second limit to be told of", SOON, || told() == 2);
    assert_eq!(scene.spent_at_rest("global"), 2 * COST);
    scene.finish();
}
