//! The ledger of a SQLite file: changes go through the writer's queue, the rest is read beside it.

use std::time::Duration;

use gateway_actors::protocol::{
    BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, ExpiredSlice, GiveBack, Grant, GrantRequest,
    InstanceId, LeaseId, LedgerStore, Recall, Scope, StoreFuture,
};
use tokio::runtime::Handle;

use super::connection::ReadPool;
use super::queries::ledger;
use super::writer::Writer;
use crate::store::error::Fault;
use crate::store::ledger::{LeaseKey, told};
use crate::store::{now_us, runtime};

/// The ledger of one database.
#[derive(Debug)]
pub(super) struct Ledger {
    writer: Writer,
    readers: ReadPool,
    runtime: Handle,
}

impl Ledger {
    pub(super) fn new(writer: Writer, readers: ReadPool, runtime: Handle) -> Self {
        Self {
            writer,
            readers,
            runtime,
        }
    }
}

impl BudgetStore for Ledger {
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            ledger::budget_changes(&mut connection, from).await
        })
    }

    fn set_budget(&self, scope: Scope, rule: BudgetRule) -> StoreFuture<BudgetStatus> {
        told(self.writer.submit(move |connection| {
            Box::pin(async move { ledger::set_budget(connection, &scope, &rule, now_us()).await })
        }))
    }

    fn recount(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        told(
            self.writer
                .submit(move |connection| Box::pin(async move { ledger::recount(connection, &scope, now_us()).await })),
        )
    }

    fn delete_budget(&self, scope: Scope) -> StoreFuture<bool> {
        self.writer.submit(move |connection| {
            Box::pin(async move { ledger::delete_budget(connection, &scope, now_us()).await })
        })
    }

    fn budget(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            ledger::budget(&mut connection, &scope, now_us()).await
        })
    }
}

impl LedgerStore for Ledger {
    fn open_lease(&self, instance: InstanceId, ttl: Duration) -> StoreFuture<LeaseId> {
        self.writer.submit(move |connection| {
            Box::pin(async move { ledger::open_lease(connection, instance, ttl, now_us()).await })
        })
    }

    fn renew_lease(&self, lease: LeaseId, ttl: Duration) -> StoreFuture<bool> {
        let lease = LeaseKey::from(lease);
        self.writer.submit(move |connection| {
            Box::pin(async move { ledger::renew_lease(connection, &lease, ttl, now_us()).await })
        })
    }

    fn expire_leases(&self, grace: Duration) -> StoreFuture<Vec<ExpiredSlice>> {
        told(self.writer.submit(move |connection| {
            Box::pin(async move { ledger::expire_leases(connection, grace, now_us()).await })
        }))
    }

    fn end_leases_of(&self, instances: Vec<InstanceId>) -> StoreFuture<()> {
        let instances: Vec<_> = instances.iter().map(InstanceId::to_string).collect();
        self.writer
            .submit(move |connection| Box::pin(async move { ledger::end_leases_of(connection, &instances).await }))
    }

    fn end_lease(&self, lease: LeaseId) -> StoreFuture<()> {
        let lease = LeaseKey::from(lease);
        self.writer
            .submit(move |connection| Box::pin(async move { ledger::end_lease(connection, &lease).await }))
    }

    fn grant(&self, lease: LeaseId, wanted: Vec<GrantRequest>) -> StoreFuture<Vec<Grant>> {
        let lease = LeaseKey::from(lease);
        self.writer.submit(move |connection| {
            Box::pin(async move { ledger::grant(connection, &lease, &wanted, now_us()).await })
        })
    }

    fn give_back(&self, lease: LeaseId, parts: Vec<GiveBack>) -> StoreFuture<()> {
        let lease = LeaseKey::from(lease);
        self.writer
            .submit(move |connection| Box::pin(async move { ledger::give_back(connection, &lease, &parts).await }))
    }

    fn recalls(&self, lease: LeaseId) -> StoreFuture<Vec<Recall>> {
        let (readers, lease) = (self.readers.clone(), LeaseKey::from(lease));
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            ledger::recalls(&mut connection, &lease).await
        })
    }
}
