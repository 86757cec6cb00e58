//! What the log never holds, however much is logged: what people write and read, and keys.

use crate::support::{Gateway, Model, PostgresDatabase, Provider, RawClient, Setup, streamed_chat};
use serde_json::json;

const CANARY: &str = "canary-71c2";
const ADMIN_KEY: &str = "admin-key-of-at-least-thirty-two-bytes";
const PROVIDER_KEY: &str = "sk-provider-83d0";

/// The ways in which a text may end up in a line: as it is, and as a list of bytes.
fn spellings(secret: &str) -> [String; 3] {
    let list = |with: fn(&u8) -> String| secret.as_bytes().iter().map(with).collect::<Vec<_>>().join(", ");
    [
        secret.to_owned(),
        list(|byte| byte.to_string()),
        list(|byte| format!("{byte:#x}")),
    ]
}

fn assert_nothing_is_told(database: &str) {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider_with(&alpha, "api_key_env = \"ALPHA_KEY\"")
        .model(&Model::free("alpha-small", &alpha))
        .env("ALPHA_KEY", PROVIDER_KEY)
        .env("GATEWAY_ADMIN_KEY", ADMIN_KEY)
        .env("DATABASE_URL", database)
        .env("LOG_LEVEL", "trace")
        .env("RUST_LOG", "trace,tokio_postgres::query=trace,rmcp=trace");
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    for number in 0..2 {
        let turn = json!({"message": format!("{CANARY} {number}"), "conversationId": "c1"});
        assert_eq!(client.post("/v1/chat", &turn).status, 200);
    }
    assert_eq!(client.get("/v1/context/c1").status, 200);
    assert!(client.post("/v1/chat/completions", &streamed_chat(CANARY)).is_done());
    gateway.wait_for_calls(3);
    let made_up = json!({"message": "x", CANARY: 1, "clientMessageId": {CANARY: 1}});
    assert_eq!(client.post("/v1/chat", &made_up).status, 400);
    let log = gateway.log();
    assert!(log.iter().any(|line| line.contains("DEBUG")), "little is logged");
    // The scripted provider names itself in every word of its answers.
    for secret in [CANARY, ADMIN_KEY, PROVIDER_KEY, "alpha-1 alpha-2"] {
        for spelling in spellings(secret) {
            let told = log.iter().find(|line| line.contains(&spelling));
            assert_eq!(told, None, "{secret} is in the log");
        }
    }
    gateway.finish();
}

#[test]
fn a_client_that_sends_no_http_writes_no_line() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    for _ in 0..20 {
        let mut client = RawClient::connect(gateway.address());
        client.send("garbage\r\n\r\n");
        assert_eq!(client.read_bare_refusal(), 400);
        assert_eq!(client.read_to_close(), "");
    }
    assert_eq!(gateway.client().get("/health/live").status, 200);
    let log = gateway.log();
    let told = log
        .iter()
        .find(|line| line.contains(" ERROR ") || line.contains("actix_http"));
    assert_eq!(told, None);
    gateway.finish();
}

#[test]
fn neither_texts_nor_keys_are_in_the_log_with_sqlite_however_much_is_logged() {
    assert_nothing_is_told("sqlite:gateway.db");
}

#[test]
fn neither_texts_nor_keys_are_in_the_log_with_postgres_however_much_is_logged() {
    let database = PostgresDatabase::create();
    assert_nothing_is_told(&database.url());
}
