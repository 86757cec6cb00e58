//! Moving a SQLite database into a PostgreSQL one.

mod money;
mod notes;

use std::sync::Arc;
use std::time::Duration;

use ai_mcp_gateway::store::{
    OpenError, PostgresConfig, SqliteConfig, Store, StoreConfig, TableMoved, Transfer, TransferError,
};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use gateway_actors::protocol::CallRecord;

use crate::database::{TestDatabase, postgres_config};
use crate::samples::{close, conversation, dispatch, finished, response, turn};
use crate::support::PostgresDatabase;

const TABLES: [&str; 22] = [
    "conversations",
    "messages",
    "context_summaries",
    "todo_lists",
    "responses",
    "secrets",
    "api_keys",
    "rate_limits",
    "budgets",
    "budget_periods",
    "budget_leases",
    "budget_slices",
    "budget_ledger",
    "events",
    "idempotency",
    "escalations",
    "outcomes",
    "experiments",
    "improvements",
    "calibrations",
    "model_edits",
    "llm_calls",
];
/// More than one page of the copy, which has 500 rows.
const CALLS: usize = 1_203;
const TURNS: usize = 260;

/// A SQLite database with rows in every table, and an empty PostgreSQL one.
struct Databases {
    source: TestDatabase,
    target: TestDatabase,
}

impl Databases {
    fn new() -> Self {
        let source = TestDatabase::sqlite();
        let store = source.open();
        store
            .block_on(store.calls().insert_calls((2..CALLS).map(call).collect()))
            .unwrap();
        let left = Arc::new(CallRecord::interrupted(dispatch()));
        store.block_on(store.calls().insert_calls(vec![left])).unwrap();
        for number in 0..TURNS {
            let turn = turn(
                &conversation(&format!("conv-{}", number % 7)),
                "it's \"quoted\" ünïcode \u{1f600}",
            );
            let conversations = store.conversations();
            let opened = store.block_on(conversations.open_turn(turn.clone())).unwrap();
            let gateway_actors::protocol::TurnOpened::Opened { seq, .. } = opened else {
                panic!("{opened:?}");
            };
            let answer = (number % 5 > 0).then_some("answer");
            let mut end = close(&turn, seq, answer);
            end.route_layer = (number % 7 == 2).then_some(gateway_actors::protocol::Layer::L2);
            store.block_on(conversations.close_turn(end)).unwrap();
        }
        source.execute(
            "INSERT INTO context_summaries (conversation_id, version, summary, covers_seq, created_at)
             VALUES ('conv-1', 1, 'a summary', 2, 1), ('conv-1', 2, 'a newer one', 4, 2);
             INSERT INTO todo_lists (id, conversation_id, todo_data, created_at, updated_at)
             VALUES ('list-1', 'conv-1', '[]', 1, 1)",
        );
        for (id, previous) in [("resp_b", None), ("resp_a", Some("resp_b")), ("RESP-c", Some("gone"))] {
            let stored = store.responses().put(response(id, previous));
            store.block_on(stored).unwrap();
        }
        money::fill(&source, &store);
        notes::fill(&source, &store);
        Self {
            source,
            target: TestDatabase::postgres(),
        }
    }

    fn configs(&self) -> (SqliteConfig, PostgresConfig) {
        match (self.source.config(), self.target.config()) {
            (StoreConfig::Sqlite(source), StoreConfig::Postgres(target)) => (source, *target),
            other => panic!("{other:?}"),
        }
    }

    fn transfer(&self) -> Result<Vec<TableMoved>, TransferError> {
        let (source, target) = self.configs();
        transfer(source, &target)
    }

    /// Makes the move stop behind the first page of call records.
    fn stop_at_the_second_page_of_calls(&self) {
        drop(self.target.open());
        self.target.execute(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF (SELECT count(*) FROM llm_calls) >= 500 THEN RAISE 'stopped'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER stop BEFORE INSERT ON llm_calls FOR EACH STATEMENT EXECUTE FUNCTION stop()",
        );
        let stopped = self.transfer().unwrap_err();
        assert!(
            matches!(stopped, TransferError::Stopped { table: "llm_calls", .. }),
            "{stopped:?}"
        );
        assert_eq!(self.count("llm_calls"), "500");
        self.target.execute("DROP TRIGGER stop ON llm_calls");
    }

    #[track_caller]
    fn assert_same(&self) {
        let others = [
            (
                "conversations",
                "id || coalesce(user_id, '-') || created_at || updated_at || metadata || next_seq
                 || coalesce(route_layer, '-')",
                "id",
            ),
            (
                "messages",
                "conversation_id || seq || role || content || status || coalesce(request_id, '-') || created_at",
                "conversation_id, seq",
            ),
            (
                "context_summaries",
                "conversation_id || version || summary || covers_seq || created_at",
                "version",
            ),
            (
                "todo_lists",
                "id || conversation_id || todo_data || created_at || updated_at",
                "id",
            ),
            (
                "responses",
                "id || coalesce(previous_id, '-') || request_id || model || input || body || created_at || expires_at",
                "id",
            ),
            (
                "llm_calls",
                "attempt_id || ordinal || project_id || outcome || cost_nano_usd || coalesce(status, 0) || created_at
                 || CAST(estimated AS INTEGER) || cache_write_5m_tokens || cache_write_1h_tokens || coalesce(price, '-')
                 || purpose || coalesce(output_cap_tokens, -1)",
                "attempt_id",
            ),
        ];
        for (table, columns, order) in others.iter().chain(money::COLUMNS).chain(notes::COLUMNS) {
            let query = format!("SELECT {columns} FROM {table} ORDER BY {order}");
            let (source, target) = (self.source.texts(&query), self.target.texts(&query));
            assert!(!source.is_empty(), "{table}");
            assert!(source == target, "{table} differs");
        }
    }

    fn count(&self, table: &str) -> String {
        self.target
            .texts(&format!("SELECT count(*)::text FROM {table}"))
            .remove(0)
    }
}

fn uncharged_call() -> CallRecord {
    let mut dispatch = dispatch();
    dispatch.charges = None;
    finished(&dispatch)
}

/// A call record; every tenth has a price that takes a text.
fn call(number: usize) -> Arc<CallRecord> {
    let mut dispatch = dispatch();
    if let Some(price) = dispatch.price.as_mut().filter(|_| number.is_multiple_of(10)) {
        price.rates.reasoning.0 = number.try_into().unwrap();
    }
    Arc::new(finished(&dispatch))
}

fn transfer(source: SqliteConfig, target: &PostgresConfig) -> Result<Vec<TableMoved>, TransferError> {
    Transfer::prepare(source, target)?.run()
}

#[test]
fn a_move_is_not_held_to_the_time_that_a_statement_of_a_request_may_take() {
    let databases = Databases::new();
    drop(databases.target.open());
    databases.target.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_sleep(1.2); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON todo_lists FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    let (source, mut target) = databases.configs();
    target.limits.statement_timeout = Duration::from_secs(1);
    transfer(source, &target).unwrap();
    databases.assert_same();
}

#[test]
fn rows_of_any_size_are_moved_a_few_at_a_time() {
    let databases = Databases::new();
    // As large as messages may be; a page of them is cut by its bytes, behind every fourth.
    databases.source.execute(
        "WITH RECURSIVE number(n) AS (SELECT 1001 UNION ALL SELECT n + 2 FROM number WHERE n < 1021)
         INSERT INTO messages (conversation_id, seq, role, content, status, metadata, created_at)
         SELECT 'conv-1', n, 'user', printf('%.*c', 2097152, 'x'), 'done', '{}', n FROM number",
    );
    let moved = databases.transfer().unwrap();
    assert!(moved.iter().all(|table| table.copied == table.rows), "{moved:?}");
    databases.assert_same();
}

#[test]
fn every_row_is_moved_once_and_a_second_run_changes_nothing() {
    let databases = Databases::new();
    let moved = databases.transfer().unwrap();
    assert_eq!(moved.iter().map(|table| table.table).collect::<Vec<_>>(), TABLES);
    assert_eq!(
        moved.iter().map(|table| table.rows).collect::<Vec<_>>(),
        [
            7,
            2 * TURNS,
            2,
            1,
            3,
            2,
            2,
            1,
            2,
            4,
            1,
            2,
            2 * (CALLS - 1) + 6,
            1,
            4,
            4,
            602,
            2,
            2,
            2,
            2,
            CALLS
        ]
    );
    assert!(moved.iter().all(|table| table.copied == table.rows), "{moved:?}");
    databases.assert_same();
    let again = databases.transfer().unwrap();
    assert!(again.iter().all(|table| table.copied == 0), "{again:?}");
    databases.assert_same();
}

#[test]
fn a_run_that_was_stopped_in_the_middle_is_gone_on_with() {
    let databases = Databases::new();
    databases.stop_at_the_second_page_of_calls();
    let place = databases
        .target
        .texts("SELECT last_table || ' ' || last_number FROM moves");
    assert_eq!(place, ["llm_calls 0"]);
    let refused = Store::open(databases.target.config()).unwrap_err();
    assert!(matches!(refused, OpenError::HalfMoved { .. }), "{refused:?}");
    let moved = databases.transfer().unwrap();
    assert_eq!(
        moved.last().map(|table| (table.rows, table.copied)),
        Some((CALLS, CALLS - 500))
    );
    assert!(moved.iter().rev().skip(1).all(|table| table.copied == 0), "{moved:?}");
    databases.assert_same();
    drop(databases.target.open());
}

#[test]
fn a_move_that_was_stopped_behind_its_last_row_only_has_to_be_ended() {
    let databases = Databases::new();
    drop(databases.target.open());
    databases.target.execute(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stopped'; END $$;
         CREATE TRIGGER stop BEFORE DELETE ON moves FOR EACH STATEMENT EXECUTE FUNCTION stop()",
    );
    let stopped = databases.transfer().unwrap_err();
    assert!(
        matches!(stopped, TransferError::Stopped { table: "moves", .. }),
        "{stopped:?}"
    );
    databases.assert_same();
    let refused = Store::open(databases.target.config()).unwrap_err();
    assert!(matches!(refused, OpenError::HalfMoved { .. }), "{refused:?}");
    databases.target.execute("DROP TRIGGER stop ON moves");
    let moved = databases.transfer().unwrap();
    assert!(moved.iter().all(|table| table.copied == 0), "{moved:?}");
    databases.assert_same();
    drop(databases.target.open());
}

#[test]
fn a_target_that_something_else_wrote_to_during_a_move_is_never_taken_for_whole() {
    let databases = Databases::new();
    databases.stop_at_the_second_page_of_calls();
    databases
        .target
        .execute("UPDATE messages SET content = content || '!' WHERE conversation_id = 'conv-1' AND seq = 1");
    let refused = databases.transfer().unwrap_err();
    assert!(
        matches!(refused, TransferError::Differs { table: "messages" }),
        "{refused:?}"
    );
    let refused = Store::open(databases.target.config()).unwrap_err();
    assert!(matches!(refused, OpenError::HalfMoved { .. }), "{refused:?}");
}

#[test]
fn a_stopped_move_is_not_gone_on_with_from_another_source() {
    let databases = Databases::new();
    databases.stop_at_the_second_page_of_calls();
    let other = Databases::new();
    let (another, _) = other.configs();
    let (source, target) = databases.configs();
    let refused = transfer(another.clone(), &target).unwrap_err();
    assert!(matches!(refused, TransferError::OtherSource { .. }), "{refused:?}");
    for path in [&source.path, &another.path] {
        let path = std::fs::canonicalize(path).unwrap().display().to_string();
        assert!(refused.to_string().contains(&path), "{refused}");
    }
    assert_eq!(databases.count("llm_calls"), "500");
    // The same data in another place is the same source.
    let moved_away = source.path.with_file_name("elsewhere.db");
    databases.source.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    std::fs::copy(&source.path, &moved_away).unwrap();
    transfer(SqliteConfig::new(moved_away), &target).unwrap();
    databases.assert_same();
}

#[test]
fn a_source_that_changed_after_the_stop_is_gone_on_with_only_if_what_was_copied_is_as_it_was() {
    let databases = Databases::new();
    databases.stop_at_the_second_page_of_calls();
    let store = databases.source.open();
    let later = store.calls().insert_calls(vec![Arc::new(uncharged_call())]);
    store.block_on(later).unwrap();
    drop(store);
    databases
        .source
        .execute("UPDATE conversations SET updated_at = updated_at + 1 WHERE id = 'conv-2'");
    let refused = databases.transfer().unwrap_err();
    let changed = TransferError::SourceChanged {
        table: "conversations",
        source_name: String::new(),
    };
    assert_eq!(
        std::mem::discriminant(&refused),
        std::mem::discriminant(&changed),
        "{refused:?}"
    );
    assert_eq!(databases.count("llm_calls"), "500");

    databases
        .source
        .execute("UPDATE conversations SET updated_at = updated_at - 1 WHERE id = 'conv-2'");
    let moved = databases.transfer().unwrap();
    assert_eq!(
        moved.last().map(|table| (table.rows, table.copied)),
        Some((CALLS + 1, CALLS + 1 - 500))
    );
    databases.assert_same();
}

#[test]
fn of_two_moves_into_one_database_the_second_is_refused_at_once() {
    let databases = Databases::new();
    let (source, target) = databases.configs();
    let first = Transfer::prepare(source.clone(), &target).unwrap();
    let refused = Transfer::prepare(source, &target).unwrap_err();
    assert!(matches!(refused, TransferError::UnderWay), "{refused:?}");
    first.run().unwrap();
    databases.assert_same();
}

#[test]
fn of_two_moves_of_one_source_the_second_finds_it_locked() {
    let databases = Databases::new();
    let (mut source, target) = databases.configs();
    source.busy_timeout = std::time::Duration::from_millis(50);
    let second = Transfer::prepare(source, &target).unwrap();
    let TestDatabase::Sqlite(folder) = &databases.source else {
        panic!("{:?}", databases.source);
    };
    let mut first = SqliteConnection::establish(folder.path().join("gateway.db").to_str().unwrap()).unwrap();
    first.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = second.run().unwrap_err();
    assert!(
        matches!(refused, TransferError::Open(OpenError::Locked { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_target_with_other_data_is_refused_and_nothing_is_written() {
    for foreign in [
        "INSERT INTO llm_calls SELECT * FROM copied",
        "INSERT INTO conversations (id, created_at, updated_at, next_seq) VALUES ('aaa', 1, 1, 1)",
        "INSERT INTO conversations (id, created_at, updated_at, next_seq) VALUES ('conv-1', 1, 1, 1)",
        "INSERT INTO conversations (id, created_at, updated_at, next_seq) VALUES ('zzz', 1, 1, 1)",
    ] {
        let databases = Databases::new();
        let other = databases.target.open();
        other
            .block_on(other.calls().insert_calls(vec![Arc::new(uncharged_call())]))
            .unwrap();
        databases
            .target
            .execute("CREATE TABLE copied AS SELECT * FROM llm_calls; DELETE FROM llm_calls");
        databases.target.execute(foreign);
        let refused = databases.transfer().unwrap_err();
        assert!(matches!(refused, TransferError::ForeignData { .. }), "{refused:?}");
        assert_eq!(databases.count("messages"), "0");
    }
}

#[test]
fn a_source_of_a_newer_version_and_one_that_is_not_there_are_refused() {
    let databases = Databases::new();
    databases
        .source
        .execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    let refused = databases.transfer().unwrap_err();
    assert!(
        matches!(refused, TransferError::Open(OpenError::NewerSchema { .. })),
        "{refused:?}"
    );

    let (mut source, target) = databases.configs();
    source.path.set_file_name("missing.db");
    let refused = transfer(source.clone(), &target).unwrap_err();
    assert!(matches!(refused, TransferError::NoSource(_)), "{refused:?}");
    assert!(!source.path.exists());
}

#[test]
fn a_file_without_a_gateways_tables_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let target = PostgresDatabase::create();
    std::fs::write(&path, "").unwrap();
    for _ in 0..2 {
        let before = std::fs::read(&path).unwrap();
        let refused = transfer(SqliteConfig::new(&path), &postgres_config(&target.url())).unwrap_err();
        assert!(matches!(refused, TransferError::NotOurs(_)), "{refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        other.batch_execute("CREATE TABLE IF NOT EXISTS mine (x)").unwrap();
    }
}
