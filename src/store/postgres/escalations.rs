//! The offers of a PostgreSQL database, by the server's clock.

use std::sync::Arc;

use futures_util::FutureExt;
use gateway_actors::protocol::{
    Decided, EscalationDecision, EscalationId, EscalationStore, HashSecret, NewEscalation, StoreFuture,
    StoredEscalation,
};

use super::transactions::{Access, Transactions};
use super::{clock, queries};
use crate::store::fresh_secret;

/// The offers of one database.
#[derive(Debug)]
pub(super) struct Escalations {
    transactions: Transactions,
}

impl Escalations {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl EscalationStore for Escalations {
    fn secret(&self) -> StoreFuture<HashSecret> {
        self.transactions.submit(Access::Write, move |connection| {
            async move { queries::secret(connection, queries::ESCALATION, &fresh_secret()?).await }.boxed()
        })
    }

    fn offer(&self, offer: NewEscalation) -> StoreFuture<()> {
        let offer = Arc::new(offer);
        self.transactions.submit(Access::Write, move |connection| {
            let offer = Arc::clone(&offer);
            async move {
                let now = clock::now_us(connection).await?;
                queries::offer(connection, &offer, now).await
            }
            .boxed()
        })
    }

    fn find(&self, id: EscalationId) -> StoreFuture<Option<StoredEscalation>> {
        self.transactions.submit(Access::Read, move |connection| {
            queries::find_offer(connection, id).boxed()
        })
    }

    fn decide(&self, id: EscalationId, decision: EscalationDecision) -> StoreFuture<Decided> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::decide(connection, id, decision, now).await
            }
            .boxed()
        })
    }
}
