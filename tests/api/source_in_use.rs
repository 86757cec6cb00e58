//! `migrate --from` and who has its source open: noticed wherever their other files are and whatever the source is called.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Behaviour, Gateway, Model, PostgresDatabase, Provider, Setup, run_to_exit, wait_for};

const LIMIT: Duration = Duration::from_secs(30);
const MESSAGES: &str = "SELECT content FROM messages ORDER BY seq";

fn setup(provider: &Provider) -> Setup {
    Setup::new()
        .provider(provider)
        .model(&Model::free("alpha-small", provider))
}

fn move_from(path: &Path) -> String {
    format!("migrate --from sqlite:{}", path.display())
}

#[track_caller]
fn say(gateway: &Gateway, message: &str) {
    let body = json!({ "conversationId": "conv-1", "message": message });
    let reply = gateway.client().post("/v1/chat", &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[track_caller]
fn assert_refused(command: &str, target: &Setup, database: &PostgresDatabase) {
    let (code, said) = run_to_exit(command, target);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("a gateway is running on the source"), "{said}");
    let tables = database.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'");
    assert_eq!(tables, [""; 0]);
}

#[test]
fn a_gateway_whose_data_folder_is_elsewhere_is_noticed_and_none_of_its_turns_is_left_behind() {
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(setup(&alpha).env("GATEWAY_DATA_DIR", data.path().to_str().unwrap()));
    say(&gateway, "before");
    let command = move_from(&gateway.folder().join("gateway.db"));
    let to_postgres = setup(&alpha).env("DATABASE_URL", &database.url());
    assert_refused(&command, &to_postgres, &database);
    say(&gateway, "after");

    gateway.kill_9();
    let (code, said) = run_to_exit(&command, &to_postgres);
    assert_eq!(code, 0, "{said}");
    let messages = database.texts(MESSAGES);
    assert_eq!((messages.len(), &*messages[0], &*messages[2]), (4, "before", "after"));
    // The lock does not outlive the move either.
    gateway.restart();
    gateway.finish();
}

#[test]
fn a_process_that_serves_an_mcp_client_is_noticed_too() {
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let serving = setup(&alpha).env("GATEWAY_DATA_DIR", data.path().to_str().unwrap());
    let mut mcp = Gateway::command("mcp", &serving, folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(mcp.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("serving MCP")), "it did not start");

    let command = move_from(&folder.path().join("gateway.db"));
    let to_postgres = setup(&alpha).env("DATABASE_URL", &database.url());
    assert_refused(&command, &to_postgres, &database);
    // Its input ends.
    drop(mcp.stdin.take());
    assert_eq!(log.find(|line| line.contains("panicked")), None);
    assert!(mcp.wait().unwrap().success());
    let (code, said) = run_to_exit(&command, &to_postgres);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_source_named_by_a_link_is_the_same_source() {
    let (alpha, links) = (Provider::start("alpha"), tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start(setup(&alpha));
    say(&gateway, "before");
    let (folder, file) = (links.path().join("folder"), links.path().join("other.db"));
    symlink(gateway.folder(), &folder).unwrap();
    symlink(gateway.folder().join("gateway.db"), &file).unwrap();
    let spelled = [
        folder.join("gateway.db"),
        file,
        gateway
            .folder()
            .join("../")
            .join(gateway.folder().file_name().unwrap())
            .join("./gateway.db"),
    ];
    let databases = spelled.each_ref().map(|_| PostgresDatabase::create());
    for (path, database) in spelled.iter().zip(&databases) {
        let to_postgres = setup(&alpha).env("DATABASE_URL", &database.url());
        assert_refused(&move_from(path), &to_postgres, database);
    }

    // What is only in the journal of a dead process goes along.
    for (path, database) in spelled.iter().zip(&databases) {
        alpha.set(Behaviour::StallBeforeHead);
        let client = gateway.client();
        thread::scope(|scope| {
            let body = json!({ "conversationId": "conv-1", "message": "lost" });
            let lost = scope.spawn(move || client.try_post("/v1/chat", &body));
            wait_for("the turn to be under way", LIMIT, || alpha.running() == 1);
            gateway.kill_9();
            assert!(lost.join().unwrap().is_err());
        });
        alpha.set(Behaviour::Answer);
        let to_postgres = setup(&alpha).env("DATABASE_URL", &database.url());
        let (code, said) = run_to_exit(&move_from(path), &to_postgres);
        assert_eq!(code, 0, "{said}");
        let outcomes = gateway.calls().into_iter().map(|call| call.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes.last().map(String::as_str), Some("interrupted"));
        assert_eq!(
            database.texts("SELECT outcome FROM llm_calls ORDER BY started_at, attempt_id"),
            outcomes
        );
        gateway.restart();
    }
    gateway.finish();
}

#[test]
fn where_no_lock_can_be_made_a_gateway_serves_with_a_warning_and_its_data_is_not_moved() {
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("gw.db");
    let lock = folder.path().join("gw.db.use");
    symlink(folder.path().join("missing/lock"), &lock).unwrap();
    let serving = setup(&alpha)
        .env("DATABASE_URL", &format!("sqlite:{}", path.display()))
        .env("GATEWAY_DATA_DIR", data.path().to_str().unwrap());
    let gateway = Gateway::start(serving);
    let log = gateway.log().join("\n");
    assert!(log.contains("`migrate --from` may not notice this process"), "{log}");
    assert!(log.contains(lock.to_str().unwrap()), "{log}");
    say(&gateway, "hello");

    let to_postgres = setup(&alpha).env("DATABASE_URL", &database.url());
    let (code, said) = run_to_exit(&move_from(&path), &to_postgres);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains(&format!("cannot lock {}", lock.display())), "{said}");
    gateway.finish();
}
