//! Who may do what at the edge, route by route and key by key.

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::test::TestRequest;
use actix_web::{Error, test};
use gateway_actors::protocol::AccessRole;
use serde_json::{Value, json};

use super::routes::TABLE;
use super::testing::{ADMIN_KEY, Told, app, keyed_parts, parts};

const KEYS: &str = "/v1/admin/keys";

async fn call(
    app: &impl Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    method: Method,
    path: &str,
    key: Option<&str>,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = TestRequest::with_uri(path)
        .method(method)
        .insert_header((header::HOST, "localhost:3000"));
    if let Some(key) = key {
        request = request.insert_header((header::AUTHORIZATION, format!("Bearer {key}")));
    }
    if let Some(body) = body {
        request = request.set_json(body);
    }
    let response = test::call_service(app, request.to_request()).await;
    let status = response.status();
    assert_eq!(response.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn made(
    app: &impl Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    body: Value,
) -> (String, String) {
    let (status, made) = call(app, Method::POST, KEYS, Some(ADMIN_KEY), Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

/// Generated from the table: a route that is added is in it, and so in this.
#[actix_web::test]
async fn every_route_lets_in_the_roles_that_its_rule_names_and_nobody_else() {
    let app = app(keyed_parts(), Told::default()).await;
    let mut keys = vec![(None, None), (Some(AccessRole::Admin), Some(ADMIN_KEY.to_owned()))];
    for role in [AccessRole::User, AccessRole::Operator, AccessRole::Admin] {
        let (_, key) = made(&app, json!({"name": "k", "role": role})).await;
        keys.push((Some(role), Some(key)));
    }
    let mut roles_seen = std::collections::HashSet::new();
    for rule in TABLE {
        let path = rule.path.replace("{id}", "none").replace("{actor}", "nobody");
        let path = path.replace("{id:.+}", "none").replace("{scope:.+}", "user:none");
        let path = path.replace("{token}", "none");
        for method in rule.allow.split(", ") {
            let method: Method = method.parse().unwrap();
            let least = rule.access.role(&method);
            roles_seen.insert(least.map(AccessRole::as_str));
            for (role, key) in &keys {
                let (status, told) = call(&app, method.clone(), &path, key.as_deref(), None).await;
                // Whoever is told this was let in.
                let is_of_offer = told["error"]["type"] == "escalation_invalid";
                let expected = match (least, role) {
                    (None, _) => None,
                    (Some(_), None) => Some(StatusCode::UNAUTHORIZED),
                    (Some(least), Some(role)) => (*role < least).then_some(StatusCode::FORBIDDEN),
                };
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]
                    .into_iter()
                    .find(|refused| *refused == status && !is_of_offer);
                assert_eq!(refused, expected, "{method} {path} as {role:?}: {status}");
            }
        }
    }
    assert_eq!(roles_seen.len(), 4, "a role that no route needs, or no open route");
}

#[actix_web::test]
async fn a_key_is_shown_once_and_can_be_changed_rotated_and_revoked() {
    let app = app(keyed_parts(), Told::default()).await;
    let body = json!({"name": "ci", "projectId": "p", "rpm": 5,
        "budget": {"limitUsd": "0.50", "window": "daily"}});
    let (status, created) = call(&app, Method::POST, KEYS, Some(ADMIN_KEY), Some(body)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    assert!(key.starts_with(created["prefix"].as_str().unwrap()));
    assert_eq!(created["budget"]["limitNanoUsd"], 500_000_000);
    let one = format!("{KEYS}/{id}");
    let admin = Some(ADMIN_KEY);
    let (_, shown) = call(&app, Method::GET, &one, admin, None).await;
    assert_eq!(
        (&shown["name"], &shown["rpm"], &shown["state"]),
        (&json!("ci"), &json!(5), &json!("active"))
    );
    assert_eq!(shown["budget"]["window"], "daily");
    let (_, list) = call(&app, Method::GET, KEYS, admin, None).await;
    assert_eq!(
        (list["keys"].as_array().unwrap().len(), &list["hasMore"]),
        (1, &json!(false))
    );
    for told in [&shown, &list] {
        assert!(!told.to_string().contains(key) && told["key"].is_null());
    }
    let models = async |key: &str| call(&app, Method::GET, "/v1/models", Some(key), None).await;
    assert_eq!(models(key).await.0, StatusCode::OK);

    let change = json!({"models": ["nothing-*"], "rpm": null});
    let (status, changed) = call(&app, Method::PATCH, &one, admin, Some(change)).await;
    assert_eq!((status, &changed["rpm"]), (StatusCode::OK, &Value::Null));
    let (status, listed) = models(key).await;
    assert_eq!((status, &listed["data"]), (StatusCode::OK, &json!([])));

    let rotate = format!("{one}/rotate");
    let (_, rotated) = call(&app, Method::POST, &rotate, admin, Some(json!({"graceSeconds": 60}))).await;
    let new = rotated["key"].as_str().unwrap();
    assert_eq!(
        (models(key).await.0, models(new).await.0),
        (StatusCode::OK, StatusCode::OK)
    );
    let (_, rotated) = call(&app, Method::POST, &rotate, admin, None).await;
    let newest = rotated["key"].as_str().unwrap();
    assert_eq!(models(newest).await.0, StatusCode::OK);
    for old in [key, new] {
        assert_eq!(models(old).await.0, StatusCode::UNAUTHORIZED);
    }

    let (status, revoked) = call(&app, Method::DELETE, &one, admin, None).await;
    assert_eq!((status, &revoked["state"]), (StatusCode::OK, &json!("revoked")));
    assert_eq!(models(newest).await.0, StatusCode::UNAUTHORIZED);
    let (status, refused) = call(&app, Method::PATCH, &one, admin, Some(json!({"rpm": 1}))).await;
    assert_eq!(
        (status, &refused["error"]["param"]),
        (StatusCode::BAD_REQUEST, &json!("id"))
    );
    let missing = format!("{KEYS}/key_{}", "0".repeat(32));
    for (method, path) in [
        (Method::GET, missing.as_str()),
        (Method::DELETE, &missing),
        (Method::GET, "/v1/admin/keys/x"),
    ] {
        assert_eq!(call(&app, method, path, admin, None).await.0, StatusCode::NOT_FOUND);
    }
}

#[actix_web::test]
async fn e20_a_budget_is_set_exactly_or_refused_and_told_as_it_stands() {
    let app = app(keyed_parts(), Told::default()).await;
    let admin = Some(ADMIN_KEY);
    let path = "/v1/admin/budgets/project:a%2Fb";
    for bad in [
        json!(-1),
        json!(1e30),
        json!("abc"),
        Value::Null,
        json!(0.1 + 0.2),
        json!("1e30"),
        json!("-1"),
    ] {
        let body = json!({"limitUsd": bad, "window": "total"});
        let (status, refused) = call(&app, Method::PUT, path, admin, Some(body)).await;
        assert_eq!(
            (status, &refused["error"]["param"]),
            (StatusCode::BAD_REQUEST, &json!("limitUsd")),
            "{bad}"
        );
    }
    assert_eq!(
        call(&app, Method::GET, path, admin, None).await.0,
        StatusCode::NOT_FOUND
    );
    let body = json!({"limitUsd": "0.300000001", "window": "monthly", "alertPercents": [90]});
    let (status, set) = call(&app, Method::PUT, path, admin, Some(body)).await;
    assert_eq!((status, &set["limitNanoUsd"]), (StatusCode::OK, &json!(300_000_001)));
    let (_, told) = call(&app, Method::GET, path, admin, None).await;
    assert_eq!(
        (
            &told["spentNanoUsd"],
            &told["heldNanoUsd"],
            &told["window"],
            &told["scope"]
        ),
        (&json!(0), &json!(0), &json!("monthly"), &json!("project:a/b"))
    );
    assert!(told["windowEndsAt"].is_string());
    let (_, list) = call(&app, Method::GET, "/v1/admin/budgets", admin, None).await;
    assert_eq!(list["budgets"][0]["scope"], "project:a/b");
    assert_eq!(
        call(&app, Method::DELETE, path, admin, None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        call(&app, Method::DELETE, path, admin, None).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, refused) = call(&app, Method::GET, "/v1/admin/budgets/team:x", admin, None).await;
    assert_eq!(
        (status, &refused["error"]["param"]),
        (StatusCode::BAD_REQUEST, &json!("scope"))
    );
}

#[actix_web::test]
async fn rates_of_a_project_are_set_told_and_deleted() {
    let app = app(keyed_parts(), Told::default()).await;
    let (admin, path) = (Some(ADMIN_KEY), "/v1/admin/limits/project:a");
    let (status, _) = call(&app, Method::PUT, path, admin, Some(json!({"rpm": 7}))).await;
    assert_eq!(status, StatusCode::OK);
    let (_, told) = call(&app, Method::GET, path, admin, None).await;
    assert_eq!((&told["rpm"], &told["tpm"]), (&json!(7), &Value::Null));
    assert_eq!(
        call(&app, Method::DELETE, path, admin, None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        call(&app, Method::GET, path, admin, None).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, _) = call(
        &app,
        Method::PUT,
        "/v1/admin/limits/global",
        admin,
        Some(json!({"rpm": 7})),
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_virtual_key_is_looked_at_even_where_none_is_wanted() {
    let app = app(parts(), Told::default()).await;
    let (status, made) = call(&app, Method::POST, KEYS, None, Some(json!({"name": "k"}))).await;
    assert_eq!(status, StatusCode::CREATED);
    let key = made["key"].as_str().unwrap();
    let stats = async |key| call(&app, Method::GET, "/v1/server-stats", key, None).await.0;
    assert_eq!(stats(None).await, StatusCode::OK);
    assert_eq!(stats(Some("sk-anything")).await, StatusCode::OK);
    assert_eq!(stats(Some(key)).await, StatusCode::FORBIDDEN);
    let one = format!("{KEYS}/{}", made["id"].as_str().unwrap());
    call(&app, Method::DELETE, &one, None, None).await;
    assert_eq!(stats(Some(key)).await, StatusCode::UNAUTHORIZED);
}
