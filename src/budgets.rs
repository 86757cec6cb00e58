//! Budgets as the edges see them: what they change holds for this process's next call.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use gateway_actors::budget::BudgetDirector;
use gateway_actors::protocol::{
    BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, ReloadBudgets, Scope, StoreFuture,
};
use gateway_actors::runtime::{RemoteAddr, RemoteAsks};
use tokio::time::timeout;

/// How long a change may take to be heard of. It is in force in the database by then, and heard of a little later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Budgets whose changes are answered when the process's own director knows them.
#[derive(Debug)]
pub(crate) struct AnnouncingBudgets {
    budgets: Arc<dyn BudgetStore>,
    director: Addr<BudgetDirector>,
    asks: Arc<RemoteAsks>,
}

impl AnnouncingBudgets {
    pub(crate) fn new(budgets: Arc<dyn BudgetStore>, director: Addr<BudgetDirector>) -> Self {
        Self {
            budgets,
            director,
            asks: Arc::default(),
        }
    }

    /// Waits until the director has looked for changes.
    fn announced<T: Send + 'static>(&self, change: StoreFuture<T>) -> StoreFuture<T> {
        let director = RemoteAddr::new(self.director.clone(), Arc::clone(&self.asks), PATIENCE);
        Box::pin(async move {
            let changed = change.await?;
            let heard = async {
                if let Ok(Ok(reloaded)) = director.ask(ReloadBudgets).await {
                    // A director that was rebuilt looks by itself.
                    let _ = reloaded.await;
                }
            };
            if timeout(PATIENCE, heard).await.is_err() {
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
