//! A stream, event by event.

use std::borrow::Cow;
use std::fmt;

use gateway_actors::protocol::{TranslationError, UsageReport};

use super::answer::FinishReason;
use super::opaque::Opaque;
use crate::dialects::sse::EventText;

/// What an event of a stream says. Streams have one choice: more are never asked for where a translation is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dialects) enum Event<'a> {
    /// The answer begins: the provider's id for it and its name for the model, empty if it gave none. Comes once, before
    /// all others.
    Begin { id: Cow<'a, str>, model: Cow<'a, str> },
    /// More text.
    Text(Cow<'a, str>),
    /// More of a refusal.
    Refusal(Cow<'a, str>),
    /// More reasoning.
    Reasoning(Cow<'a, str>),
    /// What belongs to the reasoning just before; ends it.
    Opaque(Opaque<'a>),
    /// A tool is called. `index` tells the calls of an answer apart, in the order in which they begin.
    ToolCall {
        index: u32,
        id: Cow<'a, str>,
        name: Cow<'a, str>,
    },
    /// More of the arguments of a call.
    Arguments { index: u32, json: Cow<'a, str> },
    /// The answer ended. More usage may follow, nothing else.
    Finish(FinishReason<'a>),
    /// The tier of service in which it is made, in OpenAI's words, as far as is known by now; a later one replaces it.
    ServiceTier(Cow<'a, str>),
    /// What is known of the usage by now; a later one replaces it.
    Usage(UsageReport),
}

/// Reads a provider's stream.
pub(in crate::dialects) trait StreamReader: fmt::Debug {
    /// Reads one whole event, and gives on what it says.
    ///
    /// # Errors
    /// When it is none of the dialect's.
    fn read(&mut self, event: &EventText<'_>, give: &mut dyn FnMut(Event<'_>)) -> Result<(), TranslationError>;
}

/// Writes a stream in the client's dialect, whose grammar it keeps whatever comes.
pub(in crate::dialects) trait StreamWriter: fmt::Debug {
    /// Appends what the client is to get for an event; may be nothing yet.
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>);

    /// Appends the end of the stream. Nothing is written after it.
    fn end(&mut self, out: &mut Vec<u8>);
}
