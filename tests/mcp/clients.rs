//! Unchanged clients: the Python `mcp` package and MCP Inspector.

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp/python_client.py");
const GATEWAY: &str = env!("CARGO_BIN_EXE_ai-mcp-gateway");

/// A variable that `make test` sets.
fn needed(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `make test`, which installs the MCP clients, or see \"The checks\" in \
             docs/development.md"
        )
    })
}

fn succeeded(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client failed: {errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"))
}

#[test]
fn the_python_client_lists_and_calls_both_tools_in_both_revisions() {
    let python = needed("GATEWAY_TEST_PYTHON");
    for (mode, revision) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        let home = TempDir::new().unwrap();
        let output = Command::new(&python)
            .args([SCRIPT, GATEWAY, mode])
            .env("HOME", home.path())
            .output()
            .unwrap();
        let seen = succeeded(&output);
        assert_eq!(seen["revision"], revision, "{seen}");
        assert_eq!(seen["tools"], json!(["code_agent", "gateway_status"]));
        let answer = &seen["code_agent"];
        assert!(answer["result"].as_str().unwrap().contains("Write a haiku"), "{answer}");
        assert_eq!(answer["routing"]["layer"], "L0");
        assert_eq!(
            seen["progress"].as_array().unwrap().last(),
            Some(&json!("answered")),
            "{seen}"
        );
        assert_eq!(seen["refused"], "invalid_args");
        assert_eq!(seen["unknown_tool"], -32602);
        assert_eq!(seen["gateway_status"]["llm"]["totalCalls"], 1);
        assert_eq!(seen["in_parallel"], 20);
    }
}

#[test]
fn the_inspector_lists_and_calls_both_tools() {
    let inspector = needed("GATEWAY_TEST_MCP_INSPECTOR");
    let home = TempDir::new().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new("node")
            .arg(&inspector)
            .args(["--cli", GATEWAY, "mcp", "--simulator"])
            .args(arguments)
            .env("HOME", home.path())
            .current_dir(home.path())
            .output()
            .unwrap();
        succeeded(&output)
    };
    let listed = run(&["--method", "tools/list"]);
    let names: Vec<&Value> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(names, ["code_agent", "gateway_status"]);
    let called = run(&[
        "--method",
        "tools/call",
        "--tool-name",
        "code_agent",
        "--tool-arg",
        "task=Write a haiku",
    ]);
    assert_eq!(called["isError"], false, "{called}");
    assert!(
        called["structuredContent"]["result"]
            .as_str()
            .unwrap()
            .contains("Write a haiku"),
        "{called}"
    );
    let status = run(&["--method", "tools/call", "--tool-name", "gateway_status"]);
    assert_eq!(status["structuredContent"]["status"], "ok", "{status}");
}
