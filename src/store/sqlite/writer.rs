//! The one connection that writes, and the queue before it.
//!
//! Jobs that queue up while a transaction runs are committed together in the next one (one flush of the disk instead
//! of one each). Each runs in its own savepoint, so that a job that fails takes back only what it did itself; a fault
//! of the transaction as a whole (disk full, locked by another process) is answered to every job in it. A job is
//! answered after the commit, never before.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use diesel::QueryResult;
use diesel::connection::AnsiTransactionManager;
use diesel_async::{AsyncConnection, TransactionManager};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_actors::protocol::{StoreError, StoreFuture};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::connection::{Access, Connection, Database};
use crate::store::error::{Fault, QueryError};

/// Jobs that may wait. A full queue means that the disk is far behind: refused at once, not queued for ever.
const QUEUE: usize = 1024;
/// Jobs that one transaction may hold.
const MAX_BATCH: usize = 64;
/// A job that waited longer than this many busy timeouts is refused without being run: whoever sent it has given up or
/// soon will.
const MAX_WAIT: u32 = 2;

type Savepoints = <Connection as AsyncConnection>::TransactionManager;

/// Sends jobs to the writer. Cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Queued>,
}

/// The far end of the queue.
#[derive(Debug)]
pub(super) struct WriterQueue {
    queue: mpsc::Receiver<Queued>,
}

/// A queue of writes. [`WriterQueue::run`] serves it.
pub(super) fn queue() -> (Writer, WriterQueue) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Writer { queue: sender }, WriterQueue { queue: receiver })
}

impl Writer {
    /// Queues work to be done inside a write transaction, at once and in the order of the calls. The future is ready
    /// when the transaction is durable; dropping it does not take the job back.
    pub(super) fn submit<T, W>(&self, work: W) -> StoreFuture<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = TypedJob {
            work: Some(work),
            outcome: None,
            reply,
        };
        let queued = Queued {
            job: Box::new(job),
            since: Instant::now(),
        };
        let refused = match self.queue.try_send(queued) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(_)) => Some("too many writes wait"),
            Err(mpsc::error::TrySendError::Closed(_)) => Some("the store is closed"),
        };
        Box::pin(async move {
            if let Some(reason) = refused {
                return Err(Fault::unavailable(reason).into());
            }
            match answer.await {
                Ok(result) => result,
                Err(_closed) => Err(Fault::unavailable("the store closed before it wrote").into()),
            }
        })
    }
}

/// A job and when it was queued.
struct Queued {
    job: Box<dyn Job>,
    since: Instant,
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queued")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// A job whatever its answer is.
trait Job: Send {
    /// Does the work inside the open transaction. What it wrote shall be kept, or taken back for the reason given.
    fn run<'c>(&'c mut self, connection: &'c mut Connection) -> BoxFuture<'c, Result<(), Fault>>;

    /// Sends the answer, now that it is known whether the transaction is durable.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

struct TypedJob<T, W> {
    work: Option<W>,
    outcome: Option<Result<T, QueryError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for TypedJob<T, W>
where
    T: Send,
    W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send,
{
    fn run<'c>(&'c mut self, connection: &'c mut Connection) -> BoxFuture<'c, Result<(), Fault>> {
        let Some(work) = self.work.take() else {
            return Box::pin(std::future::ready(Err(Fault::failed("the job was run before"))));
        };
        Box::pin(async move {
            let outcome = work(connection).await;
            let kept = match &outcome {
                Ok(_) => Ok(()),
                Err(QueryError::Database(fault)) => Err(fault.clone()),
                Err(
                    error @ (QueryError::Busy { .. }
                    | QueryError::Deleted
                    | QueryError::Mismatch
                    | QueryError::ResponseMismatch
                    | QueryError::ReportTooLarge),
                ) => Err(Fault::unavailable(&error.to_string())),
            };
            self.outcome = Some(outcome);
            kept
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let result = match (self.outcome, committed) {
            (Some(Err(own)), _) => Err(own.into()),
            (_, Err(fault)) => Err(fault.into()),
            (Some(Ok(answer)), Ok(())) => Ok(answer),
            (None, Ok(())) => Err(Fault::failed("a store job panicked").into()),
        };
        // Whoever asked may have gone; the work is done all the same.
        drop(self.reply.send(result));
    }
}

impl WriterQueue {
    /// Serves the queue until `stop` is ready; what is queued by then is still done.
    pub(super) async fn run(mut self, connection: Connection, database: Database, mut stop: oneshot::Receiver<()>) {
        let mut connection = Some(connection);
        let max_wait = database.busy_timeout() * MAX_WAIT;
        let mut stopping = false;
        loop {
            let first = tokio::select! {
                biased;
                _ = &mut stop, if !stopping => {
                    self.queue.close();
                    stopping = true;
                    continue;
                }
                first = self.queue.recv() => first,
            };
            let Some(first) = first else { break };
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(next) = self.queue.try_recv()
            {
                batch.push(next);
            }
            connection = write(connection, &database, refuse_stale(batch, max_wait)).await;
        }
    }
}

/// Answers the jobs that waited too long and returns the others.
fn refuse_stale(batch: Vec<Queued>, max_wait: Duration) -> Vec<Box<dyn Job>> {
    let now = Instant::now();
    let mut fresh = Vec::with_capacity(batch.len());
    for queued in batch {
        if now.duration_since(queued.since) > max_wait {
            queued.job.answer(Err(Fault::unavailable("the write waited too long")));
        } else {
            fresh.push(queued.job);
        }
    }
    fresh
}

/// Commits these jobs and answers them. Returns the connection if it can be used again: one whose transaction went
/// wrong as a whole is not trusted, and the next batch opens a new one.
async fn write(connection: Option<Connection>, database: &Database, mut jobs: Vec<Box<dyn Job>>) -> Option<Connection> {
    let opened = match connection {
        Some(connection) => Ok(connection),
        None => database
            .clone()
            .connect_async(Access::ReadWrite)
            .await
            .map_err(Fault::from),
    };
    let (connection, committed) = match opened {
        Ok(mut connection) => match commit_all(&mut connection, &mut jobs).await {
            Ok(()) => (Some(connection), Ok(())),
            Err(fault) => (None, Err(fault)),
        },
        Err(fault) => (None, Err(fault)),
    };
    if let Err(fault) = &committed {
        tracing::warn!(jobs = jobs.len(), error = %fault, "a write transaction failed");
    }
    for job in jobs {
        job.answer(committed.clone());
    }
    connection
}

/// Runs the jobs in one transaction, on a disk that may be full for a test.
async fn commit_all(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    #[cfg(feature = "fault-injection")]
    {
        let most = super::connection::MOST_PAGES.load(std::sync::atomic::Ordering::Acquire);
        if most > 0 {
            let limit = format!("PRAGMA max_page_count = {most}");
            diesel_async::SimpleAsyncConnection::batch_execute(connection, &limit).await?;
        }
    }
    commit(connection, jobs).await
}

/// Runs the jobs in one transaction.
async fn commit(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    begin(connection).await?;
    for job in jobs {
        Savepoints::begin_transaction(connection).await?;
        let kept = match AssertUnwindSafe(job.run(connection)).catch_unwind().await {
            Ok(kept) => kept,
            Err(panic) => {
                tracing::error!(panic = panic_text(&*panic), "a store job panicked");
                Err(Fault::failed("a store job panicked"))
            }
        };
        match kept {
            Ok(()) => Savepoints::commit_transaction(connection).await?,
            Err(reason) => {
                // Some faults, such as a full disk, take back the whole transaction and its savepoints with it. Then the
                // others fail for the same reason.
                if let Err(error) = Savepoints::rollback_transaction(connection).await {
                    tracing::debug!(%error, "a savepoint cannot be taken back");
                    return Err(reason);
                }
            }
        }
    }
    Savepoints::commit_transaction(connection).await?;
    Ok(())
}

/// Begins a transaction that may write. It takes SQLite's write lock at once, waiting for it if need be: a transaction
/// that reads first and asks for the lock later is refused without waiting.
async fn begin(connection: &mut Connection) -> QueryResult<()> {
    connection
        .spawn_blocking(|connection| AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE"))
        .await
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
