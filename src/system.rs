//! Names and wires every actor: the one place that knows them all.
//!
//! ```text
//! main thread      SupervisorActor
//! control          ProviderDirector            publishes health; asks for free models
//!                  BudgetDirector              publishes budgets; fills and empties the process's slices
//!                  LearningDirector            publishes what was learned; takes outcomes to the database
//! conversations    ContextActor                orders turns
//! worker 0..n      a cell each: RouterActor, ProviderActor per provider, BudgetActor, CostTracker, pipeline
//! store runtime    the database (no actor)
//! ```

mod cells;
mod control;
mod numbers;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use actix::{Actor, Addr};
use actix_rt::Arbiter;
use arc_swap::ArcSwap;
use gateway_actors::budget::{BudgetActor, BudgetDirector};
use gateway_actors::context::ContextActor;
use gateway_actors::cost::{CostSettings, CostTracker};
use gateway_actors::dispatch::{DispatchSettings, OrchestrationSettings, Pipeline, PipelineParts, ProviderHandle};
use gateway_actors::learning::LearningDirector;
use gateway_actors::protocol::{
    AttemptJournal, BoundRules, BudgetBook, BudgetChanges, BudgetStore, BudgetTotals, Calibration, CallStore,
    Catalogue, CellId, CellTotals, ConversationStore, EventStore, Gauges, HealthSnapshot, InFlight, InstanceId,
    LastResort, Learned, LearningTotals, LedgerStore, NotebookStore, OutcomeStore, ProviderName, SystemHealth,
    TodoStore,
};
use gateway_actors::provider::{ProviderActor, ProviderDirector};
use gateway_actors::router::{RouterActor, RouterSettings, RouterSources};
use gateway_actors::runtime::{Beats, CrashReporter, LocalAddr, RemoteAddr, RemoteAsks, RestartPolicy};
use gateway_actors::supervisor::SupervisorActor;
use tokio::sync::watch;
use tokio::time::Instant;

use self::cells::CallsOfCells;
pub(crate) use self::cells::CellAddrs;
use self::control::{start_budget_director, start_learning};
use crate::budgets::{AnnouncingBudgets, BudgetNews};
use crate::catalogue::{AutoCheck, LiveCatalogue, RefreshTimes, keep_fresh};
use crate::config::{ProviderSettings, Settings};
use crate::dialects::ChatScribe;
use crate::providers::{BuildError, FreeModels, Probes, Upstreams};
use crate::store::{JournalDir, JournalLimits, JournalOpenError};

/// How long an ask of an actor of another thread may go unanswered: their handlers take microseconds.
const REMOTE_PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    /// The pipeline of this thread's cell. A server asks for a worker's pipeline more than once.
    static CELL: RefCell<Option<Pipeline>> = const { RefCell::new(None) };
}

/// Lets go of the thread's cell when its arbiter ends. Left to the end of the thread itself, the journal would be closed
/// at a time when nothing can be logged any more: a file that cannot be removed would abort the process.
struct LetGo;

impl Drop for LetGo {
    fn drop(&mut self) {
        drop(CELL.take());
    }
}

/// A cell could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CellError {
    /// Its journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalOpenError),
    /// Its way to the providers cannot be built.
    #[error(transparent)]
    Providers(#[from] BuildError),
}

/// What the actors reach outside of their crate.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) instance: InstanceId,
    pub(crate) journal: JournalDir,
    pub(crate) calls: Arc<dyn CallStore>,
    pub(crate) conversations: Arc<dyn ConversationStore>,
    pub(crate) ledger: Arc<dyn LedgerStore>,
    pub(crate) outcomes: Arc<dyn OutcomeStore>,
    pub(crate) notebook: Arc<dyn NotebookStore>,
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) todos: Arc<dyn TodoStore>,
    /// What models and questions are judged by at first.
    pub(crate) calibration: Calibration,
    /// The budgets that there are at the start: no call may come before they are known.
    pub(crate) budgets: BudgetChanges,
}

/// The actor system of the process: what is global, and how a cell is started.
#[derive(Debug)]
pub(crate) struct ActorSystem {
    pub(crate) catalogue: Arc<ArcSwap<Catalogue>>,
    /// Who wants to change the catalogue does it here.
    pub(crate) live_catalogue: Arc<LiveCatalogue>,
    pub(crate) health: Arc<ArcSwap<HealthSnapshot>>,
    pub(crate) gauges: Gauges,
    pub(crate) totals: Vec<Arc<CellTotals>>,
    pub(crate) budgets: Vec<Arc<BudgetTotals>>,
    pub(crate) crashes: CrashReporter,
    /// The calibration, and what was learned.
    pub(crate) learned: Arc<ArcSwap<Learned>>,
    /// What the learning director counts.
    pub(crate) learning_totals: Arc<LearningTotals>,
    pub(crate) system_health: watch::Receiver<SystemHealth>,
    cut: watch::Sender<bool>,
    ports: Ports,
    providers: Vec<ProviderSettings>,
    in_flight: HashMap<ProviderName, Arc<InFlight>>,
    sources: RouterSources,
    routing: RouterSettings,
    dispatch: DispatchSettings,
    orchestration: OrchestrationSettings,
    learning: Addr<LearningDirector>,
    last_resort: Arc<LastResort>,
    remote_asks: Arc<RemoteAsks>,
    beats: Arc<Beats>,
    context: Addr<ContextActor>,
    director: Addr<ProviderDirector>,
    budget_director: Addr<BudgetDirector>,
    book: Arc<ArcSwap<BudgetBook>>,
    bounds: BoundRules,
    #[cfg(feature = "fault-injection")]
    supervisor: Addr<SupervisorActor>,
    next_cell: AtomicU16,
    cells: Arc<ArcSwap<Vec<CellAddrs>>>,
    #[cfg(feature = "fault-injection")]
    crash_stream: Arc<std::sync::atomic::AtomicBool>,
}

/// The threads of the global actors, and the supervisor, which lives as long as somebody has its address.
#[derive(Debug)]
pub(crate) struct Arbiters {
    control: Arbiter,
    conversations: Arbiter,
    supervisor: Addr<SupervisorActor>,
}

impl Arbiters {
    /// Ends the threads and waits for them.
    pub(crate) fn stop(self) {
        for arbiter in [self.control, self.conversations] {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("an arbiter's thread had panicked");
            }
        }
        drop(self.supervisor);
    }
}

impl ActorSystem {
    /// Starts the global actors. Called on the main thread, inside the actix system.
    pub(crate) fn start(settings: &Settings, ports: Ports) -> (Arc<Self>, Arbiters) {
        let now = Instant::now();
        let crashes = CrashReporter::new(RestartPolicy::default());
        let health: Arc<ArcSwap<HealthSnapshot>> = Arc::default();
        let catalogue = Arc::new(ArcSwap::new(Arc::clone(&settings.catalogue)));
        let beats = Arc::new(Beats::new(now));
        beats.start_here("main");
        let (publish, system_health) = watch::channel(SystemHealth::default());
        let supervisor = SupervisorActor::new(crashes.clone(), Arc::clone(&beats), publish).start();
        let arbiters = Arbiters {
            control: Arbiter::new(),
            conversations: Arbiter::new(),
            supervisor,
        };

        let (published, reporter) = (Arc::clone(&health), crashes.clone());
        let (breaker, seed) = (numbers::breaker(settings), u64::from(std::process::id()));
        let beats_there = Arc::clone(&beats);
        let providers = settings.providers.clone();
        let director = ProviderDirector::start_in_arbiter(&arbiters.control.handle(), move |_| {
            beats_there.start_here("control");
            let director = ProviderDirector::new(breaker, published, seed, reporter);
            match Probes::new(&providers) {
                Ok(probes) => director.with_prober(Rc::new(probes)),
                // The cells fail by the same, and the start with them.
                Err(error) => {
                    tracing::error!(%error, "providers cannot be probed");
                    director
                }
            }
        });
        let book = Arc::new(ArcSwap::from_pointee(numbers::first_book(&ports.budgets)));
        let cells: Arc<ArcSwap<Vec<CellAddrs>>> = Arc::default();
        let calls = Arc::new(CallsOfCells(Arc::clone(&cells)));
        let budget_director = start_budget_director(settings, &arbiters.control, &ports, &book, &crashes, calls);
        let learned = Arc::new(ArcSwap::from_pointee(Learned::of(ports.calibration.clone())));
        let learning_totals = Arc::<LearningTotals>::default();
        let learning = start_learning(
            settings,
            &arbiters.control,
            &ports,
            (&learned, &learning_totals),
            &crashes,
        );
        let (reporter, beats_there) = (crashes.clone(), Arc::clone(&beats));
        let context = ContextActor::start_in_arbiter(&arbiters.conversations.handle(), move |_| {
            beats_there.start_here("conversations");
            ContextActor::new(reporter)
        });
        let usable = settings.providers.iter().filter(|provider| provider.is_usable());
        let usable = Arc::new(usable.map(|provider| provider.name.clone()).collect());
        let sources = RouterSources {
            catalogue: Arc::clone(&catalogue),
            health: Arc::clone(&health),
            usable: Arc::clone(&usable),
            key_variables: Arc::new(numbers::key_variables(settings)),
            learned: Arc::clone(&learned),
        };
        let routing = numbers::routing(settings);
        let auto = AutoCheck::new(routing, sources.clone(), settings.free_model_provider().is_some());
        let live_catalogue = Arc::new(LiveCatalogue::new(Arc::clone(&catalogue), usable).checked_by(auto));
        refresh_free_models(settings, &arbiters.control, Arc::clone(&live_catalogue));
        let in_flight = settings.providers.iter().map(|provider| {
            let in_flight = InFlight::new(provider.max_in_flight);
            (provider.name.clone(), Arc::new(in_flight))
        });
        let system = Self {
            sources,
            catalogue,
            live_catalogue,
            health,
            gauges: Gauges::default(),
            totals: (0..settings.http.workers).map(|_| Arc::default()).collect(),
            budgets: (0..settings.http.workers).map(|_| Arc::default()).collect(),
            crashes,
            system_health,
            cut: watch::Sender::new(false),
            ports,
            in_flight: in_flight.collect(),
            providers: settings.providers.clone(),
            routing,
            dispatch: numbers::dispatch(settings),
            orchestration: numbers::orchestration(settings),
            learned,
            learning_totals,
            learning,
            last_resort: Arc::new(LastResort::new(now)),
            remote_asks: Arc::default(),
            beats,
            context,
            director,
            budget_director,
            book,
            bounds: numbers::bounds(settings),
            #[cfg(feature = "fault-injection")]
            supervisor: arbiters.supervisor.clone(),
            next_cell: AtomicU16::new(0),
            cells,
            #[cfg(feature = "fault-injection")]
            crash_stream: Arc::default(),
        };
        (Arc::new(system), arbiters)
    }

    /// The pipeline of the calling thread's cell, which is started when it does not exist yet.
    ///
    /// # Errors
    /// When the cell's journal or its way to the providers cannot be opened.
    pub(crate) fn cell(&self) -> Result<Pipeline, CellError> {
        CELL.with_borrow_mut(|cell| {
            if let Some(pipeline) = cell {
                return Ok(pipeline.clone());
            }
            let pipeline = self.start_cell()?;
            *cell = Some(pipeline.clone());
            let let_go = LetGo;
            actix_rt::spawn(async move {
                let _let_go = let_go;
                std::future::pending::<()>().await;
            });
            Ok(pipeline)
        })
    }

    /// Cuts what is under way in every cell: each attempt settles by what has come, while its actors still live.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Whoever takes outcomes to the database.
    pub(crate) const fn learning(&self) -> &Addr<LearningDirector> {
        &self.learning
    }

    /// The actors of the cells that were started.
    pub(crate) fn cells(&self) -> Arc<Vec<CellAddrs>> {
        self.cells.load_full()
    }

    fn start_cell(&self) -> Result<Pipeline, CellError> {
        let id = CellId(self.next_cell.fetch_add(1, Ordering::AcqRel));
        let journal: Rc<dyn AttemptJournal> = Rc::new(self.ports.journal.cell(id, JournalLimits::default())?);
        let upstream = Rc::new(Upstreams::new(&self.providers)?);
        self.beats.start_here(format!("worker {id}"));
        let router = RouterActor::new(self.routing, self.sources.clone(), self.crashes.clone()).start();
        let sums = self.budgets.get(usize::from(id.0)).map(Arc::clone).unwrap_or_default();
        let budget = BudgetActor::new(Arc::clone(&sums), self.crashes.clone()).start();
        let cost = CostTracker::new(
            CostSettings::default(),
            Rc::clone(&journal),
            Arc::clone(&self.ports.calls),
            self.totals_of(id),
            self.crashes.clone(),
        )
        .start();
        let providers: Vec<(ProviderName, Addr<ProviderActor>, Arc<InFlight>)> = self
            .in_flight
            .iter()
            .map(|(name, in_flight)| {
                let actor = ProviderActor::new(
                    name.clone(),
                    Arc::clone(in_flight),
                    Arc::clone(&self.health),
                    self.director.clone(),
                    self.crashes.clone(),
                );
                (name.clone(), actor.start(), Arc::clone(in_flight))
            })
            .collect();
        self.register(CellAddrs {
            cost: cost.clone(),
            #[cfg(feature = "fault-injection")]
            router: router.clone(),
            #[cfg(feature = "fault-injection")]
            budget: budget.clone(),
            #[cfg(feature = "fault-injection")]
            provider: providers.first().map(|(_, actor, _)| actor.clone()),
        });
        let providers = providers.into_iter().map(|(name, actor, in_flight)| {
            let actor = LocalAddr::new(actor);
            (name, ProviderHandle { actor, in_flight })
        });
        Ok(Pipeline::new(PipelineParts {
            instance: self.ports.instance,
            cell: id,
            router: LocalAddr::new(router),
            providers: providers.collect(),
            budget: LocalAddr::new(budget),
            spending: sums,
            budget_director: self.remote(&self.budget_director),
            budgets: Arc::clone(&self.book),
            bounds: self.bounds.clone(),
            cost: LocalAddr::new(cost),
            context: self.remote(&self.context),
            upstream,
            journal,
            conversations: Arc::clone(&self.ports.conversations),
            scribe: Rc::new(ChatScribe),
            learned: Arc::clone(&self.learned),
            learning: Some(self.remote(&self.learning)),
            todos: Arc::clone(&self.ports.todos),
            last_resort: Arc::clone(&self.last_resort),
            gauges: self.gauges.clone(),
            cut: self.cut.subscribe(),
            #[cfg(feature = "fault-injection")]
            crash_stream: Arc::clone(&self.crash_stream),
            settings: self.dispatch,
            orchestration: self.orchestration.clone(),
        }))
    }

    fn remote<A: Actor>(&self, actor: &Addr<A>) -> RemoteAddr<A> {
        RemoteAddr::new(actor.clone(), Arc::clone(&self.remote_asks), REMOTE_PATIENCE)
    }

    /// The budgets for the edges.
    pub(crate) fn budget_store(&self) -> Arc<dyn BudgetStore> {
        let budgets = Arc::clone(&self.ports.ledger) as Arc<dyn BudgetStore>;
        let cells = Arc::clone(&self.cells);
        Arc::new(AnnouncingBudgets::new(budgets, self.budget_news(), cells))
    }

    /// What hears of budgets that others set.
    pub(crate) fn budget_news(&self) -> BudgetNews {
        BudgetNews::of(self.budget_director.clone())
    }

    fn register(&self, addrs: CellAddrs) {
        self.cells.rcu(|cells| {
            let mut cells = Vec::clone(cells);
            cells.push(addrs.clone());
            cells
        });
    }

    /// The totals that the statistics read for this cell. A worker that died and was started again is a new cell, and
    /// has none: the process is about to end then.
    fn totals_of(&self, cell: CellId) -> Arc<CellTotals> {
        self.totals.get(usize::from(cell.0)).map_or_else(
            || {
                self.crashes.escaped("worker");
                Arc::default()
            },
            Arc::clone,
        )
    }
}

/// Lets the control thread ask for free models, if the settings name somebody to ask.
fn refresh_free_models(settings: &Settings, control: &Arbiter, catalogue: Arc<LiveCatalogue>) {
    let Some(provider) = settings.free_model_provider().cloned() else {
        return;
    };
    let times = RefreshTimes {
        ttl: settings.openrouter.free_models_ttl,
        retry: settings.openrouter.free_models_retry,
    };
    let refresh = move || match FreeModels::new(&provider) {
        Ok(source) => {
            actix_rt::spawn(async move { keep_fresh(&catalogue, times, async || source.fetch().await).await });
        }
        // The cells fail by the same, and the start with them.
        Err(error) => tracing::error!(%error, "free models cannot be asked for"),
    };
    if !control.spawn_fn(refresh) {
        tracing::error!("the control thread has ended");
    }
}

#[cfg(feature = "fault-injection")]
impl ActorSystem {
    /// Makes an actor of this name panic on its next message, or a `stream` on its next event; `false` when there is none.
    pub(crate) fn crash(&self, actor: &str) -> bool {
        use gateway_actors::runtime::{Crash, tell};

        let cells = self.cells();
        let told = match (actor, cells.first()) {
            ("stream", _) => {
                self.crash_stream.store(true, Ordering::Release);
                return true;
            }
            ("context", _) => tell(&self.context, Crash),
            ("provider-director", _) => tell(&self.director, Crash),
            ("budget-director", _) => tell(&self.budget_director, Crash),
            ("learning", _) => tell(&self.learning, Crash),
            ("supervisor", _) => tell(&self.supervisor, Crash),
            ("router", Some(cell)) => tell(&cell.router, Crash),
            ("budget", Some(cell)) => tell(&cell.budget, Crash),
            ("cost", Some(cell)) => tell(&cell.cost, Crash),
            (
                "provider",
                Some(CellAddrs {
                    provider: Some(provider),
                    ..
                }),
            ) => tell(provider, Crash),
            _ => return false,
        };
        told.is_ok()
    }
}
