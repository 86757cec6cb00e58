//! Budgets as the edges see them: what they change holds for this process's next call.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use gateway_actors::budget::BudgetDirector;
use gateway_actors::protocol::{
    BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, ReloadBudgets, Scope, StoreError, StoreFuture,
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

/// Budgets whose changes are answered when the process's own director knows them.
#[derive(Debug)]
pub(crate) struct AnnouncingBudgets {
    budgets: Arc<dyn BudgetStore>,
    news: BudgetNews,
}

impl AnnouncingBudgets {
    pub(crate) fn new(budgets: Arc<dyn BudgetStore>, news: BudgetNews) -> Self {
        Self { budgets, news }
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

impl BudgetStore for AnnouncingBudgets {
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges> {
        self.budgets.budget_changes(from)
    }

    fn set_budget(&self, scope: Scope, rule: BudgetRule) -> StoreFuture<BudgetStatus> {
        self.announced(self.budgets.set_budget(scope, rule))
    }

    fn delete_budget(&self, scope: Scope) -> StoreFuture<bool> {
        self.announced(self.budgets.delete_budget(scope))
    }

    fn budget(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        self.budgets.budget(scope)
    }
}
