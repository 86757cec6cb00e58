//! Small fakes of what the edge stands on, for its tests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, Error, test};
use arc_swap::ArcSwap;
use futures_util::future::LocalBoxFuture;
use gateway_actors::protocol::{
    AgentAnswer, AgentCall, AmendAnswer, Answer, AnswerStream, CallFilter, Capabilities, Capability, Catalogue,
    CellTotals, ChatCall, CheckPlan, CheckStatus, ClaimedEvent, CloseTurn, Complexity, ConversationId,
    ConversationPage, ConversationStore, Decision, Dialect, EscalationNeed, EventStore, Evidence, GatewayError,
    GatewayEvent, Gauges, HandOff, HealthSnapshot, InstanceId, Layer, MediaTokens, Model, NanoUsd, OpenTurn, Period,
    Plan, PlanRequest, Price, ReportGroup, ReportQuestion, ReportStore, ReportedCall, RoutingStory, Served,
    StoreFuture, StoreHealth, Strategy, SystemHealth, TaskType, TokenUsage, TurnAnswer, TurnCall, TurnOpened,
    UsageSource, Vendor,
};
use gateway_actors::testkit::samples::learned;
use gateway_actors::testkit::{MemoryAnswers, MemoryKeys, MemoryLedger, MemoryNotes, MemoryStore};
use tokio::sync::watch;

use super::idempotency::Idempotency;
use super::pipeline::RequestPipeline;
use super::shared::{Edge, EdgeParts, Lifecycle, Shared};
use crate::auth::{Auth, KeyRing};
use crate::config::{ExhaustedStatus, HttpSettings, IdempotencySettings, ResponsesSettings};
use crate::escalation::Offers;
use crate::limits::{Limits, Span};
use crate::status::ProviderInfo;

pub(crate) const ADMIN_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A free model of layer L0.
pub(crate) fn model(id: &str, provider: &str) -> Model {
    Model {
        id: id.into(),
        provider: provider.into(),
        vendor: Vendor::Other,
        api_model: format!("{id}-api").into(),
        dialect: Dialect::OpenaiChat,
        layer: Layer::L0,
        capabilities: Capabilities::NONE.with(Capability::Chat),
        context_window: 8_192,
        max_output_tokens: 1_024,
        price: Some(Price::FREE),
        media: MediaTokens::default(),
    }
}

/// A request that was decided on and answered at L0, with this wanting leave.
pub(crate) fn story(escalation: Option<EscalationNeed>) -> RoutingStory {
    RoutingStory {
        decision: Decision {
            task: TaskType::Code,
            complexity: Complexity::Complex,
            unsure: false,
            difficulty: 0.5,
            signals: vec![("code", 0.25)],
            start: Layer::L0,
            raised_by: None,
            strategy: Strategy::Layers,
            skipped: Vec::new(),
            check: CheckPlan::Off,
            arm: None,
            heuristic: None,
            estimates: Vec::new(),
        },
        check: CheckStatus::Off,
        check_reason: None,
        checkers: Vec::new(),
        votes: None,
        legs: Vec::new(),
        note: None,
        rises: Vec::new(),
        confidence: None,
        escalation,
        candidates: Vec::new(),
        rejected: Vec::new(),
    }
}

/// What L2 might do better.
pub(crate) fn need() -> EscalationNeed {
    EscalationNeed {
        current: Layer::L0,
        suggested: Layer::L2,
        evidence: Evidence::Disagreement,
        estimated_cost: Some(NanoUsd(12_300_000)),
        package: Arc::new(HandOff {
            summary: "a first turn".into(),
            task: TaskType::Chat,
            attempts: Vec::new(),
            known_issues: Vec::new(),
            open_questions: Vec::new(),
            request: "What is 6 x 9?".into(),
            tokens: 10,
        }),
    }
}

/// An answer of the model `small` that came about like this.
pub(crate) fn served_with(routing: Option<RoutingStory>) -> Served {
    Served {
        model: Arc::new(model("small", "alpha")),
        attempts: Vec::new(),
        usage: TokenUsage::default(),
        usage_source: UsageSource::Reported,
        cost: NanoUsd(2_000_000),
        dropped: Vec::new(),
        routing: routing.map(Box::new),
        end: None,
    }
}

/// A pipeline that answers as it is told to, and panics when nobody told it.
pub(crate) struct Told {
    pub(crate) complete: Box<dyn Fn(ChatCall) -> Result<Answer, GatewayError>>,
    pub(crate) stream: Box<dyn Fn(ChatCall) -> Result<AnswerStream, GatewayError>>,
    pub(crate) turn: Box<dyn Fn(TurnCall) -> Result<TurnAnswer, GatewayError>>,
    pub(crate) agent: Box<dyn Fn(AgentCall) -> Result<AgentAnswer, GatewayError>>,
    pub(crate) explain: Box<dyn Fn(PlanRequest) -> Result<Plan, GatewayError>>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            complete: Box::new(|call| panic!("nobody expected {call:?}")),
            stream: Box::new(|call| panic!("nobody expected {call:?}")),
            turn: Box::new(|call| panic!("nobody expected {call:?}")),
            agent: Box::new(|call| panic!("nobody expected {call:?}")),
            explain: Box::new(|plan| panic!("nobody expected {plan:?}")),
        }
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

impl RequestPipeline for Told {
    fn complete(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<Answer, GatewayError>> {
        Box::pin(async { (self.complete)(call) })
    }

    fn stream(&self, call: ChatCall) -> LocalBoxFuture<'_, Result<AnswerStream, GatewayError>> {
        Box::pin(async { (self.stream)(call) })
    }

    fn turn(&self, call: TurnCall) -> LocalBoxFuture<'_, Result<TurnAnswer, GatewayError>> {
        Box::pin(async { (self.turn)(call) })
    }

    fn agent(&self, call: AgentCall) -> LocalBoxFuture<'_, Result<AgentAnswer, GatewayError>> {
        Box::pin(async { (self.agent)(call) })
    }

    fn explain(&self, call: ChatCall, _: Option<ConversationId>) -> LocalBoxFuture<'_, Result<Plan, GatewayError>> {
        Box::pin(async { (self.explain)(call.plan) })
    }
}

/// A database that works and holds one conversation.
#[derive(Debug)]
pub(crate) struct OneConversation {
    pub(crate) id: ConversationId,
    pub(crate) page: ConversationPage,
}

impl ConversationStore for OneConversation {
    fn open_turn(&self, turn: OpenTurn) -> StoreFuture<TurnOpened> {
        panic!("the edge opened a turn: {turn:?}")
    }

    fn close_turn(&self, turn: CloseTurn) -> StoreFuture<()> {
        panic!("the edge closed a turn: {turn:?}")
    }

    fn amend_answer(&self, amendment: AmendAnswer) -> StoreFuture<bool> {
        panic!("the edge amended an answer: {amendment:?}")
    }

    fn page(&self, id: ConversationId, _: u32, _: Option<i64>) -> StoreFuture<Option<ConversationPage>> {
        let page = (id == self.id).then(|| self.page.clone());
        Box::pin(async { Ok(page) })
    }

    fn delete_conversation(&self, id: ConversationId) -> StoreFuture<bool> {
        let is_there = id == self.id;
        Box::pin(async move { Ok(is_there) })
    }
}

impl StoreHealth for OneConversation {
    fn check(&self) -> StoreFuture<()> {
        Box::pin(async { Ok(()) })
    }
}

/// A database without call records and events.
#[derive(Debug)]
struct NoRecords;

impl ReportStore for NoRecords {
    fn report(&self, _: ReportQuestion) -> StoreFuture<Vec<ReportGroup>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn dearest_calls(&self, _: CallFilter, _: u32) -> StoreFuture<Vec<ReportedCall>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl EventStore for NoRecords {
    fn raise(&self, _: &'static str, once: String, _: String) -> StoreFuture<bool> {
        panic!("the edge raised {once}")
    }

    fn present(&self, _: u32) -> StoreFuture<Vec<GatewayEvent>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn claim(&self, _: u32, _: Duration) -> StoreFuture<Vec<ClaimedEvent>> {
        panic!("the edge delivers events")
    }

    fn delivered(&self, id: String) -> StoreFuture<()> {
        panic!("the edge delivered {id}")
    }

    fn put_off(&self, id: String, _: Duration) -> StoreFuture<()> {
        panic!("the edge put off {id}")
    }

    fn spent_today(&self) -> StoreFuture<(Period, NanoUsd)> {
        panic!("the edge watches costs")
    }
}

/// Knows these virtual keys, and this admin key if there is one.
fn auth(admin_key: Option<&str>, keys: &Arc<MemoryKeys>) -> Arc<Auth> {
    let ring = KeyRing::new(keys.clone(), Duration::from_secs(60));
    Arc::new(Auth::new(admin_key.map(Into::into), false, Arc::new(ring)))
}

/// The parts of an edge that serves, with [`ADMIN_KEY`].
pub(crate) fn keyed_parts() -> EdgeParts {
    let keys = Arc::new(MemoryKeys::default());
    EdgeParts {
        auth: auth(Some(ADMIN_KEY), &keys),
        keys,
        ..parts()
    }
}

/// The parts of an edge that serves, without an admin key.
pub(crate) fn parts() -> EdgeParts {
    let store = Arc::new(OneConversation {
        id: "conv-1".parse().unwrap(),
        page: ConversationPage::default(),
    });
    let keys = Arc::new(MemoryKeys::default());
    let notes = Arc::new(MemoryNotes::default());
    EdgeParts {
        settings: HttpSettings::default(),
        auth: auth(None, &keys),
        keys,
        budget_store: Arc::new(MemoryLedger::default()),
        exhausted_status: ExhaustedStatus::default(),
        catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new(
            vec![model("small", "alpha")],
            Vec::new(),
            HashMap::new(),
        ))),
        health: Arc::new(ArcSwap::from_pointee(HealthSnapshot::default())),
        providers: vec![ProviderInfo {
            name: "alpha".into(),
            kind: "openai-compatible",
            has_key: true,
        }],
        totals: vec![Arc::new(CellTotals::default())],
        budgets: vec![Arc::default()],
        gauges: Gauges::default(),
        conversations: store.clone(),
        responses: Arc::new(MemoryStore::default()),
        response_settings: ResponsesSettings::default(),
        reports: Arc::new(NoRecords),
        offers: Offers::new(notes.clone(), Duration::from_secs(900)),
        outcomes: notes.clone(),
        notebook: notes,
        learned: learned(),
        learning: Arc::default(),
        events: Arc::new(NoRecords),
        limits: Arc::new(Limits::new(Arc::default(), Span::default(), None)),
        idempotency: Idempotency::new(
            Arc::new(MemoryAnswers::default()),
            InstanceId::generate(),
            IdempotencySettings::default(),
        ),
        store_health: store,
        system_health: watch::channel(SystemHealth::default()).1,
        lifecycle: watch::channel(Lifecycle::Serving).1,
        #[cfg(feature = "fault-injection")]
        faults: super::shared::FaultSwitch(Box::new(|actor| actor == "router")),
    }
}

/// The application over these parts and a pipeline.
pub(crate) async fn app(
    parts: EdgeParts,
    pipeline: Told,
) -> impl Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error> {
    let edge = Edge::new(pipeline, Shared::new(parts));
    test::init_service(App::new().configure(|config| super::server::configure(config, edge))).await
}
