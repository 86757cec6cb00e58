//! What was learned, and what people write down: `/v1/improvement`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Gateway, Provider, Setup, wait_for};

const ADMIN_KEY: &str = "admin-0123456789abcdef0123456789abcdef";
const HEURISTICS: &str = "/v1/improvement/heuristics";
const BUGS: &str = "/v1/improvement/bugs";
const MODELS: &str = "/v1/improvement/models";
const SOON: Duration = Duration::from_secs(45);

fn start() -> (Provider, Provider, Gateway) {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let setup = Setup::free_l0(&[&alpha, &beta]).env("GATEWAY_ADMIN_KEY", ADMIN_KEY);
    let gateway = Gateway::start(setup);
    (alpha, beta, gateway)
}

#[test]
fn a_heuristic_is_made_applies_and_can_be_switched_off() {
    let (_alpha, _beta, gateway) = start();
    let client = gateway.client();
    let model = || {
        let answer = client.post("/v1/chat", &json!({ "message": "hello" })).json();
        (
            answer["result"]["model"].as_str().unwrap().to_owned(),
            answer["routing"]["heuristic"].clone(),
        )
    };
    assert_eq!(model(), ("alpha-small".to_owned(), Value::Null));
    let reply = client.post(
        HEURISTICS,
        &json!({ "title": "beta first", "when": { "minBytes": 2 }, "then": { "prefer": ["beta-small"] } }),
    );
    assert_eq!(reply.status, 201, "{}", reply.text());
    let made = reply.json();
    assert!(made["id"].as_str().unwrap().starts_with("imp_"), "{made}");
    assert_eq!(made["when"], json!({ "minBytes": 2 }));
    assert_eq!(made["then"], json!({ "prefer": ["beta-small"], "avoid": [] }));
    assert_eq!(made["enabled"], true);
    assert_eq!(client.get(HEURISTICS).json(), json!({ "heuristics": [made] }));
    for list in [HEURISTICS, BUGS] {
        assert_eq!(client.get(&format!("{list}?limit=1")).error(400)["param"], "limit");
    }
    wait_for("the heuristic to apply", SOON, || {
        model() == ("beta-small".to_owned(), json!("beta first"))
    });
    let present = client.get("/v1/improvement/routing").json();
    assert_eq!(present["heuristics"], json!([made]), "{present}");
    assert_eq!(present["calibration"]["id"], Value::Null, "{present}");
    assert!(
        !present["calibration"]["fitted"].as_array().unwrap().is_empty(),
        "{present}"
    );

    let path = format!("{HEURISTICS}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        client.send_json("PATCH", &path, &json!({})).error(400)["param"],
        "title"
    );
    let off = client.send_json("PATCH", &path, &json!({ "enabled": false })).json();
    assert_eq!((&off["title"], &off["enabled"]), (&json!("beta first"), &json!(false)));
    assert_eq!(client.get(&path).json(), off);
    wait_for("the heuristic to apply no more", SOON, || model().0 == "alpha-small");
    assert_eq!(client.request("DELETE", &path).status, 204);
    assert_eq!(client.get(&path).status, 404);
    assert_eq!(
        client.send_json("PATCH", &path, &json!({ "enabled": true })).status,
        404
    );
    gateway.finish();
}

#[test]
fn a_bug_is_written_down_for_people() {
    let (alpha, _beta, gateway) = start();
    let client = gateway.client();
    let body = json!({ "title": "off by one", "pattern": "for i in 0..=len", "cause": "the end is included", "fix": "0..len" });
    let made = client.post(BUGS, &body).json();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(made[name], *value);
    }
    let path = format!("{BUGS}/{}", made["id"].as_str().unwrap());
    let with_test = client
        .send_json("PATCH", &path, &json!({ "test": "an empty list" }))
        .json();
    assert_eq!(
        (&with_test["test"], &with_test["fix"]),
        (&json!("an empty list"), &json!("0..len"))
    );
    assert_eq!(client.get(BUGS).json(), json!({ "bugs": [with_test] }));
    // It is no heuristic, whatever its id.
    let elsewhere = path.replace(BUGS, HEURISTICS);
    assert_eq!(client.get(&elsewhere).status, 404);
    assert_eq!(client.request("DELETE", &elsewhere).status, 404);
    // No model is told of it.
    client.post("/v1/chat", &json!({ "message": "for i in 0..=len" }));
    assert!(!alpha.last_request().json().to_string().contains("the end is included"));
    assert_eq!(client.request("DELETE", &path).status, 204);
    assert_eq!(client.get(BUGS).json(), json!({ "bugs": [] }));
    gateway.finish();
}

#[test]
fn what_cannot_be_is_refused_and_only_administrators_change() {
    let (_alpha, _beta, gateway) = start();
    let client = gateway.client();
    for (path, body, param) in [
        (HEURISTICS, json!({ "title": "x" }), "then"),
        (HEURISTICS, json!({ "title": "x", "then": {} }), "then.startLayer"),
        (
            HEURISTICS,
            json!({ "title": "x", "then": { "prefer": ["nobody"] } }),
            "then.prefer",
        ),
        (HEURISTICS, json!({ "then": { "startLayer": "L1" } }), "title"),
        (BUGS, json!({ "title": "x", "pattern": "a", "cause": "b" }), "fix"),
    ] {
        assert_eq!(client.post(path, &body).error(400)["param"], param);
    }
    assert_eq!(
        client.get("/v1/improvement/models?task=moon").error(400)["param"],
        "task"
    );
    assert_eq!(
        client.get("/v1/improvement/models?since=yesterday").error(400)["param"],
        "since"
    );
    let table = client
        .get("/v1/improvement/models?task=code&since=2026-01-01T00:00:00Z")
        .json();
    assert_eq!(table, json!({ "rows": [], "edits": [] }));
    let bug = json!({ "title": "x", "pattern": "a", "cause": "b", "fix": "c" });
    for (role, looks, makes) in [("user", 403, 403), ("operator", 200, 403), ("admin", 200, 201)] {
        let made = client
            .post("/v1/admin/keys", &json!({ "name": "k", "role": role }))
            .json();
        let authorization = format!("Bearer {}", made["key"].as_str().unwrap());
        let client = gateway.anonymous().with_header("authorization", &authorization);
        for path in [HEURISTICS, BUGS, "/v1/improvement/models", "/v1/improvement/routing"] {
            assert_eq!(client.get(path).status, looks, "{role} {path}");
        }
        assert_eq!(client.post(BUGS, &bug).status, makes, "{role}");
        let edit = json!({ "since": "2026-01-01T00:00:00Z" });
        let put = client.send_json("PUT", "/v1/improvement/models/alpha-small", &edit);
        let expected = if makes == 201 { 200 } else { makes };
        assert_eq!(put.status, expected, "{role}");
    }
    gateway.finish();
}

#[test]
fn what_is_known_of_a_model_is_edited_and_the_edit_taken_back() {
    let (_alpha, _beta, gateway) = start();
    let client = gateway.client();
    let path = format!("{MODELS}/alpha-small");
    let asked = client.post("/v1/chat", &json!({ "message": "hello" }));
    let body = json!({ "requestId": asked.request_id(), "rating": -1 });
    wait_for("the answer to be judged", SOON, || {
        client.post("/v1/feedback", &body).status == 200
    });
    let rows = || client.get(MODELS).json()["rows"].clone();
    wait_for("the failure to count", SOON, || rows()[0]["failures"] == 1);
    assert_eq!(client.get(&path).status, 404);
    let trials = json!([{ "task": "code", "complexity": "complex", "successes": 7, "failures": 1 }]);
    let edit = json!({ "since": "2100-01-01T00:00:00Z", "trials": trials });
    let put = client.send_json("PUT", &path, &edit);
    assert_eq!(put.status, 200, "{}", put.text());
    let put = put.json();
    assert_eq!(
        (&put["model"], &put["since"], &put["trials"]),
        (&json!("alpha-small"), &json!("2100-01-01T00:00:00.000Z"), &trials)
    );
    assert_eq!(client.get(&path).json(), put);
    assert_eq!(client.get(MODELS).json()["edits"], json!([put]));
    let found = rows();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(
        (&found[0]["complexity"], &found[0]["successes"], &found[0]["failures"]),
        (&json!("complex"), &json!(7), &json!(1))
    );
    assert_eq!(client.send_json("PUT", &path, &json!({})).error(400)["param"], "since");
    let nobody = format!("{MODELS}/nobody");
    assert_eq!(client.send_json("PUT", &nobody, &edit).status, 404);
    assert_eq!(client.request("DELETE", &path).status, 204);
    assert_eq!(client.request("DELETE", &path).status, 404);
    assert_eq!(rows()[0]["failures"], 1);
    gateway.finish();
}

#[test]
fn what_became_of_the_last_requests_is_stored_before_the_process_ends() {
    let (_alpha, _beta, mut gateway) = start();
    assert_eq!(
        gateway.client().post("/v1/chat", &json!({ "message": "hello" })).status,
        200
    );
    gateway.sigterm();
    assert_eq!(gateway.wait_exit(SOON), 0);
    gateway.restart();
    let rows = gateway.client().get("/v1/improvement/models").json();
    assert_eq!(rows["rows"][0]["answers"], 1, "{rows}");
    assert_eq!(rows["rows"][0]["model"], "alpha-small", "{rows}");
    gateway.finish();
}
