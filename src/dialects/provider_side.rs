//! What a model's provider is asked in its own dialect, and what it answers.

use gateway_actors::protocol::{Dialect, ErrorKind, GatewayError, Model, TranslationError};

use super::neutral::{Answer, Losses, Request, StreamReader};
use super::openai_chat;
use super::sse::Framing;

/// Writes a request in the dialect of a model's provider.
///
/// # Errors
/// `invalid_request` naming what cannot be carried to this model; `not_supported` for a dialect that requests are not
/// written in.
pub(super) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    match model.dialect {
        Dialect::OpenaiChat => openai_chat::write_request(request, model, losses),
        other => Err(GatewayError::new(
            ErrorKind::NotSupported,
            format!("a model whose provider speaks {other} cannot be asked in this dialect; ask for another model"),
        )),
    }
}

/// Reads a whole answer of a provider that speaks this dialect.
///
/// # Errors
/// When it is none.
pub(super) fn read_answer(dialect: Dialect, body: &str) -> Result<Answer<'_>, TranslationError> {
    match dialect {
        Dialect::OpenaiChat => openai_chat::read_answer(body),
        _ => Err(TranslationError("no request is written in its dialect")),
    }
}

/// Begins to read a stream of a provider that speaks this dialect; nothing if no request is written in it.
pub(super) fn stream_reader(dialect: Dialect) -> Option<Box<dyn StreamReader>> {
    match dialect {
        Dialect::OpenaiChat => Some(Box::new(openai_chat::Reader::default())),
        _ => None,
    }
}

/// How the events of a stream in this dialect are told from each other.
pub(super) const fn framing(dialect: Dialect) -> Framing {
    match dialect {
        Dialect::Ollama => Framing::Lines,
        _ => Framing::Events,
    }
}
