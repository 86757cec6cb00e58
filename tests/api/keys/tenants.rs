//! Whose conversations and answers a key sees.

use serde_json::json;

use super::{Key, make, on_both_databases, setup};
use crate::COMPLETIONS;
use crate::support::{Client, Gateway, PostgresDatabase, Provider, Reply, chat};

fn say(client: &Client, conversation: &str, message: &str) -> Reply {
    let body = json!({ "conversationId": conversation, "message": message });
    let reply = client.post("/v1/chat", &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

fn texts(client: &Client, conversation: &str) -> Vec<String> {
    let page = client.get(&format!("/v1/context/{conversation}"));
    assert_eq!(page.status, 200, "{}", page.text());
    let page = page.json();
    assert_eq!(page["conversationId"], conversation);
    let messages = page["messages"].as_array().unwrap().iter();
    messages
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn c6_conversations_of_two_tenants_have_nothing_to_do_with_each_other() {
    on_both_databases(|setup, alpha| {
        let gateway = Gateway::start(setup);
        let (one, other) = (
            make(&gateway, json!({ "projectId": "a" })).client(&gateway),
            make(&gateway, json!({ "projectId": "b" })).client(&gateway),
        );
        let alone = make(&gateway, json!({})).client(&gateway);
        let answer = say(&one, "plans", "the canary of a");
        assert_eq!(answer.json()["context"]["conversationId"], "plans");
        // Read: as if it were not there.
        let missing = one.get("/v1/context/never-was").error(404);
        for stranger in [&other, &alone, &gateway.client()] {
            let error = stranger.get("/v1/context/plans").error(404);
            assert_eq!(
                (&error["type"], &error["message"]),
                (&missing["type"], &missing["message"])
            );
        }
        // Append: a conversation of its own, which knows nothing of the other.
        say(&other, "plans", "the words of b");
        assert!(!alpha.last_request().text().contains("canary"));
        assert_eq!(texts(&other, "plans"), ["the words of b"]);
        assert_eq!(texts(&one, "plans"), ["the canary of a"]);
        // Another key of the same project goes on with it.
        let colleague = make(&gateway, json!({ "projectId": "a" })).client(&gateway);
        say(&colleague, "plans", "and more");
        assert_eq!(texts(&one, "plans"), ["the canary of a", "and more"]);
        // A user within a project is somebody else again.
        let person = make(&gateway, json!({ "projectId": "a", "userId": "ann" })).client(&gateway);
        person.get("/v1/context/plans").error(404);
        for odd in ["p=a/plans", "p=a%2Fplans", "..%2Fplans"] {
            let status = other.get(&format!("/v1/context/{odd}")).status;
            assert!(matches!(status, 400 | 404), "{odd}: {status}");
        }
        gateway.finish();
    });
}

#[test]
fn c6_a_conversation_of_another_tenant_cannot_be_deleted() {
    on_both_databases(|setup, _| {
        let gateway = Gateway::start(setup);
        let key = |fields| make(&gateway, fields).client(&gateway);
        let one = key(json!({ "projectId": "a" }));
        let (other, alone, person) = (
            key(json!({ "projectId": "b" })),
            key(json!({})),
            key(json!({ "projectId": "a", "userId": "ann" })),
        );
        let (operator, admin) = (key(json!({ "role": "operator" })), key(json!({ "role": "admin" })));
        say(&one, "plans", "the canary of a");
        let delete = |client: &Client, id: &str| client.request("DELETE", &format!("/v1/context/{id}"));
        let missing = delete(&one, "never-was").error(404);
        let nobody = gateway.anonymous();
        assert_eq!(delete(&nobody, "plans").status, 401);
        // Neither do roles that see more reach into what is a tenant's own.
        for stranger in [&other, &alone, &person, &operator, &admin, &gateway.client()] {
            for id in ["plans", "p=a%2Fplans"] {
                let status = delete(stranger, id).status;
                assert!(matches!(status, 400 | 404), "{id}: {status}");
            }
            let error = delete(stranger, "plans").error(404);
            assert_eq!(
                (&error["type"], &error["message"]),
                (&missing["type"], &missing["message"])
            );
        }
        assert_eq!(texts(&one, "plans"), ["the canary of a"]);
        // Each deletes its own, and a colleague of the same project what is theirs together.
        for owner in [&other, &operator, &admin, &gateway.client()] {
            say(owner, "plans", "mine");
            assert_eq!(delete(owner, "plans").status, 204);
            owner.get("/v1/context/plans").error(404);
        }
        assert_eq!(texts(&one, "plans"), ["the canary of a"]);
        assert_eq!(delete(&key(json!({ "projectId": "a" })), "plans").status, 204);
        one.get("/v1/context/plans").error(404);
        gateway.finish();
    });
}

#[test]
fn c8_a_conversation_id_that_a_stranger_used_first_is_free_for_its_owner() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    let (owner, stranger) = (
        make(&gateway, json!({ "userId": "ann" })).client(&gateway),
        make(&gateway, json!({ "userId": "bob" })).client(&gateway),
    );
    say(&stranger, "plans", "squatting");
    owner.get("/v1/context/plans").error(404);
    // Without a key's tenant it is nobody's in particular.
    say(&gateway.client(), "plans", "the administrator's");
    say(&owner, "plans", "at last");
    assert_eq!(texts(&owner, "plans"), ["at last"]);
    assert_eq!(texts(&stranger, "plans"), ["squatting"]);
    assert_eq!(texts(&gateway.client(), "plans"), ["the administrator's"]);
    gateway.finish();
}

#[test]
fn c6_stored_answers_of_another_tenant_are_not_there() {
    on_both_databases(|setup, alpha| {
        let gateway = Gateway::start(setup);
        let (one, other) = (
            make(&gateway, json!({ "userId": "ann" })).client(&gateway),
            make(&gateway, json!({ "userId": "bob" })).client(&gateway),
        );
        let ask = |client: &Client, input: &str, previous: Option<&str>| {
            let body = json!({ "model": "auto", "input": input, "previous_response_id": previous });
            client.post("/v1/responses", &body)
        };
        let first = ask(&one, "the canary of ann", None);
        assert_eq!(first.status, 200, "{}", first.text());
        let id = first.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/responses/{id}");
        for stranger in [&other, &gateway.client()] {
            stranger.get(&path).error(404);
            stranger.get(&format!("{path}/input_items")).error(404);
            stranger.request("DELETE", &path).error(404);
        }
        let asked = alpha.requests();
        ask(&other, "go on", Some(&id)).error(400);
        assert_eq!(alpha.requests(), asked);
        let stored = one.get(&path);
        assert_eq!((stored.status, &stored.json()["id"]), (200, &json!(id)));
        let next = ask(&one, "go on", Some(&id));
        assert_eq!((next.status, &next.json()["previous_response_id"]), (200, &json!(id)));
        assert!(alpha.last_request().text().contains("the canary of ann"));
        let items = one.get(&format!("{path}/input_items"));
        assert!(items.text().contains("the canary of ann"));
        assert_eq!(one.request("DELETE", &path).status, 200);
        one.get(&path).error(404);
        gateway.finish();
    });
}

#[test]
fn c7_a_label_of_somebody_else_is_refused_and_the_keys_owner_is_recorded() {
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    let gateway = Gateway::start(setup(&alpha).env("DATABASE_URL", &database.url()));
    let key: Key = make(&gateway, json!({ "projectId": "shop", "userId": "ann" }));
    let client = key.client(&gateway);
    let ask = |labels: serde_json::Value| {
        let mut body = json!({ "message": "hello" });
        for (name, value) in labels.as_object().unwrap() {
            body[name] = value.clone();
        }
        client.post("/v1/route", &body)
    };
    for (labels, param) in [
        (json!({ "userId": "bob" }), "userId"),
        (json!({ "projectId": "bank" }), "projectId"),
        (json!({ "userId": "ann", "projectId": "bank" }), "projectId"),
    ] {
        let error = ask(labels).error(403);
        assert_eq!((&error["type"], &error["param"]), (&json!("forbidden"), &json!(param)));
    }
    assert_eq!(alpha.requests(), 0);
    assert_eq!(ask(json!({})).status, 200);
    assert_eq!(ask(json!({ "userId": "ann", "projectId": "shop" })).status, 200);
    assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
    gateway.wait_for_calls(3);
    let owners = database.texts("SELECT DISTINCT user_id || ' of ' || project_id FROM llm_calls");
    assert_eq!(owners, ["ann of shop"]);
    gateway.finish();
}

#[test]
fn c9_the_same_prompt_of_two_tenants_is_asked_twice() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    for user in ["ann", "bob"] {
        let client = make(&gateway, json!({ "userId": user })).client(&gateway);
        assert_eq!(client.post(COMPLETIONS, &chat("what is new?")).status, 200);
    }
    assert_eq!(alpha.requests(), 2);
    gateway.finish();
}
