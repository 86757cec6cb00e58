//! Token counts of an answer in this dialect.

use gateway_actors::protocol::UsageReport;
use serde_json::value::RawValue;

use crate::dialects::usage::{ReasoningTokens, of_openai_chat};

/// Reads the value of a `usage` member, of a provider that counts reasoning within the completion as far as its totals
/// do not tell.
#[must_use]
pub fn usage_report(value: &RawValue) -> UsageReport {
    of_openai_chat(value, ReasoningTokens::Within)
}
