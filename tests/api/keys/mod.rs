//! Virtual keys: who comes in with them, what they may do, and whose things they see.

mod away;
mod commands;
mod refused;
mod rights;
mod secrets;
mod tenants;

use serde_json::{Value, json};

use crate::support::{Client, Gateway, PostgresDatabase, Provider, Setup};

const ADMIN_KEY: &str = "admin-0123456789abcdef0123456789abcdef";
const KEYS: &str = "/v1/admin/keys";

/// A virtual key, as the answer that made it told of it.
#[derive(Debug, Clone)]
struct Key {
    id: String,
    text: String,
}

impl Key {
    #[track_caller]
    fn of(made: &Value) -> Self {
        let text = |name: &str| {
            made[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {made}"))
                .to_owned()
        };
        Self {
            id: text("id"),
            text: text("key"),
        }
    }

    fn path(&self) -> String {
        format!("{KEYS}/{}", self.id)
    }

    /// A client that shows this key.
    fn client(&self, gateway: &Gateway) -> Client {
        showing(gateway, &self.text)
    }
}

/// A client that shows this text as its key.
fn showing(gateway: &Gateway, key: &str) -> Client {
    gateway
        .anonymous()
        .with_header("authorization", &format!("Bearer {key}"))
}

/// Makes a key of this name, with these further fields.
#[track_caller]
fn make(gateway: &Gateway, more: Value) -> Key {
    let mut body = json!({ "name": "test" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let reply = gateway.client().post(KEYS, &body);
    assert_eq!(reply.status, 201, "{}", reply.text());
    Key::of(&reply.json())
}

fn setup(provider: &Provider) -> Setup {
    Setup::free_l0(&[provider]).env("GATEWAY_ADMIN_KEY", ADMIN_KEY)
}

/// Does it once on SQLite and once on PostgreSQL.
fn on_both_databases(work: impl Fn(Setup, &Provider)) {
    let alpha = Provider::start("alpha");
    work(setup(&alpha), &alpha);
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    work(setup(&alpha).env("DATABASE_URL", &database.url()), &alpha);
}

/// An error's body without what differs from request to request.
fn body_of_error(text: &str) -> Value {
    let mut body: Value = serde_json::from_str(text).unwrap();
    let error = body["error"].as_object_mut().unwrap();
    error.retain(|name, _| name != "requestId");
    body["request_id"] = Value::Null;
    body
}
