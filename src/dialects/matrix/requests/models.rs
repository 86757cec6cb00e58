//! The models that are asked, one of each dialect.

use gateway_actors::protocol::{
    Capabilities, Capability, Dialect, Layer, MediaTokens, Model, ModelId, ProviderName, Vendor,
};

/// Which models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Models {
    /// Such as are offered now, all of which reason.
    Current,
    /// Earlier ones: those of OpenAI's and Ollama's do not reason, the others do so by a number of tokens.
    Earlier,
    /// Current ones, that of chat completions at OpenRouter, which takes more than OpenAI does.
    Routed,
}

impl Models {
    /// The provider's name and its model's.
    pub(super) const fn named(self, dialect: Dialect) -> (&'static str, &'static str) {
        match (self, dialect) {
            (Self::Routed, Dialect::OpenaiChat) => ("openrouter", "openai/gpt-6.1-sol"),
            (Self::Earlier, Dialect::OpenaiChat | Dialect::OpenaiResponses) => ("openai", "gpt-4.1"),
            (_, Dialect::OpenaiChat | Dialect::OpenaiResponses) => ("openai", "gpt-6.1-sol"),
            (Self::Earlier, Dialect::AnthropicMessages) => ("anthropic", "claude-haiku-4-5"),
            (_, Dialect::AnthropicMessages) => ("anthropic", "claude-sonnet-5-5"),
            (Self::Earlier, Dialect::Gemini) => ("gemini", "gemini-2.5-flash"),
            (_, Dialect::Gemini) => ("gemini", "gemini-3.8-flash"),
            (Self::Earlier, Dialect::Ollama) => ("ollama", "gemma3"),
            (_, Dialect::Ollama) => ("ollama", "qwen3"),
        }
    }

    /// What stands behind a row of theirs.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Current => "",
            Self::Earlier => " (earlier models)",
            Self::Routed => " (OpenRouter)",
        }
    }

    fn reasons(self, dialect: Dialect) -> bool {
        self != Self::Earlier || matches!(dialect, Dialect::AnthropicMessages | Dialect::Gemini)
    }

    /// The model.
    pub(super) fn model(self, dialect: Dialect) -> Model {
        let (provider, api_model) = self.named(dialect);
        let capabilities = Capabilities::NONE
            .with(Capability::Tools)
            .with(Capability::Json)
            .with(Capability::Vision);
        Model {
            id: ModelId::from("the-id"),
            provider: ProviderName::from(provider),
            // Vendors are called what they are.
            vendor: provider.parse().unwrap_or(Vendor::Other),
            api_model: api_model.into(),
            dialect,
            layer: Layer::L0,
            capabilities: if self.reasons(dialect) {
                capabilities.with(Capability::Reasoning)
            } else {
                capabilities
            },
            context_window: 200_000,
            max_output_tokens: 32_000,
            price: None,
            media: MediaTokens::default(),
        }
    }
}
