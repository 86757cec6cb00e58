//! What can go wrong: the driver's errors sorted into what a caller can do about them, and why a store did not open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::result::{ConnectionError, DatabaseErrorKind, Error as DieselError};
use gateway_actors::protocol::StoreError;

/// What a caller can do about an error of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Free disk space.
    Full,
    /// Try again: locked, closed, timed out, or the file cannot be written just now.
    Unavailable,
    /// The file is not a database, or its pages contradict each other.
    Corrupt,
    /// Try again at once: another transaction was in the way and has won.
    Conflict,
    /// Try again on another connection: this one ended, or its server may no longer write.
    Lost,
    /// Nothing: the statement is wrong.
    Failed,
}

/// An error of the driver, sorted. Can be handed to every job of a transaction that failed as a whole.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct Fault {
    /// What a caller can do about it.
    pub(super) kind: FaultKind,
    /// What the driver said; for the log.
    pub(super) message: Arc<str>,
}

impl Fault {
    /// A fault that trying again may mend.
    pub(super) fn unavailable(message: &str) -> Self {
        Self {
            kind: FaultKind::Unavailable,
            message: message.into(),
        }
    }

    /// A fault of which only the driver's words are known.
    pub(super) fn of_message(message: &str) -> Self {
        Self {
            kind: kind_of_message(message),
            message: message.into(),
        }
    }

    /// A fault that trying again does not mend.
    pub(super) fn failed(message: &str) -> Self {
        Self {
            kind: FaultKind::Failed,
            message: message.into(),
        }
    }
}

/// The databases' own words. diesel keeps the message of an error but not its code, so the message decides.
const PHRASES: &[(&str, FaultKind)] = &[
    ("database or disk is full", FaultKind::Full),
    ("database is locked", FaultKind::Unavailable),
    ("table is locked", FaultKind::Unavailable),
    ("disk i/o error", FaultKind::Unavailable),
    ("unable to open database file", FaultKind::Unavailable),
    ("attempt to write a readonly database", FaultKind::Unavailable),
    ("disk image is malformed", FaultKind::Corrupt),
    ("file is not a database", FaultKind::Corrupt),
    ("no space left on device", FaultKind::Full),
    ("deadlock detected", FaultKind::Conflict),
    ("terminating connection", FaultKind::Lost),
    ("recovery is in progress", FaultKind::Lost),
    ("canceling statement due to", FaultKind::Unavailable),
    ("the database system is", FaultKind::Unavailable),
    ("connection slots are reserved", FaultKind::Unavailable),
    ("too many clients", FaultKind::Unavailable),
    ("out of shared memory", FaultKind::Unavailable),
];

fn kind_of_message(message: &str) -> FaultKind {
    let message = message.to_lowercase();
    PHRASES
        .iter()
        .find(|(phrase, _)| message.contains(phrase))
        .map_or(FaultKind::Failed, |&(_, kind)| kind)
}

impl From<&DieselError> for Fault {
    fn from(error: &DieselError) -> Self {
        let kind = match error {
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction,
                _,
            ) => FaultKind::Lost,
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => FaultKind::Conflict,
            DieselError::DatabaseError(_, information) => kind_of_message(information.message()),
            // Its parts are what happened; of the two the failed commit is the cause.
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::from(&**commit_error).kind,
            DieselError::BrokenTransactionManager => FaultKind::Lost,
            _ => FaultKind::Failed,
        };
        Self {
            kind,
            message: error.to_string().into(),
        }
    }
}

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Self {
        Self::from(&error)
    }
}

impl From<ConnectionError> for Fault {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::CouldntSetupConfiguration(error) => Self::from(&error),
            ConnectionError::BadConnection(message) => {
                let kind = match kind_of_message(&message) {
                    FaultKind::Failed => FaultKind::Unavailable,
                    kind => kind,
                };
                Self {
                    kind,
                    message: message.into(),
                }
            }
            other => Self::unavailable(&other.to_string()),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Full => Self::Full,
            FaultKind::Unavailable | FaultKind::Conflict | FaultKind::Lost => Self::Unavailable {
                source: Some(Box::new(fault)),
            },
            FaultKind::Corrupt | FaultKind::Failed => Self::Failed {
                source: Box::new(fault),
            },
        }
    }
}

/// Why a query came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    /// Another turn holds the conversation.
    #[error("another turn holds the conversation")]
    Busy {
        /// When its lease ends at the latest.
        retry_after: Duration,
    },
    /// The conversation was deleted.
    #[error("the conversation was deleted")]
    Deleted,
    /// The client's message id belongs to another message.
    #[error("the client's message id belongs to another message")]
    Mismatch,
    /// The id of a response belongs to another response.
    #[error("another response has this id")]
    ResponseMismatch,
    /// A report has too many groups, or a sum that cannot be held.
    #[error("the report is too large")]
    ReportTooLarge,
    /// The driver refused.
    #[error(transparent)]
    Database(#[from] Fault),
}

impl From<DieselError> for QueryError {
    fn from(error: DieselError) -> Self {
        Self::Database(Fault::from(&error))
    }
}

impl From<QueryError> for StoreError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Busy { retry_after } => Self::ConversationBusy { retry_after },
            QueryError::Deleted => Self::ConversationDeleted,
            QueryError::Mismatch => Self::MessageMismatch,
            QueryError::ResponseMismatch => Self::ResponseMismatch,
            QueryError::ReportTooLarge => Self::ReportTooLarge,
            QueryError::Database(fault) => fault.into(),
        }
    }
}

/// What the settings call the address of the database.
pub(super) const ADDRESS: &str = "DATABASE_URL";

/// Why the store did not open. Each says what to do next; none is mended by making a new database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address of the PostgreSQL server cannot be used.
    #[error("{name} cannot be used: {reason}")]
    Address {
        /// The setting or flag that gave the address.
        name: &'static str,
        /// What is wrong with it and how to mend it; never a part of it that may be secret.
        reason: String,
    },
    /// The PostgreSQL server did not answer, is not ready, or has no connection to spare.
    #[error("cannot reach PostgreSQL at {server}: {advice} ({reason})")]
    Unreachable {
        /// Host, port and database.
        server: String,
        /// What to do next.
        advice: String,
        /// What the driver said.
        reason: String,
    },
    /// The PostgreSQL server answered and refused: user, password, database, encryption.
    #[error("PostgreSQL at {server} refuses the connection: {advice} ({reason})")]
    Refused {
        /// Host, port and database.
        server: String,
        /// What to do next.
        advice: String,
        /// What the driver said.
        reason: String,
    },
    /// A move of another database's data into this one has not ended.
    #[error(
        "the database {database} holds only a part of the data of {source_name}: its move is under way or was stopped; \
         let `ai-mcp-gateway migrate --from {source_name}`, with the same DATABASE_URL, finish it, then start again"
    )]
    HalfMoved {
        /// The file, or host, port and name of the database.
        database: String,
        /// The address of the database that the data comes from, without a password.
        source_name: String,
    },
    /// The data is being moved away.
    #[error(
        "the data of {} is being moved into another database: wait for `ai-mcp-gateway migrate --from` to end, and start \
         on the new database", path.display()
    )]
    BeingMoved {
        /// The file.
        path: PathBuf,
    },
    /// The path cannot be given to the database.
    #[error("the database path {} is not valid UTF-8: choose another in {setting}", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
        /// The setting that gave the path.
        setting: &'static str,
    },
    /// There is no database, and none was to be made.
    #[error(
        "there is no database {}: set the path in {setting} to the one that the gateway uses (and --data-dir, if it has one)",
        path.display()
    )]
    NotThere {
        /// The path.
        path: PathBuf,
        /// The setting that gave the path.
        setting: &'static str,
    },
    /// The folder or file cannot be made.
    #[error("cannot create {} for the database: check that its folder exists and may be written, or set another path in {setting}", path.display())]
    Create {
        /// The folder or file.
        path: PathBuf,
        /// The setting that gave the path.
        setting: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be opened or written.
    #[error("cannot write the database {}: check its owner and permissions and those of its folder", path.display())]
    NotWritable {
        /// The database.
        path: PathBuf,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another program holds the file.
    #[error("the database {} is locked by another program: stop that program and start again", path.display())]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// The file is not a SQLite database, or a damaged one.
    #[error("{} is damaged or not a SQLite database: restore it from a backup or move it away", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk is full.
    #[error("the disk that holds the database {} is full: free space and start again", path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The database is another program's.
    #[error(
        "the database {database} has tables of another program ({table:?} is one) and none of the gateway's: nothing \
         was changed; {advice}"
    )]
    Foreign {
        /// The file, or host, port and name of the database.
        database: String,
        /// One of its tables.
        table: String,
        /// What to do next.
        advice: &'static str,
    },
    /// A newer gateway has changed the tables.
    #[error(
        "the database {database} was upgraded by a newer version of the gateway (it has {found}, this version knows \
         up to {known}): start that version or a newer one"
    )]
    NewerSchema {
        /// The file, or host, port and name of the database.
        database: String,
        /// The newest change that was applied to it.
        found: String,
        /// The newest change that this binary knows.
        known: String,
    },
    /// A change of the tables failed and was rolled back.
    #[error("cannot create or upgrade the tables of the database {database}: mend the cause and start again")]
    Migration {
        /// The file, or host, port and name of the database.
        database: String,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store's threads cannot be started.
    #[error("cannot start the store's threads: raise the limit of threads and start again")]
    Threads {
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl OpenError {
    /// The folder or file cannot be made; the settings' own name of the database's address stands for its path.
    pub(super) fn create(path: PathBuf, source: std::io::Error) -> Self {
        let setting = ADDRESS;
        Self::Create { path, setting, source }
    }

    /// The same error for a path that came from this setting.
    #[must_use]
    pub fn with_setting(mut self, name: &'static str) -> Self {
        if let Self::Create { setting, .. } | Self::NotThere { setting, .. } | Self::NotUtf8 { setting, .. } = &mut self
        {
            *setting = name;
        }
        self
    }

    /// The error for a fault of the driver while opening this database.
    pub(super) fn of(path: PathBuf, fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Full => Self::Full { path },
            FaultKind::Unavailable if fault.message.contains("locked") => Self::Locked { path },
            FaultKind::Unavailable => Self::NotWritable {
                path,
                source: Box::new(fault),
            },
            FaultKind::Corrupt => Self::Corrupt {
                path,
                source: Box::new(fault),
            },
            FaultKind::Failed | FaultKind::Conflict | FaultKind::Lost => Self::Migration {
                database: path.display().to_string(),
                source: Box::new(fault),
            },
        }
    }
}
