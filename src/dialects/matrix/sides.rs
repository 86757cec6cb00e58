//! The dialects on both sides of the tables, in their order.

use gateway_actors::protocol::Dialect;

/// Those that clients speak.
pub(super) const CLIENTS: [Dialect; 3] = [
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
    Dialect::AnthropicMessages,
];

/// Those that providers speak.
pub(super) const PROVIDERS: [Dialect; 5] = [
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::Ollama,
];

/// A dialect in words.
pub(super) const fn words(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "chat completions",
        Dialect::OpenaiResponses => "Responses",
        Dialect::AnthropicMessages => "Messages",
        Dialect::Gemini => "Gemini",
        Dialect::Ollama => "Ollama",
    }
}
