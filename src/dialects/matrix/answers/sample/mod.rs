//! What providers send: one answer for each thing that their dialect has, whole and as a stream.
//!
//! All say the same in their own words, so that what is expected of them is the same too.

mod chat;
mod gemini;
mod messages;
mod ollama;
mod responses;

use gateway_actors::protocol::Dialect;

use super::row::Row;

/// What the model says.
pub(super) const TEXT: &str = "Hello, Zürich.";
/// The same in two parts.
pub(super) const PARTS: [&str; 2] = ["Hello, ", "Zürich."];
/// What it thought before.
pub(super) const THOUGHT: &str = "First \"look\" it up.";
/// What only its maker can read: base64.
pub(super) const STATE: &str = "c2VhbGVk+/8=";
/// Why it will not answer.
pub(super) const REFUSAL: &str = "I will not help with that.";
/// What may reach no client.
pub(super) const STRANGE: &str = "strange-thing";
/// The stop text of the request that came up.
pub(super) const STOP_TEXT: &str = "END";
/// The provider's name for the model that answered.
pub(super) const MODEL: &str = "the-model-2026-01";

/// An answer of a provider.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) whole: String,
    pub(super) stream: String,
}

/// The provider's answer that holds this; nothing if its dialect has nothing of the kind.
pub(super) fn sample(provider: Dialect, row: Row) -> Option<Sample> {
    match provider {
        Dialect::OpenaiChat => chat::sample(row),
        Dialect::OpenaiResponses => responses::sample(row),
        Dialect::AnthropicMessages => messages::sample(row),
        Dialect::Gemini => gemini::sample(row),
        Dialect::Ollama => ollama::sample(row),
    }
}

/// A text as JSON.
fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
