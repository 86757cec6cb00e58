//! A gateway before providers of every dialect that misbehave now and then.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Behaviour, Client, Gateway, Model, Provider, Setup};

/// Calls that may be under way at each provider.
pub(crate) const PLACES: usize = 8;
/// USD per million tokens of input and of output, at every model.
const PRICES: (&str, &str) = ("1", "2");
/// The same, in nano-USD per token.
pub(crate) const NANO_USD: (u64, u64) = (1_000, 2_000);
/// Tokens of an answer that the request does not cap.
const TOKENS: usize = 120;
const PROVIDER_KEY: &str = "sk-secret-of-the-providers";
/// More than anybody spends, so that a budget pays for every call and refuses none.
const BUDGET_USD: &str = "100000";
const ADMIN_KEY: &str = "admin-key-of-at-least-thirty-two-bytes";

/// Who tells no usage; everybody else does.
pub(crate) const MUTE: &str = "mute";
/// Who can be asked how many tokens a request has.
pub(crate) const COUNTERS: [&str; 3] = ["anthropic", "gemini", FRAIL];
/// Who dies now and then; the others can always be reached.
pub(crate) const FRAIL: &str = "frail";

/// Each provider, which is also the name of its model: its kind in the settings, and further lines of its model.
const PROVIDERS: [(&str, &str, &str); 7] = [
    ("chat", "openai-compatible", ""),
    ("responses", "openai-compatible", "api = \"responses\""),
    ("anthropic", "anthropic", ""),
    ("gemini", "gemini", ""),
    ("ollama", "ollama", ""),
    (MUTE, "openai-compatible", ""),
    (FRAIL, "anthropic", ""),
];

/// The models' names.
pub(crate) const MODELS: [&str; 8] = [
    "auto",
    "chat",
    "responses",
    "anthropic",
    "gemini",
    "ollama",
    MUTE,
    FRAIL,
];
/// The models that make vectors.
pub(crate) const VECTORS: [&str; 2] = ["vectors", "gemini-vectors"];
/// The models that go on with a text.
pub(crate) const TEXTS: [&str; 3] = ["texts", "chat", "anthropic"];

/// Whoever waits for a provider gives up soon, and breakers come back soon.
const SETTINGS: &str = "[breaker]\nopen_base_ms = 200\nopen_cap_ms = 600\nsuccesses_to_close = 1\n\
                        cool_down_cap_ms = 1000\nidle_probe_ms = 500\n[http]\nmax_in_flight = 12\nqueue = 4\n";
const TIMEOUTS: &str = "timeouts = { first_byte_ms = 1500, idle_ms = 1000, total_ms = 4000 }";

/// The providers and the gateway before them.
pub(crate) struct Scene {
    pub(crate) providers: Vec<Provider>,
    pub(crate) gateway: Gateway,
    /// What a client with the virtual key shows, for whose calls a budget pays.
    pub(crate) key: String,
    /// Where that budget is.
    budget: String,
}

impl Scene {
    /// Everybody is well.
    pub(crate) fn new() -> Self {
        let mut setup = Setup::new()
            .env("GATEWAY_ADMIN_KEY", ADMIN_KEY)
            .env("PROVIDER_KEY", PROVIDER_KEY)
            .env("CHAT_MODELS", &MODELS[1..].join(","))
            .toml(SETTINGS);
        let mut providers = Vec::new();
        for (name, kind, more) in PROVIDERS {
            let provider = Provider::start(name);
            provider.set_tokens(TOKENS);
            provider.only_count_requests();
            let lines = format!("api_key_env = \"PROVIDER_KEY\"\nmax_in_flight = {PLACES}\n{TIMEOUTS}");
            let model = Model::free(name, &provider).priced(PRICES.0, PRICES.1).more(more);
            setup = setup.provider_kind(&provider, kind, &lines).model(&model);
            providers.push(provider);
        }
        for (id, provider, capability) in [
            ("vectors", "chat", "embeddings"),
            ("gemini-vectors", "gemini", "embeddings"),
            ("texts", "chat", "completions"),
        ] {
            setup = setup.toml(&format!(
                "[[models]]\nid = \"{id}\"\nprovider = \"{provider}\"\nlayer = \"L0\"\ncapabilities = [\"{capability}\"]\n\
                 context_window = 8000\nmax_output_tokens = 4000\ninput_usd_per_mtok = {}\noutput_usd_per_mtok = {}\n",
                PRICES.0, PRICES.1
            ));
        }
        let gateway = Gateway::start(setup);
        let admin = gateway.client();
        // Whoever has it may look at what operators look at.
        let made = admin.post("/v1/admin/keys", &json!({ "name": "soak", "role": "operator" }));
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        let budget = format!("/v1/admin/budgets/key:{}", made["id"].as_str().unwrap());
        let rule = json!({ "limitUsd": BUDGET_USD, "window": "total" });
        let set = admin.send_json("PUT", &budget, &rule);
        assert_eq!(set.status, 200, "{}", set.text());
        Self {
            gateway,
            providers,
            key: format!("Bearer {}", made["key"].as_str().unwrap()),
            budget,
        }
    }

    /// A client for whose calls a budget pays.
    pub(crate) fn budgeted(&self) -> Client {
        self.gateway.anonymous().with_header("authorization", &self.key)
    }

    /// How that budget stands.
    pub(crate) fn budget(&self) -> Value {
        self.gateway.client().get(&self.budget).json()
    }

    /// From now on each request is treated in its own way: four of five well, fast or slowly.
    pub(crate) fn misbehave(&self, seed: u64) {
        for (provider, seed) in self.providers.iter().zip(seed..) {
            let ways = if provider.name() == MUTE {
                [(10, Behaviour::UsageMissing), (1, Behaviour::BROKEN)].to_vec()
            } else {
                ways()
            };
            provider.set(Behaviour::Drawn(seed, ways.into()));
        }
    }

    /// From now on everybody does this.
    pub(crate) fn all(&self, behaviour: &Behaviour) {
        for provider in &self.providers {
            provider.set(behaviour.clone());
        }
    }

    /// The one who dies now and then.
    pub(crate) fn frail(&self) -> &Provider {
        let frail = self.providers.iter().find(|provider| provider.name() == FRAIL);
        frail.unwrap()
    }
}

fn ways() -> Vec<(usize, Behaviour)> {
    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
    const LATER: &[(&str, &str)] = &[("content-type", "application/json"), ("retry-after", "1")];
    let slow = |ms: u64| Behaviour::Slow(Duration::from_millis(ms));
    vec![
        (20, Behaviour::Answer),
        (25, slow(2)),
        (35, slow(12)),
        (3, Behaviour::BROKEN),
        (
            1,
            Behaviour::Status(429, LATER, r#"{"error":{"message":"secret-upstream-detail"}}"#),
        ),
        (
            1,
            Behaviour::Status(400, JSON, r#"{"error":{"message":"secret-upstream-detail"}}"#),
        ),
        (1, Behaviour::StallBeforeHead),
        (1, Behaviour::StallBeforeFirstEvent),
        (1, Behaviour::StallMidStream),
        (1, Behaviour::ErrorFrameFirst),
        (2, Behaviour::ErrorAfterEvents(3)),
        (2, Behaviour::DieAfterEvents(3)),
        (1, Behaviour::DieAfterFrames(1)),
        (1, Behaviour::EmptyStream),
        (1, Behaviour::CommentsOnly),
        (1, Behaviour::TruncatedBody),
        (1, Behaviour::ResetAfterRequest),
        (1, Behaviour::HTML),
        (1, Behaviour::Raw(b"this is not HTTP\r\n\r\n")),
    ]
}
