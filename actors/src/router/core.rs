//! The planning itself: who may be used, and the order of requests that nothing is decided about.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::time::Instant;

use super::advice::Impasse;
use super::known::KnownModels;
use super::order::{Rank, health_note, rank, task_place};
use super::settings::{RouterSettings, RouterSources};
use crate::protocol::{
    Candidate, Catalogue, Confirmation, Evidence, HealthSnapshot, Layer, Leave, Model, Needs, Plan, PlanRequest,
    ProviderName, Reason, RejectReason, Rejected, RouteError, Selection, Target, TaskType,
};

/// Plans from snapshots; keeps no state of its own but what it would else look up for every request.
#[derive(Debug)]
pub(super) struct RouterCore {
    pub(super) settings: RouterSettings,
    pub(super) sources: RouterSources,
    pub(super) known: RefCell<KnownModels>,
}

/// One request, and the snapshots that it is planned from.
pub(super) struct Scene<'a> {
    pub(super) catalogue: &'a Arc<Catalogue>,
    pub(super) health: &'a HealthSnapshot,
    pub(super) request: &'a PlanRequest,
    pub(super) now: Instant,
}

/// Models that may be used if they can do it, and what was kept out for want of leave.
pub(super) struct Field {
    pub(super) models: Vec<(Selection, Arc<Model>)>,
    pub(super) layers: Vec<Layer>,
    /// The lowest layer of all.
    pub(super) bottom: Layer,
    /// Usable models that want nothing but leave.
    pub(super) beyond: Vec<Arc<Model>>,
    /// Usable models that may judge an answer, and are not asked for one.
    pub(super) judges: Vec<Arc<Model>>,
}

/// Those of a field that can do it, and those that cannot.
pub(super) struct Fitting {
    pub(super) ranked: Vec<(Rank, Candidate)>,
    pub(super) rejected: Vec<Rejected>,
}

impl RouterCore {
    pub(super) fn new(settings: RouterSettings, sources: RouterSources) -> Self {
        Self {
            settings,
            sources,
            known: RefCell::default(),
        }
    }

    /// The candidates of a request, best first.
    pub(super) fn plan(&self, request: &PlanRequest, now: Instant) -> Result<Plan, RouteError> {
        let catalogue = self.sources.catalogue.load();
        let health = self.sources.health.load();
        let scene = Scene {
            catalogue: &catalogue,
            health: &health,
            request,
            now,
        };
        let field = self.field(&catalogue, request)?;
        match (&request.target, &request.question) {
            (Target::Named(_), _) | (_, None) => self.undecided(&scene, field),
            (Target::Auto | Target::Layer(_), Some(question)) => self.decided(&scene, field, question),
        }
    }

    /// By layer, task list, price and health alone.
    fn undecided(&self, scene: &Scene<'_>, field: Field) -> Result<Plan, RouteError> {
        let nearest = field.beyond.iter().map(|model| model.layer).min();
        let Fitting { mut ranked, rejected } = self.fitting(scene, field.models, field.layers, scene.request.task)?;
        ranked.sort_by_key(|(rank, _)| *rank);
        Ok(Plan {
            candidates: ranked.into_iter().map(|(_, candidate)| candidate).collect(),
            rejected,
            decision: None,
            confirmation: nearest.map(|layer| Confirmation {
                layer,
                evidence: Evidence::TooHard,
            }),
        })
    }

    /// Those of these models that can do it, with their places; an error with the mend where none can.
    pub(super) fn fitting(
        &self,
        scene: &Scene<'_>,
        models: Vec<(Selection, Arc<Model>)>,
        layers: Vec<Layer>,
        task: TaskType,
    ) -> Result<Fitting, RouteError> {
        let mut rejected = Vec::new();
        let mut ranked: Vec<(Rank, Candidate)> = Vec::with_capacity(models.len());
        for (selection, model) in models {
            match self.reject(&model, &scene.request.needs) {
                Some(reason) => rejected.push(Rejected { model, reason }),
                None => ranked.push(candidate(scene, task, selection, model)),
            }
        }
        if ranked.is_empty() {
            return Err(self.no_candidate(Impasse {
                catalogue: scene.catalogue,
                request: scene.request,
                layers,
                rejected: &rejected,
            }));
        }
        Ok(Fitting { ranked, rejected })
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
        let leave = match request.wish.leave {
            Leave::Standing => start,
            Leave::UpTo(layer) => layer.max(start),
        };
        let mut field = Field {
            models: Vec::new(),
            layers: vec![start],
            bottom: start,
            beyond: Vec::new(),
            judges: Vec::new(),
        };
        let has_answered = |model: &Model| request.wish.above.is_some_and(|above| model.layer <= above);
        if request.wish.above.is_some_and(|above| ceiling <= above) {
            return Err(RouteError::LayerNotAllowed {
                layer: leave,
                max: ceiling,
            });
        }
        let mut is_kept_out = false;
        for model in catalogue.models() {
            // What is for something else altogether, such as embeddings, is none of the layer's models here.
            let is_for_this = request.needs.suit(model.capabilities);
            if !is_for_this || model.layer < start || model.layer > ceiling {
                continue;
            }
            if !request.allows(model) {
                is_kept_out = true;
                continue;
            }
            if model.layer > leave && !self.settings.auto_escalate && !model.is_free() {
                if self.reject(model, &request.needs).is_none() {
                    field.beyond.push(Arc::clone(model));
                }
                continue;
            }
            if has_answered(model) {
                if self.reject(model, &request.needs).is_none() {
                    field.judges.push(Arc::clone(model));
                }
                continue;
            }
            if !field.layers.contains(&model.layer) {
                field.layers.push(model.layer);
            }
            field.models.push((Selection::Layer, Arc::clone(model)));
        }
        if is_kept_out && field.models.is_empty() && field.beyond.is_empty() {
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

/// A model with its place, and why it has it.
pub(super) fn candidate(
    scene: &Scene<'_>,
    task: TaskType,
    selection: Selection,
    model: Arc<Model>,
) -> (Rank, Candidate) {
    let place = task_place(scene.catalogue, task, &model);
    let note = health_note(scene.health, &model, scene.now);
    let selection = match (selection, place) {
        (Selection::Layer, Some(place)) => Selection::TaskList(place),
        _ => selection,
    };
    let reason = Reason {
        selection,
        health: note,
        price_rank: model.price_rank(),
        is_too_dear: false,
        is_not_worth_it: false,
    };
    (rank(&model, place, note, scene.health), Candidate { model, reason })
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
    let bottom = layers.first().copied().unwrap_or(Layer::L0);
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
        bottom,
        beyond: Vec::new(),
        judges: Vec::new(),
    })
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
