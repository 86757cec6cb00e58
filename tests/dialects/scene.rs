//! A gateway before scripted providers of every kind.

use crate::support::{Gateway, Model, Provider, Received, Reply, Setup};

/// The key of every provider.
pub(crate) const KEY: &str = "sk-canary-0123456789";

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Chat,
    Responses,
    Anthropic,
    Gemini,
    Ollama,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Chat, Self::Responses, Self::Anthropic, Self::Gemini, Self::Ollama];

    /// The word for it in the settings.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses => "openai-compatible",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// The path at which a provider of this kind is asked for an answer of this model.
    pub(crate) fn path(self, api_model: &str, stream: bool) -> String {
        match self {
            Self::Chat => "/v1/chat/completions".to_owned(),
            Self::Responses => "/v1/responses".to_owned(),
            Self::Anthropic => "/v1/messages".to_owned(),
            Self::Gemini if stream => format!("/v1beta/models/{api_model}:streamGenerateContent?alt=sse"),
            Self::Gemini => format!("/v1beta/models/{api_model}:generateContent"),
            Self::Ollama => "/api/chat".to_owned(),
        }
    }

    /// The header with the provider's key.
    pub(crate) fn auth(self) -> (&'static str, String) {
        match self {
            Self::Anthropic => ("x-api-key", KEY.to_owned()),
            Self::Gemini => ("x-goog-api-key", KEY.to_owned()),
            _ => ("authorization", format!("Bearer {KEY}")),
        }
    }

    /// Whether reasoning comes with opaque state.
    pub(crate) fn seals(self) -> bool {
        matches!(self, Self::Responses | Self::Anthropic | Self::Gemini)
    }
}

/// These providers, each with a key and one free model of layer L0, in order: `one`, `two`.
pub(crate) fn setup(providers: &[(&Provider, Kind)]) -> Setup {
    let mut setup = Setup::new().env("PROVIDER_KEY", KEY);
    let mut names = Vec::new();
    for ((provider, kind), name) in providers.iter().zip(["one", "two"]) {
        let mut model = Model::free(name, provider);
        if *kind == Kind::Responses {
            model = model.more("api = \"responses\"");
        }
        setup = setup
            .provider_kind(provider, kind.word(), "api_key_env = \"PROVIDER_KEY\"")
            .model(&model);
        names.push(name);
    }
    setup.env("CHAT_MODELS", &names.join(","))
}

/// The entry of a model that completes texts: its provider calls it `texts-api`.
pub(crate) fn text_model(id: &str, provider: &Provider) -> String {
    format!(
        "[[models]]\nid = \"{id}\"\nprovider = \"{}\"\napi_model = \"texts-api\"\nlayer = \"L0\"\n\
         context_window = 8000\nmax_output_tokens = 4000\ncapabilities = [\"completions\"]\n\
         input_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n",
        provider.name()
    )
}

/// A gateway before these providers.
pub(crate) fn start(providers: &[(&Provider, Kind)]) -> Gateway {
    Gateway::start(setup(providers))
}

/// The provider was asked in its own dialect, with its own key and nothing of the client's.
#[track_caller]
pub(crate) fn assert_asked_as(kind: Kind, sent: &Received, stream: bool) {
    assert_eq!(sent.path, kind.path("one-api", stream), "{kind:?}");
    let (name, value) = kind.auth();
    assert_eq!(sent.header(name), Some(value.as_str()), "{kind:?}");
    for other in ["authorization", "x-api-key", "x-goog-api-key"] {
        assert!(
            other == name || sent.header(other).is_none(),
            "{kind:?}: {other} was sent"
        );
    }
    let seen = format!("{:?} {}", sent.headers, sent.text());
    assert!(!seen.contains("callers-own-key"), "{kind:?}: {seen}");
    if kind == Kind::Anthropic {
        assert!(sent.header("anthropic-version").is_some());
    }
}

/// Whether an answer is a stream.
pub(crate) fn is_stream(reply: &Reply) -> bool {
    let kind = reply.header("content-type").unwrap_or_default();
    kind.starts_with("text/event-stream")
}
