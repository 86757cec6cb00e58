//! The one pass over a request body: finds the fields the gateway reads or owns, borrows them, skips the rest.

use std::fmt;

use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::messages::{Content, Messages, MessagesSeed};
use crate::dialects::json::is_object;
use crate::dialects::respelled::{OtherName, respelled_model};

/// A member of the request that the gateway reads. Each may be given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Model,
    Messages,
    System,
    MaxTokens,
    Stream,
    Tools,
    OutputConfig,
    OutputFormat,
    Other(OtherName),
}

/// What the pass found: values as they stand in the body; `null` is kept as a value, so that its place is known.
#[derive(Debug, Default)]
pub(super) struct Scan<'a> {
    pub(super) model: Option<&'a RawValue>,
    pub(super) messages: Option<Messages>,
    pub(super) system: Option<&'a RawValue>,
    pub(super) max_tokens: Option<&'a RawValue>,
    pub(super) stream: Option<&'a RawValue>,
    pub(super) tools: Option<&'a RawValue>,
    pub(super) output_config: Option<&'a RawValue>,
    /// The name that a beta had for the format.
    pub(super) output_format: Option<&'a RawValue>,
}

impl Scan<'_> {
    /// At most as many bytes as the instructions of the system have.
    pub(super) fn system_bytes(&self) -> u64 {
        self.system.map_or(0, |system| Content::of(system).text_bytes)
    }

    /// Whether the answer must have a schema. What cannot be read asks for nothing: the provider judges it.
    pub(super) fn asks_for_json(&self) -> bool {
        #[derive(Deserialize)]
        struct Config<'a> {
            #[serde(borrow)]
            format: Option<&'a RawValue>,
        }
        let config = self.output_config.filter(|config| is_object(config));
        let config = config.and_then(|config| serde_json::from_str::<Config<'_>>(config.get()).ok());
        let format = config.and_then(|config| config.format).or(self.output_format);
        format.is_some_and(is_object)
    }
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
                "the body must be a JSON object with `model`, `max_tokens` and `messages`",
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
                Field::System => (&mut scan.system, "system"),
                Field::MaxTokens => (&mut scan.max_tokens, "max_tokens"),
                Field::Stream => (&mut scan.stream, "stream"),
                Field::Tools => (&mut scan.tools, "tools"),
                Field::OutputConfig => (&mut scan.output_config, "output_config"),
                Field::OutputFormat => (&mut scan.output_format, "output_format"),
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
