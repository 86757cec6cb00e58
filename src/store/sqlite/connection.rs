//! Connections: how each is set up, and the pool that reads use.

use std::path::PathBuf;
use std::time::Duration;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel::{Connection as _, ConnectionError, ConnectionResult, QueryResult};
use diesel_async::pooled_connection::bb8::{Pool, RunError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use futures_util::FutureExt;

use crate::store::error::{ADDRESS, Fault, OpenError};

/// The connection that every query takes.
pub(super) type Connection = SyncConnectionWrapper<SqliteConnection>;

/// The connections that reads use.
pub(super) type ReadPool = Pool<Connection>;

/// How long a statement waits for another process that holds the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that the file may have from the next write on, if this is not 0: a full disk, for tests of what happens then.
#[cfg(feature = "fault-injection")]
pub(super) static MOST_PAGES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Connections that reads share.
const READ_CONNECTIONS: u32 = 2;

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything.
    ReadWrite,
    /// Reading only.
    Read,
}

/// Where the database is and how its connections are set up.
#[derive(Debug, Clone)]
pub(super) struct Database {
    url: String,
    busy_timeout: Duration,
    #[cfg(test)]
    pub(super) max_page_count: Option<u32>,
}

impl Database {
    /// The database in this file. An absolute path, so that no file name is taken for a URL.
    pub(super) fn at(path: &std::path::Path, busy_timeout: Duration) -> Result<Self, OpenError> {
        let absolute: PathBuf =
            std::path::absolute(path).map_err(|source| OpenError::create(path.to_owned(), source))?;
        match absolute.into_os_string().into_string() {
            Ok(url) => Ok(Self {
                url,
                busy_timeout,
                #[cfg(test)]
                max_page_count: None,
            }),
            Err(path) => Err(OpenError::NotUtf8 {
                path: path.into(),
                setting: ADDRESS,
            }),
        }
    }

    /// The file.
    #[cfg(test)]
    pub(super) fn path(&self) -> &std::path::Path {
        std::path::Path::new(&self.url)
    }

    /// How long a statement waits for another process that holds the file.
    pub(super) fn busy_timeout(&self) -> Duration {
        self.busy_timeout
    }

    /// Opens a connection on the calling thread.
    pub(super) fn connect(&self, access: Access) -> ConnectionResult<SqliteConnection> {
        let mut connection = SqliteConnection::establish(&self.url)?;
        self.set_up(&mut connection, access)
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Sets up a connection that was opened to look; turns the file to WAL.
    pub(super) fn set_up(&self, connection: &mut SqliteConnection, access: Access) -> QueryResult<()> {
        connection.batch_execute(&self.setup(access))
    }

    /// Opens a connection that leaves the file as it is: setting up any other turns it to WAL.
    pub(super) fn connect_to_look(&self) -> ConnectionResult<SqliteConnection> {
        let mut connection = SqliteConnection::establish(&self.url)?;
        connection
            .batch_execute(&self.patience())
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Opens a connection from the store runtime.
    pub(super) async fn connect_async(self, access: Access) -> ConnectionResult<Connection> {
        match tokio::task::spawn_blocking(move || self.connect(access)).await {
            Ok(connection) => connection.map(Connection::new),
            Err(error) => Err(ConnectionError::BadConnection(error.to_string())),
        }
    }

    /// The pool of reading connections; they are opened when first used. Call on the store runtime.
    pub(super) fn read_pool(&self) -> ReadPool {
        let mut config = ManagerConfig::default();
        // A connection to a file does not go away between two uses.
        config.recycling_method = RecyclingMethod::Fast;
        let database = self.clone();
        config.custom_setup = Box::new(move |_| database.clone().connect_async(Access::Read).boxed());
        Pool::builder()
            .max_size(READ_CONNECTIONS)
            .connection_timeout(self.busy_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .build_unchecked(AsyncDieselConnectionManager::new_with_config(self.url.as_str(), config))
    }

    /// Makes statements wait for another process that holds the file.
    fn patience(&self) -> String {
        format!("PRAGMA busy_timeout = {};", self.busy_timeout.as_millis())
    }

    /// The settings of a connection. `busy_timeout` comes first, so that the others wait too; `synchronous=FULL` since
    /// an acknowledged message must survive the machine; the cache is small since the whole process is.
    fn setup(&self, access: Access) -> String {
        let patience = self.patience();
        let mut setup = format!(
            "{patience}
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -1024;
             PRAGMA journal_size_limit = 8388608;"
        );
        if access == Access::Read {
            setup.push_str("PRAGMA query_only = ON;");
        }
        #[cfg(test)]
        if let Some(pages) = self.max_page_count {
            setup.push_str(&format!("PRAGMA max_page_count = {pages};"));
        }
        setup
    }
}

impl From<RunError> for Fault {
    fn from(error: RunError) -> Self {
        use diesel_async::pooled_connection::PoolError;

        match error {
            RunError::User(PoolError::ConnectionError(error)) => error.into(),
            RunError::User(PoolError::QueryError(error)) => error.into(),
            RunError::TimedOut => Self::unavailable("no reading connection became free in time"),
        }
    }
}
