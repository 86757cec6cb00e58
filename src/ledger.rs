//! The ledger as the edges see it: what they change of budgets holds for this process's next call.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use gateway_actors::budget::BudgetDirector;
use gateway_actors::protocol::{
    BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, ExpiredSlice, GiveBack, Grant, GrantRequest, InstanceId,
    LeaseId, LedgerStore, Recall, ReloadBudgets, Scope, StoreError, StoreFuture,
};
use gateway_actors::runtime::{RemoteAddr, RemoteAsks};
use tokio::time::timeout;

/// How long a change may take to be heard of. It is in force in the database by then, and heard of a little later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has the process's director look for changed budgets.
#[derive(Debug, Clone)]
pub(crate) struct BudgetNews(RemoteAddr<BudgetDirector>);

impl BudgetNews {
    pub(crate) fn of(director: Addr<BudgetDirector>) -> Self {
        Self(RemoteAddr::new(director, Arc::<RemoteAsks>::default(), PATIENCE))
    }

    /// Every call from now on is paid for by the budgets that are in the database at this moment.
    ///
    /// # Errors
    /// When the director or the database does not answer in time.
    pub(crate) async fn hear(&self) -> Result<(), StoreError> {
        let heard = async {
            match self.0.ask(ReloadBudgets).await {
                Ok(Ok(reloaded)) => reloaded.await.unwrap_or(false),
                // It is being rebuilt, or everything ends.
                _ => false,
            }
        };
        match timeout(PATIENCE, heard).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(StoreError::Unavailable { source: None }),
        }
    }
}

/// A ledger whose changes of budgets are answered when the process's own director knows them.
#[derive(Debug)]
pub(crate) struct AnnouncingLedger {
    ledger: Arc<dyn LedgerStore>,
    news: BudgetNews,
}

impl AnnouncingLedger {
    pub(crate) fn new(ledger: Arc<dyn LedgerStore>, news: BudgetNews) -> Self {
        Self { ledger, news }
    }

    /// Waits until the director has looked for changes.
    fn announced<T: Send + 'static>(&self, change: StoreFuture<T>) -> StoreFuture<T> {
        let news = self.news.clone();
        Box::pin(async move {
            let changed = change.await?;
            if news.hear().await.is_err() {
                tracing::warn!("a budget was changed; this process hears of it a little later");
            }
            Ok(changed)
        })
    }
}

impl LedgerStore for AnnouncingLedger {
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges> {
        self.ledger.budget_changes(from)
    }

    fn set_budget(&self, scope: Scope, rule: BudgetRule) -> StoreFuture<BudgetStatus> {
        self.announced(self.ledger.set_budget(scope, rule))
    }

    fn delete_budget(&self, scope: Scope) -> StoreFuture<bool> {
        self.announced(self.ledger.delete_budget(scope))
    }

    fn budget(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        self.ledger.budget(scope)
    }

    fn open_lease(&self, instance: InstanceId, ttl: Duration) -> StoreFuture<LeaseId> {
        self.ledger.open_lease(instance, ttl)
    }

    fn renew_lease(&self, lease: LeaseId, ttl: Duration) -> StoreFuture<bool> {
        self.ledger.renew_lease(lease, ttl)
    }

    fn expire_leases(&self, grace: Duration) -> StoreFuture<Vec<ExpiredSlice>> {
        self.ledger.expire_leases(grace)
    }

    fn end_leases_of(&self, instances: Vec<InstanceId>) -> StoreFuture<()> {
        self.ledger.end_leases_of(instances)
    }

    fn grant(&self, lease: LeaseId, wanted: Vec<GrantRequest>) -> StoreFuture<Vec<Grant>> {
        self.ledger.grant(lease, wanted)
    }

    fn give_back(&self, lease: LeaseId, parts: Vec<GiveBack>) -> StoreFuture<()> {
        self.ledger.give_back(lease, parts)
    }

    fn recalls(&self, lease: LeaseId) -> StoreFuture<Vec<Recall>> {
        self.ledger.recalls(lease)
    }
}
