//! The `usage` of OpenAI's Responses.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{NoCount, count, details, must_be_beside, report, writes};

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    total_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    input_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_write_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_write_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_tokens: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Lifetimes<'a> {
    #[serde(borrow)]
    ttl_30m_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    ttl_12h_tokens: Option<&'a RawValue>,
}

/// Reads the value of a response's `usage` member.
///
/// Cache reads and writes are part of the input, reasoning is part of the output, and so is what the total has beyond
/// both. Writes for 30 minutes count as short ones, those for 12 hours as long ones.
#[must_use]
pub fn of_openai_responses(value: &RawValue) -> UsageReport {
    report(value, counts)
}

fn counts(usage: &Usage<'_>) -> Result<Option<TokenUsage>, NoCount> {
    let of_input: Details<'_> = details(usage.input_tokens_details);
    let of_output: Details<'_> = details(usage.output_tokens_details);
    let lifetimes: Lifetimes<'_> = details(of_input.cache_write_tokens_details);
    let cached_input = count(of_input.cached_tokens)?.unwrap_or(0);
    let (cache_write_5m, cache_write_1h, cache_write_untold) = writes(
        count(of_input.cache_write_tokens)?,
        count(lifetimes.ttl_30m_tokens)?,
        count(lifetimes.ttl_12h_tokens)?,
    );
    let reasoning = count(of_output.reasoning_tokens)?.unwrap_or(0);
    let total = count(usage.total_tokens)?;
    let (Some(input), Some(output)) = (count(usage.input_tokens)?, count(usage.output_tokens)?) else {
        return Ok(None);
    };
    let beyond = total.map_or(0, |total| total.saturating_sub(input + output));
    let besides = |whole: u64, part: u64| if must_be_beside(total, whole, part) { part } else { 0 };
    Ok(Some(TokenUsage {
        input: input + besides(input, cached_input),
        cached_input,
        cache_write_5m,
        cache_write_1h,
        cache_write_untold,
        output: output + beyond + besides(output, reasoning),
        reasoning,
        ..TokenUsage::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NO_COUNTS, check_counts, raw, used, used_untold};
    use super::*;

    #[test]
    fn every_count_is_read_and_distrusted() {
        let usage = r#"{"input_tokens":10,"output_tokens":7,"total_tokens":17}"#;
        let counts = ["input_tokens", "output_tokens", "total_tokens"];
        check_counts(of_openai_responses, usage, used([10, 0, 0, 0, 7, 0]), &counts);
        for bad in NO_COUNTS {
            for details in [
                format!(r#""input_tokens_details":{{"cached_tokens":{bad}}}"#),
                format!(r#""input_tokens_details":{{"cache_write_tokens":{bad}}}"#),
                format!(r#""input_tokens_details":{{"cache_write_tokens_details":{{"ttl_30m_tokens":{bad}}}}}"#),
                format!(r#""input_tokens_details":{{"cache_write_tokens_details":{{"ttl_12h_tokens":{bad}}}}}"#),
                format!(r#""output_tokens_details":{{"reasoning_tokens":{bad}}}"#),
            ] {
                let usage = format!(r#"{{"input_tokens":10,"output_tokens":7,{details}}}"#);
                assert_eq!(of_openai_responses(raw(&usage)), UsageReport::Absurd, "{usage}");
            }
        }
        for usage in [r#"{"input_tokens":10}"#, r#"{"output_tokens":7,"total_tokens":17}"#] {
            assert_eq!(of_openai_responses(raw(usage)), UsageReport::Missing, "{usage}");
        }
    }

    #[test]
    fn the_parts_of_a_response_are_within_its_totals() {
        // ResponseUsage of the openai package, types/responses/response_usage.py.
        for (usage, expected) in [
            (
                r#"{"input_tokens":81,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":0},
                    "output_tokens":1035,"output_tokens_details":{"reasoning_tokens":832},"total_tokens":1116}"#,
                [81, 64, 0, 0, 1035, 832],
            ),
            (
                r#"{"input_tokens":5000,"input_tokens_details":{"cached_tokens":1024,"cache_write_tokens":3000,
                    "cache_write_tokens_details":{"ttl_30m_tokens":1000,"ttl_12h_tokens":2000}},
                    "output_tokens":10,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5010}"#,
                [5000, 1024, 1000, 2000, 10, 0],
            ),
            (
                r#"{"input_tokens":5000,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":3000,
                    "cache_write_tokens_details":null},"output_tokens":10,"total_tokens":5010}"#,
                [5000, 0, 3000, 0, 10, 0],
            ),
            (r#"{"input_tokens":0,"output_tokens":0}"#, [0, 0, 0, 0, 0, 0]),
        ] {
            let untold = if usage.contains("ttl_30m") { 0 } else { expected[2] };
            assert_eq!(
                of_openai_responses(raw(usage)),
                used_untold(expected, untold),
                "{usage}"
            );
        }
    }

    #[test]
    fn reasoning_that_the_total_counts_apart_is_added() {
        let usage = r#"{"input_tokens":81,"output_tokens":3,"output_tokens_details":{"reasoning_tokens":832},
            "total_tokens":916}"#;
        assert_eq!(of_openai_responses(raw(usage)), used([81, 0, 0, 0, 835, 832]));
        let usage = r#"{"input_tokens":81,"output_tokens":3,"output_tokens_details":{"reasoning_tokens":832},
            "total_tokens":84}"#;
        assert_eq!(of_openai_responses(raw(usage)), used([81, 0, 0, 0, 3, 3]));
    }
}
