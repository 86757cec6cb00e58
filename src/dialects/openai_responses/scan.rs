//! The one pass over a request body: finds the members the gateway reads or owns, borrows them, skips the rest.

use std::fmt;

use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::measure::{Input, InputSeed};
use crate::dialects::respelled::{OtherName, respelled_model};

/// A member of the request that the gateway reads. Each may be given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Model,
    Input,
    Instructions,
    PreviousResponseId,
    Stream,
    Store,
    MaxOutputTokens,
    Tools,
    Text,
    Background,
    Conversation,
    Prompt,
    Other(OtherName),
}

/// What the pass found: values as they stand in the body; `null` is kept as a value, so that its place is known.
#[derive(Debug, Default)]
pub(super) struct Scan<'a> {
    pub(super) model: Option<&'a RawValue>,
    pub(super) input: Option<Input>,
    pub(super) instructions: Option<&'a RawValue>,
    pub(super) previous_response_id: Option<&'a RawValue>,
    pub(super) stream: Option<&'a RawValue>,
    pub(super) store: Option<&'a RawValue>,
    pub(super) max_output_tokens: Option<&'a RawValue>,
    pub(super) tools: Option<&'a RawValue>,
    pub(super) text: Option<&'a RawValue>,
    pub(super) background: Option<&'a RawValue>,
    pub(super) conversation: Option<&'a RawValue>,
    pub(super) prompt: Option<&'a RawValue>,
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
    /// `input` is neither a text nor items.
    Input,
    /// This item of the input is no object, or has a member twice.
    Item(u64),
}

impl Problem {
    fn into_error(self) -> GatewayError {
        match self {
            Self::Body => GatewayError::new(
                ErrorKind::InvalidRequest,
                "the body must be a JSON object with `model` and `input`",
            ),
            Self::RespelledModel => respelled_model(),
            Self::Twice(name) => GatewayError::invalid(name, format!("`{name}` is given more than once: send it once")),
            Self::Input => GatewayError::invalid("input", "`input` must be a string or an array of items"),
            Self::Item(place) => GatewayError::invalid(
                format!("input[{place}]"),
                "each of `input` must be an object that has no member twice",
            ),
        }
    }
}

/// Reads a body.
///
/// # Errors
/// `malformed_json` if it is not JSON, `invalid_request` if it is not an object, or a field the gateway reads is
/// given twice, or `input` is not what it must be.
pub(super) fn scan(body: &str) -> Result<Scan<'_>, GatewayError> {
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
                Field::Instructions => (&mut scan.instructions, "instructions"),
                Field::PreviousResponseId => (&mut scan.previous_response_id, "previous_response_id"),
                Field::Stream => (&mut scan.stream, "stream"),
                Field::Store => (&mut scan.store, "store"),
                Field::MaxOutputTokens => (&mut scan.max_output_tokens, "max_output_tokens"),
                Field::Tools => (&mut scan.tools, "tools"),
                Field::Text => (&mut scan.text, "text"),
                Field::Background => (&mut scan.background, "background"),
                Field::Conversation => (&mut scan.conversation, "conversation"),
                Field::Prompt => (&mut scan.prompt, "prompt"),
                Field::Input => {
                    if scan.input.is_some() {
                        return Err(stop(problem, Problem::Twice("input")));
                    }
                    scan.input = Some(map.next_value_seed(InputSeed { problem })?);
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
