//! Whose records a gateway takes over: those of its own database, however its address is spelled, and nobody else's.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Behaviour, Gateway, Model, PostgresDatabase, Provider, Setup, run_to_exit, wait_for};

const LIMIT: Duration = Duration::from_secs(30);

fn setup(provider: &Provider, database: &str, data: &Path) -> Setup {
    Setup::new()
        .env("DATABASE_URL", database)
        .env("GATEWAY_DATA_DIR", data.to_str().unwrap())
        .provider(provider)
        .model(&Model::free("alpha-small", provider))
}

fn turn(message: &str) -> Value {
    json!({ "conversationId": "conv-1", "message": message })
}

/// Kills the gateway in the middle of a turn of the conversation.
fn die_in_a_turn(gateway: &mut Gateway, provider: &Provider) {
    provider.set(Behaviour::StallBeforeHead);
    let client = gateway.client();
    thread::scope(|scope| {
        let lost = scope.spawn(|| client.try_post("/v1/chat", &turn("lost")));
        wait_for("the turn to be under way", LIMIT, || provider.running() == 1);
        gateway.kill_9();
        assert!(lost.join().unwrap().is_err());
    });
    provider.set(Behaviour::Answer);
}

/// The outcomes of the calls in the gateway's database.
fn outcomes(gateway: &Gateway) -> Vec<String> {
    gateway.calls().into_iter().map(|call| call.outcome).collect()
}

/// Checks that the gateway has taken over the turn in which its predecessor died: the call is booked, the conversation
/// is free at once.
#[track_caller]
fn assert_took_over(gateway: &Gateway) {
    assert_eq!(outcomes(gateway), ["interrupted"]);
    let reply = gateway.client().post("/v1/chat", &turn("next"));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Two databases in one data folder: the second gateway leaves the first one's records alone, and the first finds them.
fn keep_apart(first: &str, second: &str, data: &Path) {
    let alpha = Provider::start("alpha");
    let mut dying = Gateway::start(setup(&alpha, first, data));
    die_in_a_turn(&mut dying, &alpha);

    let other = Gateway::start(setup(&alpha, second, data));
    assert_eq!(outcomes(&other), [""; 0]);
    wait_for("the warning", LIMIT, || {
        let log = other.log().join("\n");
        log.contains("call records wait in the journal") && log.contains("call_records=1")
    });
    other.finish();

    dying.restart();
    assert_took_over(&dying);
    dying.finish();
}

#[test]
fn a_gateway_on_another_file_of_the_same_name_leaves_the_records_to_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let url = |customer: &str| format!("sqlite:{}", dir.path().join(customer).join("gw.db").display());
    keep_apart(&url("cust1"), &url("cust2"), &dir.path().join("data"));
    // One of them is in the data folder.
    let data = dir.path().join("cust3");
    keep_apart(&url("cust4"), &url("cust3"), &data);
}

#[test]
fn a_gateway_on_another_schema_of_the_same_database_leaves_the_records_to_their_own() {
    let data = tempfile::tempdir().unwrap();
    let database = PostgresDatabase::create();
    database.execute("CREATE SCHEMA one; CREATE SCHEMA two; CREATE SCHEMA three");
    let url = |schema: &str| format!("{}?options=-csearch_path%3D{schema}", database.url());
    keep_apart(&url("one"), &url("two"), data.path());
    keep_apart(&database.url(), &url("three,public"), &data.path().join("another"));
}

#[test]
fn a_gateway_finds_its_records_under_another_spelling_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let alpha = Provider::start("alpha");
    let real = dir.path().join("real");
    std::fs::create_dir(&real).unwrap();
    symlink(&real, dir.path().join("link")).unwrap();
    symlink(real.join("gw.db"), dir.path().join("file.db")).unwrap();
    let url = |path: &str| format!("sqlite:{}", dir.path().join(path).display());
    for (before, after) in [
        ("link/gw.db", "real/gw.db"),
        ("real/../link/gw.db", "file.db"),
        ("file.db", "link/./gw.db"),
    ] {
        let data = tempfile::tempdir_in(dir.path()).unwrap();
        let data = data.path();
        // The file does not exist yet.
        let _ = std::fs::remove_dir_all(&real);
        std::fs::create_dir(&real).unwrap();
        let mut dying = Gateway::start(setup(&alpha, &url(before), data));
        die_in_a_turn(&mut dying, &alpha);
        dying.retire();
        let next = Gateway::start(setup(&alpha, &url(after), data));
        assert_took_over(&next);
        next.finish();
    }
}

#[test]
fn a_relative_path_and_a_data_folder_that_was_moved_lead_to_the_same_records() {
    let alpha = Provider::start("alpha");
    let beside = Setup::new()
        .env("DATABASE_URL", "sqlite:gw.db")
        .provider(&alpha)
        .model(&Model::free("alpha-small", &alpha));
    let mut dying = Gateway::start(beside);
    die_in_a_turn(&mut dying, &alpha);
    let moved = tempfile::tempdir().unwrap();
    let data = moved.path().join("moved");
    std::fs::rename(dying.folder(), &data).unwrap();
    dying.retire();
    let next = Gateway::start(setup(
        &alpha,
        &format!("sqlite:{}", data.join("gw.db").display()),
        &data,
    ));
    assert_took_over(&next);
    next.finish();
}

/// Where the version before kept the journal of a file: by the file's name alone.
fn as_an_earlier_version(data: &Path) {
    let journals = data.join("journal");
    let folder = std::fs::read_dir(&journals).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(folder, journals.join("gw.db")).unwrap();
}

#[test]
fn what_an_earlier_version_left_is_taken_over_or_told_of_with_the_command_that_stores_it() {
    let dir = tempfile::tempdir().unwrap();
    let alpha = Provider::start("alpha");
    let data = dir.path().join("data");
    let own = format!("sqlite:{}", data.join("gw.db").display());
    let mut dying = Gateway::start(setup(&alpha, &own, &data));
    die_in_a_turn(&mut dying, &alpha);
    as_an_earlier_version(&data);
    dying.restart();
    assert_took_over(&dying);
    dying.finish();

    let (data, url) = (
        dir.path().join("elsewhere"),
        format!("sqlite:{}", dir.path().join("gw.db").display()),
    );
    let mut dying = Gateway::start(setup(&alpha, &url, &data));
    die_in_a_turn(&mut dying, &alpha);
    as_an_earlier_version(&data);
    dying.restart();
    let old = data.join("journal/gw.db").display().to_string();
    wait_for("the warning", LIMIT, || {
        dying.log().iter().any(|line| {
            line.contains(&format!("path={old}"))
                && line.contains("call_records=1")
                && line.contains("migrate --journal FOLDER")
        })
    });
    let (code, said) = run_to_exit(&format!("migrate --journal {old}"), &setup(&alpha, &url, &data));
    assert_eq!(code, 0, "{said}");
    assert_took_over(&dying);
    dying.finish();
}
