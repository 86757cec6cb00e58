//! What a client sees that does everything right: both revisions, the tools, their answers.

use serde_json::{Value, json};

use crate::process::{Process, initialize, meta};
use crate::support::{Model, Provider, Setup};

/// What clients are told of the tools. A change of it is a change of the interface, and must be meant.
const TOOLS: &str = include_str!("tools.json");

#[test]
fn initialize_agrees_on_every_revision_that_has_a_handshake_and_offers_2025_11_25_otherwise() {
    for (asked, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2031-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let mut process = Process::start(&Setup::new().env("SIMULATOR_ENABLED", "true"));
        let result = process.result("initialize", &initialize(asked));
        assert_eq!(result["protocolVersion"], agreed, "{asked}");
        assert_eq!(result["serverInfo"]["name"], "ai-mcp-gateway");
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        process.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        let status = process.works("gateway_status", &json!({}));
        assert_eq!(status["status"], "ok", "{asked}: {status}");
        process.finish();
    }
}

#[test]
fn revision_2026_07_28_needs_no_session() {
    let mut process = Process::start(&Setup::new().env("SIMULATOR_ENABLED", "true"));
    let about = process.result("server/discover", &json!({"_meta": meta("2026-07-28")}));
    let revisions = about["supportedVersions"].as_array().unwrap();
    assert!(revisions.contains(&json!("2026-07-28")), "{about}");
    assert!(!revisions.contains(&json!("2025-03-26")), "{about}");
    let listed = process.result("tools/list", &json!({"_meta": meta("2026-07-28")}));
    assert_eq!(listed["tools"].as_array().unwrap().len(), 2);
    assert_eq!(listed["resultType"], "complete");
    let params = json!({"name": "code_agent", "arguments": {"task": "hello"}, "_meta": meta("2026-07-28")});
    let called = process.result("tools/call", &params);
    assert_eq!(called["isError"], false, "{called}");
    process.finish();
}

#[test]
fn an_unknown_revision_in_a_request_is_refused_with_those_there_are() {
    let mut process = Process::start(&Setup::new().env("SIMULATOR_ENABLED", "true"));
    for begun in [false, true] {
        let id = process.ask("tools/list", &json!({"_meta": meta("2031-01-01")}));
        let error = process.answer(&id)["error"].clone();
        assert_eq!(error["code"], -32022, "begun: {begun}, {error}");
        assert!(
            error["data"]["supported"]
                .as_array()
                .unwrap()
                .contains(&json!("2026-07-28"))
        );
        process.result("tools/list", &json!({"_meta": meta("2026-07-28")}));
    }
    process.finish();
}

#[test]
fn a_cursor_that_nobody_gave_is_refused() {
    let mut process = Process::begun(&Setup::new().env("SIMULATOR_ENABLED", "true"));
    for cursor in ["zzz", ""] {
        let id = process.ask("tools/list", &json!({"cursor": cursor}));
        assert_eq!(process.answer(&id)["error"]["code"], -32602, "{cursor:?}");
    }
    process.result("tools/list", &json!({}));
    process.finish();
}

#[test]
fn the_tools_are_told_as_they_are_written_down() {
    let mut process = Process::begun(&Setup::new().env("SIMULATOR_ENABLED", "true"));
    let listed = process.result("tools/list", &json!({}));
    let expected: Value = serde_json::from_str(TOOLS).unwrap();
    assert_eq!(
        listed["tools"],
        expected,
        "if this is meant, tests/mcp/tools.json becomes:\n{}",
        serde_json::to_string_pretty(&listed["tools"]).unwrap()
    );
    process.finish();
}

#[test]
fn a_task_is_one_turn_of_the_model_for_code_and_its_account_is_the_one_recorded() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let setup = Setup::free_l0(&[&alpha])
        .provider(&beta)
        .model(&Model::free("coder", &beta).priced("1", "2"))
        .env("CODE_MODELS", "coder");
    let mut process = Process::begun(&setup);
    let answer = process.works(
        "code_agent",
        &json!({"task": "Sort a list", "quality": "high", "files": ["src/a.py"],
            "context": {"language": "python", "existingCode": "a = [2, 1]", "requirements": ["in place"]}}),
    );
    assert_eq!(answer["routing"]["model"], "coder");
    assert_eq!(answer["routing"]["provider"], "beta");
    assert_eq!(answer["routing"]["layer"], "L0");
    assert_eq!(answer["routing"]["attempts"].as_array().unwrap().len(), 1);
    assert!(answer["result"].as_str().unwrap().contains("beta"), "{answer}");
    assert!(answer.get("conversationId").is_none());
    let sent: Value = serde_json::from_slice(&beta.last_request().body).unwrap();
    assert_eq!(sent["messages"][0]["role"], "system");
    let message = sent["messages"][1]["content"].as_str().unwrap();
    for piece in ["Sort a list", "python", "a = [2, 1]", "- in place", "- src/a.py"] {
        assert!(message.contains(piece), "{piece} is not in {message}");
    }
    let status = process.works("gateway_status", &json!({}));
    assert_eq!(status["requests"]["total"], 1);
    assert_eq!(status["llm"]["totalCalls"], 1);
    let cost = answer["performance"]["costNanoUsd"].as_i64().unwrap();
    assert_eq!(status["llm"]["cost"]["totalNanoUsd"], cost);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["database"], true);
    assert_eq!(status["layers"]["L0"], json!({"models": 2, "available": 2}));
    process.close_input();
    process.wait_exit(crate::process::LIMIT);
    let calls = process.calls();
    assert_eq!(calls.len(), 1);
    assert!(cost > 0);
    assert_eq!(calls[0].cost_nano_usd, cost);
    assert_eq!(calls[0].request_id, answer["requestId"].as_str().unwrap());
    assert_eq!(answer["performance"]["tokens"]["input"], calls[0].input_tokens);
}

#[test]
fn a_conversation_is_remembered() {
    let alpha = Provider::start("alpha");
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    for task in ["first", "second"] {
        let answer = process.works("code_agent", &json!({"task": task, "conversationId": "c-1"}));
        assert_eq!(answer["conversationId"], "c-1");
    }
    let sent: Value = serde_json::from_slice(&alpha.last_request().body).unwrap();
    let roles: Vec<&str> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    process.finish();
}
