//! `ai-mcp-gateway migrate --from sqlite:PATH --to postgres://…`.

use std::path::{Path, PathBuf};

use crate::config::{Database, Settings};
use crate::startup::{self, ServeError};
use crate::store::{
    DatabaseName, JournalOpenError, OpenError, PostgresConfig, SqliteConfig, TableMoved, Transfer, TransferError,
    count_left, is_in_use,
};

/// The flag that names the target.
const TO: &str = "--to";

/// Why nothing was moved, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Something other than from SQLite to PostgreSQL is asked for.
    #[error("data can be moved from sqlite:PATH to postgres://… only: {0}")]
    NotSupported(String),
    /// A gateway uses the source, as can be seen from where its journal is: an earlier version, or one that cannot lock.
    #[error(
        "a gateway is running on the source, with its journal in {}: stop it first, so that nothing is written to what \
         was moved already; if its database is another file, set GATEWAY_DATA_DIR to another folder for this command", .0.display()
    )]
    InUse(PathBuf),
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
            Self::Transfer(TransferError::Open(OpenError::Address { name: TO, .. })) => 64,
            Self::Transfer(TransferError::Open(OpenError::Address { .. })) => 78,
            // The codes of the gateway's own database do not fit a source.
            Self::Recovery(_) | Self::InUse(_) | Self::Journal(_) | Self::Transfer(_) => 69,
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
        Some(to) => Database::parse(to).map_err(unsupported(TO))?,
        None => settings.store.database.clone(),
    };
    let Database::Postgres(address) = target else {
        return Err(unsupported("--to or DATABASE_URL")("be postgres://…".to_owned()));
    };
    // A path that leads nowhere is told of below.
    let typed = path;
    let path = std::fs::canonicalize(&typed).unwrap_or_else(|_| typed.clone());
    let journals = Journals::of(settings, &typed, &path);
    for journal in journals.own.iter().chain(&journals.doubtful) {
        refuse_if_in_use(journal)?;
    }
    let target = PostgresConfig {
        address: *address,
        limits: settings.store.limits,
        flag: to.map(|_| TO),
    };
    // Before the source is opened for writing: it may be no gateway's, or another move may have its lock.
    let transfer = Transfer::prepare(SqliteConfig::new(&path), &target)?;
    for journal in &journals.own {
        take_over(&transfer, journal)?;
    }
    let moved = transfer.run()?;
    for journal in &journals.doubtful {
        warn_of(journal);
    }
    Ok(moved)
}

/// Where the journals of the source's gateways may be.
struct Journals {
    /// Those that are the file's.
    own: Vec<PathBuf>,
    /// Those that have only the name of the file: an earlier version's, and perhaps those of another file of this name.
    doubtful: Vec<PathBuf>,
}

impl Journals {
    /// `typed` is the path as it was given, `path` the same without symbolic links.
    fn of(settings: &Settings, typed: &Path, path: &Path) -> Self {
        let data_dir = &settings.store.data_dir;
        let name = DatabaseName::Sqlite(path.to_owned());
        let folder = |file: &Path| file.parent().unwrap_or(Path::new("")).to_owned();
        let mut own = vec![name.journal_dir(&folder(path))];
        let in_data_dir = name.journal_dir(data_dir);
        if !own.iter().any(|journal| is_same(journal, &in_data_dir)) {
            own.push(in_data_dir);
        }
        let mut doubtful = Vec::new();
        for file in [typed, path] {
            let file_name = file.file_name().unwrap_or_default();
            for data_dir in [data_dir, &folder(typed)] {
                doubtful.push(data_dir.join("journal").join(file_name));
            }
        }
        doubtful.retain(|journal| !own.iter().any(|own| is_same(own, journal)));
        doubtful.sort();
        doubtful.dedup();
        Self { own, doubtful }
    }
}

/// Whether both paths lead to the same place, as far as it is there.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

fn warn_of(journal_dir: &Path) {
    let path = journal_dir.display();
    match count_left(journal_dir) {
        Ok(0) => {}
        Ok(call_records) => tracing::warn!(
            %path,
            call_records,
            "call records wait in a journal with the name of the source, which may be another file's; if they are the \
             source's, bring them in with `ai-mcp-gateway migrate --journal` and this path"
        ),
        Err(error) => tracing::warn!(%path, %error, "a journal with the name of the source cannot be read"),
    }
}

fn refuse_if_in_use(journal_dir: &Path) -> Result<(), MoveError> {
    match is_in_use(journal_dir)? {
        true => Err(MoveError::InUse(journal_dir.to_owned())),
        false => Ok(()),
    }
}

/// Stores in the source what dead processes left in this journal.
fn take_over(transfer: &Transfer, journal_dir: &Path) -> Result<(), MoveError> {
    refuse_if_in_use(journal_dir)?;
    let store = transfer.open_source().map_err(ServeError::from)?;
    let recovered = startup::recover(&store, journal_dir);
    store.shutdown(startup::STORE_SHUTDOWN);
    Ok(recovered?)
}
