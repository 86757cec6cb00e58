//! Jobs, each in a transaction of its own on a connection of the pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel_async::pooled_connection::bb8::{PooledConnection, RunError};
use diesel_async::{AnsiTransactionManager, AsyncConnection, TransactionManager};
use futures_util::future::BoxFuture;
use gateway_actors::protocol::StoreFuture;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::session::{Connection, Pool, Server};
use crate::config::PostgresLimits;
use crate::store::error::{Fault, FaultKind, QueryError};
use crate::store::runtime;

/// Jobs that may wait or run. Beyond them the server is far behind: refused at once, not queued for ever.
const JOBS: u32 = 1024;
/// How often a job is run again after another transaction won.
const CONFLICTS: u32 = 3;
/// How often a job is run again after its connection ended.
const LOSSES: u32 = 1;
/// The pause before a job is run again, for each time that it was.
const PAUSE: Duration = Duration::from_millis(10);

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It changes something.
    Write,
    /// It only reads, and sees one moment of the database.
    Read,
}

impl Access {
    const fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// Runs jobs. Cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub(super) struct Transactions {
    pool: Pool,
    runtime: Handle,
    /// How long one run of a job may take, once it has a connection: twice what the server gives one statement, so that
    /// a server which hangs cannot hold a job for longer.
    limit: Duration,
    jobs: Arc<Semaphore>,
    closed: Arc<AtomicBool>,
}

impl Transactions {
    pub(super) fn new(server: &Server, limits: &PostgresLimits, runtime: &Handle) -> Self {
        let _inside = runtime.enter();
        Self {
            pool: server.pool(limits.max_connections),
            runtime: runtime.clone(),
            limit: limits.statement_timeout * 2,
            jobs: Arc::new(Semaphore::new(JOBS as usize)),
            closed: Arc::default(),
        }
    }

    /// The same, for jobs that may take this long, however long one statement may take otherwise. Their statements must
    /// be given that time too.
    pub(super) fn with_limit(&self, limit: Duration) -> Self {
        Self { limit, ..self.clone() }
    }

    /// Starts a job at once. It may run more than once; the second time must change nothing that the first did. The
    /// future is ready when the transaction is durable; dropping it does not take the job back.
    pub(super) fn submit<T, W>(&self, access: Access, work: W) -> StoreFuture<T>
    where
        T: Send + 'static,
        W: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send + Sync + 'static,
    {
        let refused =
            |reason| -> StoreFuture<T> { Box::pin(std::future::ready(Err(Fault::unavailable(reason).into()))) };
        if self.closed.load(Ordering::Acquire) {
            return refused("the store is closed");
        }
        let Ok(place) = Arc::clone(&self.jobs).try_acquire_owned() else {
            return refused("too many jobs wait for the database");
        };
        let this = self.clone();
        runtime::spawn(&self.runtime, async move {
            let _place = place;
            this.run(access, work).await
        })
    }

    /// Refuses new jobs and waits for those that are under way.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // Never closed itself, so this ends when all have ended.
        let _all = self.jobs.acquire_many(JOBS).await;
    }

    async fn run<T, W>(&self, access: Access, work: W) -> Result<T, QueryError>
    where
        T: Send,
        W: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send + Sync,
    {
        let (mut conflicts, mut losses) = (0, 0);
        loop {
            let result = self.once(access, &work).await;
            match &result {
                Err(QueryError::Database(fault)) if fault.kind == FaultKind::Conflict && conflicts < CONFLICTS => {
                    conflicts += 1;
                    tracing::debug!(error = %fault, conflicts, "another transaction won; trying again");
                }
                Err(QueryError::Database(fault)) if fault.kind == FaultKind::Lost && losses < LOSSES => {
                    losses += 1;
                    tracing::debug!(error = %fault, "a connection to the database ended; trying another");
                }
                _ => return result,
            }
            sleep(PAUSE * (conflicts + losses)).await;
        }
    }

    async fn once<T, W>(&self, access: Access, work: &W) -> Result<T, QueryError>
    where
        W: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send + Sync,
    {
        let mut connection = self.pool.get().await.map_err(no_connection)?;
        // A transaction that is left open, for whatever reason, makes the pool close its connection.
        match timeout(self.limit, in_transaction(&mut connection, access, work)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Fault::unavailable("the database did not answer in time").into()),
        }
    }
}

fn no_connection(error: RunError) -> Fault {
    match error {
        RunError::TimedOut => Fault::unavailable("no connection to the database became free in time"),
        RunError::User(error) => Fault::unavailable(&error.to_string()),
    }
}

async fn in_transaction<T, W>(
    connection: &mut PooledConnection<'_, Connection>,
    access: Access,
    work: &W,
) -> Result<T, QueryError>
where
    W: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send + Sync,
{
    let connection: &mut Connection = connection;
    AnsiTransactionManager::begin_transaction_sql(connection, access.begin()).await?;
    match work(connection).await {
        Ok(answer) => {
            <Connection as AsyncConnection>::TransactionManager::commit_transaction(connection).await?;
            Ok(answer)
        }
        // Nothing to take back on a connection that has ended, or whose server may not write: it is left as it is.
        Err(QueryError::Database(fault)) if fault.kind == FaultKind::Lost => Err(fault.into()),
        Err(error) => {
            if let Err(failed) = AnsiTransactionManager::rollback_transaction(connection).await {
                tracing::debug!(error = %failed, "a transaction could not be taken back; its connection is closed");
            }
            Err(error)
        }
    }
}
