//! Coding agents as they come, without a terminal: Claude Code and Codex, each through a provider of its own dialect and
//! through those of the others. They are told something, and have a tool called whose result the provider gets to see.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dialect_providers::{Providers, model_of, words};
use crate::support::{Content, Gateway, Provider, Received, json_lines, wait_for};

/// How long an agent may take for one answer. Most of it is its own start.
const AGENT_LIMIT: Duration = Duration::from_secs(120);
const PROMPT: &str = "Say hi.";
/// A file in the agent's folder, and what only who has read it can know.
const FILE: &str = "notes.txt";
const SECRET: &str = "the word is kumquat";

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

/// What the provider was sent as the result of the tool that it called: the call's id, and the result.
#[track_caller]
fn result_of_tool(sent: &Received) -> (String, String) {
    let body = sent.json();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let found = match sent.path.split('?').next().unwrap() {
        "/v1/chat/completions" => list(&body["messages"])
            .into_iter()
            .find(|message| message["role"] == "tool")
            .map(|message| (message["tool_call_id"].clone(), message["content"].clone())),
        "/v1/responses" => list(&body["input"])
            .into_iter()
            .find(|item| item["type"] == "function_call_output")
            .map(|item| (item["call_id"].clone(), item["output"].clone())),
        _ => list(&body["messages"])
            .iter()
            .flat_map(|message| list(&message["content"]))
            .find(|part| part["type"] == "tool_result")
            .map(|part| (part["tool_use_id"].clone(), part["content"].clone())),
    };
    let (id, result) = found.unwrap_or_else(|| panic!("no result of a tool: {}", sent.text()));
    (id.as_str().unwrap().to_owned(), result.to_string())
}

/// The provider has been asked twice: the second time it was told, in its own dialect, what the tool found out.
#[track_caller]
fn assert_saw_the_result(provider: &Provider, path: &str) {
    assert_asked(provider, path);
    let received = provider.received();
    let asked: Vec<_> = received
        .iter()
        .filter(|request| request.path.split('?').next() == Some(path))
        .collect();
    assert_eq!(asked.len(), 2, "{}", provider.name());
    assert!(!asked[0].text().contains(SECRET), "{}", asked[0].text());
    let (id, result) = result_of_tool(asked[1]);
    assert!(result.contains(SECRET), "{result}");
    // The provider's own name for the call: of its first answer, the first.
    let named = format!("_{}_1_0", provider.name());
    assert!(id.ends_with(&named), "{id} is not {named}");
}

/// All tokens of the provider's answers.
fn output_tokens(provider: &Provider) -> u64 {
    provider.bill().iter().map(|charge| charge.output_tokens).sum()
}

/// A folder for an agent, with the file in it.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join(FILE), SECRET).unwrap();
    home
}

/// Claude Code's answer, through a model of this provider's, as it prints it: with the words that the provider ends with.
#[track_caller]
fn ask_claude_code(gateway: &Gateway, provider: &Provider, home: &Path) -> Value {
    let program = needed("GATEWAY_TEST_CLAUDE_CODE");
    let address = format!("http://{}", gateway.address());
    let model = model_of(provider);
    let env = [
        ("ANTHROPIC_BASE_URL", address.as_str()),
        ("ANTHROPIC_API_KEY", "sk-test"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ];
    let arguments = ["-p", PROMPT, "--model", &model, "--output-format", "json"];

    let output = run(&program, &arguments, &env, home);

    let told: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
    assert_eq!(told["is_error"], false, "{told}");
    assert_eq!(told["result"], words(provider), "{told}");
    assert_eq!(told["usage"]["output_tokens"], output_tokens(provider), "{told}");
    told
}

/// Codex's events, through a model of this provider's: with the words that the provider ends with.
#[track_caller]
fn ask_codex(gateway: &Gateway, provider: &Provider, home: &Path) -> Vec<Value> {
    let program = needed("GATEWAY_TEST_CODEX");
    // Its sandbox wants more of the kernel than a container may have. What it runs is what the provider is scripted to say.
    let settings = format!(
        "model = \"{}\"\nmodel_provider = \"gateway\"\nsandbox_mode = \"danger-full-access\"\n\
         [model_providers.gateway]\nname = \"gateway\"\nbase_url = \"http://{}/v1\"\nwire_api = \"responses\"\n\
         env_key = \"GATEWAY_KEY\"\nrequest_max_retries = 0\nstream_max_retries = 0\n",
        model_of(provider),
        gateway.address()
    );
    fs::create_dir(home.join(".codex")).unwrap();
    fs::write(home.join(".codex/config.toml"), settings).unwrap();
    let arguments = ["exec", "--skip-git-repo-check", "--json", PROMPT];

    let output = run(&program, &arguments, &[("GATEWAY_KEY", "sk-test")], home);

    let events = json_lines(&output);
    let said: Vec<&Value> = events
        .iter()
        .filter(|event| event["item"]["type"] == "agent_message")
        .map(|event| &event["item"]["text"])
        .collect();
    assert_eq!(said, [&Value::from(words(provider))], "{output}");
    let done = events.iter().find(|event| event["type"] == "turn.completed");
    let done = done.unwrap_or_else(|| panic!("no turn was completed: {output}"));
    assert_eq!(done["usage"]["output_tokens"], output_tokens(provider), "{output}");
    events
}

/// Does this with each provider, and looks at what is recorded of it.
fn with_each_provider(ask: impl Fn(&Gateway, &Provider, &str)) {
    let providers = Providers::start();
    let gateway = Gateway::start(providers.setup());
    for (provider, path) in providers.all().into_iter().zip(Providers::PATHS) {
        ask(&gateway, provider, path);
    }
    gateway.wait_until_settled();
    providers.assert_records_are_the_bill(&gateway.calls());
    gateway.finish();
}

#[test]
fn claude_code_gets_the_answers_of_providers_of_every_dialect() {
    with_each_provider(|gateway, provider, path| {
        ask_claude_code(gateway, provider, home().path());
        assert_asked(provider, path);
    });
}

#[test]
fn codex_gets_the_answers_of_providers_of_every_dialect() {
    with_each_provider(|gateway, provider, path| {
        ask_codex(gateway, provider, home().path());
        assert_asked(provider, path);
    });
}

#[test]
fn claude_code_runs_the_tool_that_a_provider_of_any_dialect_calls_and_brings_its_result() {
    with_each_provider(|gateway, provider, path| {
        let home = home();
        let arguments = json!({ "file_path": home.path().join(FILE) }).to_string();
        provider.say(Content::calls(&[("Read", &arguments)]));
        let told = ask_claude_code(gateway, provider, home.path());
        assert_eq!(told["num_turns"], 2, "{told}");
        assert_eq!(told["permission_denials"], json!([]), "{told}");
        assert_saw_the_result(provider, path);
    });
}

#[test]
fn codex_runs_the_command_that_a_provider_of_any_dialect_calls_and_brings_its_output() {
    with_each_provider(|gateway, provider, path| {
        let home = home();
        let arguments = json!({ "cmd": format!("cat {FILE}") }).to_string();
        provider.say(Content::calls(&[("exec_command", &arguments)]));
        let events = ask_codex(gateway, provider, home.path());
        let runs = events.iter().map(|event| &event["item"]);
        let run: Vec<_> = runs
            .filter(|item| item["type"] == "command_execution" && item["status"] == "completed")
            .collect();
        assert_eq!(run.len(), 1, "{events:?}");
        assert_eq!(run[0]["exit_code"], 0, "{events:?}");
        assert!(
            run[0]["aggregated_output"].as_str().unwrap().contains(SECRET),
            "{events:?}"
        );
        assert_saw_the_result(provider, path);
    });
}
