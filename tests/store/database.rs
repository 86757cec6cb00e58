//! Each test runs on each database, on data of its own.

use std::time::Duration;

use ai_mcp_gateway::config::PostgresAddress;
use ai_mcp_gateway::store::{PostgresConfig, SqliteConfig, Store, StoreConfig};
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::support::PostgresDatabase;

/// Makes each of these functions a test on SQLite and a test on PostgreSQL.
macro_rules! on_each_database {
    ($($test:ident,)+) => {
        mod sqlite {
            $(#[test]
            fn $test() {
                super::$test(&crate::database::TestStore::on_sqlite());
            })+
        }

        mod postgres {
            $(#[test]
            fn $test() {
                super::$test(&crate::database::TestStore::on_postgres());
            })+
        }
    };
}

pub(crate) use on_each_database;

/// Where a test's data is; removed with it.
#[derive(Debug)]
pub(crate) enum TestDatabase {
    Sqlite(TempDir),
    Postgres(PostgresDatabase),
}

impl TestDatabase {
    /// A place for a SQLite file that is not there yet.
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// An empty PostgreSQL database.
    #[track_caller]
    pub(crate) fn postgres() -> Self {
        Self::Postgres(PostgresDatabase::create())
    }

    /// How a store opens it.
    pub(crate) fn config(&self) -> StoreConfig {
        match self {
            Self::Sqlite(folder) => SqliteConfig::new(folder.path().join("gateway.db")).into(),
            Self::Postgres(database) => postgres_config(&database.url()).into(),
        }
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.config()).unwrap()
    }

    /// Runs statements beside the store.
    #[track_caller]
    pub(crate) fn execute(&self, statements: &str) {
        self.try_execute(statements).unwrap();
    }

    /// The same; an error is the database's text.
    pub(crate) fn try_execute(&self, statements: &str) -> Result<(), String> {
        match self {
            Self::Sqlite(folder) => connect(folder)
                .batch_execute(statements)
                .map_err(|error| error.to_string()),
            Self::Postgres(database) => query(&database.url(), statements).map(drop),
        }
    }

    /// The first column, a text, of every row that a query gives.
    pub(crate) fn texts(&self, query: &str) -> Vec<String> {
        match self {
            Self::Sqlite(folder) => diesel::sql_query(format!("WITH q (t) AS ({query}) SELECT t FROM q"))
                .load::<OneText>(&mut connect(folder))
                .unwrap()
                .into_iter()
                .map(|row| row.t)
                .collect(),
            Self::Postgres(database) => database.texts(query),
        }
    }
}

#[derive(QueryableByName)]
struct OneText {
    #[diesel(sql_type = Text)]
    t: String,
}

fn connect(folder: &TempDir) -> SqliteConnection {
    let path = folder.path().join("gateway.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON")
        .unwrap();
    connection
}

/// The configuration for a PostgreSQL URL; does not wait for a server that is away.
pub(crate) fn postgres_config(url: &str) -> PostgresConfig {
    let mut config = PostgresConfig::new(PostgresAddress::parse(url).unwrap());
    config.limits.start_wait = Duration::ZERO;
    config
}

/// An open store on data of its own.
#[derive(Debug)]
pub(crate) struct TestStore {
    pub(crate) store: Store,
    database: TestDatabase,
}

impl TestStore {
    pub(crate) fn on_sqlite() -> Self {
        Self::on(TestDatabase::sqlite())
    }

    #[track_caller]
    pub(crate) fn on_postgres() -> Self {
        Self::on(TestDatabase::postgres())
    }

    fn on(database: TestDatabase) -> Self {
        Self {
            store: database.open(),
            database,
        }
    }

    /// How another store opens the same data.
    pub(crate) fn config(&self) -> StoreConfig {
        self.database.config()
    }

    /// Another store on the same data, as another process would have it.
    pub(crate) fn neighbour(&self) -> Store {
        self.database.open()
    }

    /// The same, with much patience for others.
    pub(crate) fn patient_neighbour(&self) -> Store {
        let patience = Duration::from_secs(60);
        let config = match self.database.config() {
            StoreConfig::Sqlite(mut config) => {
                config.busy_timeout = patience;
                config.into()
            }
            StoreConfig::Postgres(mut config) => {
                config.limits.lock_timeout = patience;
                config.limits.statement_timeout = patience;
                StoreConfig::Postgres(config)
            }
        };
        Store::open(config).unwrap()
    }

    /// Runs statements beside the store.
    pub(crate) fn execute(&self, statements: &str) {
        self.database.execute(statements);
    }

    /// The first column, a text, of every row that a query gives.
    pub(crate) fn texts(&self, query: &str) -> Vec<String> {
        self.database.texts(query)
    }
}

/// Runs statements on PostgreSQL; the first column of every row that they give, or the server's refusal.
pub(crate) fn query(url: &str, statements: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.simple_query(statements).await
    });
    let answer = answer.map_err(|error| error.to_string())?;
    let first = |message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
        _ => None,
    };
    Ok(answer.into_iter().filter_map(first).collect())
}
