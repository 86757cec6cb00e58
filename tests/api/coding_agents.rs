//! Coding agents as they come, without a terminal: Claude Code and Codex, each through a provider of its own dialect and
//! through those of the others.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::dialect_providers::{Providers, model_of, words};
use crate::support::{Gateway, Provider, json_lines, wait_for};

/// How long an agent may take for one answer. Most of it is its own start.
const AGENT_LIMIT: Duration = Duration::from_secs(120);
const PROMPT: &str = "Say hi.";

/// A variable that `make test` sets.
fn needed(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which installs the coding agents"))
}

/// Runs an agent, which is a program for `node`, in this folder, which is its home and all that it knows of the machine.
/// Returns what it prints.
#[track_caller]
fn run(program: &str, arguments: &[&str], env: &[(&str, &str)], home: &Path) -> String {
    let (output, errors) = (home.join("stdout"), home.join("stderr"));
    let mut child = Command::new("node")
        .arg(program)
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(File::create(&output).unwrap())
        .stderr(File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    let mut status = None;
    wait_for("the agent to end", AGENT_LIMIT, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let output = fs::read_to_string(output).unwrap();
    let errors = fs::read_to_string(errors).unwrap();
    assert!(status.unwrap().success(), "the agent failed: {output}\n{errors}");
    output
}

/// The provider was asked in its own dialect, which this path tells, and what the agent was told is on the bill.
#[track_caller]
fn assert_asked(provider: &Provider, path: &str) {
    let received = provider.received();
    let paths: Vec<&str> = received.iter().map(|request| request.path.as_str()).collect();
    assert!(!paths.is_empty(), "{} was not asked", provider.name());
    for asked in &paths {
        let asked = asked.split('?').next().unwrap();
        assert!(asked == path || asked == format!("{path}/count_tokens"), "{paths:?}");
    }
}

#[test]
fn claude_code_gets_the_answers_of_providers_of_every_dialect() {
    let program = needed("GATEWAY_TEST_CLAUDE_CODE");
    let providers = Providers::start();
    let gateway = Gateway::start(providers.setup());
    let address = format!("http://{}", gateway.address());

    for (provider, path) in providers.all().into_iter().zip(Providers::PATHS) {
        let home = TempDir::new().unwrap();
        let model = model_of(provider);
        let env = [
            ("ANTHROPIC_BASE_URL", address.as_str()),
            ("ANTHROPIC_API_KEY", "sk-test"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ];
        let arguments = ["-p", PROMPT, "--model", &model, "--output-format", "json"];

        let output = run(&program, &arguments, &env, home.path());

        let told: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
        assert_eq!(told["is_error"], false, "{told}");
        assert_eq!(told["result"], words(provider), "{told}");
        assert_asked(provider, path);
        let charge = provider.bill().pop().unwrap();
        assert_eq!(told["usage"]["output_tokens"], charge.output_tokens, "{told}");
    }
    gateway.wait_until_settled();
    providers.assert_records_are_the_bill(&gateway.calls());
    gateway.finish();
}

#[test]
fn codex_gets_the_answers_of_providers_of_every_dialect() {
    let program = needed("GATEWAY_TEST_CODEX");
    let providers = Providers::start();
    let gateway = Gateway::start(providers.setup());

    for (provider, path) in providers.all().into_iter().zip(Providers::PATHS) {
        let home = TempDir::new().unwrap();
        let settings = format!(
            "model = \"{}\"\nmodel_provider = \"gateway\"\n\
             [model_providers.gateway]\nname = \"gateway\"\nbase_url = \"http://{}/v1\"\nwire_api = \"responses\"\n\
             env_key = \"GATEWAY_KEY\"\nrequest_max_retries = 0\nstream_max_retries = 0\n",
            model_of(provider),
            gateway.address()
        );
        fs::create_dir(home.path().join(".codex")).unwrap();
        fs::write(home.path().join(".codex/config.toml"), settings).unwrap();
        let arguments = ["exec", "--skip-git-repo-check", "--json", PROMPT];

        let output = run(&program, &arguments, &[("GATEWAY_KEY", "sk-test")], home.path());

        let events = json_lines(&output);
        let said: Vec<&Value> = events
            .iter()
            .filter(|event| event["item"]["type"] == "agent_message")
            .map(|event| &event["item"]["text"])
            .collect();
        assert_eq!(said, [&Value::from(words(provider))], "{output}");
        let done = events.iter().find(|event| event["type"] == "turn.completed");
        let done = done.unwrap_or_else(|| panic!("no turn was completed: {output}"));
        assert_asked(provider, path);
        let charge = provider.bill().pop().unwrap();
        assert_eq!(done["usage"]["output_tokens"], charge.output_tokens, "{output}");
    }
    gateway.wait_until_settled();
    providers.assert_records_are_the_bill(&gateway.calls());
    gateway.finish();
}
