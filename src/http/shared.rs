//! What the handlers see of the rest of the process: snapshots, counters, ports and the pipeline of their cell.

use std::cell::OnceCell;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::{FromRequest, HttpRequest, dev};
use arc_swap::ArcSwap;
use futures_core::future::LocalBoxFuture;
use gateway_actors::protocol::{
    BudgetStore, BudgetTotals, Catalogue, CellTotals, ConversationStore, EventStore, Gauges, HealthSnapshot, KeyStore,
    Learned, LearningTotals, NotebookStore, OutcomeStore, ReportStore, ResponseStore, StoreHealth, SystemHealth,
};
use gateway_actors::runtime::Bell;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::Failure;
use super::extract::BodyBudget;
use super::idempotency::Idempotency;
use super::middleware::Admission;
use super::pipeline::RequestPipeline;
use crate::auth::Auth;
use crate::config::{ExhaustedStatus, HttpSettings, ResponsesSettings};
use crate::escalation::Offers;
use crate::limits::Limits;
use crate::status::{ProviderInfo, RequestTotals, StoreProbe};

/// How far the process is; each stage comes after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifecycle {
    /// Something that requests need is not there yet.
    Starting,
    /// Requests are served.
    Serving,
    /// Requests are still served, but readiness says no, so that load balancers send no more.
    Leaving,
    /// What is under way is finished; new requests are refused.
    Draining,
    /// Whole answers that are still being made are given up.
    Cutting,
    /// Streams that still run are told so and cut.
    Ending,
}

/// Makes an actor panic, for tests: true when there is an actor of this name.
#[cfg(feature = "fault-injection")]
pub struct FaultSwitch(pub Box<dyn Fn(&str) -> bool + Send + Sync>);

#[cfg(feature = "fault-injection")]
impl std::fmt::Debug for FaultSwitch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultSwitch")
    }
}

/// What the wiring gives to the HTTP edge.
#[derive(Debug)]
pub struct EdgeParts {
    /// How the edge behaves.
    pub settings: HttpSettings,
    /// Who requests are from.
    pub auth: Arc<Auth>,
    /// The virtual keys in the database.
    pub keys: Arc<dyn KeyStore>,
    /// The budgets in the database.
    pub budget_store: Arc<dyn BudgetStore>,
    /// What a call that a budget has not enough left for is answered with.
    pub exhausted_status: ExhaustedStatus,
    /// The models.
    pub catalogue: Arc<ArcSwap<Catalogue>>,
    /// The published health of providers and models.
    pub health: Arc<ArcSwap<HealthSnapshot>>,
    /// The configured providers.
    pub providers: Vec<ProviderInfo>,
    /// The totals of every cell.
    pub totals: Vec<Arc<CellTotals>>,
    /// The sums of every cell's budget.
    pub budgets: Vec<Arc<BudgetTotals>>,
    /// What is under way in the process.
    pub gauges: Gauges,
    /// The stored conversations.
    pub conversations: Arc<dyn ConversationStore>,
    /// The stored responses.
    pub responses: Arc<dyn ResponseStore>,
    /// Whether responses are stored, and for how long.
    pub response_settings: ResponsesSettings,
    /// Reports over the call records.
    pub reports: Arc<dyn ReportStore>,
    /// The offers to go on with a dearer layer.
    pub offers: Offers,
    /// What became of requests.
    pub outcomes: Arc<dyn OutcomeStore>,
    /// Experiments, heuristics, bugs and calibrations.
    pub notebook: Arc<dyn NotebookStore>,
    /// The calibration, and what was learned.
    pub learned: Arc<ArcSwap<Learned>>,
    /// What the learning director counts.
    pub learning: Arc<LearningTotals>,
    /// What operators are told of.
    pub events: Arc<dyn EventStore>,
    /// The answers to requests with an idempotency key.
    pub idempotency: Idempotency,
    /// How often and how much each caller may ask.
    pub limits: Arc<Limits>,
    /// Whether the database works.
    pub store_health: Arc<dyn StoreHealth>,
    /// The health of the actor system.
    pub system_health: watch::Receiver<SystemHealth>,
    /// How far the process is.
    pub lifecycle: watch::Receiver<Lifecycle>,
    /// Makes an actor panic.
    #[cfg(feature = "fault-injection")]
    pub faults: FaultSwitch,
}

/// Comes true when streams are to be cut.
pub(crate) type Ending = LocalBoxFuture<'static, ()>;

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    parts: EdgeParts,
    pub(crate) admission: Admission,
    pub(crate) bodies: Arc<BodyBudget>,
    pub(crate) requests: RequestTotals,
    pub(crate) store_probe: StoreProbe,
    pub(crate) endpoints: Endpoints,
    started: Instant,
    started_unix: u64,
}

/// The endpoints' names as call records hold them, made once.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(crate) chat_completions: Arc<str>,
    pub(crate) completions: Arc<str>,
    pub(crate) embeddings: Arc<str>,
    pub(crate) messages: Arc<str>,
    pub(crate) count_tokens: Arc<str>,
    pub(crate) responses: Arc<str>,
    pub(crate) route: Arc<str>,
    pub(crate) code_agent: Arc<str>,
    pub(crate) chat: Arc<str>,
}

impl Shared {
    /// Puts the parts together; the uptime counts from here.
    #[must_use]
    pub fn new(parts: EdgeParts) -> Arc<Self> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Arc::new(Self {
            admission: Admission::new(&parts.settings, parts.lifecycle.clone()),
            bodies: Arc::new(BodyBudget::new(parts.settings.held_body_bytes)),
            requests: RequestTotals::default(),
            store_probe: StoreProbe::new(Arc::clone(&parts.store_health)),
            endpoints: Endpoints {
                chat_completions: "/v1/chat/completions".into(),
                completions: "/v1/completions".into(),
                embeddings: "/v1/embeddings".into(),
                messages: "/v1/messages".into(),
                count_tokens: "/v1/messages/count_tokens".into(),
                responses: "/v1/responses".into(),
                route: "/v1/route".into(),
                code_agent: "/v1/code-agent".into(),
                chat: "/v1/chat".into(),
            },
            started: Instant::now(),
            started_unix: since_epoch.as_secs(),
            parts,
        })
    }

    /// When the process started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// When the process started, in seconds since 1970 (UTC).
    pub(crate) fn started_unix(&self) -> u64 {
        self.started_unix
    }

    /// How far the process is now.
    pub(crate) fn lifecycle(&self) -> Lifecycle {
        *self.parts.lifecycle.borrow()
    }

    /// Comes true when the process is at this stage or beyond.
    pub(crate) fn reached(&self, stage: Lifecycle) -> impl Future<Output = ()> + use<> {
        let mut lifecycle = self.parts.lifecycle.clone();
        async move {
            if lifecycle.wait_for(|now| *now >= stage).await.is_err() {
                // Nobody is left who could say so.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Comes true when streams are to be cut.
    pub(crate) fn ending(&self) -> Ending {
        Box::pin(self.reached(Lifecycle::Ending))
    }
}

impl Deref for Shared {
    type Target = EdgeParts;

    fn deref(&self) -> &EdgeParts {
        &self.parts
    }
}

/// What a worker's handlers work with: what all share, and the pipeline of the worker's own cell.
#[derive(Debug, Clone)]
pub struct Edge(Rc<EdgeInner>);

#[derive(Debug)]
struct EdgeInner {
    pipeline: Box<dyn RequestPipeline>,
    shared: Arc<Shared>,
    /// Made by the first request, since it needs the worker's runtime.
    cutting: OnceCell<Bell>,
}

impl Edge {
    /// The edge of one worker.
    #[must_use]
    pub fn new(pipeline: impl RequestPipeline + 'static, shared: Arc<Shared>) -> Self {
        let pipeline = Box::new(pipeline);
        Self(Rc::new(EdgeInner {
            pipeline,
            shared,
            cutting: OnceCell::new(),
        }))
    }

    pub(crate) fn pipeline(&self) -> &dyn RequestPipeline {
        &*self.0.pipeline
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Comes true when whole answers that are still being made are given up.
    pub(crate) async fn cut(&self) {
        let of_worker = || Bell::when(self.0.shared.lifecycle.clone(), |now| *now >= Lifecycle::Cutting);
        self.0.cutting.get_or_init(of_worker).rung().await;
    }

    /// The edge of the worker that serves this request.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Failure> {
        request.app_data::<Self>().cloned().ok_or_else(Failure::internal)
    }
}

impl FromRequest for Edge {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(request).map_err(Into::into))
    }
}
