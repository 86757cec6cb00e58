//! `GET /health` for people, `/health/live` and `/health/ready` for whoever starts, stops and balances processes.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_actors::protocol::{Catalogue, Gate, HealthSnapshot, Layer, Model, Passage, SystemHealth};
use serde::Serialize;
use tokio::time::Instant;

use crate::http::error::Failure;
use crate::http::respond::{json, json_with, now_text};
use crate::http::shared::{Edge, Lifecycle, Shared};

/// A thread that is so late with its beat gets no work done: nobody should be sent here.
const HANGS_FROM: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    /// Null while none is configured.
    redis: Option<bool>,
    database: bool,
    timestamp: String,
    version: &'static str,
    providers: BTreeMap<&'a str, ProviderEntry<'a>>,
    layers: BTreeMap<Layer, LayerEntry>,
    actors: Vec<ActorEntry>,
    alerts: Vec<String>,
}

#[derive(Serialize)]
struct ProviderEntry<'a> {
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'static str>,
    models: BTreeMap<&'a str, ModelEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelEntry {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u32>,
}

#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
struct LayerEntry {
    models: usize,
    available: usize,
}

#[derive(Serialize)]
struct ActorEntry {
    name: &'static str,
    restarts: u32,
}

pub(super) async fn get(edge: Edge) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let database = shared.store_probe.is_well().await;
    let (catalogue, snapshot) = (shared.catalogue.load(), shared.health.load());
    let system = shared.system_health.borrow().clone();
    let providers = providers(shared, &catalogue, &snapshot);
    let layers = layers(shared, &catalogue, &snapshot);
    let well = database
        && system.fatal.is_none()
        && providers
            .values()
            .all(|provider| provider.state == Gate::default().as_str())
        && layers.values().all(|layer| layer.models == 0 || layer.available > 0);
    json(&Health {
        status: status(shared.lifecycle(), well),
        redis: None,
        database,
        timestamp: now_text(),
        version: env!("CARGO_PKG_VERSION"),
        providers,
        layers,
        actors: actors(&system),
        alerts: Vec::new(),
    })
}

fn status(lifecycle: Lifecycle, well: bool) -> &'static str {
    match lifecycle {
        Lifecycle::Leaving | Lifecycle::Draining | Lifecycle::Cutting | Lifecycle::Ending => "draining",
        Lifecycle::Serving if well => "ok",
        Lifecycle::Serving | Lifecycle::Starting => "degraded",
    }
}

fn providers<'a>(
    shared: &'a Shared,
    catalogue: &'a Catalogue,
    snapshot: &HealthSnapshot,
) -> BTreeMap<&'a str, ProviderEntry<'a>> {
    let entry = |provider: &'a crate::http::shared::ProviderInfo| {
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
    shared.providers.iter().map(entry).collect()
}

fn model_entry(model: &Model, snapshot: &HealthSnapshot) -> ModelEntry {
    let health = snapshot.models.get(&model.id).cloned().unwrap_or_default();
    ModelEntry {
        state: health.gate.as_str(),
        latency_ms: health.latency_ms,
    }
}

/// How many models each layer has, and how many of them could be called now.
fn layers(shared: &Shared, catalogue: &Catalogue, snapshot: &HealthSnapshot) -> BTreeMap<Layer, LayerEntry> {
    let now = Instant::now();
    let has_key = |model: &Model| {
        shared
            .providers
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

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

pub(super) async fn live() -> Result<HttpResponse, Failure> {
    std::future::ready(json(&Live { status: "ok" })).await
}

/// Tells why not, but nothing that is not for everybody.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<&'static str>,
}

pub(super) async fn ready(edge: Edge) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let mut reasons = Vec::new();
    match shared.lifecycle() {
        Lifecycle::Serving => {}
        Lifecycle::Starting => reasons.push("the gateway is starting"),
        Lifecycle::Leaving | Lifecycle::Draining | Lifecycle::Cutting | Lifecycle::Ending => {
            reasons.push("the gateway is shutting down")
        }
    }
    if shared.system_health.borrow().fatal.is_some() {
        reasons.push("a part of the gateway failed for good");
    }
    if shared.system_health.borrow().lag >= HANGS_FROM {
        reasons.push("a thread of the gateway hangs");
    }
    if !shared.store_probe.is_well().await {
        reasons.push("the database or the journal cannot be written");
    }
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json_with(status, &Ready { ready, reasons })
}
