//! Rows B8, B12, B15 and B16 of the fault matrix, as far as they are about the arguments of tools.

use serde_json::{Value, json};

use crate::process::Process;
use crate::support::{Provider, Setup};

const TOOL: &str = "code_agent";

/// Refused with this name in the message, before any provider is asked; then a good call works.
#[track_caller]
fn refuses(name: &str, cases: &[Value]) {
    let alpha = Provider::start("alpha");
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    for arguments in cases {
        let error = process.fails(TOOL, arguments);
        assert_eq!(error["type"], "invalid_args", "{error}");
        let shown = arguments.to_string();
        assert!(
            error["message"].as_str().unwrap().contains(name),
            "{shown:.200}: {error}"
        );
    }
    assert_eq!(alpha.requests(), 0);
    process.works(TOOL, &json!({"task": "a good one"}));
    process.finish();
}

#[test]
fn b8_a_task_that_is_missing_is_named() {
    refuses("task", &[json!({}), json!({"quality": "high"}), json!({"task": null})]);
}

#[test]
fn b12_words_outside_their_list_are_refused() {
    let cases = ["ultra", "exec", "", "High"].map(|word| json!({"task": "x", "quality": word}));
    refuses("quality", &cases);
    refuses("a text", &[json!({"task": "x", "quality": 7})]);
    refuses("mode", &[json!({"task": "x", "mode": "exec"})]);
}

#[test]
fn b15_impossible_lists_of_files_are_refused_and_names_are_only_names() {
    refuses(
        "files",
        &[
            json!({"task": "x", "files": vec!["x"; 10_000]}),
            json!({"task": "x", "files": vec!["x"; 65]}),
            json!({"task": "x", "files": ["x".repeat(1024 * 1024)]}),
            json!({"task": "x", "files": ["a\nb"]}),
        ],
    );
    refuses(
        "texts",
        &[json!({"task": "x", "files": "x"}), json!({"task": "x", "files": [7]})],
    );

    let alpha = Provider::start("alpha");
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    let names = ["../../etc/passwd", "/proc/sys/kernel/ostype", "file:///etc/passwd"];
    process.works(TOOL, &json!({"task": "explain", "files": names}));
    let sent = alpha.last_request();
    let sent = sent.text();
    for name in names {
        assert!(sent.contains(name), "{sent}");
    }
    for content in ["root:", "Linux"] {
        assert!(!sent.contains(content), "a file was read: {sent}");
    }
    process.finish();
}

#[test]
fn b16_a_context_of_the_wrong_type_is_refused() {
    for (named, context) in [
        ("files", json!({"files": "x"})),
        ("gitStatus", json!({"gitStatus": {}})),
        ("requirements", json!({"requirements": "x"})),
        ("existingCode", json!({"existingCode": {}})),
        ("language", json!({"language": 7})),
        ("context", json!("x")),
    ] {
        refuses(named, &[json!({"task": "x", "context": context})]);
    }
}
