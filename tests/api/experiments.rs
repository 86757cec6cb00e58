//! Experiments: made, looked at, changed, and met by requests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Gateway, Provider, Setup, wait_for};

const ADMIN_KEY: &str = "admin-0123456789abcdef0123456789abcdef";
const EXPERIMENTS: &str = "/v1/experiments";
const SOON: Duration = Duration::from_secs(45);

fn start() -> (Provider, Provider, Gateway) {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let setup = Setup::free_l0(&[&alpha, &beta]).env("GATEWAY_ADMIN_KEY", ADMIN_KEY);
    let gateway = Gateway::start(setup);
    (alpha, beta, gateway)
}

fn two_models(sticky: &str) -> Value {
    json!({ "name": "alpha or beta", "sticky": sticky,
        "arms": [{ "name": "a", "model": "alpha-small" }, { "name": "b", "model": "beta-small" }],
        "guard": { "maxErrorRate": 0.5, "minSamples": 20, "maxCostUsd": "1.50" } })
}

#[track_caller]
fn make(gateway: &Gateway, body: &Value) -> (Value, String) {
    let reply = gateway.client().post(EXPERIMENTS, body);
    assert_eq!(reply.status, 201, "{}", reply.text());
    let made = reply.json();
    let path = format!("{EXPERIMENTS}/{}", made["id"].as_str().unwrap());
    (made, path)
}

#[test]
fn an_experiment_is_made_looked_at_changed_and_deleted() {
    let (_alpha, _beta, gateway) = start();
    let client = gateway.client();
    let (made, path) = make(&gateway, &two_models("user"));
    assert!(made["id"].as_str().unwrap().starts_with("exp_"), "{made}");
    assert_eq!(
        (&made["status"], &made["sticky"], &made["task"]),
        (&json!("running"), &json!("user"), &Value::Null)
    );
    assert_eq!(
        made["arms"],
        json!([{ "name": "a", "weight": 1, "model": "alpha-small" }, { "name": "b", "weight": 1, "model": "beta-small" }])
    );
    assert_eq!(
        made["guard"],
        json!({ "maxErrorRate": 0.5, "minSamples": 20, "maxCostUsd": 1.5, "maxCostNanoUsd": 1_500_000_000 })
    );
    assert_eq!(client.get(EXPERIMENTS).json()["experiments"], json!([made]));
    assert_eq!(
        client.get(&format!("{EXPERIMENTS}?status=running")).error(400)["param"],
        "status"
    );
    let one = client.get(&path).json();
    assert_eq!(
        (&one["experiment"], &one["counted"], &one["truncated"]),
        (&made, &json!(0), &json!(false))
    );
    assert_eq!(one["results"][1]["n"], 0);

    let change = |body: Value| client.send_json("PATCH", &path, &body);
    assert_eq!(change(json!({ "status": "paused" })).json()["status"], "paused");
    let changed = change(json!({ "status": "running", "guard": { "minSamples": 5, "maxErrorRate": null } })).json();
    assert_eq!(
        (&changed["status"], &changed["guard"]),
        (
            &json!("running"),
            &json!({ "maxErrorRate": null, "minSamples": 5, "maxCostUsd": 1.5, "maxCostNanoUsd": 1_500_000_000 })
        ),
        "what is not named stays, what is null goes"
    );
    let stopped = change(json!({ "status": "stopped" })).json();
    assert_eq!(
        (&stopped["status"], &stopped["stoppedReason"]),
        (&json!("stopped"), &json!("stopped by an administrator"))
    );
    assert_eq!(change(json!({ "status": "running" })).error(400)["param"], "status");
    assert_eq!(
        change(json!({ "guard": { "minSamples": 7 } })).error(400)["param"],
        "status"
    );
    assert_eq!(client.get(&path).json()["experiment"]["guard"], stopped["guard"]);
    assert_eq!(change(json!({ "arms": [] })).error(400)["param"], "arms");
    assert_eq!(client.request("DELETE", &path).status, 204);
    assert_eq!(client.request("DELETE", &path).status, 404);
    assert_eq!(client.get(&path).status, 404);
    assert_eq!(client.get("/v1/experiments/none").status, 404);
    gateway.finish();
}

#[test]
fn what_cannot_be_is_refused_and_only_administrators_change() {
    let (_alpha, _beta, gateway) = start();
    let client = gateway.client();
    let mut unknown = two_models("user");
    unknown["arms"][1]["model"] = "nobody".into();
    assert_eq!(client.post(EXPERIMENTS, &unknown).error(400)["param"], "arms[1].model");
    let mut stubborn = two_models("user");
    stubborn["sticky"] = "moon".into();
    assert_eq!(client.post(EXPERIMENTS, &stubborn).error(400)["param"], "sticky");
    for (role, looks, makes) in [("user", 403, 403), ("operator", 200, 403), ("admin", 200, 201)] {
        let made = client
            .post("/v1/admin/keys", &json!({ "name": "k", "role": role }))
            .json();
        let authorization = format!("Bearer {}", made["key"].as_str().unwrap());
        let client = gateway.anonymous().with_header("authorization", &authorization);
        assert_eq!(client.get(EXPERIMENTS).status, looks, "{role}");
        assert_eq!(client.post(EXPERIMENTS, &two_models("user")).status, makes, "{role}");
    }
    gateway.finish();
}

#[test]
fn requests_meet_an_arm_keep_it_and_are_counted() {
    let (alpha, beta, gateway) = start();
    let client = gateway.client();
    let (made, path) = make(&gateway, &two_models("user"));
    let arm_of = |user: &str| {
        let answer = client
            .post("/v1/route", &json!({ "message": "hello", "userId": user }))
            .json();
        let experiment = &answer["routing"]["experiment"];
        experiment["arm"].as_str().map(|arm| {
            assert_eq!(experiment["id"], made["id"]);
            (arm.to_owned(), answer["result"]["model"].as_str().unwrap().to_owned())
        })
    };
    wait_for("the experiment to be met", SOON, || arm_of("first").is_some());
    let (before_alpha, before_beta) = (alpha.requests(), beta.requests());
    let mut arms: BTreeMap<String, usize> = BTreeMap::new();
    for place in 0..40 {
        let user = format!("user-{}", place % 20);
        let (arm, model) = arm_of(&user).unwrap();
        assert_eq!(model, if arm == "a" { "alpha-small" } else { "beta-small" });
        assert_eq!(arm_of(&user).unwrap().0, arm, "{user} met another arm");
        *arms.entry(arm).or_default() += 2;
    }
    assert_eq!(arms.len(), 2, "40 requests of 20 users met {arms:?}");
    assert_eq!(alpha.requests() - before_alpha, arms["a"]);
    assert_eq!(beta.requests() - before_beta, arms["b"]);
    wait_for("the outcomes to be counted", SOON, || {
        client.get(&path).json()["counted"].as_u64().unwrap() > 80
    });
    let results = client.get(&path).json();
    let n = |place: usize| results["results"][place]["n"].as_u64().unwrap();
    assert_eq!(n(0) + n(1), results["counted"].as_u64().unwrap(), "{results}");
    assert_eq!(results["results"][0]["errorRate"]["value"], 0.0);
    assert_eq!(results["results"][1]["versusFirst"]["decided"], false);

    // A named model is nobody's to experiment with.
    let named = client
        .post("/v1/route", &json!({ "message": "hello", "model": "beta-small" }))
        .json();
    assert_eq!(named["routing"].get("experiment"), None);
    gateway.finish();
}
