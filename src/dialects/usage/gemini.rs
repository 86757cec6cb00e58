//! The `usageMetadata` of Gemini's `generateContent`.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{NoCount, count, is_beside, report};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    cached_content_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use_prompt_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    thoughts_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    total_token_count: Option<&'a RawValue>,
}

/// Reads the value of an answer's `usageMetadata` member. Of a stream, each chunk's counts are of everything so far.
///
/// The cached content is part of the prompt. What tools brought in is input beside it, thoughts are output beside the
/// candidates, unless the total shows that they are within. The API leaves out a count that is 0: an answer that thought
/// and said nothing has no `candidatesTokenCount`, so that candidates are what is left of the total, or 0 beside thoughts.
#[must_use]
pub fn of_gemini(value: &RawValue) -> UsageReport {
    report(value, counts)
}

fn counts(usage: &Usage<'_>) -> Result<Option<TokenUsage>, NoCount> {
    let prompt = count(usage.prompt_token_count)?;
    let cached_input = count(usage.cached_content_token_count)?.unwrap_or(0);
    let of_tools = count(usage.tool_use_prompt_token_count)?.unwrap_or(0);
    let candidates = count(usage.candidates_token_count)?;
    let thoughts = count(usage.thoughts_token_count)?;
    let total = count(usage.total_token_count)?;
    let Some(prompt) = prompt else { return Ok(None) };
    let (input, reasoning) = (prompt + of_tools, thoughts.unwrap_or(0));
    let output = match (candidates, total) {
        (Some(candidates), _) => {
            let is_beside = is_beside(total, input + candidates, reasoning, true);
            candidates + if is_beside { reasoning } else { 0 }
        }
        (None, Some(total)) if thoughts.is_none() => total.checked_sub(input).ok_or(NoCount)?,
        (None, Some(total)) => total.saturating_sub(input).max(reasoning),
        (None, None) if thoughts.is_some() => reasoning,
        (None, None) => return Ok(None),
    };
    Ok(Some(TokenUsage {
        input,
        cached_input,
        output,
        reasoning,
        ..TokenUsage::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_counts, raw, used};
    use super::*;

    #[test]
    fn every_count_is_read_and_distrusted() {
        let usage = r#"{"promptTokenCount":20,"cachedContentTokenCount":8,"toolUsePromptTokenCount":5,
            "candidatesTokenCount":11,"thoughtsTokenCount":30,"totalTokenCount":66}"#;
        let counts = [
            "promptTokenCount",
            "cachedContentTokenCount",
            "toolUsePromptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "totalTokenCount",
        ];
        check_counts(of_gemini, usage, used([25, 8, 0, 0, 41, 30]), &counts);
    }

    #[test]
    fn the_cache_is_within_the_prompt_and_thoughts_and_tools_are_beside() {
        // GenerateContentResponseUsageMetadata of the google-genai package, types.py; UsageMetadata of ai.google.dev/api.
        for (usage, expected) in [
            (
                r#"{"promptTokenCount":20,"candidatesTokenCount":198,"totalTokenCount":623,"thoughtsTokenCount":405,
                    "promptTokensDetails":[{"modality":"TEXT","tokenCount":20}]}"#,
                [20, 0, 0, 0, 603, 405],
            ),
            (
                r#"{"promptTokenCount":4096,"cachedContentTokenCount":4000,"candidatesTokenCount":12,
                    "totalTokenCount":4108,"cacheTokensDetails":[{"modality":"TEXT","tokenCount":4000}],
                    "trafficType":"ON_DEMAND"}"#,
                [4096, 4000, 0, 0, 12, 0],
            ),
            (
                r#"{"promptTokenCount":10,"toolUsePromptTokenCount":90,"candidatesTokenCount":7,"thoughtsTokenCount":3,
                    "totalTokenCount":110}"#,
                [100, 0, 0, 0, 10, 3],
            ),
            // It thought, and came to nothing.
            (
                r#"{"promptTokenCount":21,"thoughtsTokenCount":60,"totalTokenCount":81}"#,
                [21, 0, 0, 0, 60, 60],
            ),
            (
                r#"{"promptTokenCount":21,"thoughtsTokenCount":60}"#,
                [21, 0, 0, 0, 60, 60],
            ),
            // The prompt was refused.
            (r#"{"promptTokenCount":9,"totalTokenCount":9}"#, [9, 0, 0, 0, 0, 0]),
            (r#"{"promptTokenCount":9,"totalTokenCount":14}"#, [9, 0, 0, 0, 5, 0]),
            (r#"{"promptTokenCount":0,"candidatesTokenCount":0}"#, [0, 0, 0, 0, 0, 0]),
            // Without a total, thoughts are beside; where it shows otherwise they are not.
            (
                r#"{"promptTokenCount":9,"candidatesTokenCount":8,"thoughtsTokenCount":5}"#,
                [9, 0, 0, 0, 13, 5],
            ),
            (
                r#"{"promptTokenCount":9,"candidatesTokenCount":8,"thoughtsTokenCount":5,"totalTokenCount":17}"#,
                [9, 0, 0, 0, 8, 5],
            ),
        ] {
            assert_eq!(of_gemini(raw(usage)), used(expected), "{usage}");
        }
    }

    #[test]
    fn what_is_too_little_is_missing_and_a_contradiction_is_absurd() {
        for usage in [
            r#"{"promptTokenCount":9}"#,
            r#"{"candidatesTokenCount":9,"totalTokenCount":12}"#,
            r#"{"trafficType":"ON_DEMAND"}"#,
        ] {
            assert_eq!(of_gemini(raw(usage)), UsageReport::Missing, "{usage}");
        }
        let usage = r#"{"promptTokenCount":9,"totalTokenCount":5}"#;
        assert_eq!(of_gemini(raw(usage)), UsageReport::Absurd);
    }
}
