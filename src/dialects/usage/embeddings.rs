//! The usage of embeddings, which have input alone.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{NoCount, count, report};

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    total_tokens: Option<&'a RawValue>,
    /// Gemini's name for it.
    #[serde(borrow, rename = "promptTokenCount")]
    prompt_token_count: Option<&'a RawValue>,
}

/// Reads the value of the `usage` member of OpenAI's embeddings, or of Gemini's `usageMetadata`. Where only a total is told,
/// it is that of the input.
#[must_use]
pub fn of_embeddings(value: &RawValue) -> UsageReport {
    report(value, |usage: &Usage<'_>| {
        let told = [usage.prompt_tokens, usage.prompt_token_count, usage.total_tokens];
        for one in told {
            if let Some(input) = count(one)? {
                return Ok(Some(of_input(input)));
            }
        }
        Ok(None)
    })
}

/// Reads a count of the input that stands by itself, as Ollama's `prompt_eval_count` does among the members of an answer.
#[must_use]
pub fn of_input_count(value: Option<&RawValue>) -> UsageReport {
    match count(value) {
        Ok(Some(input)) => UsageReport::Reported(of_input(input)),
        Ok(None) => UsageReport::Missing,
        Err(NoCount) => UsageReport::Absurd,
    }
}

fn of_input(input: u64) -> TokenUsage {
    TokenUsage {
        input,
        ..TokenUsage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{raw, used};
    use super::*;

    #[test]
    fn the_input_is_read_whatever_its_name() {
        for (usage, input) in [
            (r#"{"prompt_tokens":8,"total_tokens":8}"#, 8),
            (r#"{"prompt_tokens":0,"total_tokens":0}"#, 0),
            (r#"{"total_tokens":"9"}"#, 9),
            (r#"{"promptTokenCount":7,"promptTokenDetails":[]}"#, 7),
        ] {
            assert_eq!(of_embeddings(raw(usage)), used([input, 0, 0, 0, 0, 0]), "{usage}");
        }
        assert_eq!(of_input_count(Some(raw("6"))), used([6, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn what_is_no_count_is_distrusted() {
        assert_eq!(of_embeddings(raw("{}")), UsageReport::Missing);
        assert_eq!(of_embeddings(raw("null")), UsageReport::Missing);
        assert_eq!(of_embeddings(raw(r#"{"prompt_tokens":-1}"#)), UsageReport::Absurd);
        assert_eq!(of_embeddings(raw("[]")), UsageReport::Absurd);
        assert_eq!(of_input_count(None), UsageReport::Missing);
        assert_eq!(of_input_count(Some(raw("1.5"))), UsageReport::Absurd);
    }
}
