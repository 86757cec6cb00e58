//! Calls of providers: the far side of the [`Upstream`] port.
//!
//! One [`Upstreams`] belongs to a cell and stays on its thread. A call writes the request for its model, sends it,
//! reads what comes back under time and size limits, and turns everything that can go wrong into an
//! [`UpstreamFailure`] that says whether it may have been billed. The simulator has no network but takes the same way.

mod client;
mod endpoints;
mod failure;
mod frames;
mod free_models;
mod heads;
mod http;
mod probe;
mod reply;
mod resting;
mod retry_after;
mod simulator;
mod watchdog;
mod webhook;
mod whole;
mod wire;

use std::fmt;
use std::rc::Rc;

use futures_core::future::LocalBoxFuture;
use gateway_actors::protocol::{
    AnswerForm, Billing, Completion, FailureKind, IdMap, ProviderName, Upstream, UpstreamCall, UpstreamFailure,
    UpstreamReply, UsageReport,
};

use crate::config::{ProviderKind, ProviderSettings};
use client::Clients;
pub use free_models::{FreeModels, FreeModelsError, ListError};
use http::{HttpProvider, connection_kind};
pub use probe::Probes;
use simulator::Simulator;
pub use webhook::WebhookClient;

/// Why the providers cannot be called as configured.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A provider that is reached over the network has no address.
    #[error("provider {provider}: base_url is missing")]
    NoBaseUrl {
        /// The provider.
        provider: ProviderName,
    },
    /// Its address cannot be called.
    #[error("provider {provider}: base_url {problem}")]
    BaseUrl {
        /// The provider.
        provider: ProviderName,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Its key cannot be sent in a header.
    #[error("provider {provider}: the API key has characters that a header cannot hold, such as a line end")]
    Key {
        /// The provider.
        provider: ProviderName,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// All configured providers, as one cell calls them.
pub struct Upstreams {
    adapters: IdMap<ProviderName, Adapter>,
}

/// How one provider is called.
enum Adapter {
    Http(Rc<HttpProvider>),
    Simulator(Rc<Simulator>),
    /// It wants a key that is not set.
    KeyMissing,
}

impl Upstreams {
    /// Prepares the calls of these providers, on the thread that will make them.
    ///
    /// # Errors
    /// A provider whose address or key cannot be used, or TLS that cannot be set up.
    pub fn new(providers: &[ProviderSettings]) -> Result<Self, BuildError> {
        let mut clients = Clients::default();
        let mut adapters = IdMap::default();
        for provider in providers {
            let adapter = match provider.kind {
                ProviderKind::Simulator => Adapter::Simulator(Rc::new(Simulator::new(provider))),
                _ if !provider.is_usable() => Adapter::KeyMissing,
                _ => {
                    let client = clients.with(connection_kind(provider, provider.timeouts.connect))?;
                    Adapter::Http(Rc::new(HttpProvider::new(provider, &client)?))
                }
            };
            adapters.insert(provider.name.clone(), adapter);
        }
        Ok(Self { adapters })
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.adapters.keys()).finish()
    }
}

impl Upstream for Upstreams {
    fn call(&self, call: UpstreamCall) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>> {
        if let AnswerForm::Known(body) = &call.outgoing.answer {
            let known = Completion {
                status: 200,
                body: body.clone(),
                usage: UsageReport::Unused,
            };
            return Box::pin(std::future::ready(Ok(UpstreamReply::Complete(known))));
        }
        match self.adapters.get(&call.model.provider) {
            Some(Adapter::Http(provider)) => Box::pin(Rc::clone(provider).call(call)),
            Some(Adapter::Simulator(provider)) => Box::pin(Rc::clone(provider).call(call)),
            Some(Adapter::KeyMissing) => refused(FailureKind::Auth, "the provider's API key is not set"),
            None => refused(FailureKind::Connect, "the model's provider is not configured"),
        }
    }
}

/// The answer to a call that is not made.
fn refused(kind: FailureKind, detail: &'static str) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>> {
    let failure = UpstreamFailure::new(kind, Billing::NotBilled, detail);
    Box::pin(std::future::ready(Err(failure)))
}
