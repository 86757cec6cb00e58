//! A client's request: read once, carried as the bytes that came, written for a model by replacing what is owned.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerRead, BoundRules, Capabilities, Capability, Completion, Dialect, GatewayError, Model, Needs, Outgoing,
    OutgoingRequest, Question,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::flavour::Flavour;
use super::foreign::{Foreign, foreign_reasoning, sealed_reasoning};
use super::owned::{Owned, answers, json_of, required, token_count};
use super::scan::{Scan, scan};
use super::{BYTES_PER_TOKEN_AT_MOST, TOKENS_PER_MESSAGE};
use crate::dialects::bounds::{Bounding, Form};
use crate::dialects::json::{is_non_empty_container, text};
use crate::dialects::neutral::{Feature, holds_marked, tell_lost};
use crate::dialects::splice::without;
use crate::dialects::{ClientRequest, noted, question, reading, translation};

/// A `POST /v1/chat/completions` body, read and checked.
pub struct ChatCompletionsRequest {
    body: Bytes,
    owned: Owned,
    needs: Needs,
    /// Whether a model of another dialect may have made some of the conversation's reasoning.
    may_be_foreign: bool,
    /// Whether what a model of this dialect sealed was left out.
    has_lost_state: bool,
}

impl ChatCompletionsRequest {
    /// Reads a body in one pass, without copying it.
    ///
    /// # Errors
    /// `malformed_json` if it is not JSON in UTF-8, or nested more than 128 levels deep; `invalid_request` naming
    /// the field if one that the gateway reads is missing, given twice or of the wrong type. Everything else in the
    /// body is the provider's to judge.
    pub fn scan(body: Bytes) -> Result<Self, GatewayError> {
        let json = json_of(&body)?;
        let found = scan(json)?;
        Ok(Self {
            owned: Owned::read(json, &found)?,
            needs: needs(json, &found)?,
            may_be_foreign: holds_marked(&body),
            has_lost_state: false,
            body,
        })
    }
}

impl fmt::Debug for ChatCompletionsRequest {
    /// Without the body: what people write to models is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatCompletionsRequest")
            .field("bytes", &self.body.len())
            .field("model", &self.owned.model)
            .field("stream", &self.owned.stream)
            .finish_non_exhaustive()
    }
}

impl ClientRequest for ChatCompletionsRequest {
    fn model(&self) -> &Arc<str> {
        &self.owned.model
    }

    fn is_stream(&self) -> bool {
        self.owned.stream
    }

    fn needs(&self) -> Needs {
        self.needs
    }
}

impl OutgoingRequest for ChatCompletionsRequest {
    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let bounding = Bounding {
            needs: &self.needs,
            rules: bounds,
        };
        if model.dialect != Dialect::OpenaiChat {
            return translation::write(&translation::CHAT, &self.body, model, self.owned.wants_usage, bounding);
        }
        let mut bounded = bounding.as_sent(&self.body, Form::Chat, model)?;
        let mut splices = bounded
            .as_mut()
            .map(|it| std::mem::take(&mut it.splices))
            .unwrap_or_default();
        let foreign = if self.may_be_foreign {
            foreign_reasoning(&self.body, Flavour::of(model).reasoning_text())
        } else {
            Foreign::default()
        };
        let has_lost_state = self.has_lost_state || !foreign.splices.is_empty();
        splices.extend(foreign.splices);
        let body = self.owned.body_for(&self.body, model, &splices);
        let mut outgoing = bounding.outgoing(body, self.owned.wants_usage, bounded.as_ref(), model);
        if has_lost_state {
            tell_lost(Feature::Opaque, &mut outgoing, Dialect::OpenaiChat);
        }
        if foreign.loses_words {
            tell_lost(Feature::ReasoningText, &mut outgoing, Dialect::OpenaiChat);
        }
        Ok(outgoing)
    }

    fn question(&self) -> Option<Question> {
        let known = question::Known {
            needs: &self.needs,
            stream: self.owned.stream,
        };
        question::of_chat(&self.body, known)
    }

    fn read_answer(&self, completion: &Completion) -> Option<AnswerRead> {
        reading::of_chat(completion)
    }

    fn with_note(&self, note: &str) -> Option<Rc<dyn OutgoingRequest>> {
        let body = noted::in_chat(&self.body, note)?;
        Some(Rc::new(Self {
            has_lost_state: self.has_lost_state,
            ..Self::scan(body).ok()?
        }))
    }

    fn state_dialect(&self) -> Option<Dialect> {
        Some(Dialect::OpenaiChat)
    }

    fn without_state(&self, _: Option<&Model>) -> Option<Rc<dyn OutgoingRequest>> {
        let bare = Self::scan(without(&self.body, sealed_reasoning(&self.body))?).ok()?;
        Some(Rc::new(Self {
            has_lost_state: true,
            ..bare
        }))
    }
}

/// What the request needs of a model.
fn needs(json: &str, found: &Scan<'_>) -> Result<Needs, GatewayError> {
    let messages = found.messages.ok_or_else(|| required("messages"))?;
    let mut capabilities = Capabilities::NONE;
    if [found.tools, found.functions]
        .into_iter()
        .flatten()
        .any(is_non_empty_container)
    {
        capabilities = capabilities.with(Capability::Tools);
    }
    if found.response_format.is_some_and(asks_for_json) {
        capabilities = capabilities.with(Capability::Json);
    }
    if messages.has_images {
        capabilities = capabilities.with(Capability::Vision);
    }
    let max_tokens = token_count("max_tokens", found.max_tokens)?;
    let max_completion_tokens = token_count("max_completion_tokens", found.max_completion_tokens)?;
    Ok(Needs {
        capabilities,
        input_bound: json.len() as u64 + messages.count * TOKENS_PER_MESSAGE,
        input_estimate: messages.text_bytes / BYTES_PER_TOKEN_AT_MOST,
        // Which of the two counts is the provider's choice.
        max_output: max_completion_tokens.max(max_tokens),
        answers: answers(found)?,
    })
}

/// Whether a `response_format` asks for JSON. One that cannot be read asks for nothing: the provider judges it.
fn asks_for_json(format: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Format<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<&'a RawValue>,
    }
    let kind = serde_json::from_str::<Format<'_>>(format.get())
        .ok()
        .and_then(|format| format.kind);
    kind.and_then(text).is_some_and(|kind| kind.starts_with("json"))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "request_fuzz_tests.rs"]
mod fuzz;

#[cfg(test)]
#[path = "translated_fuzz_tests.rs"]
mod translated;
