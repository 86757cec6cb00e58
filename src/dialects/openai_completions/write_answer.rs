//! An answer of a model that holds conversations, written as a completion.
//!
//! Every member that the `openai` Python package (version 3.57.0, `types/completion.py`) requires is there. The dialect
//! has text alone: reasoning and calls of tools, which nobody can ask for in it, are left out.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;
use serde::Serialize;

use crate::dialects::neutral::{Answer, AnswerContext, Choice, FinishReason, PartKind};
use crate::dialects::openai_chat::{Usage, answer_id, answer_model};

/// What an id of the gateway's own begins with.
pub(super) const ID_PREFIX: &str = "cmpl-";

#[derive(Serialize)]
struct Body<'a> {
    id: Cow<'a, str>,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: Vec<WrittenChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct WrittenChoice {
    text: String,
    index: usize,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

/// Writes the body.
///
/// # Errors
/// When there is no answer in it.
pub(in crate::dialects) fn write_answer(
    answer: &Answer<'_>,
    context: &AnswerContext,
) -> Result<Vec<u8>, TranslationError> {
    if answer.choices.is_empty() {
        return Err(TranslationError("there is no answer in it"));
    }
    let choices = answer.choices.iter().enumerate();
    let body = Body {
        id: answer_id(&answer.id, context, ID_PREFIX),
        object: "text_completion",
        created: context.created,
        model: answer_model(&answer.model, context),
        choices: choices.map(|(index, choice)| write_choice(index, choice)).collect(),
        usage: Usage::of(answer.usage),
    };
    serde_json::to_vec(&body).map_err(|_never| TranslationError("it cannot be written"))
}

fn write_choice(index: usize, choice: &Choice<'_>) -> WrittenChoice {
    let texts = choice.parts.iter().filter_map(|part| match part {
        PartKind::Text(text) | PartKind::Refusal(text) => Some(&**text),
        _ => None,
    });
    WrittenChoice {
        text: texts.collect(),
        index,
        logprobs: None,
        finish_reason: finish_word(&choice.finish),
    }
}

/// Why it ended. A turn that the provider paused is told as one that is not complete.
pub(super) const fn finish_word(finish: &FinishReason<'_>) -> &'static str {
    match finish {
        FinishReason::Stop | FinishReason::StopText(_) | FinishReason::ToolCalls => "stop",
        FinishReason::Length | FinishReason::Paused => "length",
        FinishReason::Refused => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{TokenUsage, UsageReport, Vendor};
    use serde_json::{Value, json};

    use super::*;
    use crate::dialects::openai_chat::samples::{any_usage, context, some_text};
    use crate::dialects::openai_chat::{inspect, read_answer};
    use crate::fuzz::fuzz;

    #[test]
    fn an_answer_has_every_member_that_the_schema_requires() {
        let answer = Answer {
            id: "".into(),
            model: "claude-x".into(),
            choices: vec![Choice {
                parts: vec![
                    PartKind::Reasoning {
                        text: "hm".into(),
                        opaque: None,
                    },
                    PartKind::Text("a ".into()),
                    PartKind::Text("time".into()),
                ],
                finish: FinishReason::Length,
            }],
            usage: UsageReport::Reported(TokenUsage {
                input: 2,
                output: 3,
                ..TokenUsage::default()
            }),
            ..Answer::default()
        };
        let value: Value = serde_json::from_slice(&write_answer(&answer, &context()).unwrap()).unwrap();
        assert_eq!(
            value,
            json!({
                "id": "cmpl-0001", "object": "text_completion", "created": 1_760_000_000, "model": "claude-x",
                "choices": [{"text": "a time", "index": 0, "logprobs": null, "finish_reason": "length"}],
                "usage": {
                    "prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5,
                    "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
                },
            })
        );
        let nothing = Answer {
            choices: Vec::new(),
            ..answer
        };
        assert!(write_answer(&nothing, &context()).is_err());
    }

    #[test]
    fn there_and_back_an_answer_at_random_keeps_its_text() {
        fuzz("completions", |rng| {
            let texts: Vec<String> = (0..rng.usize(1..4)).map(|_| some_text(rng)).collect();
            let choices = texts.iter().map(|text| Choice {
                parts: vec![PartKind::Text(text.into())],
                finish: if rng.bool() {
                    FinishReason::Length
                } else {
                    FinishReason::Stop
                },
            });
            let answer = Answer {
                id: "a".into(),
                model: "m".into(),
                choices: choices.collect(),
                usage: any_usage(rng),
                ..Answer::default()
            };
            let body = String::from_utf8(write_answer(&answer, &context()).unwrap()).unwrap();
            assert_eq!(inspect(body.as_bytes(), Vendor::Other).unwrap().usage, answer.usage);
            let back = read_answer(&body, Vendor::Other).unwrap();
            assert_eq!(format!("{back:?}"), format!("{answer:?}"));
        });
    }
}
