//! The end of an attempt without what its beginning said already.

use gateway_actors::protocol::{AttemptId, CallRecord, DispatchRecord, NanoUsd, Outcome, TokenUsage, UsageSource};
use serde::{Deserialize, Serialize};

/// What a [`CallRecord`] says beyond its [`DispatchRecord`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct AttemptEnd {
    pub(super) attempt: AttemptId,
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) usage: TokenUsage,
    pub(super) usage_source: UsageSource,
    pub(super) cost: NanoUsd,
    pub(super) estimated: bool,
    pub(super) first_byte_us: Option<u64>,
    pub(super) duration_us: u64,
}

impl AttemptEnd {
    /// The attempt that ended.
    pub(super) fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// The whole record, given the attempt's beginning.
    pub(super) fn of(self, dispatch: DispatchRecord) -> CallRecord {
        CallRecord {
            dispatch,
            outcome: self.outcome,
            status: self.status,
            usage: self.usage,
            usage_source: self.usage_source,
            cost: self.cost,
            estimated: self.estimated,
            first_byte_us: self.first_byte_us,
            duration_us: self.duration_us,
        }
    }
}

impl From<&CallRecord> for AttemptEnd {
    fn from(record: &CallRecord) -> Self {
        let &CallRecord {
            ref dispatch,
            outcome,
            status,
            usage,
            usage_source,
            cost,
            estimated,
            first_byte_us,
            duration_us,
        } = record;
        Self {
            attempt: dispatch.attempt,
            outcome,
            status,
            usage,
            usage_source,
            cost,
            estimated,
            first_byte_us,
            duration_us,
        }
    }
}
