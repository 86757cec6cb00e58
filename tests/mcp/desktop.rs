//! As desktop clients start it: in `/`, with hardly an environment, as the README's samples say.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::support::{Setup, run_to_exit};

const GATEWAY: &str = env!("CARGO_BIN_EXE_ai-mcp-gateway");
const GUIDE: &str = include_str!("../../docs/mcp.md");
const README: &str = include_str!("../../README.md");

/// The blocks of JSON in a page that configure a client.
fn samples(page: &str) -> Vec<Value> {
    let blocks = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let values = blocks.filter_map(|block| serde_json::from_str::<Value>(block).ok());
    values.filter(|value| server_of(value).is_some()).collect()
}

/// The gateway's entry, under the names that clients give the list.
fn server_of(sample: &Value) -> Option<&Value> {
    ["mcpServers", "servers"]
        .iter()
        .find_map(|list| sample.get(*list)?.get("ai-mcp-gateway"))
}

fn started_like_a_desktop_client(arguments: &[&str], env: &[(&str, &str)], home: &Path) -> Process {
    let mut command = Command::new(GATEWAY);
    command
        .args(arguments)
        .current_dir("/")
        .env_clear()
        .env("HOME", home)
        .envs(env.iter().copied());
    Process::spawn(&mut command, home)
}

#[test]
fn every_sample_of_the_docs_starts_a_server_that_works() {
    let all: Vec<Value> = [README, GUIDE].into_iter().flat_map(samples).collect();
    assert!(all.len() >= 3, "the docs have {} samples", all.len());
    for sample in all {
        let server = server_of(&sample).unwrap();
        assert!(
            server["command"].as_str().unwrap().ends_with("/ai-mcp-gateway"),
            "{server}"
        );
        let arguments: Vec<&str> = server["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        let env = server["env"].as_object().cloned().unwrap_or_default();
        let env: Vec<(&str, &str)> = env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let home = TempDir::new().unwrap();
        let mut process = started_like_a_desktop_client(&arguments, &env, home.path());
        process.begin();
        assert_eq!(
            process.result("tools/list", &json!({}))["tools"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        assert_eq!(
            process.works("gateway_status", &json!({}))["database"],
            true,
            "{server}"
        );
        process.finish();
        let data = home.path().join(".local/share/ai-mcp-gateway/gateway.db");
        assert!(data.is_file(), "no database at {}", data.display());
    }
}

#[test]
fn it_listens_to_no_socket() {
    let home = TempDir::new().unwrap();
    let mut process = started_like_a_desktop_client(&["mcp", "--simulator"], &[], home.path());
    process.begin();
    process.works("code_agent", &json!({"task": "x"}));
    let listening = |table: &str| {
        // Sockets in state 0A listen; the tenth column is the inode.
        let rows = std::fs::read_to_string(format!("/proc/{}/net/{table}", process.id())).unwrap_or_default();
        let inodes = rows
            .lines()
            .skip(1)
            .filter(|row| row.split_whitespace().nth(3) == Some("0A"));
        inodes
            .filter_map(|row| row.split_whitespace().nth(9).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let all: Vec<String> = ["tcp", "tcp6"].into_iter().flat_map(listening).collect();
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap();
    for file in open.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok()) {
        let file = file.display().to_string();
        assert!(
            all.iter().all(|inode| file != format!("socket:[{inode}]")),
            "it listens: {file}"
        );
    }
    process.finish();
}

#[test]
fn what_stops_the_start_is_said_on_stderr_and_stdout_stays_empty() {
    let mut command = Command::new(GATEWAY);
    command
        .args(["mcp", "--simulator", "--log-level", "loud"])
        .current_dir("/")
        .env_clear();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--log-level"), "{errors}");
}

#[test]
fn a_mode_in_the_settings_is_answered_with_the_command_that_does_it() {
    let setup = Setup::new().env("SIMULATOR_ENABLED", "true").env("MODE", "mcp");
    let (code, said) = run_to_exit("check-config", &setup);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("`ai-mcp-gateway mcp`"), "{said}");
}

#[test]
fn the_local_user_needs_no_key_where_http_asks_for_one() {
    let key = "k".repeat(40);
    let setup = Setup::new()
        .env("SIMULATOR_ENABLED", "true")
        .env("GATEWAY_ADMIN_KEY", &key);
    let mut process = Process::begun(&setup);
    process.works("code_agent", &json!({"task": "x"}));
    assert!(!process.log().contains(&key));
    process.finish();
}
