//! Budgets as the edges see them: what they change holds for the next call, in this process and in the others.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use arc_swap::ArcSwap;
use gateway_actors::budget::{BudgetDirector, HEARD_EVERYWHERE};
use gateway_actors::protocol::{
    BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, ReloadBudgets, Scope, StoreError, StoreFuture,
};
use gateway_actors::runtime::{RemoteAddr, RemoteAsks};
use tokio::time::{sleep, timeout};

use crate::system::CellAddrs;

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

/// The process's own part in a change of budgets.
#[derive(Debug, Clone)]
struct Own {
    news: BudgetNews,
    cells: Arc<ArcSwap<Vec<CellAddrs>>>,
}

impl Own {
    /// What the calls cost that have ended is in the database, or the time for it is over.
    async fn flush(&self) {
        let cells = self.cells.load_full();
        let flushed = async {
            for cell in cells.iter() {
                cell.flush(PATIENCE).await;
            }
        };
        // Records that come all the while are waited for no longer: those that were there have gone before them.
        let _in_time = timeout(PATIENCE, flushed).await;
    }

    async fn hear(&self) {
        if self.news.hear().await.is_err() {
            tracing::warn!("a budget was changed; this process hears of it a little later");
        }
    }
}

/// Budgets whose changes are answered when every process has had the time to hear of them, and this one has. A budget that
/// is new holds what the calls cost that had ended by then.
#[derive(Debug)]
pub(crate) struct AnnouncingBudgets {
    budgets: Arc<dyn BudgetStore>,
    own: Option<Own>,
}

impl AnnouncingBudgets {
    pub(crate) fn new(budgets: Arc<dyn BudgetStore>, news: BudgetNews, cells: Arc<ArcSwap<Vec<CellAddrs>>>) -> Self {
        let own = Some(Own { news, cells });
        Self { budgets, own }
    }

    /// For a process that makes no calls itself.
    pub(crate) fn of_others(budgets: Arc<dyn BudgetStore>) -> Self {
        Self { budgets, own: None }
    }
}

/// Does it to its end, also when nobody waits any longer.
fn to_its_end<T: Send + 'static>(work: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> StoreFuture<T> {
    let done = tokio::spawn(work);
    Box::pin(async move { done.await.unwrap_or(Err(StoreError::Unavailable { source: None })) })
}

impl BudgetStore for AnnouncingBudgets {
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges> {
        self.budgets.budget_changes(from)
    }

    fn set_budget(&self, scope: Scope, rule: BudgetRule) -> StoreFuture<BudgetStatus> {
        let (budgets, own) = (Arc::clone(&self.budgets), self.own.clone());
        to_its_end(async move {
            if let Some(own) = &own {
                own.flush().await;
            }
            let before = budgets.budget(scope.clone()).await?;
            let window = rule.window;
            let set = budgets.set_budget(scope.clone(), rule).await?;
            let hear = async {
                if let Some(own) = &own {
                    own.hear().await;
                }
            };
            tokio::join!(hear, sleep(HEARD_EVERYWHERE));
            if before.is_some_and(|before| before.rule.window == window) {
                return Ok(set);
            }
            match budgets.recount(scope).await {
                Ok(counted) => Ok(counted.unwrap_or(set)),
                Err(error) => {
                    tracing::warn!(%error, "a budget was set; what others spent at that moment could not be counted");
                    Ok(set)
                }
            }
        })
    }

    fn recount(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        self.budgets.recount(scope)
    }

    fn delete_budget(&self, scope: Scope) -> StoreFuture<bool> {
        let (deleted, own) = (self.budgets.delete_budget(scope), self.own.clone());
        to_its_end(async move {
            let deleted = deleted.await?;
            if let Some(own) = &own {
                own.hear().await;
            }
            Ok(deleted)
        })
    }

    fn budget(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        self.budgets.budget(scope)
    }
}
