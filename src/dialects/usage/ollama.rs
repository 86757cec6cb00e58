//! The counts of Ollama's own API.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{NoCount, count, report};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    prompt_eval_count: Option<&'a RawValue>,
    #[serde(borrow)]
    eval_count: Option<&'a RawValue>,
}

/// Reads the counts of the object that ends an answer of `/api/chat` or `/api/generate`, where they are members among
/// others. Ollama tells nothing of its cache, and counts thinking as output.
#[must_use]
pub fn of_ollama(value: &RawValue) -> UsageReport {
    report(value, counts)
}

fn counts(answer: &Answer<'_>) -> Result<Option<TokenUsage>, NoCount> {
    let (input, output) = (count(answer.prompt_eval_count)?, count(answer.eval_count)?);
    // Ollama leaves a count of 0 out, as that of a prompt of which it had evaluated all before. Where nothing was made, its
    // answer may be of a kind that has no counts.
    let usage = output.map(|output| TokenUsage {
        input: input.unwrap_or(0),
        output,
        ..TokenUsage::default()
    });
    Ok(usage)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_counts, raw, used};
    use super::*;

    #[test]
    fn the_last_object_of_an_answer_has_the_counts() {
        // BaseGenerateResponse of the ollama package, _types.py; docs/api.md of Ollama.
        let last = r#"{"model":"llama3.2","created_at":"2026-08-04T19:22:45.499127Z",
            "message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":4883583458,
            "load_duration":1334875,"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":282,
            "eval_duration":4535599000}"#;
        let counts = ["prompt_eval_count", "eval_count"];
        check_counts(of_ollama, last, used([26, 0, 0, 0, 282, 0]), &counts);
    }

    #[test]
    fn zero_is_a_count_and_a_prompt_that_is_not_counted_is_one_that_was_not_evaluated() {
        let usage = r#"{"done":true,"prompt_eval_count":0,"eval_count":0}"#;
        assert_eq!(of_ollama(raw(usage)), used([0, 0, 0, 0, 0, 0]));
        for usage in [
            r#"{"done":true,"eval_count":3}"#,
            r#"{"done":true,"prompt_eval_count":null,"eval_count":3}"#,
        ] {
            assert_eq!(of_ollama(raw(usage)), used([0, 0, 0, 0, 3, 0]), "{usage}");
        }
        for usage in [
            r#"{"message":{"role":"assistant","content":"The"},"done":false}"#,
            r#"{"done":true,"prompt_eval_count":3,"eval_count":null}"#,
        ] {
            assert_eq!(of_ollama(raw(usage)), UsageReport::Missing, "{usage}");
        }
    }
}
