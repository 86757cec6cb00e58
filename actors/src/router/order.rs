//! The order of candidates: layer, task list, price, health, latency, and the catalogue's own order last.

use std::sync::Arc;

use tokio::time::Instant;

use crate::protocol::{Catalogue, HealthNote, HealthSnapshot, Layer, Model, Passage, TaskType};

/// Models below this are equally quick: the order must not follow noise.
const LATENCY_FLOOR_MS: u32 = 64;

/// What a candidate is sorted by; smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Open gates come after everything else, whatever their layer.
    shut: bool,
    layer: Layer,
    task_place: u16,
    price: u64,
    health: HealthNote,
    latency_class: u32,
}

/// A model's place in the list of a task, if it is in it: an entry matches the id first, then the `api_model`.
pub(super) fn task_place(catalogue: &Catalogue, task: TaskType, model: &Model) -> Option<u16> {
    let list = catalogue.task_list(task);
    let place = list
        .iter()
        .position(|name| **name == *model.id.as_str())
        .or_else(|| list.iter().position(|name| *name == model.api_model))?;
    u16::try_from(place).ok()
}

pub(super) fn health_note(health: &HealthSnapshot, model: &Model, now: Instant) -> HealthNote {
    match health.passage(&model.provider, &model.id, now) {
        Passage::Free { shaky: false } => HealthNote::Healthy,
        Passage::Free { shaky: true } => HealthNote::Shaky,
        Passage::Probe { permits } if permits.iter().all(|permit| !permit.is_taken()) => HealthNote::Probing,
        Passage::Probe { .. } | Passage::Shut { .. } => HealthNote::Open,
    }
}

pub(super) fn rank(model: &Arc<Model>, place: Option<u16>, note: HealthNote, health: &HealthSnapshot) -> Rank {
    let latency = health.latency_ms(&model.id).unwrap_or_default();
    Rank {
        shut: note == HealthNote::Open,
        layer: model.layer,
        task_place: place.unwrap_or(u16::MAX),
        price: model.price_rank(),
        // A gate that wants a probe keeps its model's place: traffic comes back to it by being tried there.
        health: if note == HealthNote::Probing {
            HealthNote::Healthy
        } else {
            note
        },
        latency_class: (latency / LATENCY_FLOOR_MS).checked_ilog2().map_or(0, |log| log + 1),
    }
}
