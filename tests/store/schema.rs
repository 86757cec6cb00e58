//! The tables: the same in both databases, made and taken back by the migrations.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;

use ai_mcp_gateway::store::{OpenError, Store};

use crate::database::{TestDatabase, TestStore, on_each_database};
use crate::samples::finished_call;

on_each_database! {
    j16_a_database_of_a_newer_version_is_refused,
    j16_stores_that_open_a_new_database_at_once_all_succeed,
    a_database_with_the_mark_of_an_unfinished_move_is_refused,
}

/// Lines that say the same in both databases, sorted: one each column, key, unique list, reference and check.
const SQLITE_CATALOGUE: &[&str] = &[
    "SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" THEN ' not null' ELSE '' END
        || coalesce(' default ' || c.dflt_value, '')
     FROM sqlite_schema t, pragma_table_info(t.name) c
     WHERE t.type = 'table' AND t.name NOT LIKE '\\_\\_%' ESCAPE '\\'",
    "SELECT 'key ' || t.name || ' ('
        || (SELECT group_concat(name, ', ' ORDER BY pk) FROM pragma_table_info(t.name) WHERE pk > 0) || ')'
     FROM sqlite_schema t WHERE t.type = 'table' AND t.name NOT LIKE '\\_\\_%' ESCAPE '\\'",
    "SELECT 'unique ' || t.name || ' (' || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) || ')'
     FROM sqlite_schema t, pragma_index_list(t.name) i
     WHERE t.type = 'table' AND i.\"unique\" AND i.origin = 'u' AND t.name NOT LIKE '\\_\\_%' ESCAPE '\\'",
    "SELECT 'index ' || i.name || ' ' || t.name || ' (' || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name))
        || ')' || CASE WHEN i.partial THEN ' partial' ELSE '' END
     FROM sqlite_schema t, pragma_index_list(t.name) i
     WHERE t.type = 'table' AND i.origin = 'c' AND t.name NOT LIKE '\\_\\_%' ESCAPE '\\'",
    "SELECT 'reference ' || t.name || '.' || f.\"from\" || ' ' || f.\"table\" || '.' || f.\"to\" || ' ' || lower(f.on_delete)
     FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'",
];

const POSTGRES_CATALOGUE: &[&str] = &[
    "SELECT 'column ' || table_name || '.' || column_name || ' ' || upper(data_type)
        || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
        || coalesce(' default ' || replace(column_default, '::text', ''), '')
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'",
    "SELECT CASE c.contype WHEN 'p' THEN 'key ' ELSE 'unique ' END || c.conrelid::regclass || ' ('
        || (SELECT string_agg(a.attname, ', ' ORDER BY k.place)
            FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) || ')'
     FROM pg_constraint c WHERE c.contype IN ('p', 'u') AND c.connamespace = 'public'::regnamespace
        AND c.conrelid::regclass::text NOT LIKE '\\_\\_%'",
    "SELECT 'index ' || c.relname || ' ' || i.indrelid::regclass || ' ('
        || (SELECT string_agg(a.attname, ', ' ORDER BY k.place)
            FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
        || ')' || CASE WHEN i.indpred IS NULL THEN '' ELSE ' partial' END
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))",
    "SELECT 'reference ' || c.conrelid::regclass || '.' || a.attname || ' ' || c.confrelid::regclass || '.' || b.attname
        || CASE c.confdeltype WHEN 'c' THEN ' cascade' ELSE ' ' || c.confdeltype::text END
     FROM pg_constraint c
     JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
     JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
     WHERE c.contype = 'f'",
];

fn catalogue(database: &TestDatabase, queries: &[&str]) -> BTreeSet<String> {
    queries
        .iter()
        .flat_map(|query| database.texts(query))
        .map(|line| line.replace("BOOLEAN", "BOOL").replace("BYTEA", "BLOB"))
        .collect()
}

#[test]
fn both_databases_have_the_same_columns_keys_indexes_and_references() {
    let (sqlite, postgres) = (TestDatabase::sqlite(), TestDatabase::postgres());
    drop((sqlite.open(), postgres.open()));
    let in_sqlite = catalogue(&sqlite, SQLITE_CATALOGUE);
    let in_postgres = catalogue(&postgres, POSTGRES_CATALOGUE);
    assert!(in_sqlite.len() > 60, "{in_sqlite:#?}");
    let differences: Vec<_> = in_sqlite.symmetric_difference(&in_postgres).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn the_migrations_of_each_database_are_taken_back_whole_and_applied_again() {
    for (database, name, queries) in [
        (TestDatabase::sqlite(), "sqlite", SQLITE_CATALOGUE),
        (TestDatabase::postgres(), "postgres", POSTGRES_CATALOGUE),
    ] {
        drop(database.open());
        let tables = catalogue(&database, queries);
        for change in changes(name).iter().rev() {
            database.execute(&std::fs::read_to_string(change.join("down.sql")).unwrap());
        }
        database.execute("DELETE FROM __diesel_schema_migrations");
        assert_eq!(catalogue(&database, queries), BTreeSet::new());
        drop(database.open());
        assert_eq!(catalogue(&database, queries), tables);
    }
}

#[test]
fn call_records_of_an_older_version_are_kept_by_the_upgrade() {
    for (database, name) in [
        (TestDatabase::sqlite(), "sqlite"),
        (TestDatabase::postgres(), "postgres"),
    ] {
        drop(database.open());
        let newest = changes(name).pop().unwrap();
        database.execute(&std::fs::read_to_string(newest.join("down.sql")).unwrap());
        database.execute(
            "DELETE FROM __diesel_schema_migrations
             WHERE version = (SELECT max(version) FROM __diesel_schema_migrations);
             INSERT INTO llm_calls (attempt_id, request_id, ordinal, instance_id, cell, endpoint, model_id, api_model,
                 provider, layer, task, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, usage_source,
                 cost_nano_usd, held_nano_usd, input_price_pico_usd, cached_input_price_pico_usd, output_price_pico_usd,
                 estimated, streamed, outcome, success, duration_us, started_at, created_at)
             VALUES ('req_1.1', 'req_1', 1, 'i', 0, '/v1/chat', 'm', 'm', 'p', 'L0', 'general', 10, 4, 20, 5, 'reported',
                 1234, 5000, 3, 2, 1, FALSE, FALSE, 'completed', TRUE, 1, 1, 1)",
        );
        let store = database.open();
        let records = vec![finished_call()];
        store.block_on(store.calls().insert_calls(records)).unwrap();
        let rows = database.texts(
            "SELECT input_tokens || ' ' || cached_input_tokens || ' ' || cache_write_5m_tokens || ' '
                || cache_write_1h_tokens || ' ' || output_price_pico_usd || ' ' || coalesce(price, '-')
                || ' ' || purpose FROM llm_calls ORDER BY started_at",
        );
        assert_eq!(rows, ["10 4 0 0 1 - answer", "10 4 3 2 600000 - panel"], "{name}");
    }
}

/// The folders of a database's migrations, oldest first.
fn changes(database: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let mut changes: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    changes.sort();
    changes
}

/// Every `CHECK (…)` of a migration, with the column or table that it stands in, without line breaks and collations.
fn checks(database: &str) -> Vec<String> {
    let mut found = Vec::new();
    for change in changes(database) {
        let text = std::fs::read_to_string(change.join("up.sql")).unwrap();
        let without_comments: Vec<_> = text.lines().filter(|line| !line.trim().starts_with("--")).collect();
        let text = without_comments.join(" ").replace(" COLLATE \"C\"", "");
        let words: Vec<_> = text.split_whitespace().collect();
        let text = words.join(" ");
        for (start, _) in text.match_indices("CHECK (") {
            let mut depth = 0;
            let end = text[start..].find(|letter| {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                letter == ')' && depth == 0
            });
            let before = text[..start].rfind(['(', ',']).unwrap() + 1;
            found.push(text[before..start + end.unwrap() + 1].trim().to_owned());
        }
    }
    found
}

#[test]
fn both_databases_have_the_same_checks() {
    let (sqlite, postgres) = (checks("sqlite"), checks("postgres"));
    assert!(sqlite.len() > 8, "{sqlite:#?}");
    assert_eq!(sqlite, postgres);
}

/// What each check refuses, refused by both databases.
#[test]
fn both_databases_refuse_the_same_rows() {
    let conversation = "INSERT INTO conversations (id, created_at, updated_at, next_seq";
    let message = "INSERT INTO messages (conversation_id, seq, role, content, status, created_at";
    let response = "INSERT INTO responses (id, previous_id, request_id, model, input, body, created_at, expires_at";
    let rows = [
        (format!("{conversation}) VALUES ('b', 1, 1, 1)"), true),
        (format!("{conversation}) VALUES ('c', 1, 1, 0)"), false),
        (format!("{conversation}) VALUES (NULL, 1, 1, 1)"), false),
        (
            format!("{conversation}, lease_request) VALUES ('d', 1, 1, 1, 'r')"),
            false,
        ),
        (format!("{message}) VALUES ('a', 1, 'user', '', 'pending', 1)"), true),
        (format!("{message}) VALUES ('a', 1, 'user', '', 'pending', 1)"), false),
        (format!("{message}) VALUES ('a', 3, 'assistant', '', 'done', 1)"), false),
        (
            format!("{message}) VALUES ('a', 4, 'assistant', '', 'pending', 1)"),
            false,
        ),
        (format!("{message}) VALUES ('a', 5, 'user', '', 'unheard', 1)"), false),
        (format!("{message}) VALUES ('a', 5, 'system', '', 'done', 1)"), false),
        (format!("{message}) VALUES ('nobody', 5, 'user', '', 'done', 1)"), false),
        (
            format!("{message}, client_message_id) VALUES ('a', 7, 'user', '', 'done', 1, 'm')"),
            true,
        ),
        (
            format!("{message}, client_message_id) VALUES ('a', 9, 'user', '', 'done', 1, 'm')"),
            false,
        ),
        (
            format!("{message}, client_message_id) VALUES ('a', 8, 'assistant', '', 'done', 1, 'n')"),
            false,
        ),
        (format!("{response}) VALUES ('r', NULL, '', '', '', '', 1, 2)"), true),
        (format!("{response}) VALUES ('s', 'gone', '', '', '', '', 1, 2)"), true),
        (format!("{response}) VALUES ('r', 's', '', '', '', '', 1, 2)"), false),
        (format!("{response}) VALUES ('t', 't', '', '', '', '', 1, 2)"), false),
        (format!("{response}) VALUES ('u', NULL, '', '', NULL, '', 1, 2)"), false),
    ];
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        drop(database.open());
        database.execute(&format!("{conversation}) VALUES ('a', 1, 1, 1)"));
        for (row, is_good) in &rows {
            let result = database.try_execute(row);
            assert_eq!(result.is_ok(), *is_good, "{database:?}: {row}: {result:?}");
        }
    }
}

fn j16_a_database_of_a_newer_version_is_refused(test: &TestStore) {
    test.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    let error = Store::open(test.config()).unwrap_err();
    assert!(matches!(&error, OpenError::NewerSchema { found, .. } if found == "99990101000000"));
    assert!(error.to_string().contains("newer version of the gateway"), "{error}");
}

fn j16_stores_that_open_a_new_database_at_once_all_succeed(test: &TestStore) {
    test.execute(
        "DROP TABLE llm_calls; DROP TABLE todo_lists; DROP TABLE context_summaries; DROP TABLE messages;
                  DROP TABLE conversations; DROP TABLE responses; DROP TABLE moves; DROP TABLE secrets; DROP TABLE api_keys;
                  DROP TABLE rate_limits; DROP TABLE budgets; DROP TABLE budget_periods; DROP TABLE budget_leases;
                  DROP TABLE budget_slices; DROP TABLE budget_ledger; DROP TABLE idempotency; DROP TABLE events;
                  DROP TABLE escalations; DROP TABLE outcomes; DROP TABLE experiments; DROP TABLE improvements;
                  DROP TABLE calibrations; DROP TABLE model_edits;
                  DELETE FROM __diesel_schema_migrations",
    );
    let together = Barrier::new(6);
    thread::scope(|scope| {
        let opened: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    Store::open(test.config()).map(drop)
                })
            })
            .collect();
        for one in opened {
            one.join().unwrap().unwrap();
        }
    });
    assert_eq!(
        test.texts("SELECT version FROM __diesel_schema_migrations").len(),
        changes("sqlite").len()
    );
}

fn a_database_with_the_mark_of_an_unfinished_move_is_refused(test: &TestStore) {
    test.execute("INSERT INTO moves (id, source, source_totals) VALUES (1, 'sqlite:/old/gateway.db', '')");
    let error = Store::open(test.config()).unwrap_err();
    assert!(
        matches!(&error, OpenError::HalfMoved { source_name, .. } if source_name == "sqlite:/old/gateway.db"),
        "{error:?}"
    );
    for part in ["only a part of the data", "migrate --from sqlite:/old/gateway.db"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    test.execute("DELETE FROM moves");
    drop(test.neighbour());
}
