//! `migrate --from sqlite:… --to postgres://…`: a user's data moves, and the gateway goes on with it.

use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{
    Client, Gateway, Model, OpenTransaction, PostgresDatabase, Provider, Setup, chat, run_to_exit, wait_for,
};

const LIMIT: Duration = Duration::from_secs(60);

fn setup(provider: &Provider) -> Setup {
    Setup::new()
        .provider(provider)
        .model(&Model::free("alpha-small", provider))
}

fn say(client: &Client, conversation: &str, message: &str) {
    let body = json!({ "conversationId": conversation, "message": message });
    let reply = client.post("/v1/chat", &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

fn page(client: &Client, conversation: &str) -> Value {
    client.get(&format!("/v1/context/{conversation}")).json()
}

/// A gateway with three conversations of one turn each, and three calls without one, in SQLite.
fn filled(provider: &Provider) -> Gateway {
    let gateway = Gateway::start(setup(provider));
    for number in 0..3 {
        say(&gateway.client(), &format!("conv-{number}"), "hello");
        assert_eq!(gateway.client().post(COMPLETIONS, &chat("stateless")).status, 200);
    }
    gateway.wait_for_calls(6);
    gateway
}

fn move_from(gateway: &Gateway) -> String {
    format!(
        "migrate --from sqlite:{}",
        gateway.folder().join("gateway.db").display()
    )
}

/// Settings with this database, on which a move waits for another's lock as long as it takes.
fn patient(provider: &Provider, database: &PostgresDatabase) -> Setup {
    setup(provider)
        .toml("[store]\nlock_timeout_ms = 60000\nstatement_timeout_ms = 60000")
        .env("DATABASE_URL", &database.url())
}

/// A move that has copied everything but call records, and cannot go on.
struct Blocked {
    process: Child,
    _folder: tempfile::TempDir,
    lock: OpenTransaction,
}

impl Blocked {
    /// The target has its tables already.
    fn start(command: &str, setup: &Setup, target: &PostgresDatabase) -> Self {
        // Lets others read the table, and nobody write it.
        let lock = target.begin("LOCK TABLE llm_calls IN SHARE MODE");
        let folder = tempfile::tempdir().unwrap();
        let process = Gateway::command(command, setup, folder.path()).spawn().unwrap();
        let waiting =
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        wait_for("the move to come to the call records", LIMIT, || {
            target.texts(waiting).iter().any(|query| query.contains("llm_calls"))
        });
        Self {
            process,
            _folder: folder,
            lock,
        }
    }

    fn kill_9(mut self, target: &PostgresDatabase) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.lock.roll_back();
        let sessions = "SELECT 'x' FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'ai-mcp-gateway'";
        wait_for("the server to notice that the move has died", LIMIT, || {
            target.texts(sessions).is_empty()
        });
    }
}

#[test]
fn a_gateways_data_moves_from_sqlite_to_postgres_whatever_stops_it_on_the_way() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let mut old = filled(&alpha);
    let before = page(&old.client(), "conv-1");
    let to_postgres = patient(&alpha, &database);
    let command = move_from(&old);

    let (code, said) = run_to_exit(&command, &to_postgres);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("a gateway is running on the source"), "{said}");

    // What a dead process has only in its journal goes along.
    old.kill_9();
    let (code, said) = run_to_exit("migrate", &to_postgres);
    assert_eq!(code, 0, "{said}");
    Blocked::start(&command, &to_postgres, &database).kill_9(&database);
    assert_eq!(database.texts("SELECT count(*)::text FROM messages"), ["6"]);

    // A part of the data is not served as if it were all.
    for opening in ["serve", "mcp", "migrate"] {
        let (code, said) = run_to_exit(opening, &to_postgres);
        assert_eq!(code, 69, "{opening}: {said}");
        assert!(
            said.contains("holds only a part of the data of sqlite:"),
            "{opening}: {said}"
        );
        assert!(
            said.contains(&format!("`ai-mcp-gateway {command}`")),
            "{opening}: {said}"
        );
        assert!(!said.contains("postgres:"), "{opening}: {said}");
    }

    let (code, said) = run_to_exit(&command, &to_postgres);
    assert_eq!(code, 0, "{said}");
    for line in [
        "conversations: 3 rows, 0 copied now",
        "messages: 6 rows, 0 copied now",
        "llm_calls: 6 rows, 6 copied now",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let gateway = Gateway::start(to_postgres);
    assert_eq!(page(&gateway.client(), "conv-1"), before);
    assert_eq!(gateway.calls().len(), 6);
    say(&gateway.client(), "conv-1", "and on");
    assert_eq!(
        page(&gateway.client(), "conv-1")["messages"].as_array().unwrap().len(),
        4
    );
    gateway.finish();
    old.retire();
}

#[test]
fn while_data_moves_into_a_database_a_second_move_and_a_gateway_are_refused_and_the_first_goes_on() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let mut old = filled(&alpha);
    old.kill_9();
    let to_postgres = patient(&alpha, &database);
    let command = move_from(&old);
    assert_eq!(run_to_exit("migrate", &to_postgres).0, 0);
    let mut first = Blocked::start(&command, &to_postgres, &database);
    let mut other = filled(&alpha);
    other.kill_9();
    for second in [&command, &move_from(&other)] {
        let (code, said) = run_to_exit(second, &to_postgres);
        assert_eq!(code, 69, "{said}");
        assert!(
            said.contains("data is being moved into this database already"),
            "{said}"
        );
    }
    let (code, said) = run_to_exit("serve", &to_postgres);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("its move is under way or was stopped"), "{said}");

    // A turn on the source would be lost to the target.
    let source = format!("sqlite:{}", old.folder().join("gateway.db").display());
    let on_source = setup(&alpha).env("DATABASE_URL", &source);
    for opening in ["serve", "mcp", "migrate"] {
        let (code, said) = run_to_exit(opening, &on_source);
        assert_eq!(code, 69, "{opening}: {said}");
        assert!(
            said.contains("is being moved into another database"),
            "{opening}: {said}"
        );
    }
    let another = PostgresDatabase::create();
    let (code, said) = run_to_exit(&command, &patient(&alpha, &another));
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("is being moved already"), "{said}");

    assert!(first.process.try_wait().unwrap().is_none(), "the first move has ended");
    first.lock.roll_back();
    assert!(first.process.wait().unwrap().success());
    let gateway = Gateway::start(to_postgres);
    assert_eq!(gateway.calls().len(), 6);
    gateway.finish();
    old.retire();
    other.retire();
}

#[test]
fn data_is_moved_only_from_a_gateways_sqlite_to_postgres() {
    let alpha = Provider::start("alpha");
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    std::fs::write(&other, "").unwrap();
    let not_ours = format!("migrate --from sqlite:{} --to postgres://host/db", other.display());
    for command in [
        "migrate --from postgres://me:canary-5f1e@host/db --to sqlite:there.db",
        "migrate --from sqlite:here.db",
        "migrate --from sqlite:missing.db --to postgres://me:canary-5f1e@host/db",
        "migrate --from canary-5f1e --to postgres://host/db",
        &not_ours,
    ] {
        let (code, said) = run_to_exit(command, &setup(&alpha));
        assert_eq!(code, 64, "{command}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
    assert_eq!(std::fs::read(&other).unwrap(), b"");
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        1,
        "files beside the source"
    );
}

#[test]
fn a_target_that_cannot_be_used_is_told_by_the_name_of_what_gave_it() {
    let alpha = Provider::start("alpha");
    let mut gateway = filled(&alpha);
    gateway.kill_9();
    let from = move_from(&gateway);
    let bad = "postgres://me:canary-5f1e@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/nope";
    let away = "postgres://me:canary-5f1e@127.0.0.1:1/db";
    let impatient = || setup(&alpha).toml("[store]\nstart_wait_ms = 100");
    for (url, code_of_flag, code_of_setting) in [(bad, 64, 78), (away, 69, 69)] {
        let (code, said) = run_to_exit(&format!("{from} --to {url}"), &impatient());
        assert_eq!(code, code_of_flag, "{said}");
        assert!(said.contains("--to ") && !said.contains("DATABASE_URL"), "{said}");
        assert!(!said.contains("canary"), "{said}");
        let (code, said) = run_to_exit(&from, &impatient().env("DATABASE_URL", url));
        assert_eq!(code, code_of_setting, "{said}");
        assert!(said.contains("DATABASE_URL ") && !said.contains("--to"), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
    gateway.retire();
}
