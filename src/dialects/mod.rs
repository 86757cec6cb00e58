//! Wire formats: parse, render, stream, and the translation between them.
//!
//! Clients speak OpenAI chat completions, OpenAI Responses or Anthropic Messages; providers these, Gemini or Ollama. A
//! request whose client and provider speak the same dialect is carried byte for byte save the fields that the gateway
//! owns. Any other pair goes through one neutral form (`neutral`): each dialect has a reader and a writer for
//! requests, whole answers and streams, and none knows another. Nothing here knows a socket or a runtime.

pub mod anthropic_messages;
mod bounds;
mod cut;
mod error_words;
mod estimate;
mod events;
mod fault;
mod gemini;
mod json;
#[cfg(test)]
mod matrix;
mod mended;
mod neutral;
mod noted;
mod object;
mod ollama;
pub mod openai_chat;
pub mod openai_completions;
mod openai_effort;
pub mod openai_embeddings;
pub mod openai_responses;
mod openai_strict;
mod place;
mod precheck;
mod provider_side;
mod question;
#[cfg(test)]
mod random;
mod reading;
#[cfg(test)]
mod replay;
mod respelled;
mod scanner;
mod scribe;
mod shortened;
mod splice;
mod sse;
mod translation;
pub mod usage;

pub(crate) use error_words::kind_of;
pub use events::inspect;
pub use fault::{ErrorObject, Explanation, Inspected, ShapeError, StreamFault, explanation};
pub use scanner::{StreamScanner, UsageEvents};
pub use scribe::ChatScribe;

use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{Dialect, GatewayError, Needs, OutgoingRequest, RequestId};

/// A request as a client sent it, in the dialect that its endpoint speaks.
pub trait ClientRequest: OutgoingRequest {
    /// The model the client asked for: an id, a provider's name, an alias, a layer or `auto`.
    fn model(&self) -> &Arc<str>;

    /// Whether the client wants a stream.
    fn is_stream(&self) -> bool;

    /// What the request needs of a model.
    fn needs(&self) -> Needs;
}

/// The body of an error answer in the shape that clients of a dialect expect.
#[must_use]
pub fn error_body(client: Dialect, error: &GatewayError, request: RequestId) -> Bytes {
    match client {
        Dialect::AnthropicMessages => anthropic_messages::error_body(error, &request.to_string()),
        _ => openai_chat::error_body(error),
    }
}

/// The event that tells of an error after a stream has begun, in the shape that clients of a dialect expect. `sent` is the
/// last that was sent before it.
#[must_use]
pub fn error_event(client: Dialect, error: &GatewayError, request: RequestId, sent: &[u8]) -> Bytes {
    match client {
        Dialect::AnthropicMessages => anthropic_messages::error_event(error, &request.to_string()),
        Dialect::OpenaiResponses => openai_responses::error_event(error, openai_responses::next_sequence_number(sent)),
        _ => openai_chat::error_event(error),
    }
}
