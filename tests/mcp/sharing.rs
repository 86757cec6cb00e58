//! Several processes on one SQLite file and one data folder.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{LIMIT, Process, tool_error};
use crate::support::{Behaviour, Gateway, Provider, Setup, in_parallel, wait_for};

const TURNS: usize = 40;

#[test]
fn two_mcp_processes_and_a_server_share_one_file_under_load() {
    let alpha = Provider::start("alpha");
    let setup = Setup::free_l0(&[&alpha]);
    let gateway = Gateway::start(setup.clone());
    let mut processes: Vec<Process> = (0..2)
        .map(|_| {
            let mut process = Process::start_in(&setup, gateway.folder());
            process.begin();
            process
        })
        .collect();

    // Each of them runs four conversations of its own at once, and turns in one that all share in between.
    let client = gateway.client();
    let http = std::thread::spawn(move || {
        in_parallel(TURNS, 4, |turn| {
            let body = json!({"message": format!("http {turn}"), "conversationId": format!("http-{}", turn % 4)});
            client.post("/v1/chat", &body)
        })
    });
    let mut asked = Vec::new();
    for turn in 0..TURNS {
        for (which, process) in processes.iter_mut().enumerate() {
            let arguments =
                json!({"task": format!("mcp {turn}"), "conversationId": format!("mcp-{which}-{}", turn % 4)});
            asked.push((which, process.ask_tool("code_agent", &arguments)));
        }
        // Four of a conversation may wait.
        if turn % 16 == 15 {
            for (which, id) in &asked {
                processes[*which].answer(id);
            }
        }
    }
    for (which, id) in &asked {
        let answer = processes[*which].answer(id);
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    for reply in http.join().unwrap() {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    for turn in 0..3 {
        for (which, process) in processes.iter_mut().enumerate() {
            let task = format!("shared {turn} of {which}");
            process.works("code_agent", &json!({"task": task, "conversationId": "shared"}));
        }
        let body = json!({"message": format!("shared {turn}"), "conversationId": "shared"});
        assert_eq!(gateway.client().post("/v1/chat", &body).status, 200);
    }

    let served = 3 * TURNS + 9;
    for process in processes {
        assert!(!process.log().contains("locked"), "{}", process.log());
        process.finish();
    }
    let calls = gateway.wait_for_calls(served);
    assert!(calls.iter().all(|call| call.success), "{calls:#?}");
    let instances: std::collections::HashSet<&str> = calls.iter().map(|call| call.instance_id.as_str()).collect();
    assert_eq!(instances.len(), 3);
    assert_eq!(alpha.bill().len(), served);
    let kinds = ["http", "mcp-0", "mcp-1"]
        .iter()
        .flat_map(|kind| (0..4).map(move |n| format!("{kind}-{n}")));
    for conversation in kinds {
        turns_are_whole(&gateway, &conversation, TURNS / 4);
    }
    turns_are_whole(&gateway, "shared", 9);
    assert!(!gateway.log().join("\n").contains("locked"));
    gateway.finish();
}

#[test]
fn processes_that_start_at_the_same_moment_make_one_database() {
    let folder = TempDir::new().unwrap();
    let setup = Setup::new().env("SIMULATOR_ENABLED", "true");
    let mut processes: Vec<Process> = (0..6).map(|_| Process::start_in(&setup, folder.path())).collect();
    for process in &mut processes {
        process.begin();
        process.works("code_agent", &json!({"task": "x", "conversationId": "c"}));
    }
    for process in processes {
        process.finish();
    }
    assert_eq!(Gateway::calls_in(folder.path()).len(), 6);
}

#[test]
fn what_a_killed_process_left_is_taken_over_by_the_next() {
    let alpha = Provider::start("alpha");
    let setup = Setup::free_l0(&[&alpha]);
    let folder = TempDir::new().unwrap();
    let mut first = Process::start_in(&setup, folder.path());
    first.begin();
    alpha.set(Behaviour::StallBeforeHead);
    first.ask_tool("code_agent", &json!({"task": "x", "conversationId": "c"}));
    wait_for("the call to be under way", LIMIT, || alpha.running() == 1);
    first.kill_9();

    alpha.set(Behaviour::Answer);
    let mut second = Process::start_in(&setup, folder.path());
    second.begin();
    second.works("code_agent", &json!({"task": "y", "conversationId": "c"}));
    second.finish();
    let calls = Gateway::calls_in(folder.path());
    let outcomes: Vec<&str> = calls.iter().map(|call| call.outcome.as_str()).collect();
    assert_eq!(outcomes, ["interrupted", "completed"], "{calls:#?}");
}

/// Every turn of a conversation is there once: the numbers have no gap, and question and answer alternate.
#[track_caller]
fn turns_are_whole(gateway: &Gateway, conversation: &str, turns: usize) {
    let page = gateway
        .client()
        .get(&format!("/v1/context/{conversation}?limit=5000"))
        .json();
    let messages = page["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2 * turns, "{conversation}: {page}");
    let mut questions: Vec<&Value> = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        assert_eq!(message["seq"], place + 1, "{conversation}");
        assert_eq!(message["status"], "done", "{conversation}: {message}");
        assert_eq!(message["role"], ["user", "assistant"][place % 2], "{conversation}");
        if place % 2 == 0 {
            assert!(
                !questions.contains(&&message["content"]),
                "{conversation}: {message} is there twice"
            );
            questions.push(&message["content"]);
        }
    }
}

#[test]
fn a_conversation_that_another_process_answers_in_is_refused_without_a_warning() {
    let alpha = Provider::start("alpha");
    let setup = Setup::free_l0(&[&alpha]);
    let gateway = Gateway::start(setup.clone());
    let mut process = Process::start_in(&setup, gateway.folder());
    process.begin();
    let client = gateway.client();
    let message = json!({"message": "hello", "conversationId": "shared"});
    let task = json!({"task": "hello", "conversationId": "shared"});

    alpha.set(Behaviour::Slow(Duration::from_millis(1_500)));
    let first = process.ask_tool("code_agent", &task);
    wait_for("the first turn", LIMIT, || alpha.running() == 1);
    let refused = client.post("/v1/chat", &message);
    let error = refused.error(409);
    assert_eq!(error["type"], "conversation_busy");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(process.answer(&first)["result"]["isError"], false);

    std::thread::scope(|threads| {
        let second = threads.spawn(|| client.post("/v1/chat", &message));
        wait_for("the second turn", LIMIT, || alpha.running() == 1);
        let third = process.ask_tool("code_agent", &task);
        let error = tool_error(&process.answer(&third)["result"]);
        assert_eq!(error["type"], "conversation_busy", "{error}");
        assert_eq!(second.join().unwrap().status, 200);
    });
    let logs = [gateway.log().join("\n"), process.log()];
    for log in &logs {
        assert!(log.contains("another turn of this conversation is running"), "{log}");
        assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "{log}");
    }
    process.finish();
    gateway.finish();
}
