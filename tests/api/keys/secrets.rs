//! A provider's key, the administrator's and a virtual key's text are told to nobody and written nowhere.

use serde_json::json;

use super::{ADMIN_KEY, KEYS, make};
use crate::COMPLETIONS;
use crate::support::{Behaviour, Gateway, PostgresDatabase, Provider, Setup, chat, streamed_chat};

const PROVIDER_KEY: &str = "sk-canary-0d1f5e2a-of-the-provider";

#[test]
fn c15_no_key_is_in_any_answer_log_or_row() {
    let database = PostgresDatabase::create();
    for url in [None, Some(database.url())] {
        let alpha = Provider::start("alpha");
        let mut setup = Setup::new()
            .env("GATEWAY_ADMIN_KEY", ADMIN_KEY)
            .env("ALPHA_KEY", PROVIDER_KEY)
            .env("LOG_LEVEL", "trace")
            .env("CHAT_MODELS", "alpha-small")
            .provider_with(&alpha, "api_key_env = \"ALPHA_KEY\"")
            .model(&crate::support::Model::free("alpha-small", &alpha));
        if let Some(url) = &url {
            setup = setup.env("DATABASE_URL", url);
        }
        let gateway = Gateway::start(setup);
        let made = gateway
            .client()
            .post(KEYS, &json!({ "name": "canary", "userId": "ann" }));
        let key = super::Key::of(&made.json());
        let client = key.client(&gateway);
        let mut told = Vec::new();
        for behaviour in [
            Behaviour::Answer,
            Behaviour::BROKEN,
            Behaviour::ErrorFrameFirst,
            Behaviour::Answer,
        ] {
            alpha.set(behaviour);
            for request in [chat("hello"), streamed_chat("hello")] {
                told.push(client.post(COMPLETIONS, &request));
            }
            told.push(client.post("/v1/chat", &json!({ "conversationId": "c", "message": "hello" })));
            told.push(client.post("/v1/responses", &json!({ "model": "auto", "input": "hello" })));
        }
        assert!(
            alpha
                .received()
                .iter()
                .any(|sent| { sent.header("authorization") == Some(&format!("Bearer {PROVIDER_KEY}")) })
        );
        for path in ["/v1/models", "/v1/context/c", "/"] {
            told.push(client.get(path));
        }
        for path in ["/health", "/v1/server-stats", KEYS, &key.path(), "/v1/admin/budgets"] {
            told.push(gateway.client().get(path));
        }
        told.push(super::showing(&gateway, &key.text.to_lowercase()).get("/v1/models"));
        told.push(gateway.client().post(KEYS, &json!({ "name": "x", "key": key.text })));
        let _ = make(&gateway, json!({}));
        gateway.wait_until_settled();

        let mut places: Vec<(&str, String)> = Vec::new();
        for reply in &told {
            places.push((
                "an answer",
                format!("{:?}{}", reply.headers, String::from_utf8_lossy(&reply.body)),
            ));
        }
        places.push(("the log", gateway.log().join("\n")));
        match &url {
            None => {
                for file in ["gateway.db", "gateway.db-wal"] {
                    let bytes = std::fs::read(gateway.folder().join(file)).unwrap_or_default();
                    places.push(("the database's file", String::from_utf8_lossy(&bytes).into_owned()));
                }
            }
            Some(_) => {
                let tables = database.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'");
                for table in tables {
                    let rows = database.texts(&format!("SELECT t::text FROM {table} t"));
                    places.push(("a row", rows.join("\n")));
                }
            }
        }
        assert!(
            places.iter().any(|(_, text)| text.contains(&key.id)),
            "nothing was looked at"
        );
        for (place, text) in &places {
            for secret in [PROVIDER_KEY, ADMIN_KEY, &key.text] {
                assert!(!text.contains(secret), "{secret} is in {place}: {text}");
            }
        }
        gateway.finish();
    }
}
