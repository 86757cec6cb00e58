//! Section J, as far as it is about one SQLite file, the journal and the disk below them.

use std::path::Path;
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{QUICK_BREAKERS, assert_answered_by, assert_lives, assert_refused, for_model};
use crate::support::{Gateway, Model, Provider, RawClient, Setup, chat, run_to_exit, wait_for};

const SOON: Duration = Duration::from_secs(20);
/// `EX_UNAVAILABLE` and `EX_IOERR` of sysexits.
const UNAVAILABLE: i32 = 69;
const DAMAGED: i32 = 74;

/// A gateway with a free model and a priced one.
fn free_and_priced(alpha: &Provider) -> Gateway {
    let setup = Setup::free_l0(&[alpha])
        .model(&Model::free("alpha-priced", alpha).layer("L1").priced("1", "2"))
        .toml(QUICK_BREAKERS);
    Gateway::start(setup)
}

/// Lets no file of the process grow beyond this many bytes, which fails a write as a full disk does; or lifts that again.
fn limit_files(gateway: &Gateway, current: Option<u64>) {
    prlimit(Some(gateway.pid()), Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
}

fn turn(id: &str) -> serde_json::Value {
    json!({ "conversationId": id, "message": "hello" })
}

#[test]
fn j10_with_a_full_disk_writes_are_refused_reads_work_and_all_is_well_when_there_is_space_again() {
    let alpha = Provider::start("alpha");
    let gateway = free_and_priced(&alpha);
    let client = gateway.client();
    assert_eq!(client.post("/v1/chat", &turn("before")).status, 200);
    let asked = alpha.requests();

    // The file that a write of the database goes to first has its full length: what is there can still be read.
    let log = gateway.folder().join("gateway.db-wal");
    limit_files(&gateway, Some(std::fs::metadata(log).unwrap().len()));
    let refused = client.post("/v1/chat", &turn("during"));
    // SQLite tells a limit on file sizes from a full disk, for which it is 507.
    assert_refused(&refused, 503, "ledger_unavailable");
    assert_eq!(alpha.requests(), asked, "a turn that could not be stored was sent");
    let page = client.get("/v1/context/before").json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 2, "{page}");
    assert_eq!(client.get("/health/live").status, 200);
    // Without room for anything, nobody should be sent here; what is there can still be read.
    limit_files(&gateway, Some(0));
    wait_for("readiness to go", SOON, || client.get("/health/ready").status == 503);
    assert_eq!(client.get("/health").json()["database"], false);
    assert_eq!(client.get("/v1/context/before").json(), page);

    limit_files(&gateway, None);
    wait_for("writes to be taken again", SOON, || {
        client.post("/v1/chat", &turn("during")).status == 200
    });
    let page = client.get("/v1/context/during").json();
    assert_eq!(
        page["messages"].as_array().unwrap().len(),
        2,
        "nothing of the refused turn is left: {page}"
    );
    assert_lives(&gateway);
    gateway.finish();
}

#[test]
fn j10_a_database_that_cannot_grow_is_told_as_507_and_leaves_no_half_of_a_turn() {
    let alpha = Provider::start("alpha");
    let gateway = free_and_priced(&alpha);
    let client = gateway.client();
    assert_eq!(client.post("/v1/chat", &turn("before")).status, 200);
    let asked = alpha.requests();
    let fault = |name: &str| assert_eq!(client.post(&format!("/v1/faults/{name}"), &json!({})).status, 202);

    fault("disk-full");
    let long = json!({ "conversationId": "during", "message": "a long text ".repeat(50_000) });
    for _ in 0..3 {
        assert_refused(&client.post("/v1/chat", &long), 507, "insufficient_storage");
    }
    assert_eq!(alpha.requests(), asked, "a turn that could not be stored was sent");
    assert_eq!(client.get("/v1/context/during").status, 404, "half of a turn is left");
    let page = client.get("/v1/context/before").json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 2, "{page}");
    // What needs no new room goes on.
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "alpha");

    fault("disk-free");
    assert_eq!(client.post("/v1/chat", &long).status, 200);
    let page = client.get("/v1/context/during").json();
    let seqs: Vec<_> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["seq"].as_i64())
        .collect();
    assert_eq!(seqs, [Some(1), Some(2)], "{page}");
    assert_lives(&gateway);
    let checked: Vec<Integrity> = sql_query("PRAGMA integrity_check")
        .load(&mut open(&gateway.folder().join("gateway.db")))
        .unwrap();
    assert_eq!(
        checked
            .iter()
            .map(|row| row.integrity_check.as_str())
            .collect::<Vec<_>>(),
        ["ok"]
    );
    gateway.finish();
}

#[derive(QueryableByName)]
struct Integrity {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[test]
fn j11_without_a_journal_no_paid_call_is_made_and_free_ones_are() {
    let alpha = Provider::start("alpha");
    let gateway = free_and_priced(&alpha);
    let client = gateway.client();
    assert_answered_by(&client.post(COMPLETIONS, &for_model("alpha-priced")), "alpha");

    limit_files(&gateway, Some(0));
    let asked = alpha.requests();
    for _ in 0..50 {
        let refused = client.post(COMPLETIONS, &for_model("alpha-priced"));
        assert_refused(&refused, 507, "insufficient_storage");
    }
    let log = gateway.log();
    let told = log.iter().filter(|line| line.contains("it could not be journalled"));
    assert!((1..=5).contains(&told.count()), "told of every call: {log:?}");
    assert_eq!(alpha.requests(), asked);
    for _ in 0..5 {
        assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "alpha");
    }
    wait_for("readiness to go", SOON, || client.get("/health/ready").status == 503);
    limit_files(&gateway, None);
    wait_for("paid calls to be made again", SOON, || {
        client.post(COMPLETIONS, &for_model("alpha-priced")).status == 200
    });
    assert_lives(&gateway);
    gateway.wait_until_settled();
    assert_eq!(
        gateway.calls().len(),
        alpha.requests(),
        "free calls that waited in memory are recorded"
    );
    gateway.finish();
}

/// Runs a command on this database until it ends.
fn run_on(database: &Path, command: &str) -> (i32, String) {
    let alpha = Provider::start("alpha");
    let url = format!("sqlite:{}", database.display());
    run_to_exit(command, &Setup::free_l0(&[&alpha]).env("DATABASE_URL", &url))
}

fn open(database: &Path) -> SqliteConnection {
    SqliteConnection::establish(database.to_str().unwrap()).unwrap()
}

#[track_caller]
fn assert_start_refused(database: &Path, code: i32) {
    for command in ["serve", "migrate"] {
        let (ended_with, text) = run_on(database, command);
        assert_eq!(ended_with, code, "{command}: {text}");
        assert!(
            text.lines()
                .any(|line| line.contains("error") || line.contains("ERROR") || line.contains("database")),
            "{text}"
        );
        assert!(!text.contains("panicked") && !text.contains("listening on"), "{text}");
    }
}

#[test]
fn j12_a_database_that_cannot_be_used_stops_the_start_with_a_code_and_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.db");
    let garbage = "this is no database ".repeat(1_000);
    std::fs::write(&damaged, &garbage).unwrap();
    assert_start_refused(&damaged, DAMAGED);
    assert_eq!(
        std::fs::read_to_string(&damaged).unwrap(),
        garbage,
        "left as it was found"
    );

    assert_start_refused(&damaged.join("below-a-file.db"), UNAVAILABLE);
    assert_start_refused(folder.path(), UNAVAILABLE);

    let locked = folder.path().join("locked.db");
    assert_eq!(run_on(&locked, "migrate").0, 0);
    let mut holder = open(&locked);
    holder
        .batch_execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
        .unwrap();
    assert_start_refused(&locked, UNAVAILABLE);
    holder.batch_execute("COMMIT").unwrap();
    drop(holder);
    assert_eq!(run_on(&locked, "migrate").0, 0);
}

/// Another program that holds the file of a gateway which has stored a turn.
fn hold_file(gateway: &Gateway) -> SqliteConnection {
    assert_eq!(gateway.client().post("/v1/chat", &turn("before")).status, 200);
    let mut holder = open(&gateway.folder().join("gateway.db"));
    // It waits its turn: the gateway may still be writing down what that turn cost.
    holder
        .batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")
        .unwrap();
    holder
}

/// Ends what [`hold_file`] began, and waits until turns are stored again.
fn let_go(mut holder: SqliteConnection, gateway: &Gateway) {
    holder.batch_execute("COMMIT").unwrap();
    drop(holder);
    let client = gateway.client();
    wait_for("turns to be taken again", SOON, || {
        client.post("/v1/chat", &turn("after")).status == 200
    });
}

#[test]
fn j13_while_another_program_holds_the_file_turns_are_refused_in_time_and_the_rest_goes_on() {
    let alpha = Provider::start("alpha");
    let gateway = free_and_priced(&alpha);
    let holder = hold_file(&gateway);
    let client = gateway.client();

    let asked = alpha.requests();
    thread::scope(|scope| {
        let turns: Vec<_> = (0..3)
            .map(|number| {
                let client = &client;
                scope.spawn(move || client.post("/v1/chat", &turn(&format!("during-{number}"))))
            })
            .collect();
        // No worker waits for the file: others are served meanwhile.
        for _ in 0..10 {
            assert_answered_by(&client.post(COMPLETIONS, &for_model("alpha-priced")), "alpha");
        }
        for turn in turns {
            let refused = turn.join().unwrap();
            assert_refused(&refused, 503, "ledger_unavailable");
            assert!(refused.header("retry-after").is_some());
        }
    });
    assert_eq!(alpha.requests(), asked + 10);
    let_go(holder, &gateway);
    gateway.finish();
}

#[test]
fn j14_clients_that_leave_while_their_turn_waits_for_the_file_break_nothing() {
    let alpha = Provider::start("alpha");
    let gateway = free_and_priced(&alpha);
    let holder = hold_file(&gateway);
    let in_flight = |gateway: &Gateway| gateway.stats()["gateway"]["inFlight"].as_u64().unwrap();
    for (number, leave) in [RawClient::reset, RawClient::leave]
        .into_iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        let mut raw = RawClient::connect(gateway.address());
        raw.post("/v1/chat", &turn(&format!("left-{number}")));
        wait_for("the turn to wait", SOON, || in_flight(&gateway) >= 1);
        leave(raw);
    }
    let_go(holder, &gateway);
    gateway.finish();
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

fn tables(database: &Path) -> Vec<String> {
    let query =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY name";
    let rows: Vec<Name> = sql_query(query).load(&mut open(database)).unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

#[test]
fn j16_a_database_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("newer.db");
    assert_eq!(run_on(&database, "migrate").0, 0);
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')";
    open(&database).batch_execute(newer).unwrap();
    let before = tables(&database);
    let (code, text) = run_on(&database, "serve");
    assert_eq!(code, UNAVAILABLE, "{text}");
    assert!(text.contains("newer"), "{text}");
    assert_eq!(tables(&database), before);
}

#[test]
fn j16_a_change_that_fails_half_way_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("taken.db");
    // A table that a later statement of the change wants to make.
    open(&database)
        .batch_execute("CREATE TABLE llm_calls (mine INTEGER)")
        .unwrap();
    let (code, text) = run_on(&database, "migrate");
    assert_eq!(code, UNAVAILABLE, "{text}");
    assert_eq!(tables(&database), ["llm_calls"]);
    open(&database).batch_execute("DROP TABLE llm_calls").unwrap();
    assert_eq!(run_on(&database, "migrate").0, 0, "nothing is in the way any more");
}

#[test]
fn j16_of_processes_that_migrate_at_once_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("new.db");
    thread::scope(|scope| {
        let processes: Vec<_> = (0..4).map(|_| scope.spawn(|| run_on(&database, "migrate"))).collect();
        for process in processes {
            let (code, text) = process.join().unwrap();
            assert_eq!(code, 0, "{text}");
        }
    });
    assert!(tables(&database).contains(&"llm_calls".to_owned()));
}

#[test]
fn j18_any_text_comes_back_as_it_was_written() {
    let alpha = Provider::start("alpha");
    let gateway = free_and_priced(&alpha);
    let client = gateway.client();
    let planes: String = (0..=16_u32)
        .filter_map(|plane| char::from_u32(plane * 0x1_0000 + 0x41))
        .chain("\u{202e}\u{feff}\u{fffd}é\u{301}".chars())
        .collect();
    let texts = [
        "'; DROP TABLE messages; --".to_owned(),
        "$1 ?1 :name @x %s {0} \\ \\\\ \\n \\u0041 \" ` \r\n\t\u{1b}[31m\u{7f}".to_owned(),
        planes,
        "ü€😀".repeat(100_000),
    ];
    for (number, text) in texts.iter().enumerate() {
        let id = format!("text-{number}");
        let body = json!({ "conversationId": id, "message": text, "userId": "o'brien \"x\"" });
        assert_eq!(client.post("/v1/chat", &body).status, 200);
        assert_eq!(&alpha.last_request().messages()[0], text);
        let page = client.get(&format!("/v1/context/{id}")).json();
        assert_eq!(page["messages"][0]["content"].as_str(), Some(text.as_str()));
    }
    gateway.finish();
}
