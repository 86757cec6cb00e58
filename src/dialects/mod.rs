//! Wire formats: parse, render, stream, and the translation between them.
//!
//! Clients speak OpenAI chat completions, OpenAI Responses or Anthropic Messages; providers these, Gemini or Ollama. A
//! request whose client and provider speak the same dialect is carried byte for byte save the fields that the gateway
//! owns. Any other pair goes through one neutral form ([`neutral`]): each dialect has a reader and a writer for
//! requests, whole answers and streams, and none knows another. Nothing here knows a socket or a runtime.

mod events;
mod fault;
mod json;
#[expect(
    dead_code,
    reason = "its readers and writers are being added, one dialect after the other"
)]
#[cfg_attr(
    not(test),
    expect(
        unused_imports,
        reason = "its readers and writers are being added, one dialect after the other"
    )
)]
mod neutral;
mod object;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "translations are put together once every dialect is there")
)]
pub mod openai_chat;
pub mod openai_completions;
mod place;
mod precheck;
mod provider_side;
mod scanner;
mod splice;
mod sse;
mod translation;
pub mod usage;

pub use events::inspect;
pub use fault::{ErrorObject, Explanation, Inspected, ShapeError, StreamFault, explanation};
pub use scanner::{StreamScanner, UsageEvents};

use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{Dialect, GatewayError, Needs, OutgoingRequest};

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
pub fn error_body(_client: Dialect, error: &GatewayError) -> Bytes {
    openai_chat::error_body(error)
}

/// The event that tells of an error after a stream has begun, in the shape that clients of a dialect expect. `sent` is the
/// last that was sent before it.
#[must_use]
pub fn error_event(_client: Dialect, error: &GatewayError, _sent: &[u8]) -> Bytes {
    openai_chat::error_event(error)
}
