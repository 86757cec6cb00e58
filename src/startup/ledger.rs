//! Stands where the database's ledger will: every question is answered as by a database that is away.

use std::future::ready;
use std::time::Duration;

use gateway_actors::protocol::{
    BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, ExpiredSlice, GiveBack, Grant, GrantRequest, InstanceId,
    LeaseId, LedgerStore, Recall, Scope, StoreError, StoreFuture,
};

/// A ledger that cannot be reached.
#[derive(Debug)]
pub(super) struct Away;

fn away<T: Send + 'static>() -> StoreFuture<T> {
    Box::pin(ready(Err(StoreError::Unavailable { source: None })))
}

impl LedgerStore for Away {
    fn budget_changes(&self, _: BudgetCursor) -> StoreFuture<BudgetChanges> {
        away()
    }

    fn set_budget(&self, _: Scope, _: BudgetRule) -> StoreFuture<BudgetStatus> {
        away()
    }

    fn delete_budget(&self, _: Scope) -> StoreFuture<bool> {
        away()
    }

    fn budget(&self, _: Scope) -> StoreFuture<Option<BudgetStatus>> {
        away()
    }

    fn open_lease(&self, _: InstanceId, _: Duration) -> StoreFuture<LeaseId> {
        away()
    }

    fn renew_lease(&self, _: LeaseId, _: Duration) -> StoreFuture<bool> {
        away()
    }

    fn expire_leases(&self, _: Duration) -> StoreFuture<Vec<ExpiredSlice>> {
        away()
    }

    fn end_leases_of(&self, _: Vec<InstanceId>) -> StoreFuture<()> {
        away()
    }

    fn grant(&self, _: LeaseId, _: Vec<GrantRequest>) -> StoreFuture<Vec<Grant>> {
        away()
    }

    fn give_back(&self, _: LeaseId, _: Vec<GiveBack>) -> StoreFuture<()> {
        away()
    }

    fn recalls(&self, _: LeaseId) -> StoreFuture<Vec<Recall>> {
        away()
    }
}
