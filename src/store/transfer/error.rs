//! Why data was not moved, and what to do next.

use std::path::PathBuf;

use crate::store::OpenError;
use crate::store::error::Fault;

/// Why data was not moved, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is no such file.
    #[error("there is no database at {}: check the path of --from", .0.display())]
    NoSource(PathBuf),
    /// The file has none of a gateway's tables.
    #[error("the file at {} is not a gateway's database: check the path of --from", .0.display())]
    NotOurs(PathBuf),
    /// A process has the source open.
    #[error(
        "a gateway is running on the source {}: nothing was done; stop it first, so that nothing is written to what was \
         moved already", .0.display()
    )]
    SourceInUse(PathBuf),
    /// Another process moves the data of the source.
    #[error("the data of {} is being moved already: nothing was done; wait for that move to end, or stop it", .0.display())]
    SourceUnderWay(PathBuf),
    /// There is no telling whether a process has the source open.
    #[error(
        "cannot lock {}, by which a gateway that runs on the source is noticed: nothing was done; let this user write \
         there, or move a copy of the source that was made while no gateway ran", path.display()
    )]
    NoLock {
        /// The file to be locked.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// One of the databases cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Another process moves data into the target.
    #[error(
        "data is being moved into this database already: nothing was done; wait for that move to end, or stop it and \
         run this command again (the server may take some seconds to notice that it was stopped)"
    )]
    UnderWay,
    /// The target holds a part of another source's data.
    #[error(
        "the target holds a part of the data of {begun}, not of {asked}: nothing was done; finish that move with \
         `ai-mcp-gateway migrate --from {begun}`, or move into an empty database"
    )]
    OtherSource {
        /// The address of the source that the move began with.
        begun: String,
        /// The address of the source that was asked for now.
        asked: String,
    },
    /// The source was changed after a move of it was stopped, and rows that were copied are not as they were.
    #[error(
        "{source_name} has changed since its move into this database was stopped, or is another database: rows of the \
         table {table} that were copied are different now; nothing was done; empty the target (drop the database and \
         create it again) and run the same command again"
    )]
    SourceChanged {
        /// The address of the source.
        source_name: String,
        /// The first table with such rows.
        table: &'static str,
    },
    /// The target has rows that did not come from the source.
    #[error(
        "the table {table} of the target has rows that are not in the source: nothing was written; move into an empty \
         database"
    )]
    ForeignData {
        /// The table.
        table: &'static str,
    },
    /// All was copied, and the target does not hold what the source holds.
    #[error(
        "the table {table} of the target does not hold what that of the source holds: something else has written to it \
         during the move; no gateway starts on it; stop what writes to it, empty it (drop the database and create it \
         again) and run the same command again"
    )]
    Differs {
        /// The first such table.
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

impl TransferError {
    /// The error for what the driver said at this table.
    pub(super) fn at(table: &'static str) -> impl Fn(diesel::result::Error) -> Self {
        move |error| Self::Stopped {
            table,
            source: Box::new(Fault::from(error)),
        }
    }
}
