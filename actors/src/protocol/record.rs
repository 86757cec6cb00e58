//! The call record: what one attempt was, what it used and what it cost. Written to the journal, then to the database.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AttemptId, CellId, ConversationId, InstanceId, ModelId, ProviderName};
use super::layer::{Layer, TaskType};
use super::ledger::Charges;
use super::money::NanoUsd;
use super::orchestra::LegRole;
use super::price::Price;
use super::tenancy::KeyId;
use super::usage::{TokenUsage, UsageSource};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer arrived.
    Completed,
    /// The provider could not be reached; nothing was sent.
    ConnectFailed,
    /// Nothing arrived in time.
    TimedOut,
    /// The connection broke before the whole answer.
    Broken,
    /// The provider answered with an error status.
    Refused,
    /// The answer was no answer: wrong shape, empty, an error frame, too large.
    Malformed,
    /// The client left before the whole answer.
    ClientLeft,
    /// Another answer was taken before this one had come.
    Superseded,
    /// The gateway shut down in order before the whole answer, and settled what had come.
    Cut,
    /// The task or the process ended while the attempt ran, without a word; the latter is found in the journal afterwards.
    Interrupted,
}

impl Outcome {
    /// The name stored with a call record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ConnectFailed => "connect_failed",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::ClientLeft => "client_left",
            Self::Superseded => "superseded",
            Self::Cut => "cut",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What is known of an attempt when it is sent to the provider. Journalled before the first byte goes out, so that
/// an attempt which the process does not live to see the end of is still recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchRecord {
    /// The attempt.
    pub attempt: AttemptId,
    /// The process that made it.
    pub instance: InstanceId,
    /// The cell that made it.
    pub cell: CellId,
    /// The conversation it belongs to, if any.
    pub conversation: Option<ConversationId>,
    /// The virtual key that asked, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The user: the key's own, else the caller's name for it.
    pub user_id: Option<Arc<str>>,
    /// The project: the key's own, else the caller's name for it.
    pub project_id: Option<Arc<str>>,
    /// The endpoint that was asked, for example `/v1/chat/completions`.
    pub endpoint: Arc<str>,
    /// The model.
    pub model: ModelId,
    /// The provider's name for it.
    pub api_model: Arc<str>,
    /// The provider.
    pub provider: ProviderName,
    /// The model's layer.
    pub layer: Layer,
    /// The kind of task.
    pub task: TaskType,
    /// The prices in force, kept so that a corrected price can be re-applied.
    pub price: Option<Price>,
    /// The worst case that was held.
    pub held: NanoUsd,
    /// The most output tokens that the request allows, all answers together, where a budget pays. It is the cap that was sent,
    /// and more where a provider may bill beyond its cap without fault: the window for reasoning at xAI, the input where an
    /// answer repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_cap: Option<u64>,
    /// The budgets that pay for it; nothing where none has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charges: Option<Arc<Charges>>,
    /// What it was made for.
    #[serde(default, skip_serializing_if = "LegRole::is_answer")]
    pub purpose: LegRole,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// When it was sent, in microseconds since 1970 (UTC).
    pub started_at: i64,
}

/// What of a call was more than its request allowed. It is booked in full all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// It cost more than was held for it.
    Cost,
    /// It has more output tokens than [`DispatchRecord::output_cap`], at a cost that the hold covers: the input was less than
    /// its bound.
    Output,
}

/// A finished attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// What was known when it was sent.
    #[serde(flatten)]
    pub dispatch: DispatchRecord,
    /// How it ended.
    pub outcome: Outcome,
    /// The provider's HTTP status, if it gave one.
    pub status: Option<u16>,
    /// The tokens it used.
    pub usage: TokenUsage,
    /// Where the counts come from.
    pub usage_source: UsageSource,
    /// What it cost.
    pub cost: NanoUsd,
    /// Whether the cost is an upper bound rather than a reported figure.
    pub estimated: bool,
    /// Time to the first meaningful byte, in microseconds.
    pub first_byte_us: Option<u64>,
    /// Time to the end, in microseconds.
    pub duration_us: u64,
}

impl CallRecord {
    /// Whether the attempt produced a whole answer.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Completed
    }

    /// What of it was more than its request allowed, as its provider tells.
    #[must_use]
    pub fn excess(&self) -> Option<Excess> {
        let sent = &self.dispatch;
        if self.cost > sent.held {
            return Some(Excess::Cost);
        }
        let is_above_cap = sent.output_cap.is_some_and(|cap| self.usage.output > cap);
        is_above_cap.then_some(Excess::Output)
    }

    /// The record of an attempt whose process ended before it did: it may have been billed, so it costs its full hold.
    #[must_use]
    pub fn interrupted(dispatch: DispatchRecord) -> Self {
        Self {
            outcome: Outcome::Interrupted,
            status: None,
            usage: TokenUsage::default(),
            usage_source: UsageSource::Estimated,
            cost: dispatch.held,
            estimated: true,
            first_byte_us: None,
            duration_us: 0,
            dispatch,
        }
    }
}
