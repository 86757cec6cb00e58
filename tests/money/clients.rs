//! What the unchanged Python clients `openai` and `anthropic` make of a budget that is spent, and of a rate that is.

use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::scene::{ADMIN_KEY, COST, On, SOON, Scene, assert_exhausted};
use crate::support::{Behaviour, wait_for};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/money/clients.py");
const CLIENTS: [&str; 2] = ["openai", "anthropic"];
const LATER: &[(&str, &str)] = &[("content-type", "application/json"), ("retry-after", "1")];

/// What a client saw, and how often it asked.
#[track_caller]
fn ask(scene: &Scene, client: &str) -> Value {
    let python = std::env::var("GATEWAY_TEST_PYTHON");
    let python = python.expect("GATEWAY_TEST_PYTHON is not set: run `make test`, which installs the clients");
    let output = Command::new(python)
        .args([
            SCRIPT,
            &format!("http://{}", scene.gateway.address()),
            ADMIN_KEY,
            client,
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
