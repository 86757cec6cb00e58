//! Records for unit tests.

use super::ids::{AttemptId, CellId, InstanceId};
use super::layer::{Layer, TaskType};
use super::money::NanoUsd;
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
        charges: None,
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
