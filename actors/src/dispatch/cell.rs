//! What a cell's pipeline is wired to.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::retry::RetryBudget;
use super::settings::{DispatchSettings, OrchestrationSettings};
use crate::budget::{BudgetActor, BudgetDirector};
use crate::context::ContextActor;
use crate::cost::CostTracker;
use crate::learning::LearningDirector;
use crate::protocol::{
    AttemptJournal, BoundRules, BudgetBook, BudgetTotals, CellId, ConversationStore, Gauges, InFlight, InstanceId,
    LastResort, Learned, ProviderName, Scribe, TodoStore, Upstream,
};
#[cfg(feature = "testkit")]
use crate::protocol::{Plan, PlanRequest, RouteError};
use crate::provider::ProviderActor;
use crate::router::RouterActor;
use crate::runtime::{Bell, LocalAddr, RemoteAddr};

/// A provider as a cell sees it.
#[derive(Debug)]
pub struct ProviderHandle {
    /// The cell's actor for it.
    pub actor: LocalAddr<ProviderActor>,
    /// Its calls under way, over all cells.
    pub in_flight: Arc<InFlight>,
}

/// Everything a pipeline needs, put together where the cell is wired.
#[derive(Debug)]
pub struct PipelineParts {
    /// The process.
    pub instance: InstanceId,
    /// The cell.
    pub cell: CellId,
    /// The cell's router.
    pub router: LocalAddr<RouterActor>,
    /// The cell's providers.
    pub providers: HashMap<ProviderName, ProviderHandle>,
    /// The cell's budget.
    pub budget: LocalAddr<BudgetActor>,
    /// What the cell's holds come to.
    pub spending: Arc<BudgetTotals>,
    /// The process's budgets.
    pub budget_director: RemoteAddr<BudgetDirector>,
    /// The budgets as they are published.
    pub budgets: Arc<ArcSwap<BudgetBook>>,
    /// What requests that a budget pays for may have in them.
    pub bounds: BoundRules,
    /// The cell's cost tracker.
    pub cost: LocalAddr<CostTracker>,
    /// The process's conversations, on an arbiter of their own.
    pub context: RemoteAddr<ContextActor>,
    /// The cell's way to the providers.
    pub upstream: Rc<dyn Upstream>,
    /// The cell's journal.
    pub journal: Rc<dyn AttemptJournal>,
    /// The stored conversations.
    pub conversations: Arc<dyn ConversationStore>,
    /// Writes the gateway's own requests, and reads their answers.
    pub scribe: Rc<dyn Scribe>,
    /// The calibration, and what was learned.
    pub learned: Arc<ArcSwap<Learned>>,
    /// Is told what became of requests; nothing where nobody learns.
    pub learning: Option<RemoteAddr<LearningDirector>>,
    /// The stored to-do lists.
    pub todos: Arc<dyn TodoStore>,
    /// The process's leave to call a provider whose gate is open.
    pub last_resort: Arc<LastResort>,
    /// The process's counters.
    pub gauges: Gauges,
    /// Comes true when the process ends and waits for nothing any more: what is under way is cut, and settles.
    pub cut: watch::Receiver<bool>,
    /// Makes the next stream that gets an event panic when it is set. For tests of what happens then.
    #[cfg(feature = "fault-injection")]
    pub crash_stream: Arc<std::sync::atomic::AtomicBool>,
    /// The pipeline's numbers.
    pub settings: DispatchSettings,
    /// The numbers of requests that are answered in several calls.
    pub orchestration: OrchestrationSettings,
}

/// The parts, and the little state that the pipeline itself keeps.
#[derive(Debug)]
pub(super) struct CellParts {
    parts: PipelineParts,
    cutting: Bell,
    pub(super) retries: RefCell<RetryBudget>,
    pub(super) lingering: Cell<i64>,
    /// Plans in the router's place.
    #[cfg(feature = "testkit")]
    planner: RefCell<Option<Planner>>,
}

/// Plans in the router's place, or leaves it to the router.
#[cfg(feature = "testkit")]
pub(super) struct Planner(pub(super) Box<PlanBy>);

#[cfg(feature = "testkit")]
pub(super) type PlanBy = dyn Fn(&PlanRequest) -> Option<Result<Plan, RouteError>>;

#[cfg(feature = "testkit")]
impl std::fmt::Debug for Planner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Planner")
    }
}

impl CellParts {
    pub(super) fn new(parts: PipelineParts) -> Self {
        let now = tokio::time::Instant::now();
        Self {
            retries: RefCell::new(RetryBudget::new(&parts.settings, now)),
            lingering: Cell::new(0),
            #[cfg(feature = "testkit")]
            planner: RefCell::default(),
            cutting: Bell::when(parts.cut.clone(), |cut| *cut),
            parts,
        }
    }

    /// Has requests planned by this, where it does, and not by the router.
    #[cfg(feature = "testkit")]
    pub(super) fn plan_by(&self, planner: Planner) {
        self.planner.replace(Some(planner));
    }

    /// The plan that is made in the router's place.
    #[cfg(feature = "testkit")]
    pub(super) fn planned(&self, request: &PlanRequest) -> Option<Result<Plan, RouteError>> {
        let planner = self.planner.borrow();
        planner.as_ref().and_then(|planner| (planner.0)(request))
    }

    /// Comes true when what is under way is to be cut.
    pub(super) async fn cut(&self) {
        self.cutting.rung().await;
    }

    /// Whether what is under way is being cut.
    pub(super) fn is_cut(&self) -> bool {
        *self.parts.cut.borrow()
    }

    pub(super) fn provider(&self, name: &ProviderName) -> Option<&ProviderHandle> {
        self.parts.providers.get(name)
    }
}

impl std::ops::Deref for CellParts {
    type Target = PipelineParts;

    fn deref(&self) -> &PipelineParts {
        &self.parts
    }
}
