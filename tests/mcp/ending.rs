//! How the process ends: the rows L9 and L10 of the fault matrix, and signals.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{LIMIT, Process, tool_error};
use crate::support::{Behaviour, Provider, Setup, wait_for};

/// How soon it must end when nothing of what it waits for comes.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn l9_at_the_end_of_input_a_call_under_way_is_given_up_after_a_while_and_booked() {
    for conversation in [None, Some("c")] {
        let alpha = Provider::start("alpha");
        alpha.set(Behaviour::StallBeforeHead);
        let mut process = Process::begun(&Setup::free_l0(&[&alpha]).toml("[drain]\nstdio_ms = 300"));
        let arguments = json!({"task": "x", "conversationId": conversation});
        let id = process.ask_tool("code_agent", &arguments);
        wait_for("the call to be under way", LIMIT, || alpha.running() == 1);
        process.close_input();
        assert_eq!(process.wait_exit(AT_ONCE), 0, "{}", process.log());
        let error = tool_error(&process.answer(&id)["result"]);
        assert_eq!(error["type"], "draining");
        let calls = process.calls();
        assert_eq!(calls.len(), 1, "{calls:#?}");
        assert_eq!(error["requestId"], calls[0].request_id);
        assert_eq!((calls[0].outcome.as_str(), calls[0].estimated), ("cut", true));
        process.finish();
    }
}

#[test]
fn l9_at_the_end_of_input_a_call_that_ends_soon_is_answered_and_the_last_line_needs_no_end() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::Slow(Duration::from_millis(300)));
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    let call = json!({"jsonrpc": "2.0", "id": "last", "method": "tools/call",
        "params": {"name": "code_agent", "arguments": {"task": "x"}, "_meta": {"progressToken": 1}}});
    process.send_bytes(call.to_string().as_bytes());
    process.close_input();
    assert_eq!(process.wait_exit(AT_ONCE), 0);
    assert_eq!(process.answer(&json!("last"))["result"]["isError"], false);
    let told = |message: &Value| message["method"] == "notifications/progress";
    assert_eq!(process.messages().into_iter().filter(told).count(), 3);
    assert_eq!(process.calls().len(), 1);
    process.finish();
}

#[test]
fn l9_a_client_that_is_killed_leaves_no_process_and_no_call_behind() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::Slow(Duration::from_millis(300)));
    let (mut process, stdout) = Process::start_unread(&Setup::free_l0(&[&alpha]));
    process.ask("initialize", &crate::process::initialize("2025-11-25"));
    process.ask_tool("code_agent", &json!({"task": "x"}));
    wait_for("the call to be under way", LIMIT, || alpha.running() == 1);
    drop(stdout);
    process.close_input();
    assert_eq!(process.wait_exit(AT_ONCE), 0, "{}", process.log());
    assert_eq!(process.calls().len(), 1);
}

#[test]
fn l9_an_input_that_ends_at_once_or_in_the_middle_of_a_line_is_no_failure() {
    for input in [&b""[..], b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth", b"junk\n"] {
        let mut process = Process::start(&Setup::new().env("SIMULATOR_ENABLED", "true"));
        process.send_bytes(input);
        process.close_input();
        assert_eq!(process.wait_exit(AT_ONCE), 0, "{}", process.log());
        process.finish();
    }
}

#[test]
fn l10_a_closed_output_ends_the_process_cleanly_and_what_was_done_is_recorded() {
    let alpha = Provider::start("alpha");
    let (mut process, stdout) = Process::start_unread(&Setup::free_l0(&[&alpha]));
    process.ask("initialize", &crate::process::initialize("2025-11-25"));
    process.ask_tool("code_agent", &json!({"task": "x"}));
    wait_for("the call to arrive", LIMIT, || alpha.requests() == 1);
    wait_for("the call to be recorded", LIMIT, || process.calls().len() == 1);
    drop(stdout);
    let ping = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
    // Its input stays open: only what it writes tells it.
    wait_for("it to notice", LIMIT, || !process.try_send(&ping));
    assert_eq!(process.wait_exit(AT_ONCE), 0, "{}", process.log());
    assert!(!process.log().contains("panicked"));
    assert_eq!(process.calls().len(), 1);
}

#[test]
fn a_client_that_reads_late_gets_every_answer() {
    const PINGS: usize = 20_000;
    let (mut process, stdout) = Process::start_unread(&Setup::new().env("SIMULATOR_ENABLED", "true"));
    process.ask("initialize", &crate::process::initialize("2025-11-25"));
    let writing = std::thread::spawn(move || {
        for _ in 0..PINGS {
            process.ask("ping", &json!({}));
        }
        process.close_input();
        process
    });
    // By then it waits: neither the pipe nor what it keeps has room for all answers.
    let mut lines = BufReader::new(stdout).lines();
    let answers = lines
        .by_ref()
        .take(PINGS + 1)
        .map(|line| crate::process::message(&line.unwrap()));
    assert_eq!(answers.filter(|answer| answer["result"].is_object()).count(), PINGS + 1);
    let mut process = writing.join().unwrap();
    assert_eq!(process.wait_exit(AT_ONCE), 0, "{}", process.log());
}

#[test]
fn a_signal_ends_it_as_the_end_of_input_does() {
    for signal in [Signal::TERM, Signal::INT] {
        let alpha = Provider::start("alpha");
        alpha.set(Behaviour::Slow(Duration::from_millis(300)));
        let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
        let id = process.ask_tool("code_agent", &json!({"task": "x"}));
        wait_for("the call to be under way", LIMIT, || alpha.running() == 1);
        process.signal(signal);
        assert_eq!(process.wait_exit(AT_ONCE), 0, "{}", process.log());
        assert_eq!(process.answer(&id)["result"]["isError"], false);
        assert_eq!(process.calls().len(), 1);
        process.finish();
    }
}

#[test]
fn a_second_signal_cuts_what_is_under_way_and_it_is_booked() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::StallBeforeHead);
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]).toml("[drain]\nstdio_ms = 600000"));
    process.ask_tool("code_agent", &json!({"task": "x"}));
    wait_for("the call to be under way", LIMIT, || alpha.running() == 1);
    process.signal(Signal::TERM);
    wait_for("it to drain", LIMIT, || process.log().contains("draining"));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_exit(AT_ONCE), 0, "{}", process.log());
    let calls = process.calls();
    assert_eq!((calls.len(), calls[0].outcome.as_str()), (1, "cut"));
    for word in [" ERROR ", "took over", "left in this process's journal"] {
        assert!(!process.log().contains(word), "{}", process.log());
    }
}
