//! Providers, models, layers and actors as they are now.

use std::collections::BTreeMap;

use gateway_actors::protocol::{Catalogue, Gate, HealthSnapshot, Layer, Model, Passage, SystemHealth};
use serde::Serialize;
use tokio::time::Instant;

use super::ProviderInfo;

/// How everything but the database is.
#[derive(Debug, Serialize)]
pub(crate) struct Condition<'a> {
    /// Every configured provider by name.
    providers: BTreeMap<&'a str, ProviderEntry<'a>>,
    /// Every layer, those without models too.
    layers: BTreeMap<Layer, LayerEntry>,
    /// The actors that panicked.
    actors: Vec<ActorEntry>,
    #[serde(skip)]
    failed_for_good: bool,
}

impl<'a> Condition<'a> {
    pub(crate) fn new(
        configured: &'a [ProviderInfo],
        catalogue: &'a Catalogue,
        snapshot: &HealthSnapshot,
        system: &SystemHealth,
    ) -> Self {
        Self {
            providers: providers(configured, catalogue, snapshot),
            layers: layers(configured, catalogue, snapshot),
            actors: actors(system),
            failed_for_good: system.fatal.is_some(),
        }
    }

    /// Whether no actor failed for good, every provider may be called, and every layer that has models has one to call.
    pub(crate) fn is_well(&self) -> bool {
        let closed = Gate::default().as_str();
        !self.failed_for_good
            && self.providers.values().all(|provider| provider.state == closed)
            && self
                .layers
                .values()
                .all(|layer| layer.models == 0 || layer.available > 0)
    }
}

/// A provider and its models.
#[derive(Debug, Serialize)]
struct ProviderEntry<'a> {
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'static str>,
    models: BTreeMap<&'a str, ModelEntry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelEntry {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u32>,
}

/// How many models a layer has, and how many of them could be called now.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
struct LayerEntry {
    models: usize,
    available: usize,
}

/// An actor that panicked.
#[derive(Debug, Serialize)]
struct ActorEntry {
    name: &'static str,
    restarts: u32,
}

fn providers<'a>(
    configured: &'a [ProviderInfo],
    catalogue: &'a Catalogue,
    snapshot: &HealthSnapshot,
) -> BTreeMap<&'a str, ProviderEntry<'a>> {
    let entry = |provider: &'a ProviderInfo| {
        let health = snapshot.providers.get(&provider.name).cloned().unwrap_or_default();
        let models = catalogue
            .models()
            .iter()
            .filter(|model| model.provider == provider.name);
        let state = if provider.has_key {
            health.gate.as_str()
        } else {
            "no-key"
        };
        let entry = ProviderEntry {
            kind: provider.kind,
            state,
            trouble: health.trouble.map(|trouble| trouble.as_str()),
            models: models
                .map(|model| (model.id.as_str(), model_entry(model, snapshot)))
                .collect(),
        };
        (provider.name.as_str(), entry)
    };
    configured.iter().map(entry).collect()
}

fn model_entry(model: &Model, snapshot: &HealthSnapshot) -> ModelEntry {
    let health = snapshot.models.get(&model.id).cloned().unwrap_or_default();
    ModelEntry {
        state: health.gate.as_str(),
        latency_ms: health.latency_ms,
    }
}

fn layers(
    configured: &[ProviderInfo],
    catalogue: &Catalogue,
    snapshot: &HealthSnapshot,
) -> BTreeMap<Layer, LayerEntry> {
    let now = Instant::now();
    let has_key = |model: &Model| {
        configured
            .iter()
            .any(|provider| provider.name == model.provider && provider.has_key)
    };
    let mut layers: BTreeMap<_, _> = Layer::ALL.iter().map(|layer| (*layer, LayerEntry::default())).collect();
    for model in catalogue.models() {
        let passes = !matches!(snapshot.passage(&model.provider, &model.id, now), Passage::Shut { .. });
        let entry = layers.entry(model.layer).or_default();
        entry.models += 1;
        entry.available += usize::from(passes && has_key(model));
    }
    layers
}

fn actors(system: &SystemHealth) -> Vec<ActorEntry> {
    let entry = |actor: &gateway_actors::protocol::ActorHealth| ActorEntry {
        name: actor.name,
        restarts: actor.restarts,
    };
    system.actors.iter().map(entry).collect()
}
