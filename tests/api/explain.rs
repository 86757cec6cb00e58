//! Why: `POST /v1/route/explain`, and `explain` in a request.

use serde_json::{Value, json};

use crate::support::{Gateway, Model, Provider, Setup};

const HARD: &str = "Prove that there are infinitely many primes of the form 4k+3, then write a Rust function that lists \
                    the first n of them without allocation, and state its complexity.";

fn scene() -> (Provider, Provider, Gateway) {
    let (free, dear) = (Provider::start("free"), Provider::start("dear"));
    let setup = Setup::new()
        .provider(&free)
        .provider(&dear)
        .model(&Model::free("free-small", &free))
        .model(&Model::free("free-short", &free).window(16))
        .model(&Model::free("dear-large", &dear).layer("L2").priced("10", "20"));
    (free, dear, Gateway::start(setup))
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|entry| entry["model"].as_str().unwrap()).collect()
}

#[test]
fn a_plan_is_explained_and_nobody_is_asked() {
    let (free, dear, gateway) = scene();
    let client = gateway.client();
    let reply = client.post(
        "/v1/route/explain",
        &json!({ "message": HARD, "qualityLevel": "critical" }),
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    let plan = reply.json();
    for (name, is_there) in [
        ("task", plan["task"].is_string()),
        ("complexity", plan["complexity"].is_string()),
        ("unsure", plan["unsure"].is_boolean()),
        ("difficulty", plan["difficulty"].is_f64()),
        (
            "signals",
            plan["signals"].as_object().is_some_and(|signals| !signals.is_empty()),
        ),
        ("startLayer", plan["startLayer"].is_string()),
        ("strategy", plan["strategy"] == "layers"),
        ("skipped", plan["skipped"].is_array()),
        ("check", plan["check"]["kind"].is_string()),
        ("decisionMicros", plan["decisionMicros"].is_u64()),
    ] {
        assert!(is_there, "{name}: {plan}");
    }
    // Nothing that costs is among them without leave.
    assert_eq!(names(&plan["candidates"]), ["free-small"], "{plan}");
    assert_eq!(names(&plan["rejected"]), ["free-short"], "{plan}");
    assert_eq!(plan["candidates"][0]["reason"], "next in its layer by price");
    let named = client
        .post("/v1/route/explain", &json!({ "message": HARD, "model": "dear-large" }))
        .json();
    assert_eq!(names(&named["candidates"]), ["dear-large"], "{named}");
    assert_eq!(
        named.get("complexity"),
        None,
        "nothing is decided about a named model: {named}"
    );

    let in_conversation = json!({ "message": HARD, "conversationId": "explained" });
    assert_eq!(client.post("/v1/route/explain", &in_conversation).status, 200);
    assert_eq!(
        client.get("/v1/context/explained").status,
        404,
        "an explanation begins no conversation"
    );
    assert_eq!((free.requests(), dear.requests()), (0, 0));
    assert!(gateway.calls().is_empty());
    gateway.finish();
}

#[test]
fn a_check_by_several_models_is_explained() {
    let providers = ["alpha", "beta", "gamma"].map(Provider::start);
    let [alpha, beta, gamma] = &providers;
    let setup = Setup::free_l0(&[alpha, beta, gamma])
        .env("ENABLE_CROSS_CHECK", "true")
        .toml("[routing]\npanel = \"always\"");
    let gateway = Gateway::start(setup);
    let question = "What is 17 * 23? Answer with the number only, in the form \\boxed{n}.";
    let plan = gateway
        .client()
        .post("/v1/route/explain", &json!({ "message": question }))
        .json();
    let check = &plan["check"];
    assert_eq!(
        (&check["kind"], &check["policy"]),
        (&json!("panel"), &json!("table")),
        "{plan}"
    );
    assert!(check["members"].as_array().unwrap().len() >= 2, "{plan}");
    assert!(providers.iter().all(|provider| provider.requests() == 0));
    gateway.finish();
}

#[test]
fn an_explanation_refuses_what_a_request_refuses() {
    let (_free, _dear, gateway) = scene();
    let client = gateway.client();
    for (body, status, param) in [
        (json!({}), 400, "message"),
        (json!({ "message": "x", "layer": "L9" }), 400, "layer"),
        (
            json!({ "message": "x", "escalationToken": "esc1.a.b" }),
            400,
            "escalationToken",
        ),
        (json!({ "message": "x", "what": 1 }), 400, "what"),
    ] {
        let error = client.post("/v1/route/explain", &body).error(status);
        assert_eq!(error["param"], param, "{error}");
    }
    let above = json!({ "message": "x", "layer": "L3", "maxLayer": "L1" });
    assert_eq!(
        client.post("/v1/route/explain", &above).error(403)["type"],
        "layer_not_allowed"
    );
    gateway.finish();
}

#[test]
fn an_answer_tells_why_and_more_on_request() {
    let (_free, _dear, gateway) = scene();
    let client = gateway.client();
    let routing = |body: &Value| {
        let reply = client.post("/v1/route", body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["routing"].clone()
    };
    let short = routing(&json!({ "message": "hello" }));
    assert!(
        short["summary"].as_str().unwrap().starts_with("L0 free-small"),
        "{short}"
    );
    assert_eq!(
        (&short["startLayer"], &short["strategy"]),
        (&json!("L0"), &json!("layers"))
    );
    assert_eq!(short["crossCheck"], json!({ "status": "off", "models": [] }));
    let [attempt] = &short["attempts"].as_array().unwrap()[..] else {
        panic!("{short}")
    };
    assert_eq!(
        (&attempt["role"], &attempt["model"]),
        (&json!("answer"), &json!("free-small"))
    );
    assert_eq!(
        (&attempt["outcome"], &attempt["costNanoUsd"]),
        (&json!("completed"), &json!(0))
    );
    assert_eq!(short.get("candidates"), None);

    let full = routing(&json!({ "message": "hello", "explain": true }));
    assert_eq!(names(&full["candidates"]), ["free-small", "free-short"], "{full}");
    assert_eq!(full["trace"]["handOffs"], json!([]));
    let header = client.with_header("x-gateway-explain", "true");
    let reply = header.post("/v1/chat", &json!({ "message": "hello" }));
    assert!(reply.json()["routing"]["trace"]["legs"].is_array(), "{}", reply.text());
    let wrong = client.with_header("x-gateway-explain", "yes");
    assert_eq!(
        wrong.post("/v1/chat", &json!({ "message": "hello" })).error(400)["type"],
        "invalid_header"
    );

    // Of a named model nothing was decided.
    let named = routing(&json!({ "message": "hello", "model": "free-small", "explain": true }));
    let members: Vec<&String> = named.as_object().unwrap().keys().collect();
    assert_eq!(members, ["fromCache", "summary"]);
    gateway.finish();
}
