//! The offers of a SQLite file: writes go through the writer's queue, the rest is read beside it.

use futures_util::FutureExt;
use gateway_actors::protocol::{
    Decided, EscalationDecision, EscalationId, EscalationStore, HashSecret, NewEscalation, StoreFuture,
    StoredEscalation,
};
use tokio::runtime::Handle;

use super::connection::ReadPool;
use super::queries;
use super::writer::Writer;
use crate::store::error::Fault;
use crate::store::{fresh_secret, now_us, runtime};

/// The offers of one database.
#[derive(Debug)]
pub(super) struct Escalations {
    writer: Writer,
    readers: ReadPool,
    runtime: Handle,
}

impl Escalations {
    pub(super) fn new(writer: Writer, readers: ReadPool, runtime: Handle) -> Self {
        Self {
            writer,
            readers,
            runtime,
        }
    }
}

impl EscalationStore for Escalations {
    fn secret(&self) -> StoreFuture<HashSecret> {
        self.writer.submit(move |connection| {
            async move { queries::secret(connection, queries::ESCALATION, &fresh_secret()?).await }.boxed()
        })
    }

    fn offer(&self, offer: NewEscalation) -> StoreFuture<()> {
        self.writer
            .submit(move |connection| async move { queries::offer(connection, &offer, now_us()).await }.boxed())
    }

    fn find(&self, id: EscalationId) -> StoreFuture<Option<StoredEscalation>> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::find_offer(&mut connection, id).await
        })
    }

    fn decide(&self, id: EscalationId, decision: EscalationDecision) -> StoreFuture<Decided> {
        self.writer
            .submit(move |connection| async move { queries::decide(connection, id, decision, now_us()).await }.boxed())
    }
}
