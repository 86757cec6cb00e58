//! A provider of each dialect in which clients ask, so that each client can be led to one of its own and of another.

use crate::support::{CallRow, Charge, Model, Provider, Setup};

/// Pieces of the text of an answer, each with the provider's name in it.
pub(crate) const PIECES: usize = 5;

/// The providers. Each has a model, `<name>-small`.
pub(crate) struct Providers {
    /// Speaks chat completions.
    pub(crate) chat: Provider,
    /// Speaks Responses.
    pub(crate) responses: Provider,
    /// Speaks Messages.
    pub(crate) messages: Provider,
}

impl Providers {
    /// The path of each one's dialect, in the order of [`Providers::all`].
    pub(crate) const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/responses", "/v1/messages"];

    /// Starts them.
    pub(crate) fn start() -> Self {
        Self {
            chat: Provider::start("chatty"),
            responses: Provider::start("responder"),
            messages: Provider::start("messenger"),
        }
    }

    /// Each of them.
    pub(crate) fn all(&self) -> [&Provider; 3] {
        [&self.chat, &self.responses, &self.messages]
    }

    /// The settings that name them and their models.
    pub(crate) fn setup(&self) -> Setup {
        let setup = Setup::new()
            .provider(&self.chat)
            .provider(&self.responses)
            .provider_kind(&self.messages, "anthropic", "");
        setup
            .model(&Model::free(&model_of(&self.chat), &self.chat))
            .model(&Model::free(&model_of(&self.responses), &self.responses).more("api = \"responses\""))
            .model(&Model::free(&model_of(&self.messages), &self.messages))
    }

    /// Every charge of every provider has its record, with the same tokens.
    #[track_caller]
    pub(crate) fn assert_records_are_the_bill(&self, calls: &[CallRow]) {
        let mut charged: Vec<_> = self
            .all()
            .iter()
            .flat_map(|provider| {
                let charge = |charge: Charge| {
                    assert!(charge.whole, "{charge:?}");
                    (provider.name().to_owned(), charge.input_tokens, charge.output_tokens)
                };
                provider.bill().into_iter().map(charge).collect::<Vec<_>>()
            })
            .collect();
        let mut recorded: Vec<_> = calls
            .iter()
            .filter(|call| call.output_tokens > 0)
            .map(|call| {
                assert!(call.success && !call.estimated, "{call:?}");
                let tokens = |count: i64| u64::try_from(count).unwrap();
                (
                    call.provider.clone(),
                    tokens(call.input_tokens),
                    tokens(call.output_tokens),
                )
            })
            .collect();
        charged.sort();
        recorded.sort();
        assert_eq!(recorded, charged);
    }
}

/// The gateway's name for a provider's model.
pub(crate) fn model_of(provider: &Provider) -> String {
    format!("{}-small", provider.name())
}

/// All that a provider says in an answer.
pub(crate) fn words(provider: &Provider) -> String {
    let words: Vec<String> = (1..=PIECES)
        .map(|number| format!("{}-{number}", provider.name()))
        .collect();
    words.join(" ")
}

/// A real model at this URL behind three providers, each of which speaks a dialect of its own to it: `chat-model`,
/// `responses-model` and `messages-model`.
pub(crate) fn real_models(url: &str) -> Setup {
    let root = url.trim_end_matches('/').trim_end_matches("/v1");
    let below = format!("{root}/v1");
    let mut setup = Setup::new();
    for (name, kind, base_url, more) in [
        ("chat", "openai-compatible", below.as_str(), ""),
        ("responses", "openai-compatible", below.as_str(), "api = \"responses\""),
        ("messages", "anthropic", root, ""),
    ] {
        setup = setup.toml(&format!(
            "[[providers]]\nname = \"real-{name}\"\nkind = \"{kind}\"\nbase_url = \"{base_url}\"\n\
             [[models]]\nid = \"{name}-model\"\nprovider = \"real-{name}\"\napi_model = \"smollm2\"\nlayer = \"L0\"\n\
             capabilities = [\"chat\"]\ncontext_window = 4096\nmax_output_tokens = 512\n\
             input_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n{more}"
        ));
    }
    setup
}
