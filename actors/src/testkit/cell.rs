//! A cell wired to ports in memory.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use actix_rt::Arbiter;
use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use super::events::MemoryEvents;
use super::journal::MemoryJournal;
use super::ledger::MemoryLedger;
use super::notes::MemoryNotes;
use super::samples::learned;
use super::store::MemoryStore;
use super::upstream::{PlainRequest, PlainScribe, ScriptedUpstream, TextRequest};
use crate::budget::{BudgetActor, BudgetDirector, BudgetSettings};
use crate::context::ContextActor;
use crate::cost::{CostSettings, CostTracker};
use crate::dispatch::{DispatchSettings, OrchestrationSettings, Pipeline, PipelineParts, ProviderHandle};
use crate::learning::{LearningDirector, LearningParts};
use crate::protocol::{
    AttemptJournal, BoundRules, BudgetBook, BudgetTotals, CallContext, Caller, Capabilities, Capability, Catalogue,
    CellId, CellTotals, ChatCall, Dialect, Gauges, HealthSnapshot, InFlight, InstanceId, LastResort, Layer,
    MediaTokens, Model, Needs, PicoUsdPerToken, PlanRequest, Price, QualityLevel, RequestId, Target, TaskType, Vendor,
    Wish,
};
use crate::provider::{BreakerSettings, ProviderActor, ProviderDirector};
use crate::router::{RouterActor, RouterSettings, RouterSources};
use crate::runtime::{CrashReporter, LocalAddr, RemoteAddr, RemoteAsks, RestartPolicy};

/// A pipeline over real actors and ports in memory.
#[derive(Debug)]
pub struct TestCell {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// The providers' script.
    pub upstream: Rc<ScriptedUpstream>,
    /// The journal.
    pub journal: Rc<MemoryJournal>,
    /// The store.
    pub store: Arc<MemoryStore>,
    /// The published totals.
    pub totals: Arc<CellTotals>,
    /// The published holds.
    pub budget: Arc<BudgetTotals>,
    /// The ledger.
    pub ledger: Arc<MemoryLedger>,
    /// The published budgets.
    pub book: Arc<ArcSwap<BudgetBook>>,
    /// What became of requests that the gateway chose the model for.
    pub notes: Arc<MemoryNotes>,
    /// The published health.
    pub health: Arc<ArcSwap<HealthSnapshot>>,
    /// What is under way.
    pub gauges: Gauges,
    /// Asks that crossed threads.
    pub remote_asks: Arc<RemoteAsks>,
    /// The cell's cost tracker, for flushing.
    pub cost: LocalAddr<CostTracker>,
    /// The cell's router.
    pub router: LocalAddr<RouterActor>,
    /// The panics.
    pub crashes: CrashReporter,
    /// Cuts what is under way when it is set.
    pub cut: watch::Sender<bool>,
    arbiter: Arbiter,
}

/// What a cell may be told besides its models.
#[derive(Debug, Clone, Default)]
pub struct TestSettings {
    /// How hard the pipeline tries.
    pub dispatch: DispatchSettings,
    /// The numbers of requests that are answered in several calls.
    pub orchestration: OrchestrationSettings,
    /// The router's rules.
    pub router: RouterSettings,
    /// Calls at once at each provider; 128 where nothing is said.
    pub places: Option<u32>,
}

/// A model of layer L0 at this price in pico-USD per token.
#[must_use]
pub fn test_model(id: &str, provider: &str, price: u64) -> Model {
    Model {
        id: id.into(),
        provider: provider.into(),
        vendor: Vendor::Other,
        api_model: id.into(),
        dialect: Dialect::OpenaiChat,
        layer: Layer::L0,
        capabilities: Capabilities::NONE.with(Capability::Chat),
        context_window: 10_000,
        max_output_tokens: 100,
        price: Some(Price::plain(
            PicoUsdPerToken(price),
            PicoUsdPerToken(price),
            PicoUsdPerToken(price),
        )),
        media: MediaTokens::default(),
    }
}

impl TestCell {
    /// Starts a cell on this thread, and the ContextActor and the director on another.
    #[must_use]
    pub fn start(models: Vec<Model>, settings: DispatchSettings) -> Self {
        let dispatch = settings;
        Self::start_with(
            models,
            TestSettings {
                dispatch,
                ..TestSettings::default()
            },
        )
    }

    /// The same with more settings.
    #[must_use]
    pub fn start_with(models: Vec<Model>, settings: TestSettings) -> Self {
        let crashes = CrashReporter::new(RestartPolicy::default());
        let health: Arc<ArcSwap<HealthSnapshot>> = Arc::default();
        let (upstream, journal) = (Rc::<ScriptedUpstream>::default(), Rc::<MemoryJournal>::default());
        let (store, totals, budget) = (Arc::default(), Arc::default(), Arc::default());
        let (cut, watched) = watch::channel(false);
        let (gauges, remote_asks) = (Gauges::default(), Arc::<RemoteAsks>::default());
        let usable = models.iter().map(|model| model.provider.clone()).collect();
        let arbiter = Arbiter::new();
        let reporter = crashes.clone();
        let context = ContextActor::start_in_arbiter(&arbiter.handle(), move |_| ContextActor::new(reporter));
        let (published, reporter) = (Arc::clone(&health), crashes.clone());
        let director = ProviderDirector::start_in_arbiter(&arbiter.handle(), move |_| {
            ProviderDirector::new(BreakerSettings::default(), published, 1, reporter)
        });
        let mut providers = HashMap::new();
        for model in &models {
            let name = model.provider.clone();
            let in_flight = Arc::new(InFlight::new(settings.places.unwrap_or(128)));
            let actor = ProviderActor::new(
                name.clone(),
                Arc::clone(&in_flight),
                Arc::clone(&health),
                director.clone(),
                crashes.clone(),
            );
            let actor = LocalAddr::new(actor.start());
            providers.insert(name, ProviderHandle { actor, in_flight });
        }
        let sources = RouterSources {
            catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new(
                models,
                Vec::new(),
                HashMap::new(),
            ))),
            health: Arc::clone(&health),
            usable: Arc::new(usable),
            key_variables: Arc::default(),
            learned: learned(),
        };
        let router = LocalAddr::new(RouterActor::new(settings.router, sources, crashes.clone()).start());
        let log: Rc<dyn AttemptJournal> = journal.clone();
        let holds = BudgetActor::new(Arc::clone(&budget), crashes.clone());
        let instance = InstanceId::generate();
        let (ledger, book) = (Arc::<MemoryLedger>::default(), Arc::<ArcSwap<BudgetBook>>::default());
        let (for_director, reporter) = (Arc::clone(&ledger), crashes.clone());
        let published = Arc::clone(&book);
        let budget_director = BudgetDirector::start_in_arbiter(&arbiter.handle(), move |_| {
            BudgetDirector::new(BudgetSettings::default(), instance, published, for_director, reporter)
        });
        let notes = Arc::<MemoryNotes>::default();
        let (told, reporter) = (Arc::clone(&notes), crashes.clone());
        let learning = LearningDirector::start_in_arbiter(&arbiter.handle(), move |_| {
            let learned = learned();
            let parts = LearningParts {
                outcomes: told.clone(),
                notebook: told,
                events: Arc::<MemoryEvents>::default(),
                calibration: learned.load().model.clone(),
                learned,
                totals: Arc::default(),
                is_adaptive: false,
            };
            LearningDirector::new(parts, reporter)
        });
        let calls: Arc<MemoryStore> = Arc::clone(&store);
        let cost = CostTracker::new(
            CostSettings::default(),
            Rc::clone(&log),
            calls,
            Arc::clone(&totals),
            crashes.clone(),
        );
        let cost = LocalAddr::new(cost.start());
        let conversations: Arc<MemoryStore> = Arc::clone(&store);
        let todos: Arc<MemoryStore> = Arc::clone(&store);
        let pipeline = Pipeline::new(PipelineParts {
            instance,
            cell: CellId(0),
            router: router.clone(),
            providers,
            budget: LocalAddr::new(holds.start()),
            spending: Arc::clone(&budget),
            budget_director: RemoteAddr::new(budget_director, Arc::clone(&remote_asks), Duration::from_secs(5)),
            budgets: Arc::clone(&book),
            bounds: BoundRules::default(),
            cost: cost.clone(),
            context: RemoteAddr::new(context, Arc::clone(&remote_asks), Duration::from_secs(5)),
            upstream: upstream.clone(),
            journal: log,
            conversations,
            scribe: Rc::new(PlainScribe),
            learned: learned(),
            learning: Some(RemoteAddr::new(
                learning,
                Arc::clone(&remote_asks),
                Duration::from_secs(5),
            )),
            todos,
            last_resort: Arc::new(LastResort::new(Instant::now())),
            gauges: gauges.clone(),
            cut: watched,
            #[cfg(feature = "fault-injection")]
            crash_stream: Arc::default(),
            settings: settings.dispatch,
            orchestration: settings.orchestration,
        });
        Self {
            pipeline,
            upstream,
            journal,
            store,
            totals,
            budget,
            ledger,
            book,
            notes,
            health,
            gauges,
            remote_asks,
            cost,
            router,
            crashes,
            cut,
            arbiter,
        }
    }

    /// A request that asks this.
    #[must_use]
    pub fn ask(&self, text: &str) -> ChatCall {
        ChatCall {
            outgoing: Rc::new(TextRequest::new(text)),
            ..self.call()
        }
    }

    /// A request that any model can answer.
    #[must_use]
    pub fn call(&self) -> ChatCall {
        ChatCall {
            plan: PlanRequest {
                request: RequestId::generate(),
                target: Target::Auto,
                max_layer: None,
                allowed: None,
                task: TaskType::General,
                quality: QualityLevel::Normal,
                needs: Needs {
                    input_bound: 20,
                    ..Needs::default()
                },
                question: None,
                wish: Wish::default(),
            },
            outgoing: Rc::new(PlainRequest),
            context: CallContext {
                endpoint: "/test".into(),
                caller: Caller::Local,
                user_id: None,
                project_id: None,
                deadline: Instant::now() + Duration::from_secs(60),
                watcher: None,
                meter: None,
                place: None,
            },
        }
    }

    /// Stops the other thread and waits for its end.
    pub fn stop(self) {
        self.arbiter.stop();
        if self.arbiter.join().is_err() {
            tracing::error!("the test's arbiter panicked");
        }
    }
}
