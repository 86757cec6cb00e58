//! What a key may do.

use serde_json::{Value, json};

use super::{KEYS, make, on_both_databases, setup};
use crate::COMPLETIONS;
use crate::support::{Gateway, Model, Provider, Setup, chat};

#[test]
fn c5_only_an_administrators_key_changes_anything() {
    on_both_databases(|setup, _| {
        let gateway = Gateway::start(setup);
        let (user, operator, admin) = (
            make(&gateway, json!({})),
            make(&gateway, json!({ "role": "operator" })),
            make(&gateway, json!({ "role": "admin" })),
        );
        let budget = "/v1/admin/budgets/global";
        let limits = "/v1/admin/limits/user:ann";
        let requests: [(&str, String, Value); 7] = [
            ("POST", KEYS.to_owned(), json!({ "name": "more", "role": "admin" })),
            ("PATCH", user.path(), json!({ "rpm": 1_000_000 })),
            ("DELETE", admin.path(), Value::Null),
            ("POST", format!("{}/rotate", user.path()), json!({})),
            ("PUT", budget.to_owned(), json!({ "limitUsd": "1", "window": "total" })),
            ("PUT", limits.to_owned(), json!({ "rpm": 5 })),
            ("DELETE", budget.to_owned(), Value::Null),
        ];
        let digest = || {
            let list = gateway.client().get(KEYS).json();
            (list, gateway.client().get("/v1/admin/budgets").json())
        };
        let before = digest();
        for (method, path, body) in &requests {
            for key in [&user, &operator] {
                let reply = key.client(&gateway).send_json(method, path, body);
                assert_eq!(reply.error(403)["type"], "forbidden", "{method} {path}");
            }
        }
        assert_eq!(digest(), before);
        user.client(&gateway).get(KEYS).error(403);
        assert_eq!(operator.client(&gateway).get(KEYS).json(), before.0);
        let made = admin.client(&gateway).post(KEYS, &requests[0].2);
        assert_eq!(made.status, 201, "{}", made.text());
        gateway.finish();
    });
}

/// Servers written in Go read it as `model`, so that another model would answer than the one that the key may use.
#[test]
fn a_model_that_is_named_in_other_letters_reaches_no_provider() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .env("GATEWAY_ADMIN_KEY", super::ADMIN_KEY)
        .provider(&alpha)
        .model(&Model::free("small", &alpha))
        .model(&Model::free("large", &alpha).layer("L2").priced("1", "2"));
    let gateway = Gateway::start(setup);
    let client = make(&gateway, json!({ "models": ["small"] })).client(&gateway);
    let bodies = [
        (COMPLETIONS, r#""messages":[{"role":"user","content":"hello"}]"#),
        (
            "/v1/messages",
            r#""max_tokens":5,"messages":[{"role":"user","content":"hello"}]"#,
        ),
        ("/v1/responses", r#""input":"hello""#),
        ("/v1/completions", r#""prompt":"hello""#),
        ("/v1/embeddings", r#""input":"hello""#),
    ];
    for (path, rest) in bodies {
        for other in [r#""Model""#, r#""MODEL""#, r#""m\u004fdel""#] {
            let body = format!(r#"{{"model":"small",{rest},{other}:"large-api"}}"#);
            let reply = client.post_bytes(path, body);
            assert_eq!(reply.status, 400, "{path} {other}: {}", reply.text());
            assert!(
                reply.text().contains("`model` must be written in small letters"),
                "{}",
                reply.text()
            );
        }
    }
    assert_eq!(alpha.requests(), 0);
    let answer = client.post_bytes(COMPLETIONS, format!(r#"{{"model":"small",{}}}"#, bodies[0].1));
    assert_eq!(answer.status, 200, "{}", answer.text());
    gateway.finish();
}

#[test]
fn a_key_reaches_the_models_and_layers_that_are_its_own_and_sees_no_others() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .env("GATEWAY_ADMIN_KEY", super::ADMIN_KEY)
        .env("ENABLE_AUTO_ESCALATE", "true")
        .provider(&alpha)
        .model(&Model::free("small", &alpha))
        .model(&Model::free("tiny", &alpha))
        .model(&Model::free("large", &alpha).layer("L2").priced("1", "2"));
    let gateway = Gateway::start(setup);
    let named = |model: &str| {
        let mut request = chat("hello");
        request["model"] = model.into();
        request
    };
    let low = make(&gateway, json!({ "maxLayer": "L1" })).client(&gateway);
    assert_eq!(low.post(COMPLETIONS, &named("small")).status, 200);
    assert_eq!(low.post(COMPLETIONS, &named("auto")).status, 200);
    for above in ["large", "L2"] {
        let error = low.post(COMPLETIONS, &named(above)).error(403);
        assert_eq!(error["code"], "layer_not_allowed", "{error}");
    }
    let few = make(&gateway, json!({ "models": ["t*", "large-api"] }));
    let client = few.client(&gateway);
    assert_eq!(client.post(COMPLETIONS, &named("tiny")).status, 200);
    assert_eq!(client.post(COMPLETIONS, &named("large")).status, 200);
    let answer = client.post(COMPLETIONS, &named("auto"));
    assert_eq!((answer.status, answer.header("x-gateway-model")), (200, Some("tiny")));
    let asked = alpha.requests();
    let error = client.post(COMPLETIONS, &named("small")).error(403);
    assert_eq!(
        (&error["code"], &error["param"]),
        (&json!("forbidden"), &json!("model"))
    );
    let listed = client.get("/v1/models").json();
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    assert_eq!(ids, ["tiny", "large"]);
    client.get("/v1/models/small").error(404);
    let nothing = make(&gateway, json!({ "models": ["none-*"] })).client(&gateway);
    nothing.post(COMPLETIONS, &named("auto")).error(403);
    nothing.post("/v1/route", &json!({ "message": "hello" })).error(403);
    assert_eq!(alpha.requests(), asked);
    let change = json!({ "models": null });
    assert_eq!(gateway.client().send_json("PATCH", &few.path(), &change).status, 200);
    assert_eq!(client.post(COMPLETIONS, &named("small")).status, 200);
    gateway.finish();
}

#[test]
fn e20_a_budget_is_a_decimal_text_kept_exactly_or_refused_by_name() {
    on_both_databases(|setup, _| {
        let gateway = Gateway::start(setup);
        let client = gateway.client();
        let path = "/v1/admin/budgets/project:shop";
        for bad in [
            json!(-1),
            json!(1e30),
            json!("abc"),
            Value::Null,
            json!(0.1 + 0.2),
            json!("-0.01"),
        ] {
            let body = json!({ "limitUsd": bad, "window": "daily" });
            assert_eq!(
                client.send_json("PUT", path, &body).error(400)["param"],
                "limitUsd",
                "{bad}"
            );
        }
        client.get(path).error(404);
        let body = json!({ "limitUsd": "0.300000001", "window": "daily", "onExhausted": "free_only" });
        assert_eq!(client.send_json("PUT", path, &body).status, 200);
        let told = client.get(path).json();
        for (field, value) in [
            ("limitNanoUsd", json!(300_000_001)),
            ("spentNanoUsd", json!(0)),
            ("heldNanoUsd", json!(0)),
            ("window", json!("daily")),
            ("onExhausted", json!("free_only")),
        ] {
            assert_eq!(told[field], value, "{told}");
        }
        assert!(
            told["windowEndsAt"].as_str().unwrap().ends_with("T00:00:00.000Z"),
            "{told}"
        );
        let made = client.post(
            KEYS,
            &json!({ "name": "k", "budget": { "limitUsd": "1.00", "window": "total" } }),
        );
        let key = made.json();
        let of_key = client
            .get(&format!("/v1/admin/budgets/key:{}", key["id"].as_str().unwrap()))
            .json();
        assert_eq!(
            (&of_key["limitNanoUsd"], &of_key["windowEndsAt"]),
            (&json!(1_000_000_000), &Value::Null)
        );
        let bad = json!({ "name": "k", "budget": { "limitUsd": "1e30", "window": "total" } });
        assert_eq!(client.post(KEYS, &bad).error(400)["param"], "budget.limitUsd");
        let unknown = json!({ "name": "k", "allowed_routes": ["/*"] });
        assert_eq!(client.post(KEYS, &unknown).error(400)["param"], "allowed_routes");
        assert_eq!(client.get(KEYS).json()["keys"].as_array().unwrap().len(), 1);
        assert_eq!(client.request("DELETE", path).status, 204);
        client.get(path).error(404);
        gateway.finish();
    });
}

#[test]
fn c14_the_key_of_the_caller_is_not_forwarded() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    let key = make(&gateway, json!({}));
    let client = key
        .client(&gateway)
        .with_header("cookie", "session=callers")
        .with_header("x-forwarded-for", "192.0.2.7");
    assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
    let sent = alpha.last_request();
    for name in ["authorization", "cookie", "x-forwarded-for", "x-api-key"] {
        assert_eq!(sent.header(name), None, "{name} was forwarded");
    }
    gateway.finish();
}
