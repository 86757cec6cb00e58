//! `ai-mcp-gateway migrate --from sqlite:PATH --to postgres://…`.

use std::path::{Path, PathBuf};

use crate::config::{Database, Settings};
use crate::startup::{self, ServeError};
use crate::store::{
    JournalOpenError, PostgresConfig, SqliteConfig, Store, TableMoved, Transfer, TransferError, is_in_use,
};

/// Why nothing was moved, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Something other than from SQLite to PostgreSQL is asked for.
    #[error("data can be moved from sqlite:PATH to postgres://… only: {0}")]
    NotSupported(String),
    /// A gateway uses the source.
    #[error("a gateway is running on the source: stop it first, so that nothing is written to what was moved already")]
    InUse,
    /// The source's journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalOpenError),
    /// What a dead process left in the source's journal cannot be stored.
    #[error(transparent)]
    Recovery(#[from] ServeError),
    /// A database failed, or the target holds other data.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

impl MoveError {
    /// The exit code, after `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotSupported(_) | Self::Transfer(TransferError::NoSource(_) | TransferError::NotOurs(_)) => 64,
            Self::Recovery(error) => error.exit_code(),
            Self::InUse | Self::Journal(_) | Self::Transfer(_) => 69,
        }
    }
}

/// Moves the data at `from` to `to`, or to the settings' database. What dead processes left in the source's journal
/// goes along. Blocks.
///
/// # Errors
/// When the addresses are not of these kinds, a gateway uses the source, or a database refuses.
pub fn move_data(settings: &Settings, from: &str, to: Option<&str>) -> Result<Vec<TableMoved>, MoveError> {
    let unsupported =
        |which: &'static str| move |wanted: String| MoveError::NotSupported(format!("{which} must {wanted}"));
    let Database::Sqlite(path) = Database::parse(from).map_err(unsupported("--from"))? else {
        return Err(unsupported("--from")("be sqlite:PATH".to_owned()));
    };
    let target = match to {
        Some(to) => Database::parse(to).map_err(unsupported("--to"))?,
        None => settings.store.database.clone(),
    };
    let Database::Postgres(address) = target else {
        return Err(unsupported("--to or DATABASE_URL")("be postgres://…".to_owned()));
    };
    let journals = journals(settings, &path);
    for journal in &journals {
        refuse_if_in_use(journal)?;
    }
    let target = PostgresConfig {
        address: *address,
        limits: settings.store.limits,
    };
    // Before the source is opened for writing: it may be no gateway's, or another move may have its lock.
    let transfer = Transfer::prepare(SqliteConfig::new(&path), &target)?;
    for journal in &journals {
        take_over(&path, journal)?;
    }
    Ok(transfer.run()?)
}

/// Where the journals of the source's gateways may be: in the settings' data folder, or beside the file.
fn journals(settings: &Settings, path: &Path) -> [PathBuf; 2] {
    let mut source = settings.store.clone();
    source.database = Database::Sqlite(path.to_owned());
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    [settings.store.data_dir.clone(), beside].map(|data_dir| {
        source.data_dir = data_dir;
        source.journal_dir()
    })
}

fn refuse_if_in_use(journal_dir: &Path) -> Result<(), MoveError> {
    match is_in_use(journal_dir)? {
        true => Err(MoveError::InUse),
        false => Ok(()),
    }
}

/// Stores in the source what dead processes left in this journal.
fn take_over(path: &Path, journal_dir: &Path) -> Result<(), MoveError> {
    refuse_if_in_use(journal_dir)?;
    let store = Store::open(SqliteConfig::new(path).into()).map_err(ServeError::from)?;
    let recovered = startup::recover(&store, journal_dir);
    store.shutdown(startup::STORE_SHUTDOWN);
    Ok(recovered?)
}
