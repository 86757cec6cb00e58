//! Wire formats: parse, render, stream, and the translation between them.
//!
//! Clients speak OpenAI chat completions, OpenAI Responses or Anthropic Messages; providers these, Gemini or Ollama. A
//! request whose client and provider speak the same dialect is carried byte for byte save the fields that the gateway
//! owns. Any other pair goes through one neutral form ([`neutral`]): each dialect has a reader and a writer for
//! requests, whole answers and streams, and none knows another. Nothing here knows a socket or a runtime.

mod events;
mod fault;
mod json;
#[expect(dead_code, unused_imports, reason = "its readers and writers are being added, one dialect after the other")]
mod neutral;
pub mod openai_chat;
mod precheck;
mod scanner;
mod sse;

pub use events::inspect;
pub use fault::{ErrorObject, Explanation, Inspected, ShapeError, StreamFault, explanation};
pub use scanner::{StreamScanner, UsageEvents};
