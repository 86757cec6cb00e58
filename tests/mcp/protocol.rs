//! What a client gets that breaks the protocol: the rows L1 to L6, L11 and L13 of the fault matrix.

use serde_json::{Value, json};

use crate::process::{Process, initialize, tool_error};
use crate::support::{Behaviour, Provider, Setup, wait_for};

fn simulator() -> Setup {
    Setup::new().env("SIMULATOR_ENABLED", "true")
}

/// The error without an id that comes for each of these lines, while the session lives on.
#[track_caller]
fn nameless_errors(process: &mut Process, lines: &[&[u8]], code: i64) {
    let is_nameless = |message: &Value| message.get("error").is_some() && message.get("id").is_none();
    for line in lines {
        let before = process.messages().into_iter().filter(is_nameless).count();
        process.send_bytes(line);
        process.send_bytes(b"\n");
        let errors = process.wait_for_messages("an error without an id", before + 1, is_nameless);
        let error = &errors.last().unwrap()["error"];
        assert_eq!(error["code"], code, "{:.80}: {error}", String::from_utf8_lossy(line));
        process.works("gateway_status", &json!({}));
    }
}

#[test]
fn l1_a_call_before_the_session_is_refused_and_the_session_can_begin() {
    let mut process = Process::start(&simulator());
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}));
    process.send(&json!({"jsonrpc": "2.0", "id": 77, "result": {}}));
    assert_eq!(process.result("ping", &json!({})), json!({}));
    for method in ["tools/list", "tools/call"] {
        let id = process.ask(method, &json!({"name": "gateway_status"}));
        assert_eq!(process.answer(&id)["error"]["code"], -32602, "{method}");
    }
    process.begin();
    process.works("gateway_status", &json!({}));
    process.finish();
}

#[test]
fn l2_lines_that_are_no_json_are_answered_and_the_session_lives() {
    let mut process = Process::begun(&simulator());
    let junk: [&[u8]; 6] = [
        b"hello",
        b"{",
        b"\xff\xfe{}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,",
        b"\0",
        b"nul",
    ];
    nameless_errors(&mut process, &junk, -32700);
    process.send_bytes(b"\n\r\n   \n");
    process.send_bytes("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":\"bom\",\"method\":\"ping\"}\r\n".as_bytes());
    assert_eq!(process.answer(&json!("bom"))["result"], json!({}));
    process.finish();
}

#[test]
fn l3_a_line_over_the_limit_is_passed_over_without_being_kept() {
    const MIB: usize = 1024 * 1024;
    let mut process = Process::begun(&simulator());
    let long = vec![b'a'; 17 * MIB];
    nameless_errors(&mut process, &[&long], -32600);
    let piece = vec![b'{'; MIB];
    for _ in 0..256 {
        process.send_bytes(&piece);
    }
    process.send_bytes(b"\n");
    process.works("gateway_status", &json!({}));
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 160 * 1024, "{peak} KiB at the peak");
    // The longest that is allowed arrives, and is too much for the model only.
    let task = "x".repeat(2 * MIB - 200);
    assert_eq!(
        process.fails("code_agent", &json!({"task": task}))["type"],
        "context_too_long"
    );
    process.finish();
}

#[test]
fn l4_an_unknown_method_and_an_unknown_tool_have_their_codes() {
    let mut process = Process::begun(&simulator());
    for method in [
        "no/such",
        "tools/List",
        "",
        "resources/list",
        "prompts/get",
        "logging/setLevel",
        "tasks/get",
    ] {
        let id = process.ask(method, &json!({}));
        assert_eq!(process.answer(&id)["error"]["code"], -32601, "{method}");
    }
    for tool in ["no_such", "CODE_AGENT", "", "code_agent\u{200b}"] {
        let id = process.ask_tool(tool, &json!({"task": "x"}));
        assert_eq!(process.answer(&id)["error"]["code"], -32602, "{tool}");
    }
    process.finish();
}

#[test]
fn l5_arguments_of_a_wrong_shape_are_a_protocol_error_and_wrong_ones_a_result() {
    let mut process = Process::begun(&simulator());
    for arguments in [json!([]), json!("task"), json!(5)] {
        let id = process.ask_tool("code_agent", &arguments);
        assert_eq!(process.answer(&id)["error"]["code"], -32602, "{arguments}");
    }
    let id = process.ask("tools/call", &json!({"arguments": {}}));
    assert_eq!(process.answer(&id)["error"]["code"], -32602);
    let missing = process.result("tools/call", &json!({"name": "code_agent"}));
    assert_eq!(tool_error(&missing)["type"], "invalid_args");
    for (arguments, named) in [
        (json!({"task": 5}), "task"),
        (json!({"task": "x", "tsak": "y"}), "tsak"),
        (json!({"task": "x", "context": {"language": []}}), "language"),
        (json!({"task": "x", "quality": "best"}), "quality"),
        (
            json!({"task": "x", "conversationId": "conv:messages:*"}),
            "conversationId",
        ),
    ] {
        let error = process.fails("code_agent", &arguments);
        assert_eq!(error["type"], "invalid_args", "{arguments}");
        assert!(
            error["message"].as_str().unwrap().contains(named),
            "{arguments}: {error}"
        );
    }
    let error = process.fails("gateway_status", &json!({"verbose": true}));
    assert_eq!(error["type"], "invalid_args");
    assert_eq!(process.works("gateway_status", &json!({}))["llm"]["totalCalls"], 0);
    process.finish();
}

#[test]
fn l6_ids_that_cannot_be_told_apart_or_answered_to_are_refused_without_cross_talk() {
    let alpha = Provider::start("alpha");
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    let unusable: [&[u8]; 6] = [
        br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#,
    ];
    nameless_errors(&mut process, &unusable, -32600);

    alpha.set(Behaviour::StallBeforeHead);
    let call = json!({"jsonrpc": "2.0", "id": "twin", "method": "tools/call",
        "params": {"name": "code_agent", "arguments": {"task": "x"}}});
    process.send(&call);
    wait_for("the call to be under way", crate::process::LIMIT, || {
        alpha.running() == 1
    });
    let twin = json!({"jsonrpc": "2.0", "id": "twin", "method": "ping"}).to_string();
    nameless_errors(&mut process, &[twin.as_bytes()], -32600);
    let twins = process
        .messages()
        .into_iter()
        .filter(|message| message["id"] == "twin")
        .count();
    assert_eq!(twins, 0, "the first of the twins is not answered yet");
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "twin"}}));
    nameless_errors(&mut process, &[twin.as_bytes()], -32600);
    process.finish();
}

#[test]
fn l6_whatever_is_refused_under_an_id_in_use_has_no_id_and_the_request_under_way_is_answered_once() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::StallBeforeHead);
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]).toml("[drain]\nstdio_ms = 300"));
    for id in [json!(-7), json!("twin")] {
        process.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "code_agent", "arguments": {"task": "x"}}}));
    }
    wait_for("the calls to be under way", crate::process::LIMIT, || {
        alpha.running() == 2
    });
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "twin"}}));
    for id in ["-7", "\"twin\""] {
        for rest in [
            r#""jsonrpc":"2.0","method":"no/such""#,
            r#""jsonrpc":"2.0","method":"tools/call","params":5"#,
            r#""jsonrpc":"2.0","method":"tools/call""#,
            r#""jsonrpc":"1.0","method":"ping""#,
            r#""jsonrpc":"2.0","method":5"#,
            r#""jsonrpc":"2.0""#,
        ] {
            let line = format!("{{\"id\":{id},{rest}}}");
            nameless_errors(&mut process, &[line.as_bytes()], -32600);
        }
    }
    let under = |id: Value| move |message: &Value| message.get("id") == Some(&id);
    let (open, cancelled) = (under(json!(-7)), under(json!("twin")));
    assert!(
        !process.messages().iter().any(&open),
        "answered before the provider has"
    );
    process.close_input();
    assert_eq!(process.wait_exit(crate::process::LIMIT), 0);
    let answers = process.wait_for_messages("the answer", 1, open);
    assert!(answers.len() == 1 && answers[0]["result"].is_object(), "{answers:#?}");
    assert!(!process.messages().iter().any(cancelled));
    process.finish();
}

#[test]
fn l11_stdout_holds_messages_only_and_the_log_no_prompt_however_much_is_logged() {
    let setup = simulator().env("RUST_LOG", "trace").env("LOG_LEVEL", "trace");
    let mut process = Process::begun(&setup);
    process.works("code_agent", &json!({"task": "canary-71c2 of the prompt"}));
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/canary-71c2"}));
    process.works("gateway_status", &json!({}));
    assert!(process.log().contains("tool called"), "{}", process.log());
    assert!(!process.log().contains("canary-71c2"), "a prompt is in the log");
    process.finish();
}

#[test]
fn l13_a_batch_is_refused_since_no_revision_served_here_has_them() {
    let mut process = Process::start(&simulator());
    process.result("initialize", &initialize("2025-06-18"));
    let batches: [&[u8]; 3] = [
        b"[]",
        br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#,
        b"[[[1]]]",
    ];
    nameless_errors(&mut process, &batches, -32600);
    process.finish();
}

#[test]
fn versions_and_members_that_are_not_quite_right_are_refused() {
    let mut process = Process::begun(&simulator());
    for (line, id) in [
        (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, "a"),
        (r#"{"id":"b","method":"ping"}"#, "b"),
        (r#"{"jsonrpc":"2.0","id":"c","Method":"ping"}"#, "c"),
        (r#"{"jsonrpc":2.0,"id":"d","method":"ping"}"#, "d"),
    ] {
        process.send_bytes(format!("{line}\n").as_bytes());
        assert_eq!(process.answer(&json!(id))["error"]["code"], -32600, "{line}");
    }
    nameless_errors(
        &mut process,
        &[br#"{"jsonrpc":"2.0","id":9,"method":"ping","method":"tools/list"}"#],
        -32600,
    );
    process.finish();
}
