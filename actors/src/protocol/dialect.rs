//! The languages in which models are asked, and what they can be asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::layer::{UnknownWord, words};

words! {
    /// A wire format in which a model is asked and answers. Clients speak the first three; a model's provider speaks one.
    Dialect {
        /// OpenAI chat completions, and what is compatible with them.
        OpenaiChat = "openai-chat",
        /// OpenAI Responses.
        OpenaiResponses = "openai-responses",
        /// Anthropic Messages.
        AnthropicMessages = "anthropic-messages",
        /// Gemini's `generateContent`.
        Gemini = "gemini",
        /// Ollama's own `/api/chat`.
        Ollama = "ollama",
    }
}

/// What a provider is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Operation {
    /// To answer a conversation.
    #[default]
    Generate,
    /// To go on with a text, in OpenAI's older completions API.
    CompleteText,
    /// To turn texts into vectors.
    Embed,
    /// To count the tokens that a conversation would have as input.
    CountTokens,
}
