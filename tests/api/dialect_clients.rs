//! The unchanged Python clients `openai` and `anthropic`, each through a provider of its own dialect and through those of
//! the others. The clients refuse every answer that is not of their types.

use std::process::Command;

use serde_json::{Value, json};

use crate::dialect_providers::{PIECES, Providers, model_of, real_models, words};
use crate::real_model::short_chat;
use crate::support::{Content, Gateway, Provider};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/dialect_clients.py");

/// A variable that `make test` sets.
fn needed(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `make test`, which installs the clients and starts a real model")
    })
}

/// What the clients saw of each part, `PART=MODEL`.
#[track_caller]
fn ask(gateway: &Gateway, parts: &[String]) -> Vec<Value> {
    let output = Command::new(needed("GATEWAY_TEST_PYTHON"))
        .args([SCRIPT, &format!("http://{}", gateway.address())])
        .args(parts)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a client failed: {errors}");
    let seen: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen.len(), parts.len(), "{seen:#?}");
    seen
}

#[test]
fn every_client_gets_every_providers_whole_and_streamed_answers_in_its_own_types() {
    let providers = Providers::start();
    let gateway = Gateway::start(providers.setup());
    let mut parts = Vec::new();
    for provider in providers.all() {
        for part in ["chat", "responses", "messages", "models"] {
            parts.push(format!("{part}={}", model_of(provider)));
        }
    }

    let seen = ask(&gateway, &parts);

    for (provider, seen) in providers.all().iter().zip(seen.chunks(4)) {
        let [chat, responses, messages, models] = seen else {
            panic!("{seen:?}")
        };
        let text = words(provider);
        for answer in [&chat["whole"], &chat["streamed"]] {
            assert_eq!(
                (&answer["text"], &answer["end"]),
                (&json!(text), &json!("stop")),
                "{chat}"
            );
            assert_eq!(answer["output_tokens"], PIECES, "{chat}");
        }
        assert_eq!(responses["whole"]["end"], "completed", "{responses}");
        assert_eq!(responses["streamed"]["end"], "response.completed", "{responses}");
        for answer in ["whole", "streamed", "second"] {
            assert_eq!(responses[answer]["text"], text, "{responses}");
            assert_eq!(responses[answer]["output_tokens"], PIECES, "{responses}");
        }
        for held in ["retrieved", "deleted"] {
            assert_eq!(responses[held], true, "{responses}");
        }
        // A provider that is asked in Responses gets the whole conversation instead; the answer tells of the one before.
        assert_eq!(responses["second"]["goes_on"], true, "{responses}");
        let inputs = responses["inputs"].as_array().unwrap();
        assert!(inputs.contains(&json!("And of Spain?")), "{responses}");
        for header in ["bearer", "x-api-key"] {
            for kind in ["whole", "streamed"] {
                let answer = &messages[header][kind];
                assert_eq!(
                    (&answer["text"], &answer["end"]),
                    (&json!(text), &json!("end_turn")),
                    "{messages}"
                );
                assert_eq!(answer["output_tokens"], PIECES, "{messages}");
            }
        }
        for client in ["openai", "bearer", "x-api-key"] {
            assert_eq!(models[client], json!([true, model_of(provider)]), "{models}");
        }
    }
    gateway.wait_until_settled();
    providers.assert_records_are_the_bill(&gateway.calls());
    gateway.finish();
}

#[test]
fn every_client_gets_every_providers_calls_of_tools_and_brings_back_the_results() {
    let providers = Providers::start();
    for provider in providers.all() {
        provider.say(Content::calls(&[("weather", r#"{"city":"Paris"}"#)]));
    }
    let gateway = Gateway::start(providers.setup());
    let mut parts = Vec::new();
    for provider in providers.all() {
        for part in ["chat_tools", "responses_tools", "messages_tools"] {
            parts.push(format!("{part}={}", model_of(provider)));
        }
    }

    let seen = ask(&gateway, &parts);

    let call = json!(["weather", { "city": "Paris" }]);
    for (provider, seen) in providers.all().iter().zip(seen.chunks(3)) {
        for told in seen {
            assert_eq!(told["whole"], call, "{told}");
            assert_eq!(told["streamed"], call, "{told}");
            assert_eq!(told["after"], words(provider), "{told}");
        }
    }
    gateway.wait_until_settled();
    providers.assert_records_are_the_bill(&gateway.calls());
    for provider in providers.all() {
        provider.say(Content::text());
    }
    gateway.finish();
}

#[test]
fn tokens_are_counted_completions_go_on_and_vectors_come_in_both_encodings() {
    let providers = Providers::start();
    let vectors = Provider::start("vectors");
    let embedding = "[[models]]\nid = \"vectors-small\"\nprovider = \"vectors\"\napi_model = \"vectors-api\"\n\
        layer = \"L0\"\ncapabilities = [\"embeddings\"]\ncontext_window = 8192\nmax_output_tokens = 1\n\
        input_usd_per_mtok = 0\noutput_usd_per_mtok = 0";
    let gateway = Gateway::start(providers.setup().provider(&vectors).toml(embedding));
    let chat = model_of(&providers.chat);
    let parts = [
        format!("count_tokens={}", model_of(&providers.messages)),
        format!("completions={chat}"),
        "embeddings=vectors-small".to_owned(),
    ];

    let seen = ask(&gateway, &parts);

    // The words of the question.
    assert_eq!(seen[0], json!({ "bearer": 6, "x-api-key": 6 }));
    let text = words(&providers.chat);
    for kind in ["whole", "streamed"] {
        assert_eq!(seen[1][kind]["text"], text, "{}", seen[1]);
        assert_eq!(seen[1][kind]["output_tokens"], PIECES, "{}", seen[1]);
    }
    assert_eq!(seen[2], json!({ "lengths": [8, 8], "same": true, "input_tokens": 3 }));
    assert_eq!(vectors.requests(), 2);
    gateway.finish();
}

#[test]
fn every_client_gets_answers_from_a_real_model_in_its_own_dialect_and_in_others() {
    let names = ["chat", "responses", "messages"];
    let mut setup = real_models(&needed("GATEWAY_TEST_MODEL_URL"));
    setup = setup.toml(&format!(
        "[[providers]]\nname = \"real-vectors\"\nkind = \"openai-compatible\"\nbase_url = \"{}\"\n\
         [[models]]\nid = \"vectors-model\"\nprovider = \"real-vectors\"\napi_model = \"smollm2\"\nlayer = \"L0\"\n\
         capabilities = [\"embeddings\"]\ncontext_window = 4096\nmax_output_tokens = 1\n\
         input_usd_per_mtok = 0\noutput_usd_per_mtok = 0",
        needed("GATEWAY_TEST_EMBEDDINGS_URL")
    ));
    let gateway = Gateway::start(setup);
    let mut parts = vec![
        "count_tokens=messages-model".to_owned(),
        "embeddings=vectors-model".to_owned(),
        "models=chat-model".to_owned(),
    ];
    for model in names {
        parts.push(format!("completions={model}-model"));
        for client in names {
            // The server's Responses lack members that the client's types want, and go to the client as they are.
            let exact = if client == "responses" && client == model {
                "~"
            } else {
                ""
            };
            parts.push(format!("{exact}{client}={model}-model"));
        }
    }

    let seen = ask(&gateway, &parts);

    assert!(seen[0]["bearer"].as_i64().unwrap() > 6, "{}", seen[0]);
    let vectors = &seen[1];
    assert_eq!(vectors["same"], true, "{vectors}");
    assert_eq!(vectors["lengths"][0], vectors["lengths"][1], "{vectors}");
    assert!(vectors["lengths"][0].as_i64().unwrap() > 100, "{vectors}");
    assert!(vectors["input_tokens"].as_i64().unwrap() > 2, "{vectors}");
    let listed = json!([true, "chat-model"]);
    assert_eq!(
        seen[2],
        json!({ "openai": listed, "bearer": listed, "x-api-key": listed })
    );
    let mut tokens = Vec::new();
    let mut check = |answer: &Value, streamed: bool| {
        assert!(!answer["text"].as_str().unwrap().trim().is_empty(), "{answer}");
        assert!(
            !streamed || answer["events"].as_i64().unwrap() > 2,
            "not a stream: {answer}"
        );
        tokens.push((
            answer["input_tokens"].as_i64().unwrap(),
            answer["output_tokens"].as_i64().unwrap(),
        ));
    };
    for told in &seen[3..] {
        let answers = if told["bearer"].is_object() {
            vec![&told["bearer"], &told["x-api-key"]]
        } else {
            vec![told]
        };
        for answer in answers {
            check(&answer["whole"], false);
            check(&answer["streamed"], true);
            if answer["second"].is_object() {
                check(&answer["second"], false);
            }
        }
    }
    gateway.wait_until_settled();
    let calls = gateway.calls();
    let mut recorded: Vec<_> = calls
        .iter()
        .filter(|call| call.output_tokens > 0)
        .map(|call| (call.input_tokens, call.output_tokens))
        .collect();
    assert!(
        tokens.iter().all(|(input, output)| *input > 0 && *output > 0),
        "{tokens:?}"
    );
    tokens.sort_unstable();
    recorded.sort_unstable();
    assert_eq!(recorded, tokens);
    gateway.finish_after(&short_chat());
}
