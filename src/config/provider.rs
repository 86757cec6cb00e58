//! Settings of providers: where they are, which key they want, and how long and how much we let them talk.

use std::time::Duration;

use gateway_actors::protocol::ProviderName;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// Anything that speaks OpenAI chat completions at `base_url` + `/chat/completions`.
    OpenaiCompatible,
    /// OpenAI itself.
    Openai,
    /// OpenRouter.
    Openrouter,
    /// Ollama, through its OpenAI path (`base_url` + `/v1/chat/completions`).
    Ollama,
    /// Built in: scripted answers, no network. For trying things out and for tests.
    Simulator,
}

impl ProviderKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::OpenaiCompatible,
        Self::Openai,
        Self::Openrouter,
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
            Self::Ollama => "ollama",
            Self::Simulator => "simulator",
        }
    }

    /// Where a provider of this kind is when its settings do not say.
    #[must_use]
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Openrouter => Some("https://openrouter.ai/api/v1"),
            Self::Ollama => Some("http://127.0.0.1:11434"),
            Self::OpenaiCompatible | Self::Simulator => None,
        }
    }
}

/// One configured provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Its name, unique.
    pub name: ProviderName,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// Where it is; nothing for the simulator.
    pub base_url: Option<Url>,
    /// The variable that holds its key, if it wants one.
    pub api_key_env: Option<String>,
    /// The key itself, if that variable was set.
    pub api_key: Option<SecretString>,
    /// Calls that may be under way at once, over all cells.
    pub max_in_flight: u32,
    /// How long it may take.
    pub timeouts: UpstreamTimeouts,
    /// How much it may say.
    pub limits: UpstreamLimits,
}

impl ProviderSettings {
    /// Calls that may be under way at once where the settings do not say.
    pub const DEFAULT_MAX_IN_FLIGHT: u32 = 128;

    /// Whether the provider can be called: it wants no key, or has it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.api_key_env.is_none() || self.api_key.is_some()
    }
}

/// How long a provider may take; every one of them is also bounded by the caller's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// Name, connection and TLS. Default 3 s.
    pub connect: Duration,
    /// From the request to the first byte of the answer (first meaningful event of a stream). Default 30 s.
    pub first_byte: Duration,
    /// Between two chunks of an answer. Default 30 s.
    pub idle: Duration,
    /// The whole attempt. Default 300 s.
    pub total: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(300),
        }
    }
}

/// How much a provider may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// Bytes of a whole answer, after decompression. Default 32 MiB.
    pub body_bytes: usize,
    /// Bytes of one event of a stream. Default 1 MiB.
    pub event_bytes: usize,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            event_bytes: 1024 * 1024,
        }
    }
}
