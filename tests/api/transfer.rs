//! `migrate --from sqlite:… --to postgres://…`: a user's data moves, and the gateway goes on with it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Client, Gateway, Model, PostgresDatabase, Provider, Setup, chat, run_to_exit, wait_for};

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

#[test]
fn a_gateways_data_moves_from_sqlite_to_postgres_whatever_stops_it_on_the_way() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let mut old = Gateway::start(setup(&alpha));
    for number in 0..3 {
        say(&old.client(), &format!("conv-{number}"), "hello");
        assert_eq!(old.client().post(COMPLETIONS, &chat("stateless")).status, 200);
    }
    old.wait_for_calls(6);
    let before = page(&old.client(), "conv-1");
    let source = old.folder().join("gateway.db");
    let to_postgres = setup(&alpha).env("DATABASE_URL", &database.url());
    let command = format!("migrate --from sqlite:{}", source.display());

    let (code, said) = run_to_exit(&command, &to_postgres);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("a gateway is running on the source"), "{said}");

    // What a dead process has only in its journal goes along.
    old.kill_9();
    let (code, said) = run_to_exit("migrate", &to_postgres);
    assert_eq!(code, 0, "{said}");
    database.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(4); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON llm_calls FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    let folder = tempfile::tempdir().unwrap();
    let mut killed = Gateway::command(&command, &to_postgres, folder.path()).spawn().unwrap();
    wait_for("messages to be copied", LIMIT, || {
        database.texts("SELECT count(*)::text FROM messages") == ["6"]
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    database.execute("DROP TRIGGER slow ON llm_calls");

    let (code, said) = run_to_exit(&command, &to_postgres);
    assert_eq!(code, 0, "{said}");
    for line in [
        "conversations: 3 rows, 0 copied now",
        "messages: 6 rows, 0 copied now",
        "llm_calls: 6 rows",
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
}

#[test]
fn data_is_moved_only_from_sqlite_to_postgres() {
    let alpha = Provider::start("alpha");
    for command in [
        "migrate --from postgres://me:canary-5f1e@host/db --to sqlite:there.db",
        "migrate --from sqlite:here.db",
        "migrate --from sqlite:missing.db --to postgres://me:canary-5f1e@host/db",
        "migrate --from canary-5f1e --to postgres://host/db",
    ] {
        let (code, said) = run_to_exit(command, &setup(&alpha));
        assert_eq!(code, 64, "{command}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
}
