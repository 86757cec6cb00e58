//! Kinds of providers: in which dialect each is asked, where it is, and how it wants its key.

use gateway_actors::protocol::{Dialect, Vendor};

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// Anything that speaks OpenAI chat completions at `base_url` + `/chat/completions`.
    OpenaiCompatible,
    /// OpenAI itself.
    Openai,
    /// OpenRouter.
    Openrouter,
    /// Anthropic, or what speaks its Messages API at `base_url` + `/v1/messages`.
    Anthropic,
    /// Google's Gemini API: `base_url` + `/models/MODEL:generateContent`.
    Gemini,
    /// Azure OpenAI: deployments of OpenAI's models at a resource of one's own ([`AzureApi`](super::AzureApi)).
    AzureOpenai,
    /// Mistral.
    Mistral,
    /// Groq.
    Groq,
    /// DeepSeek.
    Deepseek,
    /// xAI.
    Xai,
    /// Cohere, through its compatibility API.
    Cohere,
    /// Together AI.
    Together,
    /// Ollama, through its own `base_url` + `/api/chat`.
    Ollama,
    /// Built in: scripted answers, no network. For trying things out and for tests.
    Simulator,
}

/// Where a provider wants its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlacement {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    XApiKey,
    /// `x-goog-api-key: KEY`.
    XGoogApiKey,
    /// `api-key: KEY`.
    ApiKey,
}

impl KeyPlacement {
    /// The header's name, in lower case.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Bearer => "authorization",
            Self::XApiKey => "x-api-key",
            Self::XGoogApiKey => "x-goog-api-key",
            Self::ApiKey => "api-key",
        }
    }

    /// What stands before the key in the header's value.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer ",
            Self::XApiKey | Self::XGoogApiKey | Self::ApiKey => "",
        }
    }
}

impl ProviderKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::OpenaiCompatible,
        Self::Openai,
        Self::Openrouter,
        Self::Anthropic,
        Self::Gemini,
        Self::AzureOpenai,
        Self::Mistral,
        Self::Groq,
        Self::Deepseek,
        Self::Xai,
        Self::Cohere,
        Self::Together,
        Self::Ollama,
        Self::Simulator,
    ];

    /// The kind's spelling in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiCompatible => "openai-compatible",
            Self::Openai => "openai",
            Self::Openrouter => "openrouter",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::AzureOpenai => "azure-openai",
            Self::Mistral => "mistral",
            Self::Groq => "groq",
            Self::Deepseek => "deepseek",
            Self::Xai => "xai",
            Self::Cohere => "cohere",
            Self::Together => "together",
            Self::Ollama => "ollama",
            Self::Simulator => "simulator",
        }
    }

    /// Where a provider of this kind is when its settings do not say: the address in the vendor's documentation.
    #[must_use]
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Openrouter => Some("https://openrouter.ai/api/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::Mistral => Some("https://api.mistral.ai/v1"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::Deepseek => Some("https://api.deepseek.com"),
            Self::Xai => Some("https://api.x.ai/v1"),
            Self::Cohere => Some("https://api.cohere.ai/compatibility/v1"),
            Self::Together => Some("https://api.together.ai/v1"),
            Self::Ollama => Some("http://127.0.0.1:11434"),
            Self::OpenaiCompatible | Self::AzureOpenai | Self::Simulator => None,
        }
    }

    /// The dialect in which a provider of this kind is asked for a model that names no other.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Anthropic => Dialect::AnthropicMessages,
            Self::Gemini => Dialect::Gemini,
            Self::Ollama => Dialect::Ollama,
            Self::OpenaiCompatible
            | Self::Openai
            | Self::Openrouter
            | Self::AzureOpenai
            | Self::Mistral
            | Self::Groq
            | Self::Deepseek
            | Self::Xai
            | Self::Cohere
            | Self::Together
            | Self::Simulator => Dialect::OpenaiChat,
        }
    }

    /// Whose service providers of this kind are; [`Other`](Vendor::Other) where the kind does not tell.
    #[must_use]
    pub const fn vendor(self) -> Vendor {
        match self {
            Self::Openai | Self::AzureOpenai => Vendor::Openai,
            Self::Openrouter => Vendor::Openrouter,
            Self::Anthropic => Vendor::Anthropic,
            Self::Gemini => Vendor::Gemini,
            Self::Mistral => Vendor::Mistral,
            Self::Groq => Vendor::Groq,
            Self::Deepseek => Vendor::Deepseek,
            Self::Xai => Vendor::Xai,
            Self::Cohere => Vendor::Cohere,
            Self::Together => Vendor::Together,
            Self::OpenaiCompatible | Self::Ollama | Self::Simulator => Vendor::Other,
        }
    }

    /// Whether models of this kind can be asked in OpenAI's Responses dialect too.
    #[must_use]
    pub const fn has_responses(self) -> bool {
        matches!(
            self,
            Self::OpenaiCompatible | Self::Openai | Self::Openrouter | Self::AzureOpenai
        )
    }

    /// Where the key goes, if there is one.
    #[must_use]
    pub const fn key_placement(self) -> KeyPlacement {
        match self {
            Self::Anthropic => KeyPlacement::XApiKey,
            Self::Gemini => KeyPlacement::XGoogApiKey,
            Self::AzureOpenai => KeyPlacement::ApiKey,
            Self::OpenaiCompatible
            | Self::Openai
            | Self::Openrouter
            | Self::Mistral
            | Self::Groq
            | Self::Deepseek
            | Self::Xai
            | Self::Cohere
            | Self::Together
            | Self::Ollama
            | Self::Simulator => KeyPlacement::Bearer,
        }
    }

    /// Ends of a `base_url`'s path with which no request could arrive, since the gateway adds that part itself.
    #[must_use]
    pub(super) const fn added_paths(self) -> &'static [&'static str] {
        match self {
            Self::Anthropic => &["/v1", "/v1/messages"],
            Self::AzureOpenai => &["/openai", "/openai/v1", "/openai/deployments"],
            Self::Ollama => &["/v1", "/api", "/api/chat"],
            Self::Gemini => &["/models"],
            _ => &["/chat/completions", "/responses"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_under_a_spelling_of_its_own() {
        let words: std::collections::BTreeSet<&str> = ProviderKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), ProviderKind::ALL.len());
        // A variant that is missing in `ALL` would be the only one whose number is not a place there.
        let last = ProviderKind::Simulator as usize;
        assert_eq!(ProviderKind::ALL.len(), last + 1);
        for (place, kind) in ProviderKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, place, "{kind:?}");
        }
    }

    #[test]
    fn only_what_speaks_openais_dialects_has_responses() {
        for kind in ProviderKind::ALL.iter().filter(|kind| kind.has_responses()) {
            assert_eq!(kind.dialect(), Dialect::OpenaiChat, "{kind:?}");
        }
        assert!(!ProviderKind::Anthropic.has_responses() && !ProviderKind::Mistral.has_responses());
    }

    #[test]
    fn each_vendors_key_goes_where_that_vendor_looks_for_it() {
        for (kind, header, prefix) in [
            (ProviderKind::Openai, "authorization", "Bearer "),
            (ProviderKind::Cohere, "authorization", "Bearer "),
            (ProviderKind::Anthropic, "x-api-key", ""),
            (ProviderKind::Gemini, "x-goog-api-key", ""),
            (ProviderKind::AzureOpenai, "api-key", ""),
        ] {
            let placement = kind.key_placement();
            assert_eq!((placement.header(), placement.prefix()), (header, prefix), "{kind:?}");
        }
    }
}
