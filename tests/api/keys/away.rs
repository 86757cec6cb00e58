//! Keys while the database does not answer.

use std::time::Duration;

use serde_json::json;

use super::{ADMIN_KEY, make, setup, showing};
use crate::COMPLETIONS;
use crate::support::{Gateway, PostgresDatabase, PostgresServer, Provider, chat, wait_for};

const MODELS: &str = "/v1/models";

#[test]
fn c10_without_the_database_keys_hold_for_a_while_and_then_cannot_be_told() {
    let mut server = PostgresServer::start(None);
    let database = PostgresDatabase::create_on(server.url());
    let alpha = Provider::start("alpha");
    let setup = setup(&alpha)
        .env("DATABASE_URL", &database.url())
        .toml("[auth]\nkeys_max_age_ms = 5000");
    let gateway = Gateway::start(setup);
    let key = make(&gateway, json!({}));
    // Known to the database, and to nobody here: it is revoked, and made anew by nobody.
    let unknown = make(&gateway, json!({}));
    assert_eq!(gateway.client().request("DELETE", &unknown.path()).status, 200);
    let client = key.client(&gateway);
    assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
    server.stop();

    // What can be no key is refused as ever: nobody needs a database for that.
    showing(&gateway, "' OR '1'='1").get(MODELS).error(401);
    // What may be one is neither let in nor called wrong.
    let reply = showing(&gateway, &unknown.text).get(MODELS);
    assert_eq!(reply.error(503)["code"], "ledger_unavailable");
    assert!(reply.header("retry-after").is_some());
    let refused = || {
        let reply = client.get(MODELS);
        assert!(matches!(reply.status, 200 | 503), "{}", reply.text());
        reply.status == 503
    };
    assert!(!refused(), "a key that is known holds for a while");
    wait_for("the key to be too old", Duration::from_secs(10), refused);
    assert_eq!(showing(&gateway, ADMIN_KEY).get(MODELS).status, 200);

    server.start_again();
    wait_for("the key to be good again", Duration::from_secs(30), || {
        client.get(MODELS).status == 200
    });
    gateway.finish();
}
