//! Azure's manner of addressing: the deployment and the version of the interface in the address, or the deployment in the
//! body, and the key in a header of its own.

use serde_json::{Value, json};

use crate::scene::KEY;
use crate::support::{Gateway, Model, Provider, Received, Setup};
use crate::tongue::{Tongue, list};

/// A resource with a deployment for each task, asked in this version of the interface.
fn setup(alpha: &Provider, version: &str) -> Setup {
    let mut setup = Setup::new()
        .env("AZURE_KEY", KEY)
        .env("CHAT_MODELS", "chat")
        .toml(&format!(
            "[[providers]]\nname = \"alpha\"\nkind = \"azure-openai\"\nbase_url = \"http://{}\"\n\
             api_key_env = \"AZURE_KEY\"\n{version}",
            alpha.address()
        ))
        .model(&Model::free("chat", alpha));
    for (id, capability) in [("vectors", "embeddings"), ("texts", "completions")] {
        setup = setup.toml(&format!(
            "[[models]]\nid = \"{id}\"\nprovider = \"alpha\"\napi_model = \"{id}-api\"\nlayer = \"L0\"\n\
             capabilities = [\"{capability}\"]\ncontext_window = 8000\nmax_output_tokens = 1000\n\
             input_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n"
        ));
    }
    setup
}

/// The resource was asked there, with its own key where it looks for it, and with nothing of the client's.
#[track_caller]
fn assert_asked_at(sent: &Received, path: &str) {
    assert_eq!(sent.path, path);
    assert_eq!(sent.header("api-key"), Some(KEY));
    for other in ["authorization", "x-api-key"] {
        assert_eq!(sent.header(other), None, "{other} was sent");
    }
    let seen = format!("{:?} {}", sent.headers, sent.text());
    assert!(!seen.contains("callers-own-key"), "{seen}");
}

#[test]
fn a_deployment_is_asked_where_the_version_of_the_interface_says_for_every_task() {
    // The settings, whether the address names the deployment, and what is behind it.
    for (version, is_dated, query) in [
        ("", false, ""),
        ("api_version = \"2024-10-21\"\n", true, "?api-version=2024-10-21"),
    ] {
        let alpha = Provider::start("alpha");
        let gateway = Gateway::start(setup(&alpha, version));
        let client = gateway.client().with_header("x-api-key", "callers-own-key");
        let path = |deployment: &str, task: &str| match is_dated {
            true => format!("/openai/deployments/{deployment}/{task}{query}"),
            false => format!("/openai/v1/{task}{query}"),
        };
        let asked = |deployment: &str, task: &str| {
            let sent = alpha.last_request();
            assert_asked_at(&sent, &path(deployment, task));
            if !is_dated {
                assert_eq!(sent.json()["model"], deployment);
            }
        };
        for stream in [false, true] {
            // A client of another dialect too.
            for tongue in [Tongue::Chat, Tongue::Messages] {
                let reply = client.post(tongue.path(), &tongue.ask("chat", "hello", stream));
                assert_eq!(tongue.heard(&reply).text, "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
                asked("chat-api", "chat/completions");
            }
        }
        let reply = client.post("/v1/embeddings", &json!({ "model": "vectors", "input": ["a", "b"] }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(list(&reply.json()["data"]).len(), 2);
        asked("vectors-api", "embeddings");
        let body = json!({ "model": "texts", "prompt": "Once upon", "max_tokens": 100 });
        let reply = client.post("/v1/completions", &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer: Value = reply.json();
        let text = answer["choices"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("alpha-1"), "{answer}");
        asked("texts-api", "completions");
        gateway.finish();
    }
}
