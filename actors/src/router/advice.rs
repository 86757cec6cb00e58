//! What to do about a request that no model may answer: said only of what would help now.

use std::sync::Arc;

use super::core::{RouterCore, unfit};
use crate::protocol::{
    Catalogue, Layer, Leave, Model, PlanRequest, ProviderName, RejectReason, Rejected, RouteError, Target,
};

/// A request without a candidate: every model it might have had was rejected.
pub(super) struct Impasse<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) request: &'a PlanRequest,
    pub(super) layers: Vec<Layer>,
    pub(super) rejected: &'a [Rejected],
}

impl RouterCore {
    /// The error of a request without a candidate, with the mend.
    pub(super) fn no_candidate(&self, impasse: Impasse<'_>) -> RouteError {
        let too_small = |one: &&Rejected| one.reason == RejectReason::WindowTooSmall;
        let windows = impasse.rejected.iter().filter(too_small);
        if let Some(window) = windows.map(|one| one.model.context_window).max() {
            return RouteError::ContextTooLong {
                input: impasse.request.needs.input_estimate,
                window,
                hint: self.way_out(&impasse, false).map(Into::into),
            };
        }
        let lacks = impasse.rejected.iter().filter_map(|one| match one.reason {
            RejectReason::Lacks(missing) => Some(missing),
            RejectReason::WindowTooSmall | RejectReason::NoKey => None,
        });
        if let Some(missing) = lacks.min_by_key(|missing| missing.iter().count()) {
            return RouteError::Incapable {
                missing,
                hint: self.way_out(&impasse, false).map(Into::into),
            };
        }
        let keys = || self.missing_keys(impasse.rejected.iter().map(|one| &one.model));
        let wish = &impasse.request.wish;
        if let (Some(above), Leave::UpTo(most)) = (wish.above, wish.leave) {
            let offered = Layer::ALL
                .iter()
                .copied()
                .filter(|layer| *layer > above && *layer <= most);
            return RouteError::OfferGone {
                layers: offered.collect(),
                hint: self.way_out(&impasse, false).or_else(keys).map(Into::into),
            };
        }
        let hint = self.way_out(&impasse, true).or_else(keys);
        let hint = hint.unwrap_or_else(|| "add a model to the catalogue, or set a provider's key".to_owned());
        RouteError::NoModel {
            hint: hint.into(),
            layers: impasse.layers,
        }
    }

    /// The missing keys first, then the layer that could answer now. `is_empty`: the layers asked for have no usable
    /// model at all, so that another default layer is the ordinary mend.
    fn way_out(&self, impasse: &Impasse<'_>, is_empty: bool) -> Option<String> {
        let Impasse { catalogue, request, .. } = impasse;
        let fits = |model: &&Arc<Model>| unfit(model, &request.needs).is_none();
        let keys = self.missing_keys(impasse.rejected.iter().map(|one| &one.model).filter(fits));
        let start = match request.target {
            Target::Auto => self.start_of_auto(request.max_layer),
            Target::Layer(layer) => layer,
            // A named model is never replaced by another.
            Target::Named(_) => return keys,
        };
        let most = request.max_layer.unwrap_or(Layer::L3);
        let elsewhere = || {
            catalogue
                .models()
                .iter()
                .filter(|model| model.layer <= most && request.allows(model))
                .filter(|model| request.wish.above.is_none_or(|above| model.layer > above))
                .filter(fits)
        };
        let usable = elsewhere().filter(|model| self.has_key(&model.provider));
        let layers = usable.map(|model| model.layer);
        let above = layers.clone().filter(|layer| *layer > start).min();
        let layer = above.or_else(|| layers.filter(|layer| *layer < start).max());
        let ways = layer.map(|layer| {
            let is_auto = is_empty && request.target == Target::Auto;
            format!("layer {layer} has one: {}", self.ways_into(layer, start, is_auto))
        });
        match (keys, ways) {
            (Some(keys), Some(ways)) => Some(format!("{keys}; {ways}")),
            (None, None) => self.missing_keys(elsewhere()),
            (one, other) => one.or(other),
        }
    }

    /// How a request that starts at layer `start` comes to be answered by `layer`.
    fn ways_into(&self, layer: Layer, start: Layer, is_auto: bool) -> String {
        let highest = (layer > self.settings.max_layer).then(|| format!("MAX_ESCALATION_LAYER={layer}"));
        let with_highest = |setting: Option<String>| -> String {
            let both: Vec<String> = setting.into_iter().chain(highest.clone()).collect();
            both.join(" and ")
        };
        let default = is_auto.then(|| with_highest(Some(format!("DEFAULT_LAYER={layer}"))));
        let escalate = (layer > start).then(|| {
            let leave = !self.settings.auto_escalate;
            with_highest(leave.then(|| "ENABLE_AUTO_ESCALATE=true".to_owned()))
        });
        let settings: Vec<String> = default.into_iter().chain(escalate).collect();
        let ask = format!("ask for it with `layer` or `model` set to {layer}");
        if settings.is_empty() {
            return ask;
        }
        format!("{ask}, or set {}", settings.join(", or "))
    }

    /// Which providers of these models lack their key; nothing when none does.
    fn missing_keys<'a>(&self, models: impl Iterator<Item = &'a Arc<Model>>) -> Option<String> {
        let mut providers: Vec<&ProviderName> = Vec::new();
        for model in models {
            if !self.has_key(&model.provider) && !providers.contains(&&model.provider) {
                providers.push(&model.provider);
            }
        }
        let text = |provider: &&ProviderName| match self.sources.key_variables.get(*provider) {
            Some(variable) => format!("provider `{provider}` has no key: set {variable}"),
            None => format!("provider `{provider}` has no key: set it"),
        };
        let texts: Vec<String> = providers.iter().map(text).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}
