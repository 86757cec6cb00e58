//! What `gateway_status` tells of, and how much was done in this process.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_actors::protocol::{
    BudgetTotals, Catalogue, CellTotals, Gauges, HealthSnapshot, StoreHealth, SystemHealth,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::status::{ProviderInfo, RequestTotals, StoreProbe};

/// What the wiring gives to the status tool.
#[derive(Debug)]
pub(crate) struct StatusParts {
    /// The models.
    pub(crate) catalogue: Arc<ArcSwap<Catalogue>>,
    /// The published health of providers and models.
    pub(crate) health: Arc<ArcSwap<HealthSnapshot>>,
    /// The configured providers.
    pub(crate) providers: Vec<ProviderInfo>,
    /// The totals of every cell.
    pub(crate) totals: Vec<Arc<CellTotals>>,
    /// The sums of every cell's budget.
    pub(crate) budgets: Vec<Arc<BudgetTotals>>,
    /// What is under way in the process.
    pub(crate) gauges: Gauges,
    /// Whether the database works.
    pub(crate) store_health: Arc<dyn StoreHealth>,
    /// The health of the actor system.
    pub(crate) system_health: watch::Receiver<SystemHealth>,
}

/// The parts, and what the edge counts itself.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) parts: StatusParts,
    pub(super) calls: RequestTotals,
    pub(super) store: StoreProbe,
    pub(super) started: Instant,
}

impl Status {
    pub(super) fn new(parts: StatusParts) -> Self {
        Self {
            store: StoreProbe::new(Arc::clone(&parts.store_health)),
            calls: RequestTotals::default(),
            started: Instant::now(),
            parts,
        }
    }
}
