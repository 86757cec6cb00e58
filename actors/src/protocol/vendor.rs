//! Whose service a model is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::layer::{UnknownWord, words};

words! {
    #[derive(Default)]
    /// Who serves a model. Services that speak one dialect differ in what they take beyond it, and in how they count.
    Vendor {
        /// OpenAI, at its own place or at Azure.
        Openai = "openai",
        /// OpenRouter.
        Openrouter = "openrouter",
        /// Anthropic.
        Anthropic = "anthropic",
        /// Google's Gemini.
        Gemini = "gemini",
        /// Mistral.
        Mistral = "mistral",
        /// Groq.
        Groq = "groq",
        /// DeepSeek.
        Deepseek = "deepseek",
        /// xAI.
        Xai = "xai",
        /// Cohere.
        Cohere = "cohere",
        /// Together AI.
        Together = "together",
        /// Cerebras.
        Cerebras = "cerebras",
        /// Anybody else, or a server of one's own.
        #[default]
        Other = "other",
    }
}
