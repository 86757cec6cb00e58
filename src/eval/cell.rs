//! A cell of real actors: router, providers, budget, cost tracker and pipeline, over ports in memory.
//!
//! A cell lives for one setting, and is dropped before the next: nothing that one setting left behind (a provider's
//! health, a place in a queue) meets another.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use actix_rt::{Arbiter, System};
use arc_swap::ArcSwap;
use gateway_actors::budget::{BudgetActor, BudgetDirector, BudgetSettings};
use gateway_actors::context::ContextActor;
use gateway_actors::cost::{CostSettings, CostTracker};
use gateway_actors::dispatch::{DispatchSettings, OrchestrationSettings, Pipeline, PipelineParts, ProviderHandle};
use gateway_actors::protocol::{
    BoundRules, BudgetBook, Calibration, CallContext, CallRecord, Caller, Catalogue, CellId, ChatCall, ErrorKind,
    FlushCalls, Gauges, InFlight, InstanceId, LastResort, Layer, Learned, NanoUsd, PanelUse, PlanRequest, QualityLevel,
    RequestId, Strategy, Target, TaskType, TurnDialect, Wish,
};
use gateway_actors::provider::{BreakerSettings, ProviderActor, ProviderDirector};
use gateway_actors::router::{RouterActor, RouterSettings, RouterSources};
use gateway_actors::runtime::{CrashReporter, LocalAddr, RemoteAddr, RestartPolicy};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::data::Data;
use super::error::EvalError;
use super::ports::{CountingJournal, Nothing, Records};
use super::replay::{Bodies, Replay, no_bodies};
use super::score::Choice;
use super::sweep::{Ask, Engine, Setting};
use crate::dialects::ChatScribe;
use crate::dialects::openai_chat::PlainText;

/// How long one question may take: it waits for nothing, so that more is a fault.
const PATIENCE: Duration = Duration::from_secs(60);
/// After how many questions their records are collected.
const COLLECT: usize = 500;
/// Calls that may be under way at one provider; only one question is asked at a time.
const PLACES: u32 = 64;

/// Runs questions through cells of real actors.
pub(super) struct Actors {
    data: Rc<Data>,
    calibration: Calibration,
    bodies: Bodies,
    system: actix_rt::SystemRunner,
}

impl Actors {
    pub(super) fn new(data: Rc<Data>, calibration: Calibration) -> Self {
        Self {
            bodies: no_bodies(&data),
            data,
            calibration,
            system: System::new(),
        }
    }
}

impl Engine for Actors {
    fn run(&mut self, setting: &Setting, asks: &[(usize, Ask)]) -> Result<Vec<Choice>, EvalError> {
        let replay = Replay::new(Rc::clone(&self.data), Rc::clone(&self.bodies));
        let (data, calibration) = (Rc::clone(&self.data), self.calibration.clone());
        self.system.block_on(async {
            let arbiter = Arbiter::new();
            let mut cell = Cell::start(&arbiter, data, calibration, replay, setting);
            let choices = cell.run(setting, asks).await;
            drop(cell);
            arbiter.stop();
            if arbiter.join().is_err() {
                return Err(EvalError::Broken("a thread panicked".to_owned()));
            }
            choices
        })
    }
}

/// The actors of one setting.
struct Cell {
    data: Rc<Data>,
    pipeline: Pipeline,
    replay: Rc<Replay>,
    journal: Rc<CountingJournal>,
    cost: LocalAddr<CostTracker>,
    records: mpsc::UnboundedReceiver<Arc<CallRecord>>,
    /// Kept, since the pipeline ends with it.
    _cut: watch::Sender<bool>,
}

impl Cell {
    fn start(arbiter: &Arbiter, data: Rc<Data>, calibration: Calibration, replay: Replay, setting: &Setting) -> Self {
        let crashes = CrashReporter::new(RestartPolicy::default());
        let replay = Rc::new(replay);
        let journal = Rc::<CountingJournal>::default();
        let (sender, records) = mpsc::unbounded_channel();
        let (cut, watched) = watch::channel(false);
        let health = Arc::default();
        let (reporter, published) = (crashes.clone(), Arc::clone(&health));
        let director = ProviderDirector::start_in_arbiter(&arbiter.handle(), move |_| {
            ProviderDirector::new(BreakerSettings::default(), published, 1, reporter)
        });
        let reporter = crashes.clone();
        let context = ContextActor::start_in_arbiter(&arbiter.handle(), move |_| ContextActor::new(reporter));
        let instance = InstanceId::generate();
        let book = Arc::<ArcSwap<BudgetBook>>::default();
        let (reporter, published) = (crashes.clone(), Arc::clone(&book));
        let budget_director = BudgetDirector::start_in_arbiter(&arbiter.handle(), move |_| {
            BudgetDirector::new(
                BudgetSettings::default(),
                instance,
                published,
                Arc::new(Nothing),
                reporter,
            )
        });
        let mut providers = HashMap::new();
        for model in &data.models {
            let in_flight = Arc::new(InFlight::new(PLACES));
            let actor = ProviderActor::new(
                model.provider.clone(),
                Arc::clone(&in_flight),
                Arc::clone(&health),
                director.clone(),
                crashes.clone(),
            );
            let actor = LocalAddr::new(actor.start());
            providers.insert(model.provider.clone(), ProviderHandle { actor, in_flight });
        }
        let learned = Arc::new(ArcSwap::from_pointee(Learned::of(calibration)));
        let models = data.models.iter().map(|model| (**model).clone()).collect();
        let sources = RouterSources {
            catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new(
                models,
                Vec::new(),
                HashMap::new(),
            ))),
            health,
            usable: Arc::new(providers.keys().cloned().collect::<HashSet<_>>()),
            key_variables: Arc::default(),
            learned: Arc::clone(&learned),
        };
        let router = LocalAddr::new(RouterActor::new(rules(setting), sources, crashes.clone()).start());
        let spending = Arc::default();
        let budget = LocalAddr::new(BudgetActor::new(Arc::clone(&spending), crashes.clone()).start());
        let cost = CostTracker::new(
            CostSettings::default(),
            Rc::<CountingJournal>::clone(&journal) as _,
            Arc::new(Records(sender)),
            Arc::default(),
            crashes,
        );
        let cost = LocalAddr::new(cost.start());
        let asks = Arc::default();
        let pipeline = Pipeline::new(PipelineParts {
            instance,
            cell: CellId(0),
            router,
            providers,
            budget,
            spending,
            budget_director: RemoteAddr::new(budget_director, Arc::clone(&asks), PATIENCE),
            budgets: book,
            bounds: BoundRules::default(),
            cost: cost.clone(),
            context: RemoteAddr::new(context, asks, PATIENCE),
            upstream: Rc::<Replay>::clone(&replay) as _,
            journal: Rc::<CountingJournal>::clone(&journal) as _,
            conversations: Arc::new(Nothing),
            scribe: Rc::new(ChatScribe),
            learned,
            learning: None,
            todos: Arc::new(Nothing),
            last_resort: Arc::new(LastResort::new(Instant::now())),
            gauges: Gauges::default(),
            cut: watched,
            #[cfg(feature = "fault-injection")]
            crash_stream: Arc::default(),
            settings: DispatchSettings::default(),
            orchestration: OrchestrationSettings::default(),
        });
        Self {
            data,
            pipeline,
            replay,
            journal,
            cost,
            records,
            _cut: cut,
        }
    }

    /// Asks one question after the other. What it cost is what all its call records say, not what the answer says: what
    /// was paid for answers that nobody took counts.
    async fn run(&mut self, setting: &Setting, asks: &[(usize, Ask)]) -> Result<Vec<Choice>, EvalError> {
        let mut choices: Vec<Choice> = Vec::with_capacity(asks.len());
        let mut costs: HashMap<usize, NanoUsd> = HashMap::with_capacity(asks.len());
        for (count, (row, ask)) in asks.iter().enumerate() {
            let model = self.ask(setting, *row, *ask).await?;
            choices.push(Choice {
                row: *row,
                model,
                cost: NanoUsd::ZERO,
            });
            if count % COLLECT == COLLECT - 1 {
                self.collect(&mut costs).await?;
            }
        }
        self.collect(&mut costs).await?;
        if self.journal.open() != 0 {
            return Err(EvalError::Broken("a call was begun and never ended".to_owned()));
        }
        for choice in &mut choices {
            choice.cost = costs.get(&choice.row).copied().unwrap_or_default();
        }
        Ok(choices)
    }

    /// The model whose answer is given.
    async fn ask(&self, setting: &Setting, row: usize, ask: Ask) -> Result<Option<usize>, EvalError> {
        let broken = || EvalError::Broken(format!("there is no question {row}"));
        let question = self.data.rows.get(row).ok_or_else(broken)?;
        let request = RequestId::generate();
        self.replay.will_ask(request, row);
        let text = PlainText {
            system: None,
            message: Arc::clone(&question.question),
            max_tokens: None,
            temperature: None,
        };
        let (outgoing, needs) = text.request(&[]);
        let name = |model: usize| self.data.models.get(model).map(|model| Arc::clone(&model.api_model));
        let target = match ask {
            Ask::Auto => Target::Auto,
            Ask::Model(model) => Target::Named(name(model).ok_or_else(broken)?),
        };
        let call = ChatCall {
            plan: PlanRequest {
                request,
                target,
                max_layer: None,
                allowed: Some(question.models().filter_map(name).collect()),
                task: TaskType::General,
                quality: setting.quality,
                needs,
                question: None,
                wish: Wish::default(),
            },
            outgoing,
            context: CallContext {
                endpoint: "eval".into(),
                caller: Caller::Local,
                user_id: None,
                project_id: None,
                deadline: Instant::now() + PATIENCE,
                watcher: None,
                meter: None,
                place: None,
            },
        };
        match self.pipeline.complete(call).await {
            Ok(answer) => Ok(self.replay.model(&answer.served.model.id)),
            // Every model was asked and none had an answer: that is what was recorded.
            Err(error) if is_no_answer(error.kind) => Ok(None),
            Err(error) => Err(EvalError::Broken(format!("question {}: {error}", row + 1))),
        }
    }

    async fn collect(&mut self, costs: &mut HashMap<usize, NanoUsd>) -> Result<(), EvalError> {
        let broken = || EvalError::Broken("the call records cannot be collected".to_owned());
        let flushed = self.cost.ask(FlushCalls).await.map_err(|_gone| broken())?;
        let flushed = flushed.map_err(|_restarting| broken())?;
        flushed.await.map_err(|_gone| broken())?;
        while let Ok(record) = self.records.try_recv() {
            if let Some(row) = self.replay.row(&record.dispatch.attempt.request) {
                *costs.entry(row).or_default() += record.cost;
            }
        }
        Ok(())
    }
}

/// Whether a question ended because no model had an answer, and not because something is amiss here.
const fn is_no_answer(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UpstreamEmpty
            | ErrorKind::UpstreamMalformed
            | ErrorKind::UpstreamRejected
            | ErrorKind::UpstreamError
    )
}

/// How the router is set for a measurement: it may use every model that there is, and nobody is asked for leave.
fn rules(setting: &Setting) -> RouterSettings {
    RouterSettings {
        default_layer: Layer::L0,
        max_layer: Layer::L3,
        auto_escalate: true,
        cross_check: setting.checked,
        panel: if setting.checked {
            PanelUse::Always
        } else {
            PanelUse::Needed
        },
        strategy: setting.strategy,
        // A reviewer's words were not recorded.
        reviews: false,
        lambda: setting.lambda,
        ..RouterSettings::default()
    }
}

/// The setting of a plain question.
impl Default for Setting {
    fn default() -> Self {
        Self {
            lambda: None,
            quality: QualityLevel::Normal,
            strategy: Strategy::Layers,
            checked: false,
        }
    }
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
