//! Who sees which records and budgets, and who sets budgets: the whole program, on both databases.

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Client, Gateway, Model, PostgresDatabase, Provider, Setup, chat};

const ADMIN_KEY: &str = "0123456789abcdef0123456789abcdef";

/// The same on SQLite and on PostgreSQL.
fn on_both(test: impl Fn(Setup)) {
    let setup = || Setup::new().env("GATEWAY_ADMIN_KEY", ADMIN_KEY);
    test(setup());
    let database = PostgresDatabase::create();
    test(setup().env("DATABASE_URL", &database.url()));
}

fn start(setup: Setup, alpha: &Provider) -> Gateway {
    let setup = setup.provider(alpha);
    Gateway::start(setup.model(&Model::free("alpha-small", alpha).priced("1", "2")))
}

/// A client with a new key.
fn with_key(gateway: &Gateway, key: &Value) -> Client {
    let made = gateway.client().post("/v1/admin/keys", key);
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let authorization = format!("Bearer {}", made["key"].as_str().unwrap());
    gateway.anonymous().with_header("authorization", &authorization)
}

fn get(client: &Client, path: &str) -> Value {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

fn calls(client: &Client) -> u64 {
    get(client, "/v1/stats")["totals"]["calls"].as_u64().unwrap()
}

#[test]
fn c6_a_key_sees_the_records_and_conversations_of_its_own_tenant_alone() {
    on_both(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = start(setup, &alpha);
        let ann = with_key(&gateway, &json!({ "name": "ann", "projectId": "p", "userId": "ann" }));
        let bob = with_key(&gateway, &json!({ "name": "bob", "projectId": "p", "userId": "bob" }));
        let alone = with_key(&gateway, &json!({ "name": "alone" }));
        let watcher = with_key(
            &gateway,
            &json!({ "name": "watcher", "projectId": "p", "role": "operator" }),
        );
        let turn = |client: &Client| {
            let turn = json!({ "conversationId": "conv-1", "message": "hello" });
            let reply = client.post("/v1/chat", &turn);
            assert_eq!(reply.status, 200, "{}", reply.text());
        };
        turn(&ann);
        turn(&ann);
        turn(&bob);
        assert_eq!(alone.post(COMPLETIONS, &chat("hello")).status, 200);
        gateway.wait_until_settled();

        assert_eq!([&ann, &bob, &alone, &watcher].map(calls), [2, 1, 1, 4]);
        assert_eq!(calls(&gateway.client()), 4);
        // Asking for another's is asking for what one cannot see.
        for query in ["userId=bob", "projectId=q"] {
            let stats = get(&ann, &format!("/v1/stats?{query}"));
            assert_eq!(stats["totals"]["calls"], 0, "{query}: {stats}");
        }
        let of_conversation = |client: &Client| get(client, "/v1/stats/conversation/conv-1")["totals"]["calls"].clone();
        assert_eq!((of_conversation(&ann), of_conversation(&bob)), (json!(2), json!(1)));
        assert_eq!(
            alone.get("/v1/stats/conversation/conv-1").error(404)["type"],
            "not_found"
        );
        let users = |client: &Client| {
            let rows = get(client, "/v1/analytics?groupBy=user")["rows"].clone();
            let mut users: Vec<String> = rows
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["user"].to_string())
                .collect();
            users.sort();
            users
        };
        assert_eq!(users(&ann), ["\"ann\""]);
        assert_eq!(users(&watcher), ["\"ann\"", "\"bob\"", "null"]);
        let dearest = get(&bob, "/v1/analytics/top-expensive");
        assert_eq!(dearest["calls"].as_array().unwrap().len(), 1);
        assert_eq!(dearest["calls"][0]["conversationId"], "conv-1");
        assert_eq!(get(&alone, "/v1/analytics/error-rate")["calls"], 1);
        gateway.finish();
    });
}

#[test]
fn c5_budgets_are_set_by_administrators_and_seen_by_whom_they_concern() {
    on_both(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = start(setup, &alpha);
        let admin = gateway.client();
        let ann = with_key(&gateway, &json!({ "name": "ann", "projectId": "p", "userId": "ann" }));
        let watcher = with_key(&gateway, &json!({ "name": "watcher", "role": "operator" }));
        let global = json!({ "scope": "global", "limitUsd": "2.50", "window": "monthly" });
        for client in [&ann, &watcher] {
            assert_eq!(client.post("/v1/quota/update", &global).error(403)["type"], "forbidden");
        }
        assert_eq!(get(&watcher, "/v1/quota/status")["budgets"], json!([]));

        let set = admin.post("/v1/quota/update", &global);
        assert_eq!(set.status, 200, "{}", set.text());
        let set = set.json();
        assert_eq!(
            (&set["limitNanoUsd"], &set["limit"]),
            (&json!(2_500_000_000_u64), &json!(2.5)),
            "{set}"
        );
        assert_eq!(
            (&set["window"], &set["leftNanoUsd"]),
            (&json!("monthly"), &set["limitNanoUsd"]),
            "{set}"
        );
        assert!(
            set["windowEndsAt"].as_str().unwrap().ends_with("T00:00:00.000Z"),
            "{set}"
        );
        let of_ann = admin.post(
            "/v1/quota/update",
            &json!({ "scope": "user:ann", "limitNanoUsd": 1_000 }),
        );
        assert_eq!(of_ann.status, 200, "{}", of_ann.text());
        // Only what is given is changed.
        let changed = admin.post(
            "/v1/quota/update",
            &json!({ "scope": "user:ann", "onExhausted": "free_only" }),
        );
        let changed = changed.json();
        assert_eq!(
            (&changed["limitNanoUsd"], &changed["onExhausted"]),
            (&json!(1_000), &json!("free_only"))
        );

        let scopes = |client: &Client, query: &str| {
            let budgets = get(client, &format!("/v1/quota/status{query}"))["budgets"].clone();
            let scopes: Vec<String> = budgets
                .as_array()
                .unwrap()
                .iter()
                .map(|budget| budget["scope"].as_str().unwrap().to_owned())
                .collect();
            scopes
        };
        assert_eq!(scopes(&ann, ""), ["user:ann"]);
        assert_eq!(scopes(&watcher, ""), ["global", "user:ann"]);
        assert_eq!(scopes(&watcher, "?scope=global"), ["global"]);
        assert_eq!(scopes(&ann, "?scope=global"), [""; 0]);
        let first = get(&admin, "/v1/quota/status?limit=1");
        assert_eq!(first["hasMore"], true, "{first}");

        for (body, param) in [
            (json!({ "limitUsd": "1" }), "scope"),
            (json!({ "scope": "team:x", "limitUsd": "1" }), "scope"),
            (json!({ "scope": "project:p" }), "limitUsd"),
            (json!({ "scope": "project:p", "limitUsd": 1.0 }), "limitUsd"),
            (
                json!({ "scope": "project:p", "limitUsd": "1", "window": "hourly" }),
                "window",
            ),
        ] {
            assert_eq!(
                admin.post("/v1/quota/update", &body).error(400)["param"],
                param,
                "{body}"
            );
        }
        for (query, param) in [
            ("scope=x", "scope"),
            ("limit=0", "limit"),
            ("conversationId=a%20b", "conversationId"),
            ("a=b", "a"),
        ] {
            let error = admin.get(&format!("/v1/quota/status?{query}")).error(400);
            assert_eq!(error["param"], param, "{query}");
        }
        // Nobody is to be refused for money at the end.
        for scope in ["global", "user:ann"] {
            assert_eq!(
                admin.request("DELETE", &format!("/v1/admin/budgets/{scope}")).status,
                204
            );
        }
        gateway.finish();
    });
}

#[test]
fn the_scope_that_is_shown_of_a_conversations_budget_is_the_one_that_can_be_set_again() {
    on_both(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = start(setup, &alpha);
        let admin = gateway.client();
        let shop = with_key(&gateway, &json!({ "name": "shop", "projectId": "shop" }));
        let turn = json!({ "conversationId": "talk", "message": "hello" });
        assert_eq!(shop.post("/v1/chat", &turn).status, 200);
        for scope in ["conversation:p=shop/talk", "conversation:talk"] {
            let set = admin.post("/v1/quota/update", &json!({ "scope": scope, "limitUsd": "1" }));
            assert_eq!(
                (set.status, &set.json()["scope"]),
                (200, &json!(scope)),
                "{}",
                set.text()
            );
        }
        let shown = get(&admin, "/v1/quota/status?conversationId=talk")["budgets"].clone();
        let scopes: Vec<_> = shown
            .as_array()
            .unwrap()
            .iter()
            .map(|budget| budget["scope"].clone())
            .collect();
        assert_eq!(scopes, ["conversation:p=shop/talk", "conversation:talk"]);
        // Its owner knows it by the name that it gave.
        let own = get(&shop, "/v1/quota/status?conversationId=talk")["budgets"][0].clone();
        assert_eq!(own["scope"], "conversation:talk");
        assert_eq!(own["spentNanoUsd"], shown[0]["spentNanoUsd"]);
        assert_ne!(own["spentNanoUsd"], 0, "{own}");
        let set = admin.post("/v1/quota/update", &json!({ "scope": scopes[0], "limitUsd": "0" }));
        assert_eq!(set.status, 200, "{}", set.text());
        assert_eq!(shop.post("/v1/chat", &turn).error(402)["type"], "budget_exceeded");
        // Nobody is to be refused for money at the end.
        for scope in ["conversation:p=shop%2Ftalk", "conversation:talk"] {
            let deleted = admin.request("DELETE", &format!("/v1/admin/budgets/{scope}"));
            assert_eq!(deleted.status, 204, "{}", deleted.text());
        }
        gateway.finish();
    });
}
