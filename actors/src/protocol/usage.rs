//! Token counts of one attempt, in one form whatever the provider calls them.

use serde::{Deserialize, Serialize};

/// Tokens of one attempt. `cached_input` is part of `input`, `reasoning` is part of `output` (the OpenAI convention).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenUsage {
    /// All input tokens.
    pub input: u64,
    /// Those of them that the provider served from its prompt cache.
    pub cached_input: u64,
    /// All output tokens.
    pub output: u64,
    /// Those of them that were spent on hidden reasoning.
    pub reasoning: u64,
}

/// What a provider said about usage in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageReport {
    /// Nothing, or `null`.
    #[default]
    Missing,
    /// Counts that can be believed; an explicit zero is a count.
    Reported(TokenUsage),
    /// Something that cannot be a count: negative, fractional, absurdly large or not a number.
    Absurd,
}

/// Where the token counts of a call record come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them.
    Reported,
    /// Counted by the gateway: an upper bound, since the provider did not say.
    Estimated,
    /// The attempt produced nothing and used nothing.
    None,
}

impl UsageSource {
    /// The name stored with a call record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}
