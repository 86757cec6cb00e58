//! Usage as this dialect tells it.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde::Serialize;

/// The value of a `usage` member: reads and writes of the cache are beside `input_tokens`, thinking is part of the
/// output. Nothing known is told as zeros, since the counts are required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct WireUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<Creation>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Creation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct OutputDetails {
    thinking_tokens: u64,
}

impl WireUsage {
    /// What is known of a whole answer.
    pub(super) fn of(report: UsageReport) -> Self {
        let usage = match report {
            UsageReport::Reported(usage) => usage.within_totals(),
            UsageReport::Missing | UsageReport::Absurd | UsageReport::Unused => TokenUsage::default(),
        };
        Self {
            input_tokens: usage.uncached_input(),
            cache_creation_input_tokens: usage.cache_write_5m.saturating_add(usage.cache_write_1h),
            cache_read_input_tokens: usage.cached_input,
            // Told before anything is known, it would stay: the end of a stream has no place for it.
            cache_creation: matches!(report, UsageReport::Reported(_)).then_some(Creation {
                ephemeral_5m_input_tokens: usage.cache_write_5m,
                ephemeral_1h_input_tokens: usage.cache_write_1h,
            }),
            output_tokens: usage.output,
            output_tokens_details: (usage.reasoning > 0).then_some(OutputDetails {
                thinking_tokens: usage.reasoning,
            }),
        }
    }

    /// The same for the event that ends a stream, which does not tell how long the cache keeps what was written.
    pub(super) fn without_creation(self) -> Self {
        Self {
            cache_creation: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::usage::of_anthropic;

    #[test]
    fn usage_that_was_written_is_read_again() {
        let usage = TokenUsage {
            input: 100,
            cached_input: 40,
            cache_write_5m: 20,
            cache_write_1h: 10,
            cache_write_untold: 0,
            output: 9,
            reasoning: 4,
            ..TokenUsage::default()
        };
        for usage in [usage, TokenUsage::default()] {
            let wire = serde_json::to_string(&WireUsage::of(UsageReport::Reported(usage))).unwrap();
            let read = of_anthropic(serde_json::from_str(&wire).unwrap());
            assert_eq!(read, UsageReport::Reported(usage), "{wire}");
        }
    }

    #[test]
    fn usage_that_is_not_known_is_told_as_zeros() {
        for report in [UsageReport::Missing, UsageReport::Absurd] {
            let wire = serde_json::to_string(&WireUsage::of(report)).unwrap();
            assert_eq!(
                wire,
                r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#
            );
        }
    }
}
