//! A whole answer, read.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;

use super::glance::usage;
use super::wire::{CallIds, NOT_AN_ANSWER, Response};
use crate::dialects::neutral::{Answer, Choice, PartKind, ToolCall, ToolName};

const NOT_DONE: TranslationError = TranslationError("it is not whole");

/// Reads an answer of `/api/chat` that is no stream.
///
/// # Errors
/// When it is none, or not whole.
pub(in crate::dialects) fn read_answer(body: &str) -> Result<Answer<'_>, TranslationError> {
    let response = Response::read(body.as_bytes())?;
    let message = response.message.as_ref().ok_or(NOT_AN_ANSWER)?;
    let mut parts = Vec::new();
    let thinking = message.thinking()?;
    if !thinking.is_empty() {
        parts.push(PartKind::Reasoning {
            text: thinking,
            opaque: None,
        });
    }
    let content = message.content()?;
    if !content.is_empty() {
        parts.push(PartKind::Text(content));
    }
    let mut ids = CallIds::of(response.created_at());
    for call in message.calls()? {
        parts.push(PartKind::ToolCall(ToolCall {
            id: ids.next(call.id).1,
            name: ToolName::plain(call.name),
            arguments: call.arguments,
            is_custom: false,
        }));
    }
    let finish = response.finish(ids.has_given())?.ok_or(NOT_DONE)?;
    Ok(Answer {
        id: Cow::Borrowed(""),
        model: response.model(),
        choices: vec![Choice { parts, finish }],
        usage: usage(body.as_bytes()),
        ..Answer::default()
    })
}

#[cfg(test)]
#[path = "read_answer_tests.rs"]
mod tests;
