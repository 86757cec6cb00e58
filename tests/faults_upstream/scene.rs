//! A gateway before two providers, which comes back to the first when that is well again.

use std::time::Duration;

use serde_json::Value;

use crate::COMPLETIONS;
use crate::support::{Behaviour, Client, Gateway, Model, Provider, Reply, Setup, chat, wait_for};

/// How long a provider may be left alone after it is well again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(45);

/// Breakers that come back soon, so that a row does not wait for them.
pub(crate) const QUICK_BREAKERS: &str =
    "[breaker]\nopen_base_ms = 300\nopen_cap_ms = 600\nsuccesses_to_close = 1\ncool_down_cap_ms = 1000";

/// A gateway with a free model `alpha-small` before another, `beta-small`.
pub(crate) struct Scene {
    pub(crate) alpha: Provider,
    pub(crate) beta: Provider,
    pub(crate) gateway: Gateway,
}

impl Scene {
    /// With breakers that come back soon.
    pub(crate) fn new() -> Self {
        Self::with(|setup, _, _| setup.toml(QUICK_BREAKERS))
    }

    /// With further settings.
    pub(crate) fn with(more: impl FnOnce(Setup, &Provider, &Provider) -> Setup) -> Self {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let setup = more(Setup::free_l0(&[&alpha, &beta]), &alpha, &beta);
        let gateway = Gateway::start(setup);
        Self { alpha, beta, gateway }
    }

    /// Alpha's settings are these lines, and its models these; beta has `beta-small`.
    pub(crate) fn with_alpha(lines: &str, change: impl FnOnce(Model) -> Model) -> Self {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let setup = Setup::new()
            .provider_with(&alpha, lines)
            .provider(&beta)
            .model(&change(Model::free("alpha-small", &alpha)))
            .model(&Model::free("beta-small", &beta))
            .env("CHAT_MODELS", "alpha-small,beta-small")
            .toml(QUICK_BREAKERS);
        let gateway = Gateway::start(setup);
        Self { alpha, beta, gateway }
    }

    pub(crate) fn client(&self) -> Client {
        self.gateway.client()
    }

    /// Asks for the model of the gateway's choice, whole.
    #[track_caller]
    pub(crate) fn ask(&self) -> Reply {
        self.client().post(COMPLETIONS, &chat("hello"))
    }

    /// Asks for alpha's model and no other, so that there is nobody to fail over to.
    #[track_caller]
    pub(crate) fn ask_alpha(&self) -> Reply {
        self.client().post(COMPLETIONS, &for_model("alpha-small"))
    }

    /// How many requests alpha and beta have had.
    pub(crate) fn requests(&self) -> (usize, usize) {
        (self.alpha.requests(), self.beta.requests())
    }

    /// Makes alpha well again and waits until it gets its requests back, every one of them.
    #[track_caller]
    pub(crate) fn mend_alpha(&self) {
        self.alpha.set(Behaviour::Answer);
        wait_for("alpha to be asked again", RECOVERY_LIMIT, || {
            let reply = self.ask();
            // What that answer has proved is known a moment after it.
            reply.status == 200 && reply.content().starts_with("alpha") && self.is_open_to_alpha()
        });
    }

    /// Whether no breaker keeps requests from alpha's model.
    fn is_open_to_alpha(&self) -> bool {
        let health = self.client().get("/health").json();
        let alpha = &health["providers"]["alpha"];
        alpha["state"] == "closed" && alpha["models"]["alpha-small"]["state"] == "closed"
    }

    /// The next good request is served, by alpha, which is well again; nothing is left over and nothing has panicked.
    #[track_caller]
    pub(crate) fn end(self) {
        assert_lives(&self.gateway);
        self.mend_alpha();
        self.gateway.finish();
    }

    /// Alpha is left alone for longer than a test can wait: beta gets the next good request.
    #[track_caller]
    pub(crate) fn end_without_alpha(self) {
        assert_lives(&self.gateway);
        assert_answered_by(&self.ask(), "beta");
        self.gateway.finish();
    }
}

/// A request for this model.
pub(crate) fn for_model(model: &str) -> Value {
    let mut request = chat("hello");
    request["model"] = model.into();
    request
}

/// A whole answer of this provider.
#[track_caller]
pub(crate) fn assert_answered_by(reply: &Reply, provider: &str) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.content().starts_with(provider), "{}", reply.text());
}

/// A refusal with this status and word. Returns the `error` object.
#[track_caller]
pub(crate) fn assert_refused(reply: &Reply, status: u16, word: &str) -> Value {
    let error = reply.error(status);
    // OpenAI's shape has the word in `code`, the native one in `type`.
    assert!(error["code"] == word || error["type"] == word, "not {word}: {error}");
    error
}

/// The process answers, and says that it is ready for work.
#[track_caller]
pub(crate) fn assert_lives(gateway: &Gateway) {
    let client = gateway.anonymous();
    assert_eq!(client.get("/health/live").status, 200);
    wait_for("the gateway to be ready", RECOVERY_LIMIT, || {
        client.get("/health/ready").status == 200
    });
}

/// Resident memory of the process, in bytes.
pub(crate) fn resident_bytes(gateway: &Gateway) -> u64 {
    gateway.system_number("VmRSS") * 1024
}

/// How many files and sockets the process has open.
pub(crate) fn open_files(gateway: &Gateway) -> usize {
    let path = format!("/proc/{}/fd", gateway.pid().as_raw_nonzero());
    std::fs::read_dir(path).unwrap().count()
}
