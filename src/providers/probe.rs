//! Asks providers that get no calls whether they are there: a GET of their list of models, whose body is not read.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use awc::FrozenClientRequest;
use futures_core::future::LocalBoxFuture;
use gateway_actors::protocol::{Prober, ProviderName};
use tokio::time::timeout;

use super::BuildError;
use super::client::Clients;
use super::http::{connection_kind, models_request};
use crate::config::{ProviderKind, ProviderSettings};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long the head of the answer may take, connection included.
const ANSWER: Duration = Duration::from_secs(8);

/// The questions, one for each provider that is reached over the network and has its key.
pub struct Probes {
    requests: HashMap<ProviderName, Rc<FrozenClientRequest>>,
}

impl Probes {
    /// Prepares the questions, on the thread that will ask them.
    ///
    /// # Errors
    /// A provider whose address or key cannot be used, or TLS that cannot be set up.
    pub fn new(providers: &[ProviderSettings]) -> Result<Self, BuildError> {
        let mut clients = Clients::default();
        let mut requests = HashMap::new();
        for provider in providers {
            if provider.kind != ProviderKind::Simulator && provider.is_usable() {
                let client = clients.with(connection_kind(provider, CONNECT))?;
                let request = models_request(provider, &client)?;
                requests.insert(provider.name.clone(), Rc::new(request));
            }
        }
        Ok(Self { requests })
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.requests.keys()).finish()
    }
}

impl Prober for Probes {
    fn ask(&self, provider: &ProviderName) -> LocalBoxFuture<'static, Option<u16>> {
        let request = self.requests.get(provider).map(Rc::clone);
        Box::pin(async move {
            let answer = timeout(ANSWER, request?.send()).await;
            // Dropped with its body unread, the answer closes its connection.
            Some(answer.ok()?.ok()?.status().as_u16())
        })
    }
}
