//! The `usage` of chat completions: OpenAI's, and that of everybody compatible with it.

use gateway_actors::protocol::{Tier, TokenUsage, UsageReport, Vendor};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{NoCount, count, details, is_beside, largest, must_be_beside, report};

/// Where a provider counts reasoning, as far as its totals do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReasoningTokens {
    /// Within `completion_tokens`, as OpenAI does.
    #[default]
    Within,
    /// Beside them, as xAI does.
    Beside,
}

impl ReasoningTokens {
    /// Where this vendor counts it.
    #[must_use]
    pub const fn of(vendor: Vendor) -> Self {
        match vendor {
            Vendor::Xai => Self::Beside,
            _ => Self::Within,
        }
    }
}

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    total_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens_details: Option<&'a RawValue>,
    /// DeepSeek's name for cache reads.
    #[serde(borrow)]
    prompt_cache_hit_tokens: Option<&'a RawValue>,
    /// Mistral's.
    #[serde(borrow)]
    num_cached_tokens: Option<&'a RawValue>,
    /// Moonshot's.
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    /// Mistral's. Others have it beside the usage.
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_write_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_tokens: Option<&'a RawValue>,
}

/// Reads the value of a chat completion's `usage` member.
///
/// Of input and output one may be missing if the total is there. Where the total is prompt and completion, reasoning is
/// within the completion; what it has beyond them is output, named as reasoning or not: Gemini's thoughts are in nothing
/// but the total. Otherwise `reasoning` says. Cache writes do not tell how long they stay, and count as short ones.
#[must_use]
pub fn of_openai_chat(value: &RawValue, reasoning: ReasoningTokens) -> UsageReport {
    report(value, |usage| counts(usage, reasoning))
}

fn counts(usage: &Usage<'_>, usually: ReasoningTokens) -> Result<Option<TokenUsage>, NoCount> {
    let of_prompt: Details<'_> = details(usage.prompt_tokens_details);
    let of_completion: Details<'_> = details(usage.completion_tokens_details);
    let cached_input = largest([
        of_prompt.cached_tokens,
        usage.prompt_cache_hit_tokens,
        usage.num_cached_tokens,
        usage.cached_tokens,
    ])?;
    let cache_write_5m = count(of_prompt.cache_write_tokens)?.unwrap_or(0);
    let named = count(of_completion.reasoning_tokens)?;
    let total = count(usage.total_tokens)?;
    let usually_beside = usually == ReasoningTokens::Beside;
    let (input, output, reasoning) = match (count(usage.prompt_tokens)?, count(usage.completion_tokens)?, total) {
        (Some(prompt), Some(completion), _) => {
            let input = input_of(prompt, cached_input, total, completion, named.unwrap_or(0));
            let beyond = total.map_or(0, |total| total.saturating_sub(input + completion));
            let reasoning = named.unwrap_or(beyond);
            let is_beside = must_be_beside(total, completion, reasoning)
                || is_beside(total, input + completion, reasoning, usually_beside);
            let beside = if is_beside { reasoning.max(beyond) } else { beyond };
            (input, completion + beside, reasoning)
        }
        // What is not input is output, reasoning included.
        (Some(input), None, Some(total)) => {
            let output = total.checked_sub(input).ok_or(NoCount)?;
            (input, output, named.unwrap_or(0))
        }
        (None, Some(completion), Some(total)) => {
            let reasoning = named.unwrap_or(0);
            let output = completion + if usually_beside { reasoning } else { 0 };
            (total.checked_sub(output).ok_or(NoCount)?, output, reasoning)
        }
        _ => return Ok(None),
    };
    Ok(Some(TokenUsage {
        input,
        cached_input,
        cache_write_5m,
        cache_write_1h: 0,
        cache_write_untold: cache_write_5m,
        output,
        reasoning,
        tier: Tier::of_member(usage.service_tier),
    }))
}

/// The prompt, and beside it the cache reads where they are more than it and the total counts both, as xAI's has done, or
/// there is none.
fn input_of(prompt: u64, cached_input: u64, total: Option<u64>, completion: u64, reasoning: u64) -> u64 {
    let both = prompt + cached_input;
    let is_counted = |output: u64| total == Some(both + output);
    let is_told = cached_input > prompt && (is_counted(completion) || is_counted(completion + reasoning));
    if is_told || must_be_beside(total, prompt, cached_input) {
        both
    } else {
        prompt
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_counts, raw, used, used_untold};
    use super::*;

    fn within(value: &RawValue) -> UsageReport {
        of_openai_chat(value, ReasoningTokens::Within)
    }

    fn beside(value: &RawValue) -> UsageReport {
        of_openai_chat(value, ReasoningTokens::Beside)
    }

    #[test]
    fn every_count_is_read_and_distrusted() {
        let usage = r#"{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17}"#;
        let counts = ["prompt_tokens", "completion_tokens", "total_tokens"];
        check_counts(within, usage, used([10, 0, 0, 0, 7, 0]), &counts);
        check_counts(beside, usage, used([10, 0, 0, 0, 7, 0]), &counts);
        for (member, cached) in [
            ("prompt_cache_hit_tokens", 4),
            ("num_cached_tokens", 4),
            ("cached_tokens", 4),
        ] {
            let usage = format!(r#"{{"prompt_tokens":10,"completion_tokens":7,"{member}":{cached}}}"#);
            check_counts(within, &usage, used([10, cached, 0, 0, 7, 0]), &[member]);
        }
        for bad in super::super::testing::NO_COUNTS {
            for details in [
                format!(r#""prompt_tokens_details":{{"cached_tokens":{bad}}}"#),
                format!(r#""prompt_tokens_details":{{"cache_write_tokens":{bad}}}"#),
                format!(r#""completion_tokens_details":{{"reasoning_tokens":{bad}}}"#),
            ] {
                let usage = format!(r#"{{"prompt_tokens":10,"completion_tokens":7,{details}}}"#);
                assert_eq!(within(raw(&usage)), UsageReport::Absurd, "{usage}");
            }
        }
    }

    #[test]
    fn providers_that_count_parts_within_their_totals() {
        for (schema, usage, expected) in [
            (
                "OpenAI: CompletionUsage of the openai package, types/completion_usage.py",
                r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
                    "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0,"cache_write_tokens":64},
                    "completion_tokens_details":{"reasoning_tokens":192,"audio_tokens":0,
                        "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#,
                [2006, 1920, 64, 0, 300, 192],
            ),
            (
                "OpenRouter: ChatUsage of the openrouter package, components/chatusage.py",
                r#"{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.95,"is_byok":false,
                    "cost_details":{"upstream_inference_cost":19},
                    "prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":100,"audio_tokens":0,"video_tokens":0},
                    "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":null}}"#,
                [194, 0, 100, 0, 2, 0],
            ),
            (
                "DeepSeek: usage of Create Chat Completion, api-docs.deepseek.com",
                r#"{"prompt_tokens":1100,"completion_tokens":210,"total_tokens":1310,
                    "prompt_cache_hit_tokens":1024,"prompt_cache_miss_tokens":76,
                    "completion_tokens_details":{"reasoning_tokens":150}}"#,
                [1100, 1024, 0, 0, 210, 150],
            ),
            (
                "Mistral: UsageInfo of the mistralai package, with what docs.mistral.ai says of prompt caching",
                r#"{"prompt_tokens":1350,"completion_tokens":20,"total_tokens":1370,"prompt_audio_seconds":null,
                    "service_tier":"standard","num_cached_tokens":1280,"prompt_tokens_details":{"cached_tokens":1280}}"#,
                [1350, 1280, 0, 0, 20, 0],
            ),
            (
                "Groq: CompletionUsage of the groq package, types/completion_usage.py",
                r#"{"queue_time":0.0123,"prompt_tokens":90,"prompt_time":0.004,"completion_tokens":45,
                    "completion_time":0.08,"total_tokens":135,"total_time":0.084,
                    "prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":30}}"#,
                [90, 64, 0, 0, 45, 30],
            ),
            (
                "Together: ChatCompletionUsage of the together package, types/chat/chat_completion_usage.py",
                r#"{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}"#,
                [12, 0, 0, 0, 5, 0],
            ),
            (
                "Moonshot: usage of its chat completions, with cache reads beside the details",
                r#"{"prompt_tokens":640,"completion_tokens":8,"total_tokens":648,"cached_tokens":512}"#,
                [640, 512, 0, 0, 8, 0],
            ),
            (
                "vLLM: UsageInfo of vllm/entrypoints/openai, without a cache",
                r#"{"prompt_tokens":7,"total_tokens":12,"completion_tokens":5,"prompt_tokens_details":null}"#,
                [7, 0, 0, 0, 5, 0],
            ),
        ] {
            let tier = if schema.starts_with("Mistral") {
                Tier::Usual
            } else {
                Tier::Untold
            };
            let expected = used_untold(expected, expected[2]).in_tier(tier);
            assert_eq!(within(raw(usage)), expected, "{schema}");
            // The totals tell that the reasoning is within, whatever the provider is taken for.
            assert_eq!(beside(raw(usage)), expected, "{schema}");
        }
    }

    #[test]
    fn xai_counts_reasoning_beside_the_completion() {
        // Usage and its details as docs.x.ai has them: the total is prompt, completion and reasoning.
        for (usage, expected) in [
            (
                r#"{"prompt_tokens":12,"completion_tokens":2,"total_tokens":438,"num_sources_used":0,
                    "prompt_tokens_details":{"text_tokens":12,"audio_tokens":0,"image_tokens":0,"cached_tokens":3},
                    "completion_tokens_details":{"reasoning_tokens":424,"audio_tokens":0,
                        "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#,
                [12, 3, 0, 0, 426, 424],
            ),
            (
                r#"{"prompt_tokens":125,"completion_tokens":48,"total_tokens":173,
                    "prompt_tokens_details":{"cached_tokens":98},"completion_tokens_details":{"reasoning_tokens":0}}"#,
                [125, 98, 0, 0, 48, 0],
            ),
            // Cache reads beside the prompt, which the total shows.
            (
                r#"{"prompt_tokens":4142,"completion_tokens":254,"total_tokens":8724,
                    "prompt_tokens_details":{"cached_tokens":4328}}"#,
                [8470, 4328, 0, 0, 254, 0],
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":4,"total_tokens":40,
                    "prompt_tokens_details":{"cached_tokens":20},"completion_tokens_details":{"reasoning_tokens":6}}"#,
                [30, 20, 0, 0, 10, 6],
            ),
        ] {
            assert_eq!(beside(raw(usage)), used_untold(expected, expected[2]), "{usage}");
            assert_eq!(within(raw(usage)), used_untold(expected, expected[2]), "{usage}");
        }
    }

    #[test]
    fn where_the_total_does_not_tell_the_provider_does() {
        let details = r#""completion_tokens_details":{"reasoning_tokens":9}"#;
        for total in ["", r#""total_tokens":25,"#, r#""total_tokens":null,"#] {
            let usage = format!(r#"{{"prompt_tokens":10,"completion_tokens":20,{total}{details}}}"#);
            assert_eq!(within(raw(&usage)), used([10, 0, 0, 0, 20, 9]), "{usage}");
            assert_eq!(beside(raw(&usage)), used([10, 0, 0, 0, 29, 9]), "{usage}");
        }
    }

    #[test]
    fn what_the_total_has_beyond_its_parts_is_output() {
        for (more, expected) in [
            // Gemini's, asked in this dialect: thoughts are in the total alone.
            (r#""total_tokens":75"#, [10, 0, 0, 0, 65, 45]),
            (
                r#""total_tokens":75,"completion_tokens_details":{"reasoning_tokens":9}"#,
                [10, 0, 0, 0, 65, 9],
            ),
        ] {
            let usage = format!(r#"{{"prompt_tokens":10,"completion_tokens":20,{more}}}"#);
            assert_eq!(within(raw(&usage)), used_untold(expected, expected[2]), "{usage}");
            assert_eq!(beside(raw(&usage)), used_untold(expected, expected[2]), "{usage}");
        }
        let usage = r#"{"prompt_tokens":10,"completion_tokens":20,"total_tokens":15}"#;
        assert_eq!(beside(raw(usage)), used([10, 0, 0, 0, 20, 0]));
    }

    #[test]
    fn of_input_and_output_one_follows_from_the_total() {
        for (usage, expected) in [
            (r#"{"prompt_tokens":2,"total_tokens":1e3}"#, [2, 0, 0, 0, 998, 0]),
            (r#"{"completion_tokens":4,"total_tokens":9}"#, [5, 0, 0, 0, 4, 0]),
        ] {
            assert_eq!(within(raw(usage)), used_untold(expected, expected[2]), "{usage}");
        }
        let details = r#""completion_tokens_details":{"reasoning_tokens":3}"#;
        let usage = format!(r#"{{"completion_tokens":4,"total_tokens":9,{details}}}"#);
        assert_eq!(within(raw(&usage)), used([5, 0, 0, 0, 4, 3]));
        assert_eq!(beside(raw(&usage)), used([2, 0, 0, 0, 7, 3]));
        for usage in [
            r#"{"prompt_tokens":9,"total_tokens":3}"#,
            r#"{"completion_tokens":9,"total_tokens":3}"#,
        ] {
            assert_eq!(within(raw(usage)), UsageReport::Absurd, "{usage}");
        }
        for usage in [
            r#"{"prompt_tokens":null,"completion_tokens":3}"#,
            r#"{"prompt_tokens":3}"#,
            r#"{"total_tokens":3}"#,
        ] {
            assert_eq!(within(raw(usage)), UsageReport::Missing, "{usage}");
        }
    }

    #[test]
    fn a_part_that_is_more_than_its_whole_is_beside_it_where_no_total_tells() {
        let usage = r#"{"prompt_tokens":3,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":7},
            "prompt_tokens_details":{"cached_tokens":9}}"#;
        for read in [within, beside] {
            assert_eq!(read(raw(usage)), used([12, 9, 0, 0, 9, 7]));
        }
    }

    #[test]
    fn details_never_make_more_of_the_totals() {
        let usage = r#"{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"completion_tokens_details":
            {"reasoning_tokens":7},"prompt_tokens_details":{"cached_tokens":9,"cache_write_tokens":1}}"#;
        assert_eq!(within(raw(usage)), used([3, 3, 0, 0, 2, 2]));
        for details in ["null", "[]", "7", "{}", r#"{"cached_tokens":null}"#] {
            let usage = format!(r#"{{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{details}}}"#);
            assert_eq!(within(raw(&usage)), used([3, 0, 0, 0, 2, 0]), "{usage}");
        }
    }
}
