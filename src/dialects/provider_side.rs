//! What a model's provider is asked in its own dialect, and what it answers.

use gateway_actors::protocol::{Dialect, GatewayError, Model, TranslationError, Vendor};

use super::mended::Mended;
use super::neutral::{Answer, Losses, Request, StreamReader};
use super::sse::Framing;
use super::{anthropic_messages, gemini, ollama, openai_chat, openai_responses};

/// Writes a request in the dialect of a model's provider.
///
/// # Errors
/// `invalid_request` naming what cannot be carried to this model.
pub(super) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    match model.dialect {
        Dialect::OpenaiChat => openai_chat::write_request(request, model, losses),
        Dialect::OpenaiResponses => openai_responses::write_request(request, model, losses),
        Dialect::AnthropicMessages => anthropic_messages::write_request(request, model, losses),
        Dialect::Gemini => gemini::write_request(request, model, losses),
        Dialect::Ollama => ollama::write_request(request, model, losses),
    }
}

/// Reads a whole answer of this vendor's in this dialect.
///
/// # Errors
/// When it is none.
pub(super) fn read_answer(dialect: Dialect, vendor: Vendor, body: &str) -> Result<Answer<'_>, TranslationError> {
    match dialect {
        Dialect::OpenaiChat => openai_chat::read_answer(body, vendor),
        Dialect::OpenaiResponses => openai_responses::read_answer(body),
        Dialect::AnthropicMessages => anthropic_messages::read_answer(body),
        Dialect::Gemini => gemini::read_answer(body),
        Dialect::Ollama => ollama::read_answer(body),
    }
}

/// Begins to read a stream of this vendor's in this dialect.
pub(super) fn stream_reader(dialect: Dialect, vendor: Vendor) -> Box<dyn StreamReader> {
    let reader: Box<dyn StreamReader> = match dialect {
        Dialect::OpenaiChat => Box::new(openai_chat::Reader::new(vendor)),
        Dialect::OpenaiResponses => Box::new(openai_responses::Reader::default()),
        Dialect::AnthropicMessages => Box::new(anthropic_messages::Reader::default()),
        Dialect::Gemini => Box::new(gemini::Reader::default()),
        Dialect::Ollama => Box::new(ollama::Reader::default()),
    };
    Box::new(Mended::new(reader))
}

/// How the events of a stream in this dialect are told from each other.
pub(super) const fn framing(dialect: Dialect) -> Framing {
    match dialect {
        Dialect::Ollama => Framing::Lines,
        _ => Framing::Events,
    }
}
