//! Reports, events and the books of a SQLite file: what only reads is read beside the writer, one report at a time.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncConnection;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_actors::protocol::{
    CallFilter, ClaimedEvent, EventStore, GatewayEvent, NanoUsd, Period, ReportGroup, ReportQuestion, ReportStore,
    ReportedCall, StoreFuture,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connection::{Connection, ReadPool};
use super::queries;
use super::writer::Writer;
use crate::store::books::{Audit, Books, Repriced, Repricing};
use crate::store::error::{Fault, QueryError};
use crate::store::ledger::told;
use crate::store::{micros, now_us, runtime};

/// How long a report waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The reports, events and books of one database.
#[derive(Debug)]
pub(super) struct Reports {
    writer: Writer,
    readers: ReadPool,
    runtime: Handle,
    /// A report may read a whole table, which nothing can stop: one at a time, so that a connection stays free for
    /// conversations.
    turn: Arc<Semaphore>,
}

impl Reports {
    pub(super) fn new(writer: Writer, readers: ReadPool, runtime: Handle) -> Self {
        Self {
            writer,
            readers,
            runtime,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Reads, when it is its turn.
    pub(super) fn read<T, W>(&self, work: W) -> StoreFuture<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send + 'static,
    {
        let (readers, turn) = (self.readers.clone(), Arc::clone(&self.turn));
        runtime::spawn(&self.runtime, async move {
            let Ok(Ok(_turn)) = timeout(PATIENCE, turn.acquire_owned()).await else {
                return Err(Fault::unavailable("too many reports are being made").into());
            };
            let mut connection = readers.get().await.map_err(Fault::from)?;
            work(&mut connection).await
        })
    }
}

impl ReportStore for Reports {
    fn report(&self, question: ReportQuestion) -> StoreFuture<Vec<ReportGroup>> {
        self.read(move |connection| async move { queries::report(connection, &question).await }.boxed())
    }

    fn dearest_calls(&self, filter: CallFilter, limit: u32) -> StoreFuture<Vec<ReportedCall>> {
        self.read(move |connection| async move { queries::dearest_calls(connection, &filter, limit).await }.boxed())
    }
}

impl EventStore for Reports {
    fn raise(&self, kind: &'static str, once: String, detail: String) -> StoreFuture<bool> {
        self.writer.submit(move |connection| {
            async move { queries::raise_event(connection, kind, &once, &detail, now_us()).await }.boxed()
        })
    }

    fn present(&self, limit: u32) -> StoreFuture<Vec<GatewayEvent>> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::present_events(&mut connection, limit, now_us()).await
        })
    }

    fn claim(&self, limit: u32, hold: Duration) -> StoreFuture<Vec<ClaimedEvent>> {
        self.writer.submit(move |connection| {
            let now = now_us();
            let until = now.saturating_add(micros(hold));
            async move { queries::claim_events(connection, limit, until, now).await }.boxed()
        })
    }

    fn delivered(&self, id: String) -> StoreFuture<()> {
        self.writer
            .submit(move |connection| async move { queries::event_delivered(connection, &id, now_us()).await }.boxed())
    }

    fn put_off(&self, id: String, pause: Duration) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            let again_at = now_us().saturating_add(micros(pause));
            async move { queries::put_off_event(connection, &id, again_at).await }.boxed()
        })
    }

    fn spent_today(&self) -> StoreFuture<(Period, NanoUsd)> {
        self.read(|connection| async move { queries::spent_today(connection, now_us()).await }.boxed())
    }
}

impl Books for Reports {
    fn audit(&self) -> StoreFuture<Audit> {
        self.read(|connection| {
            async move {
                let audit = connection
                    .transaction(async |connection: &mut Connection| queries::audit(connection, now_us()).await);
                audit.await
            }
            .boxed()
        })
    }

    fn purge_slices(&self, kept: Duration) -> StoreFuture<usize> {
        self.writer
            .submit(move |connection| async move { queries::ledger::purge_slices(connection, ago(kept)).await }.boxed())
    }

    fn purge_leases(&self, kept: Duration) -> StoreFuture<usize> {
        self.writer
            .submit(move |connection| async move { queries::ledger::purge_leases(connection, ago(kept)).await }.boxed())
    }

    fn purge_events(&self, kept: Duration) -> StoreFuture<usize> {
        self.writer
            .submit(move |connection| async move { queries::purge_events(connection, ago(kept)).await }.boxed())
    }

    fn purge_offers(&self, kept: Duration) -> StoreFuture<usize> {
        self.writer
            .submit(move |connection| async move { queries::purge_offers(connection, ago(kept)).await }.boxed())
    }

    fn purge_outcomes(&self, kept: Duration) -> StoreFuture<usize> {
        self.writer
            .submit(move |connection| async move { queries::purge_outcomes(connection, ago(kept)).await }.boxed())
    }

    fn reprice(&self, repricing: Repricing, behind: Option<String>) -> StoreFuture<(Repriced, Option<String>)> {
        told(self.writer.submit(move |connection| {
            async move { queries::reprice(connection, &repricing, behind.as_deref()).await }.boxed()
        }))
    }
}

/// So long ago, in microseconds since 1970.
fn ago(time: Duration) -> i64 {
    now_us().saturating_sub(micros(time))
}
