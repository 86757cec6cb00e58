//! A database of another program is refused before anything in it is changed.

use ai_mcp_gateway::store::{OpenError, Store};

use crate::database::{TestDatabase, postgres_config};

const SQLITE_TABLES: &str = "SELECT name FROM sqlite_schema ORDER BY name";
const POSTGRES_TABLES: &str = "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'public' AND relkind = 'r' ORDER BY relname";

/// Checks that the database is refused for this table, with this advice, and has no table more than before.
#[track_caller]
fn assert_foreign(database: &TestDatabase, tables: &str, table: &str, advice: &str) {
    let before = database.texts(tables);
    let refusal = Store::open(database.config()).unwrap_err();
    assert!(
        matches!(&refusal, OpenError::Foreign { table: found, .. } if found == table),
        "{refusal:?}"
    );
    assert!(refusal.to_string().contains(advice), "{refusal}");
    assert_eq!(database.texts(tables), before);
}

#[test]
fn a_sqlite_file_of_another_program_is_refused_and_not_touched() {
    for tables in [
        "CREATE TABLE invoices (id TEXT)",
        // Names that the gateway has too do not make it the gateway's.
        "CREATE TABLE conversations (id TEXT); CREATE TABLE invoices (id TEXT)",
        "CREATE TABLE __diesel_schema_migrations (version TEXT); CREATE TABLE invoices (id TEXT)",
    ] {
        let database = TestDatabase::sqlite();
        database.execute(tables);
        let TestDatabase::Sqlite(folder) = &database else {
            unreachable!()
        };
        let file = folder.path().join("gateway.db");
        let before = std::fs::read(&file).unwrap();
        let table = if tables.contains("conversations") {
            "conversations"
        } else {
            "invoices"
        };
        assert_foreign(&database, SQLITE_TABLES, table, "in DATABASE_URL");
        assert_eq!(std::fs::read(&file).unwrap(), before, "the file was changed");
    }
}

#[test]
fn a_postgres_schema_of_another_program_is_refused_and_not_touched() {
    for tables in [
        "CREATE TABLE invoices (id TEXT)",
        "CREATE TABLE __diesel_schema_migrations (version TEXT); CREATE TABLE invoices (id TEXT)",
    ] {
        let database = TestDatabase::postgres();
        database.execute(tables);
        assert_foreign(&database, POSTGRES_TABLES, "invoices", "a database of its own");
    }
}

#[test]
fn an_empty_schema_beside_another_programs_is_used() {
    let database = TestDatabase::postgres();
    database.execute("CREATE TABLE invoices (id TEXT); CREATE SCHEMA gateway");
    let TestDatabase::Postgres(server) = &database else {
        unreachable!()
    };
    // As the refusal advises.
    let url = format!("{}?options=-csearch_path%3Dgateway", server.url());
    for _ in 0..2 {
        drop(Store::open(postgres_config(&url).into()).unwrap());
    }
}

#[test]
fn tables_of_extensions_and_of_other_schemas_are_nobodys() {
    let database = TestDatabase::postgres();
    database.execute(
        "CREATE SCHEMA other; CREATE TABLE other.invoices (id TEXT);
         CREATE TABLE spatial_ref_sys (srid INTEGER); ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys",
    );
    drop(database.open());
}

#[test]
fn a_table_that_somebody_added_to_the_gateways_does_no_harm() {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        drop(database.open());
        database.execute("CREATE TABLE invoices (id TEXT)");
        drop(database.open());
    }
}
