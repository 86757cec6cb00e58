//! A `GenerateContentResponse` as it is read: a whole answer, or a chunk of a stream.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::finish::Finish;
use super::glance::Feedback;
use crate::dialects::json::{is_object, text};
use crate::dialects::neutral::{Opaque, OpaqueKind};

/// What a client is told where the provider tells nothing but that the prompt was blocked.
pub(super) const BLOCKED: &str = "The provider blocked this prompt.";

/// Why an answer in this form cannot be told.
pub(super) const NOT_AN_ANSWER: TranslationError = TranslationError("it is not a GenerateContentResponse");
pub(super) const IS_AN_ERROR: TranslationError = TranslationError("it is an error");
pub(super) const FAILED: TranslationError = TranslationError("the provider could not use what the model made");
const OTHER_PART: TranslationError = TranslationError("a part of it is neither text nor a function call");
const BAD_CALL: TranslationError =
    TranslationError("a function call in it has no name, or arguments that are no object");

/// The whole.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    #[serde(borrow)]
    pub(super) usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    model_version: Option<&'a RawValue>,
    #[serde(borrow)]
    response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

/// Of the kinds of parts that are not read, only whether they are there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    thought: Option<bool>,
    #[serde(borrow)]
    thought_signature: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<FunctionCall<'a>>,
    inline_data: Option<IgnoredAny>,
    file_data: Option<IgnoredAny>,
    executable_code: Option<IgnoredAny>,
    code_execution_result: Option<IgnoredAny>,
    function_response: Option<IgnoredAny>,
    tool_call: Option<IgnoredAny>,
    tool_response: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// What a part says.
pub(super) enum Said<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Thought(Cow<'a, str>),
    Call {
        /// Empty if there is none.
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        args: &'a str,
    },
}

impl<'a> Response<'a> {
    /// Reads a JSON object.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, TranslationError> {
        // The parser would read an array as the members of an object, in order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(NOT_AN_ANSWER);
        }
        let response: Self = serde_json::from_slice(json).map_err(|_error| NOT_AN_ANSWER)?;
        match response.error {
            Some(_) => Err(IS_AN_ERROR),
            None => Ok(response),
        }
    }

    /// The provider's id for the answer; empty if there is none.
    pub(super) fn id(&self) -> Cow<'a, str> {
        self.response_id.and_then(text).unwrap_or_default()
    }

    /// The model that answered; empty if it is not told.
    pub(super) fn model(&self) -> Cow<'a, str> {
        self.model_version.and_then(text).unwrap_or_default()
    }

    /// The candidates that say something: a content, or why they ended.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Candidate<'a>> {
        let says_something =
            |candidate: &&Candidate<'_>| candidate.content.is_some() || Finish::read(candidate.finish_reason).is_some();
        self.candidates.iter().flatten().filter(says_something)
    }

    /// Whether the prompt was blocked, and there is nothing else.
    pub(super) fn is_blocked(&self) -> bool {
        self.candidates().next().is_none() && self.prompt_feedback.as_ref().is_some_and(Feedback::is_blocked)
    }
}

impl<'a> Candidate<'a> {
    /// What it says, in order.
    pub(super) fn parts(&self) -> &[Part<'a>] {
        let parts = self.content.as_ref().and_then(|content| content.parts.as_deref());
        parts.unwrap_or_default()
    }
}

impl<'a> Part<'a> {
    /// What it says.
    pub(super) fn said(&self) -> Result<Said<'a>, TranslationError> {
        let others = [
            &self.inline_data,
            &self.file_data,
            &self.executable_code,
            &self.code_execution_result,
            &self.function_response,
            &self.tool_call,
            &self.tool_response,
        ];
        if others.iter().any(|other| other.is_some()) {
            return Err(OTHER_PART);
        }
        if let Some(call) = &self.function_call {
            let name = call.name.and_then(text).filter(|name| !name.is_empty());
            let args = call.args.map_or(Some("{}"), |args| is_object(args).then(|| args.get()));
            return match (name, args) {
                (Some(name), Some(args)) => Ok(Said::Call {
                    id: call.id.and_then(text).unwrap_or_default(),
                    name,
                    args,
                }),
                _ => Err(BAD_CALL),
            };
        }
        let words = match self.text {
            Some(value) => text(value).ok_or(NOT_AN_ANSWER)?,
            None => Cow::Borrowed(""),
        };
        Ok(match self.thought {
            _ if words.is_empty() => Said::Nothing,
            Some(true) => Said::Thought(words),
            _ => Said::Text(words),
        })
    }

    /// Its signature.
    pub(super) fn signature(&self) -> Option<Opaque<'a>> {
        let data = self.thought_signature.and_then(text)?;
        (!data.is_empty()).then_some(Opaque {
            kind: OpaqueKind::ThoughtSignature,
            data,
            origin: None,
        })
    }
}

/// Makes ids for calls that came without: always the same for the same answer, and others for every other.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    /// Letters and digits of the answer's id.
    base: String,
    given: u32,
}

impl CallIds {
    /// The longest part of an answer's id that goes into a call's.
    const MOST_BYTES: usize = 40;

    /// For the answer of this id. An answer without one is given one of its own.
    pub(super) fn of(answer: &str) -> Self {
        let may_stand = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
        let mut base: String = answer.chars().filter(may_stand).take(Self::MOST_BYTES).collect();
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
