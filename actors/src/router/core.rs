//! The planning itself.

use std::sync::Arc;

use tokio::time::Instant;

use super::advice::Impasse;
use super::order::{Rank, health_note, rank, task_place};
use super::settings::{RouterSettings, RouterSources};
use crate::protocol::{
    Candidate, Catalogue, Complexity, Confirmation, CrossCheck, HealthSnapshot, Layer, Model, Needs, Plan, PlanRequest,
    ProviderName, Reason, RejectReason, Rejected, RouteError, Selection, Target,
};

/// Plans from snapshots; keeps no state of its own.
#[derive(Debug)]
pub(super) struct RouterCore {
    pub(super) settings: RouterSettings,
    pub(super) sources: RouterSources,
}

/// Models that may be used if they can do it, and what was kept out for want of leave.
struct Field {
    models: Vec<(Selection, Arc<Model>)>,
    layers: Vec<Layer>,
    confirmation: Option<Confirmation>,
}

impl RouterCore {
    pub(super) fn new(settings: RouterSettings, sources: RouterSources) -> Self {
        Self { settings, sources }
    }

    /// The candidates of a request, best first.
    pub(super) fn plan(&self, request: &PlanRequest, now: Instant) -> Result<Plan, RouteError> {
        let catalogue = self.sources.catalogue.load();
        let health = self.sources.health.load();
        let field = self.field(&catalogue, request)?;
        let mut rejected = Vec::new();
        let mut ranked: Vec<(Rank, Candidate)> = Vec::with_capacity(field.models.len());
        for (selection, model) in field.models {
            match self.reject(&model, &request.needs) {
                Some(reason) => rejected.push(Rejected { model, reason }),
                None => ranked.push(self.candidate(&catalogue, &health, request, selection, model, now)),
            }
        }
        if ranked.is_empty() {
            return Err(self.no_candidate(Impasse {
                catalogue: &catalogue,
                request,
                layers: field.layers,
                rejected: &rejected,
            }));
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        Ok(Plan {
            candidates: ranked.into_iter().map(|(_, candidate)| candidate).collect(),
            rejected,
            complexity: Complexity::Unrated,
            cross_check: CrossCheck::Off,
            confirmation: field.confirmation,
        })
    }

    fn candidate(
        &self,
        catalogue: &Catalogue,
        health: &HealthSnapshot,
        request: &PlanRequest,
        selection: Selection,
        model: Arc<Model>,
        now: Instant,
    ) -> (Rank, Candidate) {
        let place = task_place(catalogue, request.task, &model);
        let note = health_note(health, &model, now);
        let selection = match (selection, place) {
            (Selection::Layer, Some(place)) => Selection::TaskList(place),
            _ => selection,
        };
        let reason = Reason {
            selection,
            health: note,
            price_rank: model.price_rank(),
        };
        (rank(&model, place, note, health), Candidate { model, reason })
    }

    fn field(&self, catalogue: &Catalogue, request: &PlanRequest) -> Result<Field, RouteError> {
        match &request.target {
            Target::Named(name) => named(catalogue, name, request),
            Target::Auto => {
                let start = self.start_of_auto(request.max_layer);
                self.layer_upwards(catalogue, start, request)
            }
            Target::Layer(layer) => match request.max_layer {
                Some(max) if *layer > max => Err(RouteError::LayerNotAllowed { layer: *layer, max }),
                _ => self.layer_upwards(catalogue, *layer, request),
            },
        }
    }

    /// Where `auto` starts for a caller who allows so much.
    pub(super) fn start_of_auto(&self, caller_max: Option<Layer>) -> Layer {
        let start = self.settings.default_layer;
        caller_max.map_or(start, |max| start.min(max))
    }

    /// The models of a layer, and of the layers above it as far as the operator and the caller allow.
    ///
    /// "Free" means price 0, not layer L0: a free model of a higher layer needs nobody's leave.
    fn layer_upwards(&self, catalogue: &Catalogue, start: Layer, request: &PlanRequest) -> Result<Field, RouteError> {
        let ceiling = request
            .max_layer
            .unwrap_or(Layer::L3)
            .min(self.settings.max_layer.max(start));
        let mut field = Field {
            models: Vec::new(),
            layers: vec![start],
            confirmation: None,
        };
        let mut is_kept_out = false;
        for model in catalogue.models() {
            let above = model.layer > start;
            // What is for something else altogether, such as embeddings, is none of the layer's models here.
            let is_for_this = request.needs.suit(model.capabilities);
            if !is_for_this || model.layer < start || model.layer > ceiling {
                continue;
            }
            if !request.allows(model) {
                is_kept_out = true;
                continue;
            }
            if above && !self.settings.auto_escalate && !model.is_free() {
                if self.reject(model, &request.needs).is_some() {
                    continue;
                }
                let nearest = field.confirmation.as_ref().map_or(model.layer, |known| known.layer);
                let layer = nearest.min(model.layer);
                field.confirmation = Some(Confirmation { layer });
                continue;
            }
            if !field.layers.contains(&model.layer) {
                field.layers.push(model.layer);
            }
            field.models.push((Selection::Layer, Arc::clone(model)));
        }
        if is_kept_out && field.models.is_empty() && field.confirmation.is_none() {
            return Err(RouteError::ModelNotAllowed { name: None });
        }
        field.layers.sort();
        Ok(field)
    }

    fn reject(&self, model: &Model, needs: &Needs) -> Option<RejectReason> {
        if !self.has_key(&model.provider) {
            return Some(RejectReason::NoKey);
        }
        unfit(model, needs)
    }

    pub(super) fn has_key(&self, provider: &ProviderName) -> bool {
        self.sources.usable.contains(provider)
    }
}

/// Why a model cannot do what a request needs, whether or not its provider can be called.
pub(super) fn unfit(model: &Model, needs: &Needs) -> Option<RejectReason> {
    let missing = needs.missing_in(model.capabilities);
    if !missing.is_empty() {
        return Some(RejectReason::Lacks(missing));
    }
    let room = u64::from(model.context_window);
    (needs.input_estimate > room).then_some(RejectReason::WindowTooSmall)
}

fn named(catalogue: &Catalogue, name: &Arc<str>, request: &PlanRequest) -> Result<Field, RouteError> {
    let max = request.max_layer;
    let (selection, models) = catalogue
        .called(name)
        .ok_or_else(|| RouteError::UnknownModel { name: Arc::clone(name) })?;
    let models: Vec<Arc<Model>> = models.into_iter().filter(|model| request.allows(model)).collect();
    if models.is_empty() {
        return Err(RouteError::ModelNotAllowed {
            name: Some(Arc::clone(name)),
        });
    }
    let mut layers: Vec<Layer> = models.iter().map(|model| model.layer).collect();
    layers.sort();
    layers.dedup();
    if let (Some(max), Some(&lowest)) = (max, layers.first())
        && lowest > max
    {
        return Err(RouteError::LayerNotAllowed { layer: lowest, max });
    }
    let allowed = |model: &Arc<Model>| max.is_none_or(|max| model.layer <= max);
    Ok(Field {
        models: models
            .into_iter()
            .filter(allowed)
            .map(|model| (selection, model))
            .collect(),
        layers,
        confirmation: None,
    })
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
