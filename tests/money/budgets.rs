//! Rows E1 to E9 and E16 to E18: what fits is let through, what does not is not, and what runs while budgets change is
//! booked.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{
    COST, NANO_A_TOKEN, On, SOON, Scene, TOKENS, assert_exhausted, for_model, on_each_database, paid, paid_stream, path,
};
use crate::support::{Behaviour, Model, Provider, chat, in_parallel, wait_for};

on_each_database![
    e1_what_does_not_fit_is_refused_and_reaches_no_provider,
    e2_what_fits_exactly_is_answered,
    e4_of_two_hundred_at_once_as_many_are_answered_as_fit,
    e6_the_first_calls_of_a_new_scope_open_its_period_once,
    e9_each_attempt_has_a_hold_of_its_own,
    e16_a_limit_below_what_is_held_stops_the_next_call_and_not_those_under_way,
    e17_what_is_under_way_is_booked_whatever_becomes_of_its_budget_or_key,
    e17_calls_that_ended_just_before_are_in_a_budget_that_is_set_at_once,
    e17_a_budget_that_is_set_during_a_request_pays_for_its_next_attempt,
    e18_a_stream_that_outlives_its_lease_is_posted_once,
];

fn e1_what_does_not_fit_is_refused_and_reaches_no_provider(on: On) {
    let scene = Scene::new(on);
    scene.limit("global", COST - 1);
    for _ in 0..3 {
        assert_exhausted(&scene.ask());
    }
    assert_exhausted(&scene.admin().post(COMPLETIONS, &paid_stream(TOKENS)));
    assert_eq!(scene.paid.requests(), 0);
    assert_eq!(scene.spent_at_rest("global"), 0);
    // One token less is room enough.
    assert_eq!(scene.admin().post(COMPLETIONS, &paid(TOKENS - 1)).status, 200);
    assert_eq!(scene.spent_at_rest("global"), COST - NANO_A_TOKEN);
    scene.finish();
}

fn e2_what_fits_exactly_is_answered(on: On) {
    let scene = Scene::new(on);
    scene.limit("global", COST);
    assert_eq!(scene.ask().status, 200);
    assert_exhausted(&scene.ask());
    let budget = scene.budget("global");
    assert_eq!(budget["limitNanoUsd"], COST);
    assert_eq!(scene.spent_at_rest("global"), COST);
    assert_eq!((scene.bill(), scene.books().recorded()), (COST, COST));
    scene.finish();
}

fn e4_of_two_hundred_at_once_as_many_are_answered_as_fit(on: On) {
    const ALL: usize = 200;
    const FIT: usize = 7;
    let scene = Scene::new(on);
    scene.limit("global", 7 * COST + COST / 2);
    scene.paid.set(Behaviour::Held);
    let statuses = thread::scope(|scope| {
        let asking = scope.spawn(|| in_parallel(ALL, ALL, |_| scene.ask().status));
        wait_for("as many calls as fit", SOON, || scene.paid.running() == FIT);
        scene.paid.set(Behaviour::Answer);
        asking.join().unwrap()
    });
    let of = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((of(200), of(402)), (FIT, ALL - FIT), "{statuses:?}");
    assert_eq!(scene.paid.requests(), FIT);
    assert_eq!(scene.spent_at_rest("global"), 7 * COST);
    assert_eq!(scene.bill(), 7 * COST);
    scene.finish();
}

fn e6_the_first_calls_of_a_new_scope_open_its_period_once(on: On) {
    let scene = Scene::new(on);
    let budget = json!({ "limitUsd": "1.00", "window": "monthly" });
    let (key, client) = scene.key(&json!({ "name": "new", "projectId": "fresh", "budget": budget }));
    scene.set("project:fresh", &budget);
    let statuses = in_parallel(50, 50, |_| client.post(COMPLETIONS, &paid(TOKENS)).status);
    assert_eq!(statuses, [200; 50]);
    let scopes = ["project:fresh".to_owned(), format!("key:{key}")];
    for scope in &scopes {
        assert_eq!(scene.spent_at_rest(scope), 50 * COST);
        let query = format!("SELECT count(*) AS n FROM budget_periods WHERE scope = '{scope}'");
        assert_eq!(scene.books().number(&query), 1);
    }
    scene.finish();
}

#[test]
fn e7_a_model_without_a_known_price_is_refused_under_a_budget_and_only_there() {
    let scene = Scene::with(On::Sqlite, |setup, paid| {
        setup.toml(&format!(
            "[[models]]\nid = \"unpriced\"\nprovider = \"{}\"\nlayer = \"L0\"\ncontext_window = 8000\n\
             max_output_tokens = 4000\ncapabilities = [\"chat\"]\n",
            paid.name()
        ))
    });
    let (_, budgeted) = scene.key(&json!({ "name": "with", "budget": { "limitUsd": "1", "window": "total" } }));
    let error = budgeted.post(COMPLETIONS, &for_model("unpriced")).error(422);
    assert_eq!(error["code"], "model_unpriced", "{error}");
    assert_eq!(scene.paid.requests(), 0);
    let (_, free) = scene.key(&json!({ "name": "without" }));
    assert_eq!(free.post(COMPLETIONS, &for_model("unpriced")).status, 200);
    scene.finish();
}

#[test]
fn e10_a_price_that_begins_above_a_threshold_is_paid_by_the_budget_whatever_the_input_was_bounded_to() {
    const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
        "finish_reason":"stop","message":{"role":"assistant","content":"hello"}}],
        "usage":{"prompt_tokens":2000,"completion_tokens":10,"total_tokens":2010}}"#;
    // 2,000 x 2 and 10 x 4 USD per million tokens.
    const COST: i64 = 4_040_000;
    let scene = Scene::with(On::Sqlite, |setup, paid| {
        let tier = "long_context = { above_tokens = 1000, input_usd_per_mtok = 2, output_usd_per_mtok = 4 }";
        setup.model(&Model::free("tiered", paid).more(tier))
    });
    let rule = json!({ "limitNanoUsd": COST + 1, "window": "total" });
    let (key, client) = scene.key(&json!({ "name": "k", "budget": rule }));
    scene
        .paid
        .set(Behaviour::Status(200, &[("content-type", "application/json")], ANSWER));
    let mut body = for_model("tiered");
    body["max_tokens"] = json!(TOKENS);
    for answered in 1..=2 {
        assert_eq!(client.post(COMPLETIONS, &body).status, 200);
        assert_eq!(scene.spent_at_rest(&format!("key:{key}")), answered * COST);
    }
    assert_exhausted(&client.post(COMPLETIONS, &body));
    scene.finish();
}

fn e9_each_attempt_has_a_hold_of_its_own(on: On) {
    let other = Provider::start("other");
    let scene = Scene::with(on, |setup, _| {
        setup
            .env("CHAT_MODELS", "paid,spare,free")
            .provider(&other)
            .model(&Model::free("spare", &other).priced("0", "4"))
    });
    let (_, client) = scene.key(&json!({ "name": "k", "models": ["paid", "spare"] }));
    // The spare costs twice as much, and both fit only one after the other.
    scene.limit("global", 2 * COST);
    scene.paid.set(Behaviour::BROKEN);
    let mut body = chat("hello");
    body["max_tokens"] = json!(TOKENS);
    assert_eq!(client.post(COMPLETIONS, &body).status, 200);
    assert_eq!((scene.paid.requests(), other.requests()), (1, 1));
    let calls = scene.gateway.wait_for_calls(2);
    let costs: Vec<i64> = calls.iter().map(|call| call.cost_nano_usd).collect();
    assert_eq!(costs, [0, 2 * COST]);
    assert_eq!(scene.spent_at_rest("global"), 2 * COST);
    scene.finish();
}

fn e16_a_limit_below_what_is_held_stops_the_next_call_and_not_those_under_way(on: On) {
    let scene = Scene::new(on);
    scene.limit("global", 100 * COST);
    assert_eq!(scene.ask().status, 200);
    scene.paid.set(Behaviour::Held);
    thread::scope(|scope| {
        let under_way = scope.spawn(|| scene.ask());
        wait_for("the call", SOON, || scene.paid.running() == 1);
        scene.limit("global", COST / 2);
        assert_exhausted(&scene.ask());
        assert_eq!(scene.paid.running(), 1);
        scene.paid.set(Behaviour::Answer);
        assert_eq!(under_way.join().unwrap().status, 200);
    });
    assert_exhausted(&scene.ask());
    assert_eq!(scene.spent_at_rest("global"), 2 * COST);
    // A raise holds at once.
    scene.limit("global", 3 * COST);
    assert_eq!(scene.ask().status, 200);
    assert_exhausted(&scene.ask());
    scene.finish();
}

fn e17_what_is_under_way_is_booked_whatever_becomes_of_its_budget_or_key(on: On) {
    let scene = Scene::new(on);
    let budget = json!({ "limitUsd": "1", "window": "total" });
    let (key, client) = scene.key(&json!({ "name": "short-lived", "userId": "ann", "budget": budget }));
    scene.set("user:ann", &budget);
    scene.set("global", &budget);
    scene.paid.set(Behaviour::Held);
    thread::scope(|scope| {
        let under_way = scope.spawn(|| client.post(COMPLETIONS, &paid(TOKENS)));
        wait_for("the call", SOON, || scene.paid.running() == 1);
        scene.set("global", &json!({ "limitUsd": "2", "window": "total" }));
        let admin = scene.admin();
        assert_eq!(admin.request("DELETE", &path("user:ann")).status, 204);
        let deleted = admin.request("DELETE", &format!("/v1/admin/keys/{key}"));
        assert!(matches!(deleted.status, 200 | 204), "{}", deleted.text());
        scene.paid.set(Behaviour::Answer);
        assert_eq!(under_way.join().unwrap().status, 200);
    });
    assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 401);
    assert_eq!(scene.spent_at_rest("global"), COST);
    let books = scene.books();
    for scope in ["user:ann".to_owned(), format!("key:{key}")] {
        assert_eq!(books.posted(&scope), COST, "{scope}");
    }
    scene.finish();
}

fn e17_calls_that_ended_just_before_are_in_a_budget_that_is_set_at_once(on: On) {
    let scene = Scene::new(on);
    for round in 0..4 {
        let project = format!("project-{round}");
        let (_, client) = scene.key(&json!({ "name": "k", "projectId": project }));
        for window in ["total", "monthly"] {
            assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
            let budget = json!({ "limitUsd": "1.00", "window": window });
            let reply = scene
                .admin()
                .send_json("PUT", &path(&format!("project:{project}")), &budget);
            let calls = if window == "total" { 1 } else { 2 };
            assert_eq!(reply.json()["spentNanoUsd"], calls * COST, "{}", reply.text());
        }
    }
    scene.assert_audited();
    scene.finish();
}

fn e17_a_budget_that_is_set_during_a_request_pays_for_its_next_attempt(on: On) {
    let other = Provider::start("other");
    let scene = Scene::with(on, |setup, _| {
        setup
            .env("CHAT_MODELS", "paid,spare,free")
            .provider(&other)
            .model(&Model::free("spare", &other).priced("0", "2"))
    });
    let (_, client) = scene.key(&json!({ "name": "k", "models": ["paid", "spare"] }));
    scene.paid.set(Behaviour::Held);
    thread::scope(|scope| {
        let mut body = chat("hello");
        body["max_tokens"] = json!(TOKENS);
        let asking = scope.spawn(move || client.post(COMPLETIONS, &body));
        wait_for("the first attempt", SOON, || scene.paid.running() == 1);
        scene.limit("global", COST - 1);
        scene.paid.set(Behaviour::BROKEN);
        assert_exhausted(&asking.join().unwrap());
    });
    assert_eq!((scene.paid.requests(), other.requests()), (1, 0));
    scene.finish();
}

fn e18_a_stream_that_outlives_its_lease_is_posted_once(on: On) {
    const LEASE: i64 = 2_000_000;
    /// Beyond its lease, which ends a grace of 5 s after its time.
    const LONG: i64 = LEASE + 5_500_000;
    let scene = Scene::with(on, |setup, _| setup.toml("[budget]\nlease_ms = 2000"));
    scene.limit("global", 4 * COST);
    scene.paid.set(Behaviour::Held);
    thread::scope(|scope| {
        let client = scene.admin();
        let under_way = scope.spawn(move || client.post(COMPLETIONS, &paid_stream(TOKENS)));
        wait_for("the call", SOON, || scene.paid.running() == 1);
        let renewed = "SELECT COALESCE(max(expires_at - opened_at), 0) AS n FROM budget_leases";
        wait_for(
            "the lease to be renewed for long",
            SOON + Duration::from_secs(5),
            || scene.books().number(renewed) > LONG,
        );
        assert_eq!(scene.books().posted("global"), 0);
        scene.paid.set(Behaviour::Answer);
        assert!(under_way.join().unwrap().is_done());
    });
    assert_eq!(scene.spent_at_rest("global"), COST);
    let books = scene.books();
    assert_eq!(
        (books.entries("global", "post"), books.entries("global", "expire")),
        (1, 0)
    );
    scene.finish();
}
