//! The unchanged Python `openai` client, a real model, and the gateway in between.

use std::process::Command;

use serde_json::Value;

use crate::support::{Gateway, Setup, chat};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/openai_client.py");

/// A variable that `make test` sets.
fn needed(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `make test`, which installs the Python client and starts a real model")
    })
}

/// A question that a real model answers soon, whatever it would like to say and whoever else asks it.
pub(crate) fn short_chat() -> Value {
    let mut question = chat("a good request");
    question["max_tokens"] = 8.into();
    question
}

#[test]
fn the_openai_client_gets_whole_and_streamed_answers_with_usage_from_a_real_model() {
    let python = needed("GATEWAY_TEST_PYTHON");
    let model_url = needed("GATEWAY_TEST_MODEL_URL");
    let model_url = model_url.trim_end_matches('/').trim_end_matches("/v1");
    let setup = Setup::new().toml(&format!(
        "[[providers]]\nname = \"real\"\nkind = \"openai-compatible\"\nbase_url = \"{model_url}/v1\"\n\
         [[models]]\nid = \"real-small\"\nprovider = \"real\"\napi_model = \"smollm2\"\nlayer = \"L0\"\n\
         capabilities = [\"chat\"]\ncontext_window = 4096\nmax_output_tokens = 512\n\
         input_usd_per_mtok = 0\noutput_usd_per_mtok = 0"
    ));
    let gateway = Gateway::start(setup);

    let output = Command::new(python)
        .args([SCRIPT, &format!("http://{}/v1", gateway.address()), "real-small"])
        .output()
        .unwrap();

    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client failed: {errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    for kind in ["whole", "streamed"] {
        let answer = &seen[kind];
        assert!(!answer["text"].as_str().unwrap().trim().is_empty(), "{kind}: {seen}");
        assert!(answer["prompt_tokens"].as_i64().unwrap() > 0, "{kind}: {seen}");
        assert!(answer["completion_tokens"].as_i64().unwrap() > 0, "{kind}: {seen}");
    }
    assert!(seen["streamed"]["events"].as_i64().unwrap() > 2, "not a stream: {seen}");
    assert_eq!(seen["unknown_model"], "model_not_found");

    let calls = gateway.wait_for_calls(2);
    for (call, kind) in calls.iter().zip(["whole", "streamed"]) {
        assert_eq!(seen[kind]["completion_tokens"], call.output_tokens, "{kind}");
        assert_eq!(seen[kind]["prompt_tokens"], call.input_tokens, "{kind}");
    }
    gateway.finish_after(&short_chat());
}
