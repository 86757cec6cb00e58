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
    Answer, AnswerStream, CallFilter, Capabilities, Capability, Catalogue, CellTotals, ChatCall, ClaimedEvent,
    CloseTurn, ConversationId, ConversationPage, ConversationStore, Dialect, EventStore, GatewayError, GatewayEvent,
    Gauges, HealthSnapshot, InstanceId, Layer, MediaTokens, Model, NanoUsd, OpenTurn, Period, Price, ReportGroup,
    ReportQuestion, ReportStore, ReportedCall, StoreFuture, StoreHealth, SystemHealth, TurnAnswer, TurnCall,
    TurnOpened, Vendor,
};
use gateway_actors::testkit::{MemoryAnswers, MemoryKeys, MemoryLedger, MemoryStore};
use tokio::sync::watch;

use super::idempotency::Idempotency;
use super::pipeline::RequestPipeline;
use super::shared::{Edge, EdgeParts, Lifecycle, Shared};
use crate::auth::{Auth, KeyRing};
use crate::config::{ExhaustedStatus, HttpSettings, IdempotencySettings, ResponsesSettings};
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

/// A pipeline that answers as it is told to, and panics when nobody told it.
pub(crate) struct Told {
    pub(crate) complete: Box<dyn Fn(ChatCall) -> Result<Answer, GatewayError>>,
    pub(crate) stream: Box<dyn Fn(ChatCall) -> Result<AnswerStream, GatewayError>>,
    pub(crate) turn: Box<dyn Fn(TurnCall) -> Result<TurnAnswer, GatewayError>>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            complete: Box::new(|call| panic!("nobody expected {call:?}")),
            stream: Box::new(|call| panic!("nobody expected {call:?}")),
            turn: Box::new(|call| panic!("nobody expected {call:?}")),
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

    fn page(&self, id: ConversationId, _: u32, _: Option<i64>) -> StoreFuture<Option<ConversationPage>> {
        let page = (id == self.id).then(|| self.page.clone());
        Box::pin(async { Ok(page) })
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
