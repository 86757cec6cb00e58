//! One event of a provider's stream, looked at without keeping anything of it: what every dialect's reader says of one.

use gateway_actors::protocol::{Dialect, Operation, TokenUsage, UsageReport, Vendor};

use super::fault::{ErrorObject, Inspected, ShapeError};
use super::neutral::PartKind;
use super::provider_side::read_answer;
use super::sse::{EventText, Framing};
use super::{anthropic_messages, gemini, ollama, openai_chat, openai_embeddings, openai_responses};

/// What one event is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Bytes of answer text, of reasoning and of tool calls in it: at least as many as the text has.
    pub(super) content_bytes: u64,
    /// Whether it says anything a client waits for.
    pub(super) meaningful: bool,
    /// Whether a choice is finished with it, and with that all that have begun.
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
    /// OpenAI chat completions, and its older completions, of this vendor's.
    OpenaiChat(openai_chat::EventReader),
    /// OpenAI Responses.
    OpenaiResponses(openai_responses::EventReader),
    /// Anthropic Messages.
    AnthropicMessages(anthropic_messages::EventReader),
    /// Gemini.
    Gemini(gemini::EventReader),
    /// Ollama.
    Ollama(ollama::EventReader),
}

impl EventReader {
    /// For a stream of this vendor's.
    pub(super) fn new(dialect: Dialect, vendor: Vendor) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::OpenaiChat(openai_chat::EventReader::new(vendor)),
            Dialect::OpenaiResponses => Self::OpenaiResponses(openai_responses::EventReader::default()),
            Dialect::AnthropicMessages => Self::AnthropicMessages(anthropic_messages::EventReader::default()),
            Dialect::Gemini => Self::Gemini(gemini::EventReader::default()),
            Dialect::Ollama => Self::Ollama(ollama::EventReader::default()),
        }
    }

    /// How the dialect's events are told from each other.
    pub(super) fn framing(&self) -> Framing {
        match self {
            Self::Ollama(_) => Framing::Lines,
            Self::OpenaiChat(_) | Self::OpenaiResponses(_) | Self::AnthropicMessages(_) | Self::Gemini(_) => {
                Framing::Events
            }
        }
    }

    /// Whether a stream may end behind what was read, although its end mark has not come. `finished`: whether a choice was
    /// finished.
    ///
    /// In chat completions the mark is no part of the answer, and some leave it out; Gemini has none. That of the others is
    /// an event with something to say, and without it the stream was cut off.
    pub(super) fn may_end(&self, finished: bool) -> bool {
        match self {
            Self::OpenaiChat(reader) => reader.is_finished(),
            Self::Gemini(_) => finished,
            Self::OpenaiResponses(_) | Self::AnthropicMessages(_) | Self::Ollama(_) => false,
        }
    }

    /// Looks at one whole event.
    pub(super) fn read(&mut self, event: &[u8]) -> Result<Seen, BadEvent> {
        let event = EventText::read(self.framing(), event);
        match self {
            Self::OpenaiChat(reader) => reader.read(&event),
            Self::OpenaiResponses(reader) => reader.read(&event),
            Self::AnthropicMessages(reader) => reader.read(&event),
            Self::Gemini(reader) => reader.read(&event),
            Self::Ollama(reader) => reader.read(&event),
        }
    }
}

/// Checks that a whole body is this vendor's answer to such a request in this dialect, and reads its usage.
///
/// # Errors
/// Why it is no answer; [`ShapeError::NoText`] is not among them.
pub fn inspect(operation: Operation, dialect: Dialect, vendor: Vendor, body: &[u8]) -> Result<Inspected, ShapeError> {
    let inspected = glance(operation, dialect, vendor, body)?;
    let has_content = || match operation {
        Operation::Embed | Operation::CountTokens => false,
        Operation::CompleteText => says_something(Dialect::OpenaiChat, vendor, body),
        Operation::Generate => says_something(dialect, vendor, body),
    };
    let is_missing = has_no_output(inspected.usage) && has_content();
    Ok(if is_missing {
        Inspected {
            usage: UsageReport::Missing,
        }
    } else {
        inspected
    })
}

/// Whether usage was reported, and no output in it: of an answer that says something, that is no report.
pub(super) fn has_no_output(usage: UsageReport) -> bool {
    matches!(usage, UsageReport::Reported(TokenUsage { output: 0, .. }))
}

/// Whether usage was reported, of nothing, behind a report of something: some providers end their streams so. It takes nothing
/// back.
pub(super) fn says_nothing_behind(usage: UsageReport, before: UsageReport) -> bool {
    let sum = |usage| match usage {
        UsageReport::Reported(TokenUsage { input, output, .. }) => Some(input.saturating_add(output)),
        _ => None,
    };
    sum(usage) == Some(0) && sum(before).is_some_and(|before| before > 0)
}

/// Whether there is something in a whole answer that a model must have made.
fn says_something(dialect: Dialect, vendor: Vendor, body: &[u8]) -> bool {
    let answer = std::str::from_utf8(body).ok();
    let answer = answer.and_then(|body| read_answer(dialect, vendor, body).ok());
    answer.is_some_and(|answer| {
        answer
            .choices
            .iter()
            .flat_map(|choice| &choice.parts)
            .any(|part| match part {
                PartKind::Text(text) | PartKind::Refusal(text) | PartKind::Reasoning { text, .. } => !text.is_empty(),
                PartKind::ToolCall(_) => true,
                _ => false,
            })
    })
}

fn glance(operation: Operation, dialect: Dialect, vendor: Vendor, body: &[u8]) -> Result<Inspected, ShapeError> {
    match (operation, dialect) {
        (Operation::Embed, dialect) => openai_embeddings::inspect(dialect, body),
        (Operation::CountTokens, Dialect::Gemini) => count(gemini::read_count(body)),
        (Operation::CountTokens, _) => count(anthropic_messages::read_count_answer(body).ok()),
        (Operation::CompleteText, _) | (_, Dialect::OpenaiChat) => openai_chat::inspect(body, vendor),
        (_, Dialect::OpenaiResponses) => openai_responses::inspect(body),
        (_, Dialect::AnthropicMessages) => anthropic_messages::inspect(body),
        (_, Dialect::Gemini) => gemini::inspect(body),
        (_, Dialect::Ollama) => ollama::inspect(body),
    }
}

/// A count of tokens is no answer of a model, and free.
fn count(count: Option<u64>) -> Result<Inspected, ShapeError> {
    match count {
        Some(_) => Ok(Inspected {
            usage: UsageReport::Unused,
        }),
        None => Err(ShapeError::Malformed("no count of tokens")),
    }
}
