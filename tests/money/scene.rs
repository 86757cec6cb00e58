//! A gateway with a free model and a priced one, and an administrator.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::books::Books;
use crate::support::{Behaviour, Client, Gateway, Model, PostgresDatabase, Provider, Reply, Setup, wait_for};

/// Nothing in these tests takes longer.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// USD per million tokens of output of the priced model, whose input costs nothing: a call's worst case is known.
pub(crate) const OUTPUT_PRICE: &str = "2";
/// The same, in nano-USD per token.
pub(crate) const NANO_A_TOKEN: i64 = 2_000;
/// Tokens of an answer, and what the requests allow.
pub(crate) const TOKENS: i64 = 5;
/// What a call costs, and what is held for it: all that it may cost.
pub(crate) const COST: i64 = TOKENS * NANO_A_TOKEN;
pub(crate) const ADMIN_KEY: &str = "admin-key-of-at-least-thirty-two-bytes";
const PLENTY: &str =
    "[http]\nmax_in_flight = 400\nqueue = 400\n[breaker]\nconsecutive_failures = 1000\nmin_calls = 100000\n";

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

/// Runs each of these tests on both databases.
macro_rules! on_each_database {
    ($($test:ident,)+) => {
        mod sqlite {
            $(#[test]
            fn $test() {
                super::$test($crate::scene::On::Sqlite);
            })+
        }

        mod postgres {
            $(#[test]
            fn $test() {
                super::$test($crate::scene::On::Postgres);
            })+
        }
    };
}

pub(crate) use on_each_database;

/// The gateway and what it stands between.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    /// Whose model `paid` has a price.
    pub(crate) paid: Provider,
    /// Whose model `free` costs nothing.
    pub(crate) free: Provider,
    pub(crate) database: Option<PostgresDatabase>,
}

impl Scene {
    /// On this database.
    pub(crate) fn new(on: On) -> Self {
        Self::with(on, |setup, _| setup)
    }

    /// The same with further settings.
    pub(crate) fn with(on: On, more: impl FnOnce(Setup, &Provider) -> Setup) -> Self {
        let database = (on == On::Postgres).then(PostgresDatabase::create);
        Self::over(database, more)
    }

    /// The same over this database, or a file of its own.
    pub(crate) fn over(database: Option<PostgresDatabase>, more: impl FnOnce(Setup, &Provider) -> Setup) -> Self {
        let (paid, free) = (Provider::start("paid"), Provider::start("free"));
        let setup = more(setup(&paid, &free, database.as_ref()), &paid);
        Self {
            gateway: Gateway::start(setup),
            paid,
            free,
            database,
        }
    }

    /// Another process on the same database and the same providers, with a folder of its own.
    pub(crate) fn replica(&self, more: impl FnOnce(Setup) -> Setup) -> Gateway {
        Gateway::start(more(setup(&self.paid, &self.free, self.database.as_ref())))
    }

    /// A client that shows the administrator's key.
    pub(crate) fn admin(&self) -> Client {
        self.gateway.client()
    }

    /// Sets a limit for good.
    #[track_caller]
    pub(crate) fn limit(&self, scope: &str, nano_usd: i64) {
        self.set(scope, &json!({ "limitNanoUsd": nano_usd, "window": "total" }));
    }

    /// Sets a budget.
    #[track_caller]
    pub(crate) fn set(&self, scope: &str, rule: &Value) {
        let reply = self.admin().send_json("PUT", &path(scope), rule);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// How a budget stands, as administrators are told.
    #[track_caller]
    pub(crate) fn budget(&self, scope: &str) -> Value {
        let reply = self.admin().get(&path(scope));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// What was spent of a budget once nothing of it is held any more.
    #[track_caller]
    pub(crate) fn spent_at_rest(&self, scope: &str) -> i64 {
        let mut last = Value::Null;
        wait_for("nothing to be held", SOON, || {
            last = self.budget(scope);
            last["heldNanoUsd"] == 0
        });
        last["spentNanoUsd"].as_i64().unwrap()
    }

    /// Makes a virtual key. Returns its id and a client that shows it.
    #[track_caller]
    pub(crate) fn key(&self, fields: &Value) -> (String, Client) {
        let reply = self.admin().post("/v1/admin/keys", fields);
        assert_eq!(reply.status, 201, "{}", reply.text());
        let made = reply.json();
        let key = made["key"].as_str().unwrap();
        let client = self.gateway.anonymous();
        let client = client.with_header("authorization", &format!("Bearer {key}"));
        (made["id"].as_str().unwrap().to_owned(), client)
    }

    /// Asks the priced model for an answer of its usual length.
    #[track_caller]
    pub(crate) fn ask(&self) -> Reply {
        self.admin().post(COMPLETIONS, &paid(TOKENS))
    }

    /// What the database says.
    pub(crate) fn books(&self) -> Books<'_> {
        match &self.database {
            Some(database) => Books::of_postgres(database),
            None => Books::of_sqlite(self.gateway.folder()),
        }
    }

    /// What the provider would charge for, in nano-USD.
    pub(crate) fn bill(&self) -> i64 {
        bill(&self.paid)
    }

    /// The program itself says that the books balance.
    #[track_caller]
    pub(crate) fn assert_audited(&self) {
        let audit = self.gateway.run("audit");
        assert!(audit.status.success(), "{audit:?}");
    }

    /// Waits until nothing is held, checks the books, and that the gateway goes on as it should.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.paid.set(Behaviour::Answer);
        self.free.set(Behaviour::Answer);
        self.books().assert_at_rest();
        let Self { gateway, .. } = self;
        gateway.finish_after(&for_model("free"));
    }
}

/// What a provider would charge for, in nano-USD.
pub(crate) fn bill(provider: &Provider) -> i64 {
    let tokens: u64 = provider.bill().iter().map(|charge| charge.output_tokens).sum();
    i64::try_from(tokens).unwrap() * NANO_A_TOKEN
}

/// The settings of a gateway with both models.
pub(crate) fn setup(paid: &Provider, free: &Provider, database: Option<&PostgresDatabase>) -> Setup {
    let setup = Setup::new()
        .env("GATEWAY_ADMIN_KEY", ADMIN_KEY)
        .env("CHAT_MODELS", "paid,free")
        .toml(PLENTY)
        .provider_with(paid, "max_in_flight = 400")
        .provider_with(free, "max_in_flight = 400")
        .model(&Model::free("paid", paid).priced("0", OUTPUT_PRICE))
        .model(&Model::free("free", free));
    match database {
        Some(database) => setup.env("DATABASE_URL", &database.url()),
        None => setup,
    }
}

/// Where a budget is set and read.
pub(crate) fn path(scope: &str) -> String {
    format!("/v1/admin/budgets/{}", scope.replace('/', "%2F"))
}

/// A request for one model.
pub(crate) fn for_model(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] })
}

/// A request for the priced model with room for this many tokens.
pub(crate) fn paid(tokens: i64) -> Value {
    let mut body = for_model("paid");
    body["max_tokens"] = json!(tokens);
    body
}

/// The same, answered as a stream.
pub(crate) fn paid_stream(tokens: i64) -> Value {
    let mut body = paid(tokens);
    body["stream"] = json!(true);
    body
}

/// There is not enough left, and that is said in the way that no client tries again by itself.
#[track_caller]
pub(crate) fn assert_exhausted(reply: &Reply) {
    let error = reply.error(402);
    assert_eq!(error["code"], "budget_exceeded", "{error}");
}
