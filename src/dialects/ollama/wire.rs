//! A `ChatResponse` as it is read: a whole answer, or a line of a stream.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::glance::unanswered;
use crate::dialects::json::{is_non_empty_container, is_object, raw_text, text};
use crate::dialects::neutral::FinishReason;

/// Why an answer in this form cannot be told.
pub(super) const NOT_AN_ANSWER: TranslationError = TranslationError("it is not a ChatResponse");
const IS_AN_ERROR: TranslationError = TranslationError("it is an error");
const ONLY_LOADED: TranslationError = TranslationError("the model was loaded or unloaded, and has not answered");
const HAS_IMAGES: TranslationError = TranslationError("it holds an image, which the client's dialect has no place for");
const BAD_CALL: TranslationError = TranslationError("a tool call in it has no name, or arguments that are no object");

/// The whole.
#[derive(Debug, Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    done: Option<bool>,
    #[serde(borrow)]
    done_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    images: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
}

#[derive(Debug, Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// A call of a tool.
pub(super) struct Called<'a> {
    /// Empty if there is none.
    pub(super) id: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    /// An object in JSON.
    pub(super) arguments: Cow<'a, str>,
}

impl<'a> Response<'a> {
    /// Reads a JSON object.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, TranslationError> {
        // The parser would read an array as the members of an object, in order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(NOT_AN_ANSWER);
        }
        let response: Self = serde_json::from_slice(json).map_err(|_error| NOT_AN_ANSWER)?;
        if response.error.is_some() {
            return Err(IS_AN_ERROR);
        }
        Ok(response)
    }

    /// The model that answered; empty if it is not told.
    pub(super) fn model(&self) -> Cow<'a, str> {
        self.model.and_then(text).unwrap_or_default()
    }

    /// When it was made, in the provider's words; empty if it is not told.
    pub(super) fn created_at(&self) -> &'a str {
        self.created_at.and_then(raw_text).unwrap_or_default()
    }

    /// Why the answer ended, for one that has calls of tools or not; nothing if it goes on. A reason that is not known is
    /// read as a refusal: an answer that may not be complete must not pass for one that is.
    pub(super) fn finish(&self, has_calls: bool) -> Result<Option<FinishReason<'static>>, TranslationError> {
        if self.done != Some(true) {
            return Ok(None);
        }
        if self.done_reason.is_some_and(|reason| unanswered(reason).is_some()) {
            return Err(ONLY_LOADED);
        }
        // Older servers do not say why.
        let reason = match self.done_reason.and_then(raw_text).unwrap_or_default() {
            "" | "stop" if has_calls => FinishReason::ToolCalls,
            "" | "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            _ => FinishReason::Refused,
        };
        Ok(Some(reason))
    }
}

impl<'a> Message<'a> {
    /// What the model thought before; empty if nothing.
    pub(super) fn thinking(&self) -> Result<Cow<'a, str>, TranslationError> {
        words(self.thinking)
    }

    /// What it says; empty if nothing.
    ///
    /// # Errors
    /// When it is no text, or there are images beside it, which would be lost.
    pub(super) fn content(&self) -> Result<Cow<'a, str>, TranslationError> {
        if self.images.is_some_and(is_non_empty_container) {
            return Err(HAS_IMAGES);
        }
        words(self.content)
    }

    /// The tools that it calls.
    pub(super) fn calls(&self) -> Result<Vec<Called<'a>>, TranslationError> {
        let calls = self.tool_calls.as_deref().unwrap_or_default();
        calls.iter().map(ToolCall::read).collect()
    }
}

fn words<'a>(value: Option<&'a RawValue>) -> Result<Cow<'a, str>, TranslationError> {
    value.map_or(Ok(Cow::Borrowed("")), |value| text(value).ok_or(NOT_AN_ANSWER))
}

impl<'a> ToolCall<'a> {
    fn read(&self) -> Result<Called<'a>, TranslationError> {
        let function = self.function.as_ref().ok_or(BAD_CALL)?;
        let name = function.name.and_then(text).filter(|name| !name.is_empty());
        Ok(Called {
            id: self.id.and_then(text).unwrap_or_default(),
            name: name.ok_or(BAD_CALL)?,
            arguments: arguments(function.arguments).ok_or(BAD_CALL)?,
        })
    }
}

/// An object; some servers that stand in for this one send it as a text, as OpenAI does.
fn arguments(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let Some(value) = value else {
        return Some(Cow::Borrowed("{}"));
    };
    if is_object(value) {
        return Some(Cow::Borrowed(value.get()));
    }
    let inner = text(value)?;
    let object: &RawValue = serde_json::from_str(&inner).ok()?;
    is_object(object).then_some(inner)
}

/// Makes ids for calls that came without: always the same for the same answer, and others for every other. Answers have no
/// id here, but a time of less than a microsecond.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    /// Letters and digits of the answer's time.
    base: String,
    given: u32,
}

impl CallIds {
    /// The longest part of an answer's time that goes into a call's id.
    const MOST_BYTES: usize = 40;

    /// For the answer of this time. An answer without one is given something of its own.
    pub(super) fn of(created_at: &str) -> Self {
        let letters = created_at.chars().filter(char::is_ascii_alphanumeric);
        let mut base: String = letters.take(Self::MOST_BYTES).collect();
        if base.is_empty() {
            base = uuid::Uuid::now_v7().simple().to_string();
        }
        Self { base, given: 0 }
    }

    /// The id of the next call, and its place among the calls.
    pub(super) fn next<'a>(&mut self, id: Cow<'a, str>) -> (u32, Cow<'a, str>) {
        let place = self.given;
        self.given += 1;
        if id.is_empty() {
            (place, Cow::Owned(format!("call_{}_{place}", self.base)))
        } else {
            (place, id)
        }
    }

    /// Whether there were calls.
    pub(super) fn has_given(&self) -> bool {
        self.given > 0
    }
}
