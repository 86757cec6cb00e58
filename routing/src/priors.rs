//! How likely a model is to be right before anybody has answered, and what its call costs: of known models by their own
//! tables, of others by their layer.

use crate::layer::Layer;
use crate::math::{dot, sigmoid};
use crate::model::{Line, ModelTable, QUESTION, RoutingModel};

/// A model that the fit knows, by its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KnownModel(pub(crate) usize);

impl RoutingModel {
    /// The known model of this name. Capitals, the provider before a `/`, a variant after a `:`, points for hyphens, and
    /// a date at the end make no difference: `anthropic/claude-3.5-haiku` is `claude-3-5-haiku-20241022`.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<KnownModel> {
        let exact = self.models.iter().position(|model| model.name == name);
        let found = exact.or_else(|| {
            let wanted = plain_name(name);
            let is_it = |model: &ModelTable| model.plain == wanted || without_date(&model.plain) == wanted;
            self.models.iter().position(is_it)
        });
        found.map(KnownModel)
    }

    /// The names of the models that the fit knows, the cheapest first.
    pub fn known_names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|model| model.name.as_str())
    }

    /// What a call of the strongest known model cost on average, in nano-USD: the unit of the fit's prices.
    #[must_use]
    pub const fn unit_nano_usd(&self) -> u64 {
        self.unit
    }

    /// The prices that a known model's costs were reckoned with, in pico-USD a token: of input, and of output. Nothing where
    /// the file does not tell.
    #[must_use]
    pub fn fitted_prices(&self, model: KnownModel) -> Option<[u64; 2]> {
        self.table(model.0).and_then(|table| table.prices)
    }

    pub(crate) fn table(&self, model: usize) -> Option<&ModelTable> {
        self.models.get(model)
    }

    /// The line of a layer over a question's ease.
    pub(crate) const fn line(&self, layer: Layer) -> Line {
        let [l0, l1, l2, l3] = self.layers;
        match layer {
            Layer::L0 => l0,
            Layer::L1 => l1,
            Layer::L2 => l2,
            Layer::L3 => l3,
        }
    }

    /// The chance that a model of this layer is right about a question of this ease.
    pub(crate) fn layer_chance(&self, layer: Layer, ease: f64) -> f64 {
        let line = self.line(layer);
        sigmoid(line.at_zero + line.slope * ease)
    }
}

impl ModelTable {
    /// Logit of the chance that this model is right, at most 5 in size.
    pub(crate) fn prior(&self, row: &[f64; QUESTION]) -> f64 {
        dot(&self.prior, row).clamp(-5.0, 5.0)
    }

    /// The same with what was learned after the fit.
    pub(crate) fn adjusted_prior(&self, row: &[f64; QUESTION]) -> f64 {
        (self.prior(row) + self.offset).clamp(-5.0, 5.0)
    }

    /// What a call costs, as a share of what the strongest costs on average.
    pub(crate) fn cost(&self, row: &[f64; QUESTION]) -> f64 {
        dot(&self.cost, row).exp() * self.cost_factor
    }
}

/// A name as makers, routers and snapshots share it.
pub(crate) fn plain_name(name: &str) -> String {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    let name = name.to_ascii_lowercase().replace(['.', '_', '@'], "-");
    match name.strip_prefix("meta-") {
        Some(rest) => rest.to_owned(),
        None => name,
    }
}

/// The name without `-20241022` or `-2024-08-06` at its end.
fn without_date(name: &str) -> &str {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((rest, last)) = name.rsplit_once('-') else {
        return name;
    };
    if digits(last, 8) {
        return rest;
    }
    let parts = rest
        .rsplit_once('-')
        .and_then(|(rest, month)| Some((rest.rsplit_once('-')?, month)));
    match parts {
        Some(((rest, year), month)) if digits(last, 2) && digits(month, 2) && digits(year, 4) => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<&'static str> {
        let model = RoutingModel::shipped().unwrap();
        model
            .known(name)
            .map(|known| model.table(known.0).unwrap().name.as_str())
    }

    #[test]
    fn a_known_model_is_found_under_the_names_that_routers_give_it() {
        assert_eq!(known("gpt-4o-mini-2024-07-18"), Some("gpt-4o-mini-2024-07-18"));
        assert_eq!(known("openai/gpt-4o-mini"), Some("gpt-4o-mini-2024-07-18"));
        assert_eq!(known("GPT-4o"), Some("gpt-4o-2024-08-06"));
        assert_eq!(known("anthropic/claude-3.5-haiku"), Some("claude-3-5-haiku-20241022"));
        assert_eq!(
            known("meta-llama/llama-3.1-8b-instruct:free"),
            Some("Meta-Llama-3.1-8B-Instruct")
        );
        assert_eq!(known("google/gemma-2-9b-it"), Some("gemma-2-9b-it"));
    }

    #[test]
    fn another_model_of_the_family_is_not_known() {
        for name in [
            "gpt-4o-2024-11-20",
            "gpt-4",
            "o1",
            "o1-mini-high",
            "claude-3-5-sonnet",
            "gemma-2-27b-it",
            "",
            "/",
            ":",
        ] {
            assert_eq!(known(name), None, "{name}");
        }
    }

    #[test]
    fn a_higher_layer_and_an_easier_question_are_never_less_likely_right() {
        let model = RoutingModel::shipped().unwrap();
        for ease in [-2.0, 0.0, 2.0] {
            let chances = Layer::ALL.map(|layer| model.layer_chance(layer, ease));
            assert!(chances.is_sorted(), "{chances:?}");
            assert!(model.layer_chance(Layer::L0, ease + 0.1) > chances[0]);
        }
    }
}
