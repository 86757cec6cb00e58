//! Calls under way: many at once, cancelled, watched, too slow, failing; the rows L7 and L8 of the fault matrix.

use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{LIMIT, Process, tool_error};
use crate::support::{Behaviour, Provider, Setup, wait_for};

fn cancel(process: &mut Process, id: &Value) {
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "the user has changed their mind"}}));
}

#[test]
fn l7_of_a_hundred_slow_calls_eight_run_the_others_wait_and_all_can_be_cancelled() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::Held);
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    let ids: Vec<Value> = (0..100)
        .map(|n| process.ask_tool("code_agent", &json!({"task": format!("task {n}")})))
        .collect();
    wait_for("eight to run", LIMIT, || alpha.running() == 8);
    // Another tool is not held up by them.
    let status = process.works("gateway_status", &json!({}));
    assert_eq!(status["gateway"]["inFlight"], 100);
    assert_eq!(status["gateway"]["leases"], 8);
    // The last ones first, so that none moves up.
    for id in ids.iter().rev() {
        cancel(&mut process, id);
    }
    let mut in_flight = |count: usize| process.works("gateway_status", &json!({}))["gateway"]["inFlight"] == count;
    wait_for("those that waited to be cancelled", LIMIT, || in_flight(8));
    // Nobody waits for the eight any more, but they are asked for and may cost money: the next has to wait for them.
    let next = process.ask_tool("code_agent", &json!({"task": "the next one"}));
    for _ in 0..50 {
        assert_eq!(process.works("gateway_status", &json!({}))["gateway"]["leases"], 8);
    }
    assert_eq!(alpha.requests(), 8);
    alpha.set(Behaviour::Answer);
    assert_eq!(process.answer(&next)["result"]["isError"], false);
    assert_eq!(alpha.requests(), 9);
    assert!(
        process.messages().iter().all(|message| !ids.contains(&message["id"])),
        "a cancelled call was answered"
    );
    process.finish();
}

#[test]
fn calls_run_side_by_side_and_every_answer_finds_its_call() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::Slow(Duration::from_millis(20)));
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    let ids: Vec<Value> = (0..60)
        .map(|n| process.ask_tool("code_agent", &json!({"task": "t", "conversationId": format!("c-{n}")})))
        .collect();
    for (n, id) in ids.iter().enumerate() {
        let answer = process.answer(id);
        let conversation = &answer["result"]["structuredContent"]["conversationId"];
        assert_eq!(conversation, &json!(format!("c-{n}")), "{answer}");
    }
    process.finish();
}

#[test]
fn l8_a_cancelled_call_is_not_answered_and_its_attempt_is_settled() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider_with(&alpha, "timeouts = { first_byte_ms = 1000 }")
        .model(&crate::support::Model::free("alpha-small", &alpha));
    let mut process = Process::begun(&setup);
    for arguments in [json!({"task": "x"}), json!({"task": "x", "conversationId": "c"})] {
        let before = process.calls().len();
        alpha.set(Behaviour::StallBeforeHead);
        let id = process.ask_tool("code_agent", &arguments);
        wait_for("the call to be under way", LIMIT, || alpha.running() == 1);
        cancel(&mut process, &id);
        // Twice, and one that there is not.
        cancel(&mut process, &id);
        cancel(&mut process, &json!("nobody"));
        wait_for("the attempt to be recorded", LIMIT, || process.calls().len() > before);
        alpha.set(Behaviour::Answer);
        process.works("gateway_status", &json!({}));
        assert!(
            process.messages().iter().all(|message| message["id"] != id),
            "a cancelled call was answered"
        );
    }
    wait_for("a good call", LIMIT, || {
        process.call("code_agent", &json!({"task": "y"}))["isError"] == false
    });
    let status = process.works("gateway_status", &json!({}));
    for field in ["inFlight", "openHolds", "heldNanoUsd", "leases", "openTurns"] {
        assert_eq!(status["gateway"][field], 0, "{field}: {status}");
    }
    process.finish();
}

#[test]
fn progress_is_told_in_order_to_whoever_asks_for_it_and_before_the_answer() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    alpha.set(Behaviour::BROKEN);
    let setup = Setup::free_l0(&[&alpha, &beta]).env("CODE_MODELS", "alpha-small,beta-small");
    let mut process = Process::begun(&setup);
    process.works("gateway_status", &json!({}));
    for (place, token) in [json!("watch-1"), json!(7)].into_iter().enumerate() {
        let params = json!({"name": "code_agent", "arguments": {"task": "x"}, "_meta": {"progressToken": token}});
        let id = process.ask("tools/call", &params);
        assert_eq!(process.answer(&id)["result"]["isError"], false);
        let told = |message: &Value| {
            message["method"] == "notifications/progress" && message["params"]["progressToken"] == token
        };
        let messages = process.messages();
        let answered = messages
            .iter()
            .position(|message| message["id"] == id && message.get("result").is_some());
        let steps: Vec<(usize, String)> = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| told(message))
            .map(|(at, message)| (at, message["params"]["message"].as_str().unwrap().to_owned()))
            .collect();
        assert!(steps.iter().all(|(at, _)| Some(*at) < answered));
        let progress: Vec<f64> = messages
            .iter()
            .filter(|message| told(message))
            .map(|m| m["params"]["progress"].as_f64().unwrap())
            .collect();
        assert!(progress.windows(2).all(|pair| pair[0] < pair[1]), "{progress:?}");
        let words: Vec<&str> = steps.iter().map(|(_, step)| step.as_str()).collect();
        if place == 0 {
            assert_eq!(
                words,
                [
                    "routed: L0 alpha-small first, of 2",
                    "attempt 1: asking L0 alpha-small",
                    "attempt 2: asking L0 beta-small",
                    "answered"
                ]
            );
        }
        assert!(
            words.len() >= 3 && words[0].starts_with("routed") && words.last() == Some(&"answered"),
            "{words:?}"
        );
    }
    let before = process.messages().len();
    process.works("code_agent", &json!({"task": "nobody watches"}));
    assert_eq!(process.messages().len(), before + 1);
    process.finish();
}

#[test]
fn a_call_that_takes_too_long_is_told_so() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::StallBeforeHead);
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]).toml("[http]\ndefault_deadline_ms = 1000"));
    let error = process.fails("code_agent", &json!({"task": "x"}));
    assert_eq!(error["type"], "timeout", "{error}");
    process.finish();
}

#[test]
fn what_a_provider_says_and_its_key_are_never_shown() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::BROKEN);
    let setup = Setup::new()
        .provider_with(&alpha, "api_key_env = \"ALPHA_KEY\"")
        .model(&crate::support::Model::free("alpha-small", &alpha))
        .env("ALPHA_KEY", "canary-key-93a1");
    let mut process = Process::begun(&setup);
    let id = process.ask_tool("code_agent", &json!({"task": "x"}));
    let answer = process.answer(&id);
    let error = tool_error(&answer["result"]);
    assert_eq!(error["type"], "upstream_error");
    assert!(error["requestId"].as_str().unwrap().starts_with("req_"), "{error}");
    assert_eq!(
        alpha.last_request().header("authorization"),
        Some("Bearer canary-key-93a1")
    );
    for secret in ["secret-upstream-detail", "canary-key-93a1"] {
        assert!(!answer.to_string().contains(secret), "{answer}");
    }
    assert!(!process.log().contains("canary-key-93a1"), "{}", process.log());
    process.finish();
}
