//! The cells that were started, for those who address them from outside.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use arc_swap::ArcSwap;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
#[cfg(feature = "fault-injection")]
use gateway_actors::budget::BudgetActor;
use gateway_actors::cost::CostTracker;
use gateway_actors::protocol::{AreStored, FlushCalls, StoredCalls};
#[cfg(feature = "fault-injection")]
use gateway_actors::provider::ProviderActor;
#[cfg(feature = "fault-injection")]
use gateway_actors::router::RouterActor;
use gateway_actors::runtime::{RemoteAddr, RemoteAsks};

use super::REMOTE_PATIENCE;

/// The actors of a cell, for the few who address them from outside: the drain, and tests that make them panic.
#[derive(Debug, Clone)]
pub(crate) struct CellAddrs {
    pub(crate) cost: Addr<CostTracker>,
    #[cfg(feature = "fault-injection")]
    pub(super) router: Addr<RouterActor>,
    #[cfg(feature = "fault-injection")]
    pub(super) budget: Addr<BudgetActor>,
    #[cfg(feature = "fault-injection")]
    pub(super) provider: Option<Addr<ProviderActor>>,
}

impl CellAddrs {
    /// Waits until the call records of the cell are in the database; asking alone takes no longer than this.
    pub(crate) async fn flush(&self, patience: Duration) {
        let cost = RemoteAddr::new(self.cost.clone(), Arc::<RemoteAsks>::default(), patience);
        if let Ok(Ok(flushed)) = cost.ask(FlushCalls).await {
            // A tracker that was rebuilt meanwhile says nothing; its records are in the journal.
            let _ = flushed.await;
        }
    }

    /// Whether what is charged to this lease of the process, and was handed over to the cell's tracker, is in the database.
    async fn has_stored(&self, epoch: u32) -> bool {
        let cost = RemoteAddr::new(self.cost.clone(), Arc::<RemoteAsks>::default(), REMOTE_PATIENCE);
        matches!(cost.ask(AreStored { epoch }).await, Ok(Ok(true)))
    }
}

/// The calls of all cells that were started.
#[derive(Debug)]
pub(super) struct CallsOfCells(pub(super) Arc<ArcSwap<Vec<CellAddrs>>>);

impl StoredCalls for CallsOfCells {
    fn are_stored(&self, epoch: u32) -> LocalBoxFuture<'static, bool> {
        let cells = self.0.load_full();
        let all = async move {
            for cell in cells.iter() {
                if !cell.has_stored(epoch).await {
                    return false;
                }
            }
            true
        };
        all.boxed_local()
    }
}
