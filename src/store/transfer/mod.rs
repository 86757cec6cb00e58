//! Moves a SQLite database into a PostgreSQL one.
//!
//! First every row of the target is compared with the source; nothing is written unless all of them came from there.
//! Then what is missing is copied, page by page, each in a transaction. Stopped at any point and run again it ends with
//! the same data. The source is locked against writers meanwhile, and not changed.

mod rows;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};

use self::rows::{Call, Conversation, Message, Moved, Summary, TodoList};
use super::error::{Fault, OpenError};
use super::runtime::{Network, StoreRuntime};
use super::{PostgresConfig, SqliteConfig, postgres, sqlite};

/// One move at a time into one database. The number is arbitrary.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_lock(4701338261129462138)";

/// Why data was not moved, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is no such file.
    #[error("there is no database at {}: check the path of --from", .0.display())]
    NoSource(std::path::PathBuf),
    /// The file has none of a gateway's tables.
    #[error("the file at {} is not a gateway's database: check the path of --from", .0.display())]
    NotOurs(std::path::PathBuf),
    /// One of the databases cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The target has rows that did not come from the source.
    #[error(
        "the table {table} of the target has rows that are not in the source: nothing was written; move into an empty \
         database"
    )]
    ForeignData {
        /// The table.
        table: &'static str,
    },
    /// A database refused a statement.
    #[error(
        "moving stopped at the table {table}: mend the cause and run the same command again, it goes on from there"
    )]
    Stopped {
        /// The table.
        table: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What was done to one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableMoved {
    /// The table's name.
    pub table: &'static str,
    /// Its rows in the source, all of which are now in the target.
    pub rows: usize,
    /// Those of them that were not there before.
    pub copied: usize,
}

/// Moves every row of the file into the database. Blocks. Both are upgraded first where they need it.
///
/// # Errors
/// When one of them cannot be opened or is of a newer version, when the target holds other data, and when one fails on
/// the way.
pub fn transfer(source: &SqliteConfig, target: &PostgresConfig) -> Result<Vec<TableMoved>, TransferError> {
    if !source.path.is_file() {
        return Err(TransferError::NoSource(source.path.clone()));
    }
    let runtime = StoreRuntime::start(Network::Needed)?;
    if !sqlite::has_tables(source)? {
        return Err(TransferError::NotOurs(source.path.clone()));
    }
    let mut source = sqlite::connect(source)?;
    let mut target = postgres::connect(target, runtime.handle())?;
    let opening = stopped("conversations");
    source.batch_execute("BEGIN IMMEDIATE").map_err(&opening)?;
    runtime
        .block_on(target.batch_execute(ONE_AT_A_TIME))
        .map_err(&opening)?;
    let moved = runtime.block_on(all(&mut source, &mut target))?;
    source.batch_execute("ROLLBACK").map_err(opening)?;
    Ok(moved)
}

async fn all(source: &mut SqliteConnection, target: &mut AsyncPgConnection) -> Result<Vec<TableMoved>, TransferError> {
    compare::<Conversation>(source, target).await?;
    compare::<Message>(source, target).await?;
    compare::<Summary>(source, target).await?;
    compare::<TodoList>(source, target).await?;
    compare::<Call>(source, target).await?;
    Ok(vec![
        copy::<Conversation>(source, target).await?,
        copy::<Message>(source, target).await?,
        copy::<Summary>(source, target).await?,
        copy::<TodoList>(source, target).await?,
        copy::<Call>(source, target).await?,
    ])
}

/// Whether every row of the target is one of the source.
async fn compare<T: Moved>(source: &mut SqliteConnection, target: &mut AsyncPgConnection) -> Result<(), TransferError> {
    let foreign = || TransferError::ForeignData { table: T::TABLE };
    let mut after: Option<T> = None;
    loop {
        let mut page = T::page(source, after.as_ref()).map_err(stopped(T::TABLE))?;
        let last = page.pop();
        let there = T::between(target, after.as_ref(), last.as_ref())
            .await
            .map_err(stopped(T::TABLE))?;
        // Both are in the order of their keys.
        let mut expected = page.iter().chain(&last);
        if !there.iter().all(|row| expected.any(|one| one == row)) {
            return Err(foreign());
        }
        match last {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}

/// Copies the rows that the target does not have.
async fn copy<T: Moved>(
    source: &mut SqliteConnection,
    target: &mut AsyncPgConnection,
) -> Result<TableMoved, TransferError> {
    let (mut rows, mut copied) = (0, 0);
    let mut after: Option<T> = None;
    loop {
        let mut page = T::page(source, after.as_ref()).map_err(stopped(T::TABLE))?;
        if page.is_empty() {
            return Ok(TableMoved {
                table: T::TABLE,
                rows,
                copied,
            });
        }
        rows += page.len();
        copied += target
            .transaction(async |target| T::insert(target, &page).await)
            .await
            .map_err(stopped(T::TABLE))?;
        after = page.pop();
    }
}

fn stopped(table: &'static str) -> impl Fn(diesel::result::Error) -> TransferError {
    move |error| TransferError::Stopped {
        table,
        source: Box::new(Fault::from(error)),
    }
}
