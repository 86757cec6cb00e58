//! Keys on the command line and over MCP.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Key, make, setup};
use crate::support::{Gateway, PostgresDatabase, Provider, Setup, wait_for};

const MODELS: &str = "/v1/models";

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// Runs a command beside a gateway, on its folder.
fn run(command: &str, setup: &Setup, gateway: &Gateway) -> Ended {
    let output = Gateway::command(command, setup, gateway.folder()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

#[test]
fn keys_and_budgets_are_administered_beside_a_running_gateway() {
    let alpha = Provider::start("alpha");
    let sqlite = setup(&alpha);
    let database = PostgresDatabase::create();
    let postgres = sqlite.clone().env("DATABASE_URL", &database.url());
    for setup in [sqlite, postgres] {
        let gateway = Gateway::start(setup.clone());
        let made = run(
            "keys create ci --user ann --rpm 9 --budget 0.50 --window daily --json",
            &setup,
            &gateway,
        )
        .json();
        let key = Key::of(&made);
        assert_eq!(
            (&made["rpm"], &made["budget"]["limitNanoUsd"]),
            (&json!(9), &json!(500_000_000))
        );
        assert_eq!(key.client(&gateway).get(MODELS).status, 200);

        let list = run("keys list", &setup, &gateway);
        assert!(
            list.out.contains(&key.id) && !list.out.contains(&key.text),
            "{}",
            list.out
        );
        let shown = run(&format!("keys show {}", key.id), &setup, &gateway);
        assert!(
            shown.out.contains("user ann") && !shown.out.contains(&key.text),
            "{}",
            shown.out
        );
        let limited = run(&format!("keys limit {} --rpm 3 --json", key.id), &setup, &gateway).json();
        assert_eq!(limited["rpm"], 3);
        let limited = run("keys limit project:shop --tpm 1000 --json", &setup, &gateway).json();
        assert_eq!(
            (&limited["scope"], &limited["tpm"]),
            (&json!("project:shop"), &json!(1_000))
        );

        let rotated = Key::of(&run(&format!("keys rotate {} --json", key.id), &setup, &gateway).json());
        assert_eq!(rotated.client(&gateway).get(MODELS).status, 200);
        wait_for("the old text to be refused", Duration::from_secs(5), || {
            key.client(&gateway).get(MODELS).status == 401
        });
        assert_eq!(run(&format!("keys revoke {}", key.id), &setup, &gateway).code, 0);
        wait_for("the key to be refused", Duration::from_secs(5), || {
            rotated.client(&gateway).get(MODELS).status == 401
        });

        let set = run("budgets set global 12.5 --window monthly --json", &setup, &gateway).json();
        assert_eq!(set["limitNanoUsd"], 12_500_000_000_u64);
        assert_eq!(
            gateway.client().get("/v1/admin/budgets/global").json()["window"],
            "monthly"
        );
        let listed = run("budgets list", &setup, &gateway);
        assert!(listed.out.contains("global"), "{}", listed.out);
        assert_eq!(run("budgets delete global", &setup, &gateway).code, 0);
        assert_eq!(run("budgets show global", &setup, &gateway).code, 64);
        for (command, named) in [
            ("budgets set global 1e30", "limitUsd"),
            ("budgets set team:x 1", "scope"),
            ("keys create ci --max-layer L9", "maxLayer"),
            ("keys show nobody", "key id"),
        ] {
            let refused = run(command, &setup, &gateway);
            assert_eq!(refused.code, 64, "{command}: {}{}", refused.out, refused.err);
            assert!(refused.err.contains(named), "{command}: {}", refused.err);
            assert_eq!(refused.err.matches(named).count(), 1, "said once: {}", refused.err);
        }
        gateway.finish();
    }
}

#[test]
fn mcp_acts_as_the_key_of_its_environment_and_as_nobody_once_there_are_keys() {
    let alpha = Provider::start("alpha");
    let setup = setup(&alpha);
    let gateway = Gateway::start(setup.clone());
    // Its input has ended before it begins.
    assert_eq!(run("mcp", &setup, &gateway).code, 0);
    let key = make(&gateway, json!({}));
    let refused = run("mcp", &setup, &gateway);
    assert_eq!(refused.code, 78, "{}", refused.err);
    assert!(refused.err.contains("GATEWAY_API_KEY"), "{}", refused.err);
    let with_key = setup.env("GATEWAY_API_KEY", &key.text);
    assert_eq!(run("mcp", &with_key, &gateway).code, 0);
    assert_eq!(gateway.client().request("DELETE", &key.path()).status, 200);
    let refused = run("mcp", &with_key, &gateway);
    assert_eq!(refused.code, 78, "{}", refused.err);
    assert!(!refused.err.contains(&key.text));
    gateway.finish();
}
