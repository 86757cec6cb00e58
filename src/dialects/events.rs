//! One event of a provider's stream, looked at without keeping anything of it: what every dialect's reader says of one.

use gateway_actors::protocol::{Dialect, Operation, UsageReport};

use super::fault::{ErrorObject, Inspected, ShapeError};
use super::openai_chat;
use super::sse::{EventText, Framing};

/// What one event is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Bytes of answer text, of reasoning and of tool calls in it: at least as many as the text has.
    pub(super) content_bytes: u64,
    /// Whether it says anything a client waits for.
    pub(super) meaningful: bool,
    /// Whether a choice is finished with it.
    pub(super) finished: bool,
    /// What it says of usage, if it says something.
    pub(super) usage: Option<UsageReport>,
    /// Whether it is there only for the usage: it has no choice.
    pub(super) only_usage: bool,
    /// Whether it is the end mark.
    pub(super) terminal: bool,
}

/// Why an event is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadEvent {
    /// Its data is not JSON, or not of a chunk's shape.
    Malformed,
    /// It is an error.
    Error(ErrorObject),
}

/// Looks at the events of one stream.
#[derive(Debug)]
pub(super) enum EventReader {
    /// OpenAI chat completions.
    OpenaiChat,
}

impl EventReader {
    pub(super) fn new(_dialect: Dialect) -> Self {
        Self::OpenaiChat
    }

    /// How the dialect's events are told from each other.
    pub(super) fn framing(&self) -> Framing {
        match self {
            Self::OpenaiChat => Framing::Events,
        }
    }

    /// Looks at one whole event.
    pub(super) fn read(&mut self, event: &[u8]) -> Result<Seen, BadEvent> {
        let event = EventText::read(self.framing(), event);
        match self {
            Self::OpenaiChat => openai_chat::read_event(&event),
        }
    }
}

/// Checks that a whole body is the answer to such a request in this dialect, and reads its usage.
///
/// # Errors
/// Why it is no answer; [`ShapeError::NoText`] is not among them.
pub fn inspect(_operation: Operation, _dialect: Dialect, body: &[u8]) -> Result<Inspected, ShapeError> {
    openai_chat::inspect(body)
}
