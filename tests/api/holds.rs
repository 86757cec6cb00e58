//! What is held for an attempt covers what its request can make the provider bill.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Behaviour, Gateway, Model, Provider, Setup, chat, wait_for};

/// USD per million tokens: 2,000 nano-USD a token.
const OUTPUT_PRICE: &str = "2";
const NANO_A_TOKEN: i64 = 2_000;

/// A gateway with one priced model whose provider never answers, so that each attempt is booked as it was held.
fn silent(alpha: &Provider) -> Gateway {
    let setup = Setup::new()
        .provider(alpha)
        .model(&Model::free("alpha-small", alpha).priced("0", OUTPUT_PRICE))
        .toml("[breaker]\nconsecutive_failures = 1000\nmin_calls = 100000");
    alpha.set(Behaviour::ResetAfterRequest);
    Gateway::start(setup)
}

fn request(fields: &[(&str, Value)]) -> Value {
    let mut body = chat("hello");
    for (name, value) in fields {
        body[*name] = value.clone();
    }
    body
}

#[test]
fn several_answers_are_held_for_each() {
    let alpha = Provider::start("alpha");
    let gateway = silent(&alpha);
    let cases = [
        (vec![("max_tokens", json!(10))], 10),
        (vec![("max_tokens", json!(10)), ("n", json!(1))], 10),
        (vec![("max_tokens", json!(10)), ("n", json!(4))], 40),
        (vec![("max_completion_tokens", json!(10)), ("n", json!(128))], 1_280),
        (vec![("n", json!(3))], 3 * 64_000),
        (
            vec![("max_tokens", json!(10)), ("n", json!(2)), ("best_of", json!(7))],
            70,
        ),
        (
            vec![("max_tokens", json!(10)), ("n", json!(7)), ("best_of", json!(2))],
            70,
        ),
    ];
    for (number, (fields, tokens)) in cases.into_iter().enumerate() {
        let body = request(&fields);
        let reply = gateway.client().post(COMPLETIONS, &body);
        assert_eq!(reply.status, 502, "{}", reply.text());
        let calls = gateway.wait_for_calls(number + 1);
        let call = calls.iter().find(|call| call.request_id == reply.request_id()).unwrap();
        assert!(call.estimated, "{call:?}");
        assert_eq!(call.cost_nano_usd, tokens * NANO_A_TOKEN, "{body}");
        for (name, value) in fields {
            assert_eq!(alpha.last_request().json()[name], value, "passed on as it was");
        }
    }
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

#[test]
fn what_is_held_is_told_while_calls_are_under_way() {
    const SOON: Duration = Duration::from_secs(10);
    let alpha = Provider::start("alpha");
    let gateway = silent(&alpha);
    alpha.set(Behaviour::Held);
    let held = || gateway.stats()["gateway"]["heldNanoUsd"].as_i64().unwrap();
    assert_eq!(held(), 0);
    let client = gateway.client();
    thread::scope(|scope| {
        for tokens in [10, 30] {
            let body = request(&[("max_tokens", json!(tokens))]);
            let client = &client;
            scope.spawn(move || assert_eq!(client.post(COMPLETIONS, &body).status, 200));
        }
        wait_for("both calls", SOON, || alpha.running() == 2);
        assert_eq!(held(), 40 * NANO_A_TOKEN);
        alpha.set(Behaviour::Answer);
    });
    wait_for("nothing to be held", SOON, || held() == 0);
    gateway.finish();
}

#[test]
fn an_impossible_number_of_answers_is_refused_by_its_name_before_anything_is_sent() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    for n in [
        json!(0),
        json!(129),
        json!(-1),
        json!(1.5),
        json!("2"),
        json!([]),
        json!(true),
    ] {
        let error = gateway.client().post(COMPLETIONS, &request(&[("n", n)])).error(400);
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!("n"), &json!("invalid_request"))
        );
    }
    assert_eq!(alpha.requests(), 0);
    assert_eq!(
        gateway.client().post(COMPLETIONS, &request(&[("n", json!(2))])).status,
        200
    );
    gateway.finish();
}

#[test]
fn a_beta_that_makes_the_window_longer_than_its_prices_goes_for_is_not_passed_on_where_a_budget_pays() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider_kind(&alpha, "anthropic", "")
        .model(&Model::free("short", &alpha).priced("1", "2").window(200_000))
        .model(&Model::free("long", &alpha).priced("1", "2").window(1_000_000));
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let betas = "x-1, context-1m-2025-08-07,x-2";
    let ask = |model: &str| {
        let mut body = chat("hello");
        body["model"] = json!(model);
        body["max_tokens"] = json!(10);
        let reply = client.with_header("anthropic-beta", betas).post("/v1/messages", &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let sent = alpha.last_request().header("anthropic-beta").map(str::to_owned);
        (sent, reply.header("x-gateway-dropped").map(str::to_owned))
    };
    assert_eq!(ask("short"), (Some(betas.to_owned()), None));
    let budget = json!({ "limitUsd": "1", "window": "total" });
    assert_eq!(client.send_json("PUT", "/v1/admin/budgets/global", &budget).status, 200);
    assert_eq!(
        ask("short"),
        (Some("x-1,x-2".to_owned()), Some("anthropic-beta".to_owned()))
    );
    assert_eq!(ask("long"), (Some(betas.to_owned()), None));
    gateway.finish();
}
