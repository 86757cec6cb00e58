//! Tasks in steps: the list first, then one answer for each of them.

use serde_json::{Value, json};

use crate::process::Process;
use crate::support::{Behaviour, Provider, Setup};

/// A provider that answers everything with a list of two steps.
const LISTS: Behaviour = Behaviour::Status(
    200,
    &[("content-type", "application/json")],
    r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"{\"steps\":[\"Write it\",\"Test it\"]}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#,
);

/// A task that is not small.
fn large() -> Value {
    json!({"task": "Write a module that sorts lists of numbers", "context": {"requirements": ["fast", "stable", "tested"]}})
}

/// What the provider was asked, message by message.
fn asked(provider: &Provider) -> Vec<String> {
    let message = |body: &[u8]| {
        let sent: Value = serde_json::from_slice(body).unwrap();
        let messages = sent["messages"].as_array().unwrap();
        messages.last().unwrap()["content"].as_str().unwrap().to_owned()
    };
    provider
        .received()
        .iter()
        .map(|received| message(&received.body))
        .collect()
}

#[test]
fn a_task_that_is_not_small_is_split_and_done_step_by_step() {
    let alpha = Provider::start("alpha");
    alpha.set(LISTS);
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    let mut task = large();
    task["conversationId"] = json!("c-1");
    let answer = process.works("code_agent", &task);
    assert_eq!(answer["status"], "done", "{answer}");
    let steps = answer["todo"]["steps"].as_array().unwrap();
    assert_eq!(
        steps
            .iter()
            .map(|step| (&step["text"], &step["status"]))
            .collect::<Vec<_>>(),
        [
            (&json!("Write it"), &json!("done")),
            (&json!("Test it"), &json!("done"))
        ]
    );
    assert!(steps.iter().all(|step| step["model"] == "alpha-small"), "{answer}");
    let result = answer["result"].as_str().unwrap();
    assert!(
        result.starts_with("## 1. Write it\n\n") && result.contains("\n\n## 2. Test it\n\n"),
        "{result}"
    );
    let roles: Vec<&Value> = answer["routing"]["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| &attempt["role"])
        .collect();
    assert_eq!(roles, [&json!("plan"), &json!("step"), &json!("step")]);
    let asked = asked(&alpha);
    assert!(
        asked[0].contains("- stable") && asked[0].starts_with("```"),
        "{}",
        asked[0]
    );
    assert!(asked[1].contains("# Your step\n\nWrite it") && !asked[1].contains("# Steps that are done"));
    assert!(
        asked[2].contains("# Steps that are done\n\n## 1. Write it") && asked[2].contains("# Your step\n\nTest it")
    );
    process.close_input();
    process.wait_exit(crate::process::LIMIT);
    // One request, whose calls have a place each.
    let mut places: Vec<(String, i32)> = process
        .calls()
        .into_iter()
        .map(|call| (call.request_id, call.ordinal))
        .collect();
    places.sort();
    let request = answer["requestId"].as_str().unwrap();
    assert_eq!(places, [1, 2, 3].map(|place| (request.to_owned(), place)));
    process.finish();
}

#[test]
fn a_task_without_a_list_that_can_be_used_is_done_at_once() {
    let alpha = Provider::start("alpha");
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    let answer = process.works("code_agent", &large());
    assert_eq!(
        (&answer["todo"], &answer["status"]),
        (&Value::Null, &json!("done")),
        "{answer}"
    );
    assert_eq!(alpha.requests(), 2);
    let small = process.works("code_agent", &json!({"task": "Sort a list"}));
    assert_eq!(small["todo"], Value::Null, "{small}");
    assert_eq!(alpha.requests(), 3, "a small task is not split");
    process.finish();
}
