//! A scripted provider: a real HTTP server on its own port and thread, which can be told at run time what to say and how
//! to misbehave, can be killed and revived, and keeps its own bill.
//!
//! It speaks every dialect that a provider may speak, each at its path:
//!
//! | path ends with | dialect |
//! |---|---|
//! | `/chat/completions` | OpenAI chat completions |
//! | `/completions` | OpenAI legacy completions |
//! | `/responses`, `/responses/input_tokens` | OpenAI Responses |
//! | `/embeddings` | OpenAI embeddings |
//! | `/v1/messages`, `/v1/messages/count_tokens` | Anthropic Messages |
//! | `:generateContent`, `:streamGenerateContent?alt=sse`, `:countTokens`, `:batchEmbedContents` | Gemini |
//! | `/api/chat`, `/api/embed` | Ollama |
//! | `/models`, `/api/tags` | the list of models, as told |
//!
//! Any other path is not found.

mod answer;
mod anthropic;
mod base64;
mod behaviour;
mod bill;
mod content;
mod dialect;
mod embeddings;
mod gemini;
mod http;
mod ollama;
mod openai_chat;
mod openai_completions;
mod openai_responses;
mod openai_responses_events;
mod server;
mod serving;
mod tab;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

pub(crate) use behaviour::{Behaviour, ModelList};
pub(crate) use bill::{Charge, Received};
pub(crate) use content::{Content, UsageScript};

use bill::Ledger;
use server::{Script, Shared};

const DEFAULT_TOKENS: usize = 5;

/// A running provider. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    script: watch::Sender<Script>,
    /// Gone only while the provider is being dropped.
    runtime: Option<Runtime>,
}

impl Provider {
    /// Starts a provider that answers every request.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, Ledger::default())
    }

    /// Starts a provider whose bill is also written to a file, one line of JSON for each position.
    pub(crate) fn start_with_bill(name: &str, bill: &Path) -> Self {
        Self::start_with(name, Ledger::with_file(bill))
    }

    fn start_with(name: &str, ledger: Ledger) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (script, orders) = watch::channel(Script {
            behaviour: Behaviour::Answer,
            content: Content::text(),
            usage: UsageScript::default(),
            models: ModelList::default(),
            tokens: DEFAULT_TOKENS,
            alive: true,
        });
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            ledger: watch::Sender::new(ledger),
            listening: watch::Sender::new(false),
        });
        let inside = runtime.enter();
        let socket = server::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = socket.local_addr().unwrap();
        drop(inside);
        runtime.spawn(server::serve(socket, Arc::clone(&shared), orders));
        let provider = Self {
            address,
            shared,
            script,
            runtime: Some(runtime),
        };
        provider.wait_until_listening(true);
        provider
    }

    /// The provider's name, with which it tags every piece of its answers.
    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `base_url` for the gateway's settings, for a provider that speaks as OpenAI does.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Changes how requests that arrive from now on are treated, and those that were held.
    pub(crate) fn set(&self, behaviour: Behaviour) {
        self.script.send_modify(|script| script.behaviour = behaviour);
    }

    /// Changes what answers consist of from now on, whatever becomes of them.
    pub(crate) fn say(&self, content: Content) {
        self.script.send_modify(|script| script.content = content);
    }

    /// Changes what answers cost from now on, besides their words.
    pub(crate) fn set_usage(&self, usage: UsageScript) {
        self.script.send_modify(|script| script.usage = usage);
    }

    /// The opaque state that goes with its reasoning, as it stands on the wire.
    pub(crate) fn sealed(&self) -> String {
        answer::sealed(self.name())
    }

    /// Changes what is said to whoever asks for the list of models from now on.
    pub(crate) fn set_models(&self, models: ModelList) {
        self.script.send_modify(|script| script.models = models);
    }

    /// Changes how many tokens the text of an answer has.
    pub(crate) fn set_tokens(&self, tokens: usize) {
        self.script.send_modify(|script| script.tokens = tokens);
    }

    /// Cuts every connection and refuses new ones, as a killed process does. Returns when that is so.
    pub(crate) fn kill(&self) {
        self.script.send_modify(|script| script.alive = false);
        self.wait_until_listening(false);
    }

    /// Listens again on the same port.
    pub(crate) fn revive(&self) {
        self.script.send_modify(|script| script.alive = true);
        self.wait_until_listening(true);
    }

    /// How many requests have arrived whole.
    pub(crate) fn requests(&self) -> usize {
        self.shared.ledger.borrow().requests
    }

    /// The questions for the list of models that have arrived. They count as no requests.
    pub(crate) fn probes(&self) -> Vec<Arc<Received>> {
        self.shared.ledger.borrow().probes.clone()
    }

    /// How many requests are being answered now.
    pub(crate) fn running(&self) -> usize {
        self.shared.ledger.borrow().running
    }

    /// Every request that has arrived whole, in order.
    pub(crate) fn received(&self) -> Vec<Arc<Received>> {
        self.shared.ledger.borrow().received.clone()
    }

    /// The last request that arrived.
    pub(crate) fn last_request(&self) -> Arc<Received> {
        let ledger = self.shared.ledger.borrow();
        Arc::clone(ledger.received.last().expect("the provider has seen no request"))
    }

    /// The bytes of the last answer that was sent whole.
    pub(crate) fn last_body(&self) -> Vec<u8> {
        self.shared.ledger.borrow().last_body.clone()
    }

    /// Forgets the requests that have arrived, and only counts them from now on: for runs that are so long that they would
    /// take too much memory. The bill is kept.
    pub(crate) fn only_count_requests(&self) {
        self.shared.ledger.send_modify(|ledger| {
            ledger.only_counts = true;
            ledger.received.clear();
        });
    }

    /// What the provider would charge for.
    pub(crate) fn bill(&self) -> Vec<Charge> {
        self.shared.ledger.borrow().charges.clone()
    }

    /// What all positions of the bill come to, by this price of each.
    pub(crate) fn billed(&self, price: impl Fn(&Charge) -> i64) -> i64 {
        self.shared.ledger.borrow().charges.iter().map(price).sum()
    }

    fn wait_until_listening(&self, listening: bool) {
        let mut state = self.shared.listening.subscribe();
        let runtime = self.runtime.as_ref().expect("the provider is being dropped");
        runtime.block_on(state.wait_for(|now| *now == listening)).unwrap();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
