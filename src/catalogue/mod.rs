//! The catalogue that requests are routed by: the configured one, and a provider's free models behind it while the
//! configured one has nothing usable in layer L0.
//!
//! Two write it, from different threads: a reload of the settings exchanges the configured part ([`crate::reload`]),
//! the refresh ([`keep_fresh`]) the free models. Whichever changes, both are put together anew and published in one
//! step.

mod auto;
mod refresh;

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_actors::protocol::{Capability, Catalogue, Layer, Model, ProviderName};
use tokio::sync::watch;

pub(crate) use auto::AutoCheck;
pub(crate) use refresh::{RefreshTimes, keep_fresh};

/// The parts of the catalogue, and where it is published.
#[derive(Debug)]
pub(crate) struct LiveCatalogue {
    published: Arc<ArcSwap<Catalogue>>,
    /// Providers that can be called by this process.
    usable: Arc<HashSet<ProviderName>>,
    parts: watch::Sender<Parts>,
    auto: Option<AutoCheck>,
}

#[derive(Debug)]
struct Parts {
    configured: Arc<Catalogue>,
    free: Vec<Model>,
    /// Whether the configured catalogue has nothing usable in layer L0.
    lacks_free_layer: bool,
}

impl LiveCatalogue {
    /// A catalogue without free models, of which `published` shows the configured ones already.
    pub(crate) fn new(published: Arc<ArcSwap<Catalogue>>, usable: Arc<HashSet<ProviderName>>) -> Self {
        let configured = published.load_full();
        let parts = Parts {
            lacks_free_layer: lacks_free_layer(&configured, &usable),
            configured,
            free: Vec::new(),
        };
        Self {
            published,
            usable,
            parts: watch::Sender::new(parts),
            auto: None,
        }
    }

    /// The same, but it is told in the log, now and with each change, when `auto` leads to no model.
    pub(crate) fn checked_by(mut self, auto: AutoCheck) -> Self {
        auto.tell(&self.parts.borrow().configured);
        self.auto = Some(auto);
        self
    }

    /// Exchanges the configured models.
    pub(crate) fn set_configured(&self, configured: Arc<Catalogue>) {
        if let Some(auto) = &self.auto {
            auto.tell(&configured);
        }
        self.change(|parts| {
            parts.lacks_free_layer = lacks_free_layer(&configured, &self.usable);
            parts.configured = configured;
        });
    }

    /// Exchanges the free models.
    fn set_free(&self, free: Vec<Model>) {
        self.change(|parts| parts.free = free);
    }

    /// Waits until the configured catalogue has nothing usable in layer L0.
    async fn until_wanted(&self) {
        let mut parts = self.parts.subscribe();
        // The sender is ours, so it is there.
        let _ = parts.wait_for(|parts| parts.lacks_free_layer).await;
    }

    /// Changes the parts and publishes what they make. The channel's lock is held meanwhile, so that of two changes at
    /// once the later one is also the one that is published.
    fn change(&self, change: impl FnOnce(&mut Parts)) {
        self.parts.send_modify(|parts| {
            change(parts);
            self.published.store(parts.together());
        });
    }
}

impl Parts {
    fn together(&self) -> Arc<Catalogue> {
        if !self.lacks_free_layer || self.free.is_empty() {
            return Arc::clone(&self.configured);
        }
        // Whoever lists a model has said what it is for.
        let is_configured = |model: &&Model| {
            let of_this_name = self.configured.by_api_model(&model.api_model);
            of_this_name.iter().any(|known| known.provider == model.provider)
        };
        let more = self.free.iter().filter(|model| !is_configured(model)).cloned();
        Arc::new(self.configured.with(more))
    }
}

fn lacks_free_layer(catalogue: &Catalogue, usable: &HashSet<ProviderName>) -> bool {
    let models = catalogue.models().iter();
    let mut of_layer_0 = models.filter(|model| model.layer == Layer::L0 && model.capabilities.has(Capability::Chat));
    !of_layer_0.any(|model| usable.contains(&model.provider))
}

#[cfg(test)]
mod tests;
