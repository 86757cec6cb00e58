//! A whole answer, read.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};

use super::finish::Finish;
use super::usage::usage_report;
use super::wire::{BLOCKED, CallIds, Candidate, FAILED, NOT_AN_ANSWER, Response, Said};
use crate::dialects::neutral::{Answer, Choice, FinishReason, Opaque, PartKind, ToolCall, ToolName};

const UNENDED: TranslationError = TranslationError("it does not say why it ended");

/// Reads an answer of `generateContent`.
///
/// # Errors
/// When it is none, when it has parts that no other dialect has, when it does not say why it ended, or when the provider
/// could not use what the model made.
pub(in crate::dialects) fn read_answer(body: &str) -> Result<Answer<'_>, TranslationError> {
    let response = Response::read(body.as_bytes())?;
    let id = response.id();
    let mut ids = CallIds::of(&id);
    let choices = if response.is_blocked() {
        vec![Choice {
            parts: vec![PartKind::Refusal(Cow::Borrowed(BLOCKED))],
            finish: FinishReason::Refused,
        }]
    } else {
        let choices: Result<Vec<_>, _> = response
            .candidates()
            .map(|candidate| choice(candidate, &mut ids))
            .collect();
        choices?
    };
    if choices.is_empty() {
        return Err(NOT_AN_ANSWER);
    }
    Ok(Answer {
        id,
        model: response.model(),
        choices,
        usage: response.usage_metadata.map_or(UsageReport::Missing, usage_report),
        ..Answer::default()
    })
}

fn choice<'a>(candidate: &Candidate<'a>, ids: &mut CallIds) -> Result<Choice<'a>, TranslationError> {
    let mut parts = Vec::with_capacity(candidate.parts().len());
    let mut has_calls = false;
    for part in candidate.parts() {
        let said = part.said()?;
        let (thought, said) = match said {
            Said::Thought(text) => (text, Said::Nothing),
            other => (Cow::Borrowed(""), other),
        };
        think(&mut parts, thought, part.signature());
        match said {
            Said::Nothing | Said::Thought(_) => {}
            Said::Text(text) => parts.push(PartKind::Text(text)),
            Said::Call { id, name, args } => {
                has_calls = true;
                parts.push(PartKind::ToolCall(ToolCall {
                    id: ids.next(id).1,
                    name: ToolName::plain(name),
                    arguments: Cow::Borrowed(args),
                    is_custom: false,
                }));
            }
        }
    }
    // An answer that may have been cut must not pass for a whole one, no more than in a stream.
    let finish = Finish::read(candidate.finish_reason).ok_or(UNENDED)?;
    Ok(Choice {
        parts,
        finish: finish.reason(has_calls).ok_or(FAILED)?,
    })
}

/// Adds a thought and a signature, either of which may be nothing. Thoughts that follow each other are one, and a signature
/// ends the thought before it, as in a stream: on its way back it is given to the part behind it either way.
fn think<'a>(parts: &mut Vec<PartKind<'a>>, thought: Cow<'a, str>, signature: Option<Opaque<'a>>) {
    if thought.is_empty() && signature.is_none() {
        return;
    }
    match parts.last_mut() {
        Some(PartKind::Reasoning {
            text,
            opaque: opaque @ None,
        }) => {
            if text.is_empty() {
                *text = thought;
            } else if !thought.is_empty() {
                text.to_mut().push_str(&thought);
            }
            *opaque = signature;
        }
        _ => parts.push(PartKind::Reasoning {
            text: thought,
            opaque: signature,
        }),
    }
}

#[cfg(test)]
#[path = "read_answer_tests.rs"]
mod tests;
