//! The ledger of a PostgreSQL database, by the server's clock.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gateway_actors::protocol::{
    BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, ExpiredSlice, GiveBack, Grant, GrantRequest,
    InstanceId, LeaseId, LedgerStore, Recall, Scope, StoreFuture,
};

use super::clock;
use super::queries::ledger;
use super::transactions::{Access, Transactions};
use crate::store::ledger::{LeaseKey, told};

/// The ledger of one database.
#[derive(Debug)]
pub(super) struct Ledger {
    transactions: Transactions,
}

impl Ledger {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl BudgetStore for Ledger {
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges> {
        self.transactions.submit(Access::Read, move |connection| {
            ledger::budget_changes(connection, from).boxed()
        })
    }

    fn set_budget(&self, scope: Scope, rule: BudgetRule) -> StoreFuture<BudgetStatus> {
        let budget = Arc::new((scope, rule));
        told(self.transactions.submit(Access::Write, move |connection| {
            let budget = Arc::clone(&budget);
            async move {
                let now = clock::now_us(connection).await?;
                ledger::set_budget(connection, &budget.0, &budget.1, now).await
            }
            .boxed()
        }))
    }

    fn recount(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        told(self.transactions.submit(Access::Write, move |connection| {
            let scope = scope.clone();
            async move {
                let now = clock::now_us(connection).await?;
                ledger::recount(connection, &scope, now).await
            }
            .boxed()
        }))
    }

    fn delete_budget(&self, scope: Scope) -> StoreFuture<bool> {
        self.transactions.submit(Access::Write, move |connection| {
            let scope = scope.clone();
            async move {
                let now = clock::now_us(connection).await?;
                ledger::delete_budget(connection, &scope, now).await
            }
            .boxed()
        })
    }

    fn budget(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        self.transactions.submit(Access::Read, move |connection| {
            let scope = scope.clone();
            async move {
                let now = clock::now_us(connection).await?;
                ledger::budget(connection, &scope, now).await
            }
            .boxed()
        })
    }
}

impl LedgerStore for Ledger {
    fn open_lease(&self, instance: InstanceId, ttl: Duration) -> StoreFuture<LeaseId> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                ledger::open_lease(connection, instance, ttl, now).await
            }
            .boxed()
        })
    }

    fn renew_lease(&self, lease: LeaseId, ttl: Duration) -> StoreFuture<bool> {
        let lease = LeaseKey::from(lease);
        self.transactions.submit(Access::Write, move |connection| {
            let lease = lease.clone();
            async move {
                let now = clock::now_us(connection).await?;
                ledger::renew_lease(connection, &lease, ttl, now).await
            }
            .boxed()
        })
    }

    fn expire_leases(&self, grace: Duration) -> StoreFuture<Vec<ExpiredSlice>> {
        told(self.transactions.submit(Access::Write, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                ledger::expire_leases(connection, grace, now).await
            }
            .boxed()
        }))
    }

    fn end_leases_of(&self, instances: Vec<InstanceId>) -> StoreFuture<()> {
        let instances: Arc<[String]> = instances.iter().map(InstanceId::to_string).collect();
        self.transactions.submit(Access::Write, move |connection| {
            let instances = Arc::clone(&instances);
            async move { ledger::end_leases_of(connection, &instances).await }.boxed()
        })
    }

    fn end_lease(&self, lease: LeaseId) -> StoreFuture<()> {
        let lease = Arc::new(LeaseKey::from(lease));
        self.transactions.submit(Access::Write, move |connection| {
            let lease = Arc::clone(&lease);
            async move { ledger::end_lease(connection, &lease).await }.boxed()
        })
    }

    fn grant(&self, lease: LeaseId, wanted: Vec<GrantRequest>) -> StoreFuture<Vec<Grant>> {
        let question = Arc::new((LeaseKey::from(lease), wanted));
        self.transactions.submit(Access::Write, move |connection| {
            let question = Arc::clone(&question);
            async move {
                let now = clock::now_us(connection).await?;
                ledger::grant(connection, &question.0, &question.1, now).await
            }
            .boxed()
        })
    }

    fn give_back(&self, lease: LeaseId, parts: Vec<GiveBack>) -> StoreFuture<()> {
        let given = Arc::new((LeaseKey::from(lease), parts));
        self.transactions.submit(Access::Write, move |connection| {
            let given = Arc::clone(&given);
            async move { ledger::give_back(connection, &given.0, &given.1).await }.boxed()
        })
    }

    fn recalls(&self, lease: LeaseId) -> StoreFuture<Vec<Recall>> {
        let lease = LeaseKey::from(lease);
        self.transactions.submit(Access::Read, move |connection| {
            let lease = lease.clone();
            async move { ledger::recalls(connection, &lease).await }.boxed()
        })
    }
}
