//! A whole answer, written for a client.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;
use serde::Serialize;

use super::ids::UniqueIds;
use super::stop::stop_reason;
use super::usage::WireUsage;
use crate::dialects::neutral::{Answer, AnswerContext, ObjectArguments, OpaqueKind, PartKind};

/// A `Message`.
#[derive(Debug, Serialize)]
struct Wire<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: WireUsage,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: String,
        name: String,
        input: ObjectArguments<'a>,
    },
}

/// Writes an answer, of which this dialect has one choice. A refusal is a text, told by the `stop_reason`. Reasoning that
/// its maker did not sign has an empty signature, by which it is known when it comes back.
///
/// # Errors
/// When it has no choice.
pub(in crate::dialects) fn write_answer(
    answer: &Answer<'_>,
    context: &AnswerContext,
) -> Result<Vec<u8>, TranslationError> {
    let choice = answer
        .choices
        .first()
        .ok_or(TranslationError("the answer has no choice"))?;
    let has_calls = choice.parts.iter().any(|part| matches!(part, PartKind::ToolCall(_)));
    let is_refusal = choice.parts.iter().any(|part| matches!(part, PartKind::Refusal(_)));
    let (stop_reason, stop_sequence) = stop_reason(&choice.finish, has_calls, is_refusal);
    let mut ids = UniqueIds::default();
    let blocks = choice.parts.iter().filter_map(|part| block(part, &mut ids, context));
    let wire = Wire {
        id: message_id(&answer.id, context),
        kind: "message",
        role: "assistant",
        model: model_name(&answer.model, context),
        content: blocks.collect(),
        stop_reason,
        stop_sequence,
        usage: WireUsage::of(answer.usage),
    };
    serde_json::to_vec(&wire).map_err(|_never| TranslationError("the answer cannot be written as JSON"))
}

/// The provider's id, or one of the gateway's own.
pub(super) fn message_id<'a>(id: &'a str, context: &AnswerContext) -> Cow<'a, str> {
    if id.is_empty() {
        Cow::Owned(format!("msg_{}", context.id))
    } else {
        Cow::Borrowed(id)
    }
}

/// The name of the model that answered, or else of the one that was asked.
pub(super) fn model_name<'a>(model: &'a str, context: &'a AnswerContext) -> &'a str {
    if model.is_empty() { &context.model } else { model }
}

fn block<'a>(part: &'a PartKind<'_>, ids: &mut UniqueIds, context: &'a AnswerContext) -> Option<Block<'a>> {
    match part {
        PartKind::Text(text) | PartKind::Refusal(text) => (!text.is_empty()).then_some(Block::Text { text }),
        PartKind::Reasoning { text, opaque } => match opaque {
            Some(opaque) if opaque.kind == OpaqueKind::Redacted => Some(Block::RedactedThinking { data: &opaque.data }),
            None if text.is_empty() => None,
            opaque => Some(Block::Thinking {
                thinking: text,
                signature: opaque
                    .as_ref()
                    .map(|opaque| opaque.to_field(OpaqueKind::Signature, context.origin))
                    .unwrap_or_default(),
            }),
        },
        PartKind::ToolCall(call) => Some(Block::ToolUse {
            id: ids.wire_id(&call.id),
            name: context.tools.original(&call.name.name).0.name.into_owned(),
            input: call.object(),
        }),
        // No model answers with these.
        PartKind::Image(_) | PartKind::Document(_) | PartKind::ToolResult(_) => None,
    }
}

#[cfg(test)]
#[path = "write_answer_tests.rs"]
mod tests;
