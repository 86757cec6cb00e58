//! The books, read from the database itself: every sum in them must be what its parts say.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};

use crate::scene::SOON;
use crate::support::{PostgresDatabase, PostgresReader, wait_for};

/// Each is a number of rows that must not be there at any time.
const NEVER: [(&str, &str); 6] = [
    (
        "periods whose posted is not the sum of the ledger",
        "SELECT count(*) AS n FROM budget_periods p WHERE posted <>
         COALESCE((SELECT sum(posted_delta) FROM budget_ledger l WHERE l.scope = p.scope AND l.period = p.period), 0)",
    ),
    (
        "periods whose held is not the sum of the ledger",
        "SELECT count(*) AS n FROM budget_periods p WHERE held <>
         COALESCE((SELECT sum(held_delta) FROM budget_ledger l WHERE l.scope = p.scope AND l.period = p.period), 0)",
    ),
    (
        "periods whose held is not what their slices hold",
        "SELECT count(*) AS n FROM budget_periods p WHERE held <>
         COALESCE((SELECT sum(s.held) FROM budget_slices s WHERE s.scope = p.scope AND s.period = p.period), 0)",
    ),
    (
        "slices that hold something under no lease",
        "SELECT count(*) AS n FROM budget_slices s WHERE s.held <> 0 AND NOT EXISTS (SELECT 1 FROM budget_leases l
         WHERE l.instance_id = s.instance_id AND l.epoch = s.epoch AND l.state = 'live')",
    ),
    (
        "living slices that hold something else than is left of what they were granted",
        "SELECT count(*) AS n FROM budget_slices s JOIN budget_leases l
         ON l.instance_id = s.instance_id AND l.epoch = s.epoch AND l.state = 'live'
         WHERE s.held <> CASE WHEN s.granted - s.returned - s.posted > 0 THEN s.granted - s.returned - s.posted ELSE 0 END",
    ),
    (
        "entries about periods that are not there",
        "SELECT count(*) AS n FROM budget_ledger l WHERE NOT EXISTS
         (SELECT 1 FROM budget_periods p WHERE p.scope = l.scope AND p.period = l.period)",
    ),
];
const HELD: &str = "SELECT COALESCE(sum(held), 0) AS n FROM budget_periods";

/// A database's tables about money.
#[derive(Debug)]
pub(crate) enum Books<'a> {
    Sqlite(PathBuf),
    Postgres(&'a PostgresDatabase),
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl<'a> Books<'a> {
    /// Those in a gateway's folder.
    pub(crate) fn of_sqlite(folder: &Path) -> Self {
        Self::Sqlite(folder.join("gateway.db"))
    }

    /// Those in a database on a server.
    pub(crate) fn of_postgres(database: &'a PostgresDatabase) -> Self {
        Self::Postgres(database)
    }

    /// The whole number that a query gives, whose column is called `n`.
    #[track_caller]
    pub(crate) fn number(&self, query: &str) -> i64 {
        match self {
            Self::Sqlite(file) => {
                let mut connection = open(file);
                let query = format!("SELECT CAST(n AS INTEGER) AS n FROM ({query})");
                let rows: Vec<Number> = sql_query(query).load(&mut connection).unwrap();
                rows[0].n
            }
            Self::Postgres(database) => {
                let rows = database.texts(&format!("SELECT CAST(n AS text) FROM ({query}) q"));
                rows[0].parse().unwrap()
            }
        }
    }

    /// Whoever reads them often.
    pub(crate) fn reader(&self) -> Reader {
        match self {
            Self::Sqlite(file) => Reader::Sqlite(open(file)),
            Self::Postgres(database) => Reader::Postgres(database.reader()),
        }
    }

    /// What the call records cost.
    pub(crate) fn recorded(&self) -> i64 {
        self.number("SELECT COALESCE(sum(cost_nano_usd), 0) AS n FROM llm_calls")
    }

    /// The part of it that is an upper bound.
    pub(crate) fn estimated(&self) -> i64 {
        self.number("SELECT COALESCE(sum(cost_nano_usd), 0) AS n FROM llm_calls WHERE estimated")
    }

    /// What is posted to a scope, in all its periods.
    pub(crate) fn posted(&self, scope: &str) -> i64 {
        self.of_scope("sum(posted) AS n FROM budget_periods", scope, "")
    }

    /// How many entries of this kind there are about a scope.
    pub(crate) fn entries(&self, scope: &str, kind: &str) -> i64 {
        let and = format!("AND kind = '{kind}'");
        self.of_scope("count(*) AS n FROM budget_ledger", scope, &and)
    }

    /// What the entries of this kind have posted to a scope.
    pub(crate) fn posted_by(&self, scope: &str, kind: &str) -> i64 {
        let and = format!("AND kind = '{kind}'");
        self.of_scope("sum(posted_delta) AS n FROM budget_ledger", scope, &and)
    }

    /// How many events of this kind there are.
    pub(crate) fn events(&self, kind: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS n FROM events WHERE kind = '{kind}'"))
    }

    fn of_scope(&self, what: &str, scope: &str, and: &str) -> i64 {
        let query = format!("SELECT {what} WHERE scope = '{scope}' {and}");
        self.number(&format!("SELECT COALESCE(n, 0) AS n FROM ({query}) AS of_scope"))
    }

    /// Every sum is what its parts say.
    #[track_caller]
    pub(crate) fn assert_balanced(&self) {
        for (what, query) in NEVER {
            assert_eq!(self.number(query), 0, "{what}");
        }
    }

    /// The same, and nothing is held once what nobody uses has been given back.
    #[track_caller]
    pub(crate) fn assert_at_rest(&self) {
        wait_for("nothing to be held", SOON, || self.number(HELD) == 0);
        self.assert_balanced();
    }
}

/// A connection that stays open.
pub(crate) enum Reader {
    Sqlite(SqliteConnection),
    Postgres(PostgresReader),
}

/// The books at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) posted: i64,
    pub(crate) held: i64,
    /// What the call records cost.
    pub(crate) recorded: i64,
}

impl Reader {
    /// How a scope stands. Every sum is what its parts say at this very moment: all is read in one statement.
    #[track_caller]
    pub(crate) fn look(&mut self, scope: &str) -> Moment {
        let sum = |column: &str| {
            format!("SELECT COALESCE(sum({column}), 0) AS n FROM budget_periods WHERE scope = '{scope}'")
        };
        let recorded = "SELECT COALESCE(sum(cost_nano_usd), 0) AS n FROM llm_calls".to_owned();
        let never = NEVER.iter().map(|(_, query)| (*query).to_owned());
        let parts: Vec<String> = [sum("posted"), sum("held"), recorded]
            .into_iter()
            .chain(never)
            .enumerate()
            .map(|(place, query)| format!("SELECT {place} AS place, ({query}) AS n"))
            .collect();
        let parts = parts.join(" UNION ALL ");
        let numbers = self.numbers(&format!(
            "SELECT CAST(n AS BIGINT) AS n FROM ({parts}) AS q ORDER BY place"
        ));
        for ((what, _), rows) in NEVER.iter().zip(&numbers[3..]) {
            assert_eq!(*rows, 0, "{what}");
        }
        Moment {
            posted: numbers[0],
            held: numbers[1],
            recorded: numbers[2],
        }
    }

    fn numbers(&mut self, query: &str) -> Vec<i64> {
        match self {
            Self::Sqlite(connection) => {
                let rows: Vec<Number> = sql_query(query).load(connection).unwrap();
                rows.into_iter().map(|row| row.n).collect()
            }
            Self::Postgres(reader) => reader.numbers(query),
        }
    }
}

fn open(file: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    connection
        .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON")
        .unwrap();
    connection
}
