//! Records for unit tests.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_routing::RoutingModel;

use super::ids::{AttemptId, CellId, InstanceId, RequestId};
use super::layer::{Layer, QualityLevel, TaskType};
use super::learned::{Calibration, Learned};
use super::money::NanoUsd;
use super::orchestra::{CheckStatus, Complexity, LegRole, Strategy};
use super::outcomes::{OutcomeEnd, OutcomeRow};
use super::record::{CallRecord, DispatchRecord, Outcome};
use super::usage::{TokenUsage, UsageSource};

/// An attempt that was sent with this hold.
pub(crate) fn dispatch_record(attempt: AttemptId, held: i64) -> DispatchRecord {
    DispatchRecord {
        attempt,
        instance: InstanceId::generate(),
        cell: CellId(0),
        conversation: None,
        key_id: None,
        user_id: None,
        project_id: None,
        endpoint: "/v1/chat/completions".into(),
        model: "m".into(),
        api_model: "api-m".into(),
        provider: "alpha".into(),
        layer: Layer::L0,
        task: TaskType::General,
        price: None,
        held: NanoUsd(held),
        output_cap: None,
        charges: None,
        purpose: LegRole::Answer,
        streamed: false,
        started_at: 0,
    }
}

/// An attempt that completed at this cost, with 3 tokens in and 5 out.
pub(crate) fn call_record(attempt: AttemptId, held: i64, cost: i64) -> CallRecord {
    CallRecord {
        dispatch: dispatch_record(attempt, held),
        outcome: Outcome::Completed,
        status: Some(200),
        usage: TokenUsage {
            input: 3,
            output: 5,
            ..TokenUsage::default()
        },
        usage_source: UsageSource::Reported,
        cost: NanoUsd(cost),
        estimated: false,
        first_byte_us: Some(10),
        duration_us: 20,
    }
}

/// The shipped calibration, and nothing learned.
pub(crate) fn learned() -> Arc<ArcSwap<Learned>> {
    let shipped = Calibration::Shipped(RoutingModel::shipped().unwrap());
    Arc::new(ArcSwap::from_pointee(Learned::of(shipped)))
}

/// What became of a new request.
pub(crate) fn outcome() -> OutcomeRow {
    OutcomeRow {
        request: RequestId::generate(),
        key_id: None,
        user_id: None,
        project_id: None,
        conversation: None,
        endpoint: "/v1/route".into(),
        task: TaskType::Chat,
        complexity: Some(Complexity::Simple),
        quality: QualityLevel::Normal,
        difficulty: Some(-0.5),
        start: Some(Layer::L0),
        layer: Layer::L0,
        model: "m".into(),
        strategy: Some(Strategy::Layers),
        check: CheckStatus::Off,
        votes: None,
        confidence: None,
        evidence: None,
        escalated: false,
        replaced: None,
        ended: OutcomeEnd::Answered,
        accepted: None,
        rating: None,
        tests: None,
        experiment: None,
        arm_failed: false,
        cost: NanoUsd::ZERO,
        created_at: 1,
    }
}
