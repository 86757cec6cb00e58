//! Turns, call records, responses and experiments to store.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway_routing::RoutingModel;

use crate::protocol::{
    Arm, ArmSpec, AttemptId, Calibration, CallRecord, Candidate, CellId, Charges, CheckPlan, CloseTurn, Complexity,
    ConversationId, Decision, DispatchRecord, Experiment, ExperimentId, ExperimentStatus, GuardRails, HealthNote,
    InstanceId, KeyId, Layer, Learned, LegRole, Model, NanoUsd, OpenTurn, Outcome, PicoUsdPerToken, Plan, Price,
    Reason, RequestId, ResponseId, Scope, Selection, Sticky, StoredResponse, Strategy, TaskType, Tier, TokenUsage,
    UsageSource,
};

/// The shipped calibration, and nothing learned.
///
/// # Panics
/// When this build was made with a file of another version.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a build without a calibration is no build to test")]
pub fn learned() -> Arc<ArcSwap<Learned>> {
    let shipped = Calibration::Shipped(RoutingModel::shipped().unwrap());
    Arc::new(ArcSwap::from_pointee(Learned::of(shipped)))
}

/// A candidate that is well.
#[must_use]
pub fn candidate(model: &Arc<Model>) -> Candidate {
    Candidate {
        model: Arc::clone(model),
        reason: Reason {
            selection: Selection::Layer,
            health: HealthNote::Healthy,
            price_rank: model.price_rank(),
            is_too_dear: false,
            is_not_worth_it: false,
        },
    }
}

/// What might be decided of a request of medium complexity, whose answer is checked like this.
#[must_use]
pub fn decision(check: CheckPlan) -> Decision {
    Decision {
        task: TaskType::General,
        complexity: Complexity::Medium,
        unsure: false,
        difficulty: 0.0,
        signals: Vec::new(),
        start: Layer::L0,
        raised_by: None,
        strategy: Strategy::Layers,
        skipped: Vec::new(),
        check,
        arm: None,
        heuristic: None,
        estimates: Vec::new(),
    }
}

/// A plan of these models, best first, with this decision.
#[must_use]
pub fn plan(models: &[Arc<Model>], decision: Decision) -> Plan {
    Plan {
        candidates: models.iter().map(candidate).collect(),
        rejected: Vec::new(),
        decision: Some(Box::new(decision)),
        confirmation: None,
    }
}

/// A conversation's id.
///
/// # Panics
/// When the text is none.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that gives a text that is no id is wrong")]
pub fn conversation(id: &str) -> ConversationId {
    id.parse().unwrap()
}

/// A turn of a new request and a new instance that holds the conversation for a minute.
#[must_use]
pub fn turn(conversation: &ConversationId, message: &str) -> OpenTurn {
    OpenTurn {
        conversation: conversation.clone(),
        request: RequestId::generate(),
        instance: InstanceId::generate(),
        user_id: Some("user-1".into()),
        project_id: None,
        client_message_id: None,
        message: message.into(),
        lease: Duration::from_secs(60),
        history_limit: 50,
    }
}

/// The end of a turn, whose message has this number.
#[must_use]
pub fn close(turn: &OpenTurn, user_seq: i64, answer: Option<&str>) -> CloseTurn {
    CloseTurn {
        conversation: turn.conversation.clone(),
        request: turn.request,
        user_seq,
        client_message_id: turn.client_message_id.clone(),
        answer: answer.map(Into::into),
        route_layer: None,
    }
}

/// A new attempt with every field set.
#[must_use]
pub fn dispatch() -> DispatchRecord {
    DispatchRecord {
        attempt: AttemptId {
            request: RequestId::generate(),
            ordinal: 1,
        },
        instance: InstanceId::generate(),
        cell: CellId(3),
        conversation: Some(conversation("conv-1")),
        key_id: Some(KeyId::generate()),
        user_id: Some("user-1".into()),
        project_id: Some("project \"one\"".into()),
        endpoint: "/v1/chat".into(),
        model: "alpha-small".into(),
        api_model: "gpt-4o-mini".into(),
        provider: "alpha".into(),
        layer: Layer::L1,
        task: TaskType::CreateProject,
        price: Some(Price::plain(
            PicoUsdPerToken(150_000),
            PicoUsdPerToken(75_000),
            PicoUsdPerToken(600_000),
        )),
        held: NanoUsd(5_000),
        output_cap: Some(100),
        charges: Some(Arc::new(Charges {
            epoch: 2,
            to: vec![
                (Scope::Global, "2026-11".into()),
                (Scope::Project("project \"one\"".into()), "total".into()),
            ],
        })),
        purpose: LegRole::Panel,
        streamed: true,
        started_at: 1_700_000_000_000_000,
    }
}

/// How an attempt ended well.
#[must_use]
pub fn finished(dispatch: &DispatchRecord) -> CallRecord {
    CallRecord {
        dispatch: dispatch.clone(),
        outcome: Outcome::Completed,
        status: Some(200),
        usage: TokenUsage {
            input: 10,
            cached_input: 4,
            cache_write_5m: 3,
            cache_write_1h: 2,
            cache_write_untold: 0,
            output: 20,
            reasoning: 5,
            tier: Tier::Untold,
        },
        usage_source: UsageSource::Reported,
        cost: NanoUsd(1_234),
        estimated: false,
        first_byte_us: Some(120),
        duration_us: 4_500,
    }
}

/// A new attempt that ended well.
#[must_use]
pub fn finished_call() -> Arc<CallRecord> {
    Arc::new(finished(&dispatch()))
}

/// A response's id.
///
/// # Panics
/// When the text is none.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that gives a text that is no id is wrong")]
pub fn response_id(id: &str) -> ResponseId {
    id.parse().unwrap()
}

/// A response of a new request that goes on from this one, and is kept for a thousand years.
#[must_use]
pub fn response(id: &str, previous: Option<&str>) -> StoredResponse {
    const MADE: i64 = 1_700_000_000_000_000;
    StoredResponse {
        id: response_id(id),
        previous: previous.map(response_id),
        request: RequestId::generate(),
        created_at: MADE,
        model: "alpha-small".into(),
        input: format!(r#"[{{"role":"user","content":"question of {id}"}}]"#).into(),
        body: format!(r#"{{"id":"{id}","object":"response","status":"completed","output":[]}}"#).into(),
        expires_at: MADE + 1_000 * 365 * 86_400 * 1_000_000,
    }
}

/// An experiment with two arms, `a` and `b`, that runs with this guard.
#[must_use]
pub fn experiment(guard: GuardRails) -> Experiment {
    let arm = |name: &str| Arm {
        name: name.into(),
        weight: 1,
        spec: ArmSpec::Strategy(Strategy::Layers),
    };
    Experiment {
        id: ExperimentId::generate(),
        name: "mine".into(),
        status: ExperimentStatus::Running,
        task: None,
        sticky: Sticky::Request,
        arms: vec![arm("a"), arm("b")],
        guard,
        stopped_reason: None,
        created_at: 1,
        updated_at: 1,
    }
}
