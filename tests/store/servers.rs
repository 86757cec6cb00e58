//! What PostgreSQL does to a store while it runs: restarts, hangs, refusals, encryption.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ai_mcp_gateway::store::{OpenError, Store};
use gateway_actors::protocol::{Decided, EscalationDecision, Feedback, RecordOwner, RequestId, StoreError, TurnOpened};
use tokio::time::Instant;

use crate::database::{TestDatabase, postgres_config, query};
use crate::escalations::{new_offer, offered};
use crate::outcomes::outcome;
use crate::samples::{close, conversation, finished_call, turn};
use crate::support::{OpenTransaction, PostgresDatabase, PostgresServer, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/tls").join(name)
}

fn healthy(store: &Store) -> bool {
    store.block_on(store.health().check()).is_ok()
}

/// Begins enough work at once that every connection of the pool is open.
fn open_every_connection(store: &Store) {
    let checks = (0..40).map(|_| store.health().check());
    let results = store.block_on(futures_util::future::join_all(checks));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[test]
fn j2_after_a_restart_of_the_server_the_first_job_succeeds() {
    let mut server = PostgresServer::start(None);
    let store = Store::open(postgres_config(server.url()).into()).unwrap();
    open_every_connection(&store);
    server.stop();
    assert!(!healthy(&store));
    server.start_again();
    for number in 0..30 {
        let opened = store
            .conversations()
            .open_turn(turn(&conversation(&format!("conv-{number}")), "hello"));
        let opened = store.block_on(opened);
        assert!(
            matches!(opened, Ok(TurnOpened::Opened { seq: 1, .. })),
            "{number}: {opened:?}"
        );
    }
}

#[test]
fn j2_connections_that_the_server_cuts_fail_no_job() {
    let database = PostgresDatabase::create();
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    open_every_connection(&store);
    for _ in 0..3 {
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ai-mcp-gateway' AND datname = current_database()");
        let jobs = (0..20).map(|_| store.calls().insert_calls(vec![finished_call()]));
        let results = store.block_on(futures_util::future::join_all(jobs));
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
}

#[test]
fn j2_while_the_server_is_away_nothing_is_decided_or_learned_and_afterwards_it_is() {
    #[track_caller]
    fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
        assert!(matches!(result, Err(StoreError::Unavailable { .. })), "{result:?}");
    }

    let mut server = PostgresServer::start(None);
    let store = Store::open(postgres_config(server.url()).into()).unwrap();
    let offer = new_offer(i64::MAX);
    offered(&store, &offer);
    open_every_connection(&store);
    server.stop();
    let (escalations, outcomes, notebook) = (store.escalations(), store.outcomes(), store.notebook());
    let decide = || store.block_on(escalations.decide(offer.id, EscalationDecision::Approve));
    let row = outcome();
    let feedback = Feedback {
        request: RequestId::generate(),
        rating: Some(1),
        accepted: None,
        tests: None,
        comment: None,
    };
    unavailable(decide());
    unavailable(store.block_on(escalations.offer(new_offer(1))));
    unavailable(store.block_on(escalations.find(offer.id)));
    unavailable(store.block_on(outcomes.insert(vec![row.clone()])));
    unavailable(store.block_on(outcomes.feedback(feedback, RecordOwner::Everyone)));
    unavailable(store.block_on(outcomes.table(0)));
    unavailable(store.block_on(notebook.experiments()));
    unavailable(store.block_on(notebook.calibration()));
    unavailable(store.block_on(store.todos().open_list(conversation("conv-1"))));
    server.start_again();
    let decided = decide();
    assert!(matches!(decided, Ok(Decided::Done(_))), "{decided:?}");
    store.block_on(outcomes.insert(vec![row.clone()])).unwrap();
    assert_eq!(store.block_on(outcomes.page(0, None, 10)).unwrap(), [row]);
}

#[test]
fn j3_a_server_that_hangs_is_unavailable_within_the_limit_and_works_again_afterwards() {
    let server = PostgresServer::start(None);
    let mut config = postgres_config(server.url());
    config.limits.statement_timeout = Duration::from_secs(1);
    let store = Store::open(config.into()).unwrap();
    open_every_connection(&store);
    server.hang();
    let began = Instant::now();
    let jobs = (0..30).map(|_| store.calls().insert_calls(vec![finished_call()]));
    let results = store.block_on(futures_util::future::join_all(jobs));
    let unavailable = |result: &Result<(), StoreError>| matches!(result, Err(StoreError::Unavailable { .. }));
    assert!(results.iter().all(unavailable), "{results:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    server.go_on();
    wait_for("the store to work again", LIMIT, || healthy(&store));
}

#[test]
fn j4_more_jobs_than_connections_wait_and_are_done() {
    let database = PostgresDatabase::create();
    let mut config = postgres_config(&database.url());
    config.limits.max_connections = 1;
    let store = Store::open(config.into()).unwrap();
    let jobs = (0..50).map(|_| store.calls().insert_calls(vec![finished_call()]));
    let results = store.block_on(futures_util::future::join_all(jobs));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let open = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ai-mcp-gateway'";
    assert_eq!(database.texts(open), ["1"]);
}

#[test]
fn j4_a_job_that_gets_no_connection_in_time_is_unavailable() {
    let database = PostgresDatabase::create();
    let mut config = postgres_config(&database.url());
    config.limits.max_connections = 1;
    config.limits.lock_timeout = Duration::from_secs(8);
    config.limits.statement_timeout = Duration::from_secs(8);
    let store = Store::open(config.into()).unwrap();
    let id = conversation("conv-1");
    let opened = turn(&id, "hello");
    store.block_on(store.conversations().open_turn(opened.clone())).unwrap();

    let blocker = lock_conversations(&database);
    let held = store.conversations().close_turn(close(&opened, 1, Some("answer")));
    let waits = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait_for("the turn to hold the only connection", LIMIT, || {
        database.texts(waits).len() == 1
    });
    let began = Instant::now();
    let refused = store.block_on(store.conversations().page(id, 1, None));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    blocker.roll_back();
    store.block_on(held).unwrap();
}

#[test]
fn j4_a_row_that_another_program_locks_is_waited_for_no_longer_than_the_limit() {
    let database = PostgresDatabase::create();
    let mut config = postgres_config(&database.url());
    config.limits.lock_timeout = Duration::from_millis(100);
    let store = Store::open(config.into()).unwrap();
    let id = conversation("conv-1");
    let opened = turn(&id, "hello");
    store.block_on(store.conversations().open_turn(opened.clone())).unwrap();
    let blocker = lock_conversations(&database);
    let refused = store.block_on(store.conversations().close_turn(close(&opened, 1, Some("answer"))));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    blocker.roll_back();
    store
        .block_on(store.conversations().close_turn(close(&opened, 1, Some("answer"))))
        .unwrap();
}

/// Another program in a transaction that has locked every conversation.
fn lock_conversations(database: &PostgresDatabase) -> OpenTransaction {
    database.begin("SELECT * FROM conversations FOR UPDATE")
}

#[test]
fn j5_a_connection_that_may_only_read_is_given_up() {
    let database = PostgresDatabase::create();
    let mut config = postgres_config(&database.url());
    config.limits.max_connections = 1;
    let store = Store::open(config.into()).unwrap();
    let url = database.url();
    let (server, name) = url.rsplit_once('/').unwrap();
    let server = format!("{server}/postgres");
    let make_read_only = |how: &str| {
        query(&server, &format!("ALTER DATABASE {name} {how}"))
            .map(drop)
            .unwrap()
    };
    let insert = || store.block_on(store.calls().insert_calls(vec![finished_call()]));
    insert().unwrap();
    // As when the address leads to a standby for a while.
    make_read_only("SET default_transaction_read_only = on");
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ai-mcp-gateway' AND datname = current_database()");
    let refused = insert();
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    make_read_only("RESET default_transaction_read_only");
    insert().unwrap();
}

/// Makes the first `failing` writes that a trigger is for do this instead.
fn fail_when(database: &PostgresDatabase, failing: u32, what: &str, when: &str) {
    database.execute(&format!(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF nextval('tries') <= {failing} THEN {what}; END IF; RETURN NULL; END $$;
         CREATE {when} EXECUTE FUNCTION fail()"
    ));
}

const AT_THE_STATEMENT: &str = "TRIGGER fail AFTER INSERT ON llm_calls FOR EACH STATEMENT";
const AT_THE_COMMIT: &str =
    "CONSTRAINT TRIGGER fail AFTER INSERT ON llm_calls DEFERRABLE INITIALLY DEFERRED FOR EACH ROW";

#[test]
fn j6_a_job_that_loses_against_another_transaction_is_run_again() {
    for (what, when) in [
        ("RAISE 'lost' USING ERRCODE = 'serialization_failure'", AT_THE_STATEMENT),
        ("RAISE 'lost' USING ERRCODE = 'serialization_failure'", AT_THE_COMMIT),
        (
            "RAISE 'deadlock detected' USING ERRCODE = 'deadlock_detected'",
            AT_THE_STATEMENT,
        ),
    ] {
        let database = PostgresDatabase::create();
        let store = Store::open(postgres_config(&database.url()).into()).unwrap();
        fail_when(&database, 7, what, when);
        // Four runs that fail, then three, then the one that does not.
        let refused = store.block_on(store.calls().insert_calls(vec![finished_call()]));
        assert!(
            matches!(refused, Err(StoreError::Unavailable { .. })),
            "{what} {when}: {refused:?}"
        );
        store
            .block_on(store.calls().insert_calls(vec![finished_call()]))
            .unwrap();
        assert_eq!(database.texts("SELECT count(*)::text FROM llm_calls"), ["1"]);
        assert_eq!(database.texts("SELECT last_value::text FROM tries"), ["8"]);
    }
}

#[test]
fn j9_a_job_whose_connection_ends_while_it_commits_is_done_once() {
    let database = PostgresDatabase::create();
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    fail_when(
        &database,
        1,
        "PERFORM pg_terminate_backend(pg_backend_pid())",
        AT_THE_COMMIT,
    );
    store
        .block_on(store.calls().insert_calls(vec![finished_call()]))
        .unwrap();
    assert_eq!(database.texts("SELECT count(*)::text FROM llm_calls"), ["1"]);
    assert_eq!(database.texts("SELECT last_value::text FROM tries"), ["2"]);
}

#[test]
fn j9_a_decision_whose_connection_ends_while_it_commits_is_made_once_and_told() {
    let database = PostgresDatabase::create();
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    fail_when(
        &database,
        1,
        "PERFORM pg_terminate_backend(pg_backend_pid())",
        "CONSTRAINT TRIGGER fail AFTER UPDATE ON escalations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
    );
    let offer = new_offer(i64::MAX);
    offered(&store, &offer);
    let decide = || store.block_on(store.escalations().decide(offer.id, EscalationDecision::Reject));
    let decided = decide();
    assert!(
        matches!(&decided, Ok(Decided::Done(stored)) if stored.new == offer),
        "{decided:?}"
    );
    assert!(matches!(decide(), Ok(Decided::Used)));
}

#[test]
fn j15_a_job_whose_caller_went_away_leaves_no_transaction_open() {
    let database = PostgresDatabase::create();
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    for number in 0..20 {
        drop(
            store
                .conversations()
                .open_turn(turn(&conversation(&format!("conv-{number}")), "hello")),
        );
        drop(store.calls().insert_calls(vec![finished_call()]));
    }
    store.shutdown(LIMIT);
    let open =
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(database.texts(open), Vec::<String>::new());
    assert_eq!(database.texts("SELECT count(*)::text FROM conversations"), ["20"]);
    assert_eq!(database.texts("SELECT count(*)::text FROM llm_calls"), ["20"]);
}

#[test]
fn sessions_have_their_time_limits_and_a_name() {
    let database = PostgresDatabase::create();
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    // A statement that runs too long is ended by the server.
    database.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON llm_calls FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let mut config = postgres_config(&database.url());
    config.limits.statement_timeout = Duration::from_millis(200);
    let hasty = Store::open(config.into()).unwrap();
    let refused = hasty.block_on(hasty.calls().insert_calls(vec![finished_call()]));
    let Err(StoreError::Unavailable { source: Some(cause) }) = refused else {
        panic!("{refused:?}");
    };
    assert!(cause.to_string().contains("statement timeout"), "{cause}");
    let named = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name <> ''";
    assert!(healthy(&store));
    assert_eq!(database.texts(named), ["ai-mcp-gateway"]);
}

#[test]
fn sessions_are_told_errors_in_english_whatever_the_database_speaks() {
    let database = PostgresDatabase::create();
    let name = database.texts("SELECT current_database()").remove(0);
    database.execute(&format!("ALTER DATABASE {name} SET lc_messages = 'POSIX'"));
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    database.execute(
        "CREATE TABLE heard (language text);
         CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO heard VALUES (current_setting('lc_messages')); RETURN NULL; END $$;
         CREATE TRIGGER hear AFTER INSERT ON llm_calls FOR EACH STATEMENT EXECUTE FUNCTION hear()",
    );
    store
        .block_on(store.calls().insert_calls(vec![finished_call()]))
        .unwrap();
    assert_eq!(database.texts("SELECT language FROM heard"), ["C"]);
}

#[test]
fn j1_a_server_that_is_away_is_waited_for() {
    let mut server = PostgresServer::start(None);
    let mut config = postgres_config(server.url());
    server.stop();
    let refused = Store::open(config.clone().into()).unwrap_err();
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused:?}");
    config.limits.start_wait = LIMIT;
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| Store::open(config.into()));
        server.start_again();
        assert!(healthy(&opening.join().unwrap().unwrap()));
    });
}

#[test]
fn a_login_that_is_refused_is_not_tried_again_and_the_password_is_not_told() {
    let database = PostgresDatabase::create();
    let url = database.url();
    let (before, after) = url.split_once('@').unwrap();
    let (user, _) = before.rsplit_once(':').unwrap();
    let mut config = postgres_config(&format!("{user}:canary-5f1e@{after}"));
    config.limits.start_wait = LIMIT;
    let began = Instant::now();
    let refused = Store::open(config.into()).unwrap_err();
    assert!(began.elapsed() < LIMIT / 2);
    assert!(matches!(refused, OpenError::Refused { .. }), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("canary"), "{refused:?}");

    let missing = Store::open(postgres_config(&format!("{url}_missing")).into()).unwrap_err();
    assert!(matches!(missing, OpenError::Refused { .. }), "{missing:?}");
}

#[test]
fn connections_are_as_encrypted_as_sslmode_says() {
    let server = PostgresServer::start(Some((fixture("server.pem"), fixture("server.key"))));
    let url = server.url();
    let by_name = url.replace("127.0.0.1", "localhost");
    let ca = fixture("ca.pem").display().to_string();
    let is_encrypted = |url: &str| -> Result<bool, OpenError> {
        let store = Store::open(postgres_config(url).into())?;
        assert!(healthy(&store));
        let sessions = "SELECT bool_and(s.ssl)::text FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'ai-mcp-gateway'";
        let answer = query(server.url(), sessions).unwrap();
        drop(store);
        let gone = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'ai-mcp-gateway'";
        wait_for("the store's sessions to end", LIMIT, || {
            query(server.url(), gone).unwrap().is_empty()
        });
        Ok(answer == ["true"])
    };
    assert!(!is_encrypted(&format!("{url}?sslmode=disable")).unwrap());
    assert!(is_encrypted(url).unwrap());
    assert!(is_encrypted(&format!("{url}?sslmode=prefer")).unwrap());
    assert!(is_encrypted(&format!("{url}?sslmode=require")).unwrap());
    assert!(is_encrypted(&format!("{url}?sslmode=verify-ca&sslrootcert={ca}")).unwrap());
    assert!(is_encrypted(&format!("{by_name}?sslmode=verify-full&sslrootcert={ca}")).unwrap());

    for refused in [
        format!("{url}?sslmode=verify-full&sslrootcert={ca}"),
        format!("{by_name}?sslmode=verify-full"),
        format!("{url}?sslmode=verify-ca"),
    ] {
        let error = is_encrypted(&refused).unwrap_err();
        assert!(matches!(error, OpenError::Refused { .. }), "{refused}: {error:?}");
    }
    let unreadable = is_encrypted(&format!("{url}?sslmode=require&sslrootcert=/missing.pem")).unwrap_err();
    assert!(matches!(unreadable, OpenError::Address { .. }), "{unreadable:?}");
}

#[test]
fn a_server_without_tls_is_used_only_where_sslmode_lets_it() {
    let database = PostgresDatabase::create();
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = Store::open(postgres_config(&format!("{}?sslmode={mode}", database.url())).into()).unwrap_err();
        assert!(matches!(error, OpenError::Refused { .. }), "{mode}: {error:?}");
    }
    for mode in ["disable", "prefer"] {
        assert!(healthy(
            &Store::open(postgres_config(&format!("{}?sslmode={mode}", database.url())).into()).unwrap()
        ));
    }
}

#[test]
fn a_lease_is_measured_by_the_servers_clock() {
    let test = TestDatabase::postgres();
    let store = test.open();
    let opened = turn(&conversation("conv-1"), "hello");
    store.block_on(store.conversations().open_turn(opened)).unwrap();
    let left = "SELECT (lease_expires_at - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint BETWEEN 0 AND 60000000)::text FROM conversations";
    assert_eq!(test.texts(left), ["true"]);
}

#[test]
fn a_server_that_only_reads_and_one_without_the_tables_are_not_well() {
    let database = PostgresDatabase::create();
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    assert!(healthy(&store));
    let url = database.url();
    let (_server, name) = url.rsplit_once('/').unwrap();
    // Sessions that are open already go on as they were.
    let only_reads = |setting: &str| {
        database.execute(&format!("SET TRANSACTION READ WRITE; ALTER DATABASE {name} {setting}"));
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    };
    only_reads("SET default_transaction_read_only = on");
    assert!(!healthy(&store));
    only_reads("RESET default_transaction_read_only");
    assert!(healthy(&store));
    database.execute("DROP TABLE messages, context_summaries, todo_lists, conversations CASCADE");
    assert!(!healthy(&store));
}
