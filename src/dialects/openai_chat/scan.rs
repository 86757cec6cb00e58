//! The one pass over a request body: finds the fields the gateway reads or owns, borrows them, skips the rest.

use std::fmt;

use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::messages::{Messages, MessagesSeed};
use crate::dialects::respelled::{OtherName, respelled_model};

/// A member of the request that the gateway reads. Each may be given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Model,
    Messages,
    /// Of the completions before chat.
    Prompt,
    Stream,
    StreamOptions,
    MaxTokens,
    MaxCompletionTokens,
    Tools,
    Functions,
    ResponseFormat,
    N,
    BestOf,
    Other(OtherName),
}

/// What the pass found: values as they stand in the body; `null` is kept as a value, so that its place is known.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Scan<'a> {
    pub(super) model: Option<&'a RawValue>,
    pub(super) messages: Option<Messages>,
    pub(in crate::dialects) prompt: Option<&'a RawValue>,
    pub(super) stream: Option<&'a RawValue>,
    pub(super) stream_options: Option<&'a RawValue>,
    pub(in crate::dialects) max_tokens: Option<&'a RawValue>,
    pub(super) max_completion_tokens: Option<&'a RawValue>,
    pub(super) tools: Option<&'a RawValue>,
    pub(super) functions: Option<&'a RawValue>,
    pub(super) response_format: Option<&'a RawValue>,
    pub(super) n: Option<&'a RawValue>,
    pub(super) best_of: Option<&'a RawValue>,
}

/// What it would mean if the parser met a value of the wrong kind where it now is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// The body is no object.
    Body,
    /// A member is given twice.
    Twice(&'static str),
    /// A member is `model` in other letters.
    RespelledModel,
    /// `messages` is no array.
    Messages,
    /// `messages` is empty.
    NoMessages,
    /// This message is no object.
    Message(u64),
    /// This message has no role.
    Role(u64),
}

impl Problem {
    fn into_error(self) -> GatewayError {
        match self {
            Self::Body => GatewayError::new(
                ErrorKind::InvalidRequest,
                "the body must be a JSON object with `model` and what the model is asked",
            ),
            Self::RespelledModel => respelled_model(),
            Self::Twice(name) => GatewayError::invalid(name, format!("`{name}` is given more than once: send it once")),
            Self::Messages => GatewayError::invalid("messages", "`messages` must be an array of messages"),
            Self::NoMessages => GatewayError::invalid("messages", "`messages` must have at least one message"),
            Self::Message(place) => GatewayError::invalid(
                format!("messages[{place}]"),
                "each of `messages` must be an object with `role` and `content`",
            ),
            Self::Role(place) => GatewayError::invalid(
                format!("messages[{place}].role"),
                "each of `messages` must have a `role`, once, and it must be a string",
            ),
        }
    }
}

/// Reads a body.
///
/// # Errors
/// `malformed_json` if it is not JSON, `invalid_request` if it is not an object, or a field the gateway reads is
/// given twice, or `messages` is not what it must be.
pub(in crate::dialects) fn scan(body: &str) -> Result<Scan<'_>, GatewayError> {
    let mut scan = Scan::default();
    let mut problem = Problem::Body;
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let top_level = TopLevel {
        scan: &mut scan,
        problem: &mut problem,
    };
    let parsed = top_level
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match parsed {
        Ok(()) => Ok(scan),
        Err(error) if error.is_data() => Err(problem.into_error()),
        Err(error) => Err(GatewayError::new(
            ErrorKind::MalformedJson,
            format!(
                "the body is not valid JSON: see line {}, column {}",
                error.line(),
                error.column()
            ),
        )),
    }
}

struct TopLevel<'s, 'a> {
    scan: &'s mut Scan<'a>,
    problem: &'s mut Problem,
}

impl<'a> DeserializeSeed<'a> for TopLevel<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for TopLevel<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { scan, problem } = self;
        while let Some(field) = map.next_key()? {
            let (place, name) = match field {
                Field::Model => (&mut scan.model, "model"),
                Field::Prompt => (&mut scan.prompt, "prompt"),
                Field::Stream => (&mut scan.stream, "stream"),
                Field::StreamOptions => (&mut scan.stream_options, "stream_options"),
                Field::MaxTokens => (&mut scan.max_tokens, "max_tokens"),
                Field::MaxCompletionTokens => (&mut scan.max_completion_tokens, "max_completion_tokens"),
                Field::Tools => (&mut scan.tools, "tools"),
                Field::Functions => (&mut scan.functions, "functions"),
                Field::ResponseFormat => (&mut scan.response_format, "response_format"),
                Field::N => (&mut scan.n, "n"),
                Field::BestOf => (&mut scan.best_of, "best_of"),
                Field::Messages => {
                    if scan.messages.is_some() {
                        return Err(stop(problem, Problem::Twice("messages")));
                    }
                    scan.messages = Some(map.next_value_seed(MessagesSeed { problem })?);
                    continue;
                }
                Field::Other(name) if name.is_model => return Err(stop(problem, Problem::RespelledModel)),
                Field::Other(_) => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if place.is_some() {
                return Err(stop(problem, Problem::Twice(name)));
            }
            *place = Some(map.next_value()?);
        }
        Ok(())
    }
}

/// Notes what is wrong, and stops the parser.
pub(super) fn stop<E: serde::de::Error>(problem: &mut Problem, found: Problem) -> E {
    *problem = found;
    E::custom("stopped")
}
