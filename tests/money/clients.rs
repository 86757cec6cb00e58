//! What the unchanged Python clients `openai` and `anthropic` make of a budget that is spent, and of a rate that is.

use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::scene::{ADMIN_KEY, COST, On, SOON, Scene, assert_exhausted};
use crate::support::{Behaviour, wait_for};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/money/clients.py");
const CLIENTS: [&str; 2] = ["openai", "anthropic"];
/// So late that the provider is well again by then, on a busy machine too.
const LATER: &[(&str, &str)] = &[("content-type", "application/json"), ("retry-after", "4")];

/// What a client saw, and how often it asked.
#[track_caller]
fn ask(scene: &Scene, client: &str) -> Value {
    ask_with(scene, client, ADMIN_KEY, 1)
}

/// The same with this key, and for so many answers one after the other.
#[track_caller]
fn ask_with(scene: &Scene, client: &str, key: &str, times: usize) -> Value {
    let python = std::env::var("GATEWAY_TEST_PYTHON");
    let python = python.expect("GATEWAY_TEST_PYTHON is not set: run `make test`, which installs the clients");
    let output = Command::new(python)
        .args([
            SCRIPT,
            &format!("http://{}", scene.gateway.address()),
            key,
            client,
            &times.to_string(),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn e1_clients_do_not_try_again_when_a_budget_is_spent() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", COST);
    assert_eq!(scene.ask().status, 200);
    assert_exhausted(&scene.ask());
    for client in CLIENTS {
        assert_eq!(ask(&scene, client), json!({ "status": 402, "sent": 1 }), "{client}");
    }
    assert_eq!(scene.paid.requests(), 1);
    scene.finish();
}

#[test]
fn clients_try_again_after_a_429_when_its_time_has_come() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 10 * COST);
    for client in CLIENTS {
        let before = scene.paid.requests();
        scene
            .paid
            .set(Behaviour::Status(429, LATER, r#"{"error":{"message":"too many"}}"#));
        let seen = thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&scene, client));
            wait_for("the first request", SOON, || scene.paid.requests() > before);
            scene.paid.set(Behaviour::Answer);
            asking.join().unwrap()
        });
        assert_eq!(seen["status"], 200, "{client}: {seen}");
        assert!(seen["sent"].as_i64().unwrap() > 1, "{client}: {seen}");
    }
    assert_eq!(scene.spent_at_rest("global"), 2 * COST);
    scene.finish();
}

#[test]
fn clients_try_again_when_the_rate_of_their_key_allows_it_and_are_answered() {
    let scene = Scene::with(On::Sqlite, |setup, _| setup.env("GATEWAY_TEST_MINUTE_MS", "2500"));
    scene.limit("global", 10 * COST);
    for (number, client) in CLIENTS.into_iter().enumerate() {
        let key = scene
            .admin()
            .post("/v1/admin/keys", &json!({ "name": client, "rpm": 1 }));
        assert_eq!(key.status, 201, "{}", key.text());
        let key = key.json()["key"].as_str().unwrap().to_owned();
        // The second is refused at once, and let through when its time has come.
        let seen = ask_with(&scene, client, &key, 2);
        assert_eq!(seen["status"], 200, "{client}: {seen}");
        assert!(seen["sent"].as_i64().unwrap() > 2, "{client}: {seen}");
        assert_eq!(scene.paid.requests(), 2 * (number + 1), "what is refused is not sent");
    }
    assert_eq!(scene.spent_at_rest("global"), 4 * COST);
    scene.finish();
}
