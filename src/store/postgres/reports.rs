//! Reports, events and the books of a PostgreSQL database. Times are the server's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gateway_actors::protocol::{
    CallFilter, ClaimedEvent, EventStore, GatewayEvent, NanoUsd, Period, ReportGroup, ReportQuestion, ReportStore,
    ReportedCall, StoreFuture,
};

use super::transactions::{Access, Transactions};
use super::{clock, queries};
use crate::store::books::{Audit, BOOKS_LIMIT, Books, Repriced, Repricing};
use crate::store::ledger::told;
use crate::store::micros;

/// The reports, events and books of one database.
#[derive(Debug)]
pub(super) struct Reports {
    transactions: Transactions,
}

impl Reports {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl ReportStore for Reports {
    fn report(&self, question: ReportQuestion) -> StoreFuture<Vec<ReportGroup>> {
        let question = Arc::new(question);
        self.transactions.submit(Access::Read, move |connection| {
            let question = Arc::clone(&question);
            async move { queries::report(connection, &question).await }.boxed()
        })
    }

    fn dearest_calls(&self, filter: CallFilter, limit: u32) -> StoreFuture<Vec<ReportedCall>> {
        let filter = Arc::new(filter);
        self.transactions.submit(Access::Read, move |connection| {
            let filter = Arc::clone(&filter);
            async move { queries::dearest_calls(connection, &filter, limit).await }.boxed()
        })
    }
}

impl EventStore for Reports {
    fn raise(&self, kind: &'static str, once: String, detail: String) -> StoreFuture<bool> {
        let told = Arc::new((once, detail));
        self.transactions.submit(Access::Write, move |connection| {
            let told = Arc::clone(&told);
            async move {
                let now = clock::now_us(connection).await?;
                queries::raise_event(connection, kind, &told.0, &told.1, now).await
            }
            .boxed()
        })
    }

    fn present(&self, limit: u32) -> StoreFuture<Vec<GatewayEvent>> {
        self.transactions.submit(Access::Read, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::present_events(connection, limit, now).await
            }
            .boxed()
        })
    }

    fn claim(&self, limit: u32, hold: Duration) -> StoreFuture<Vec<ClaimedEvent>> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                let until = now.saturating_add(micros(hold));
                queries::claim_events(connection, limit, until, now).await
            }
            .boxed()
        })
    }

    fn delivered(&self, id: String) -> StoreFuture<()> {
        let id = Arc::new(id);
        self.transactions.submit(Access::Write, move |connection| {
            let id = Arc::clone(&id);
            async move {
                let now = clock::now_us(connection).await?;
                queries::event_delivered(connection, &id, now).await
            }
            .boxed()
        })
    }

    fn put_off(&self, id: String, pause: Duration) -> StoreFuture<()> {
        let id = Arc::new(id);
        self.transactions.submit(Access::Write, move |connection| {
            let id = Arc::clone(&id);
            async move {
                let now = clock::now_us(connection).await?;
                queries::put_off_event(connection, &id, now.saturating_add(micros(pause))).await
            }
            .boxed()
        })
    }

    fn spent_today(&self) -> StoreFuture<(Period, NanoUsd)> {
        self.transactions.submit(Access::Read, |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::spent_today(connection, now).await
            }
            .boxed()
        })
    }
}

impl Books for Reports {
    fn audit(&self) -> StoreFuture<Audit> {
        let patient = self.transactions.with_limit(BOOKS_LIMIT);
        patient.submit(Access::Read, |connection| {
            async move {
                clock::be_patient(connection, BOOKS_LIMIT).await?;
                let now = clock::now_us(connection).await?;
                queries::audit(connection, now).await
            }
            .boxed()
        })
    }

    fn purge_slices(&self, kept: Duration) -> StoreFuture<usize> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let before = clock::now_us(connection).await?.saturating_sub(micros(kept));
                queries::ledger::purge_slices(connection, before).await
            }
            .boxed()
        })
    }

    fn purge_leases(&self, kept: Duration) -> StoreFuture<usize> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let before = clock::now_us(connection).await?.saturating_sub(micros(kept));
                queries::ledger::purge_leases(connection, before).await
            }
            .boxed()
        })
    }

    fn purge_events(&self, kept: Duration) -> StoreFuture<usize> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let before = clock::now_us(connection).await?.saturating_sub(micros(kept));
                queries::purge_events(connection, before).await
            }
            .boxed()
        })
    }

    fn purge_offers(&self, kept: Duration) -> StoreFuture<usize> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let before = clock::now_us(connection).await?.saturating_sub(micros(kept));
                queries::purge_offers(connection, before).await
            }
            .boxed()
        })
    }

    fn purge_outcomes(&self, kept: Duration) -> StoreFuture<usize> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let before = clock::now_us(connection).await?.saturating_sub(micros(kept));
                queries::purge_outcomes(connection, before).await
            }
            .boxed()
        })
    }

    fn reprice(&self, repricing: Repricing, behind: Option<String>) -> StoreFuture<(Repriced, Option<String>)> {
        let asked = Arc::new((repricing, behind));
        let patient = self.transactions.with_limit(BOOKS_LIMIT);
        told(patient.submit(Access::Write, move |connection| {
            let asked = Arc::clone(&asked);
            async move {
                clock::be_patient(connection, BOOKS_LIMIT).await?;
                queries::reprice(connection, &asked.0, asked.1.as_deref()).await
            }
            .boxed()
        }))
    }
}
