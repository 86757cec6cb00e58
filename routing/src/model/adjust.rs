//! What was learned from outcomes, put on top of a fitted model.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::RoutingModel;
use super::check::{ModelError, within};
use crate::layer::Layer;
use crate::priors::KnownModel;

/// What may be adjusted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adjustments {
    #[serde(default)]
    layers: BTreeMap<String, f64>,
    #[serde(default)]
    models: BTreeMap<String, f64>,
}

impl RoutingModel {
    /// This model with adjustments, as JSON:
    ///
    /// ```text
    /// {"layers": {"L0": b, ...}, "models": {"name": offset, ...}}
    /// ```
    ///
    /// `layers` replaces the logit of the chance that a model of the layer is right about a question of difficulty 0;
    /// what is in `models` is added to the logit of the chance of a model that the fit knows, under any name that
    /// [`known`](Self::known) takes. What is not named stays. So it changes the chances before anybody has answered
    /// ([`Question::chance`](crate::Question::chance), the classification); the verdicts over known models' answers stay
    /// those of the fit. Adjustments replace earlier ones: what is adjusted twice has the second ones' numbers.
    ///
    /// # Errors
    ///
    /// When the text is not of this form, when it names a layer that is not there, a model that the fit does not know,
    /// or one model twice, and when a number is not between -20 and 20 (layers) or -5 and 5 (models).
    pub fn adjusted(&self, data: &str) -> Result<Self, ModelError> {
        let written: Adjustments = serde_json::from_str(data).map_err(|error| ModelError::Adjustments {
            line: error.line(),
            column: error.column(),
        })?;
        // serde would take a list of the members for the object, too.
        if !data.trim_start().starts_with('{') {
            return Err(ModelError::Adjustments { line: 1, column: 1 });
        }
        let mut model = self.clone();
        for (name, at_zero) in written.layers {
            let layer = Layer::parse(&name).ok_or(ModelError::Name { field: "layers" })?;
            let line = model
                .layers
                .get_mut(layer as usize)
                .ok_or(ModelError::Name { field: "layers" })?;
            line.at_zero = within("layers", at_zero, -20.0, 20.0, "-20", "20")?;
        }
        let mut seen = Vec::new();
        for (name, offset) in written.models {
            let known = self.known(&name).filter(|known| !seen.contains(known));
            let known @ KnownModel(number) = known.ok_or(ModelError::Name { field: "models" })?;
            seen.push(known);
            if let Some(table) = model.models.get_mut(number) {
                table.offset = within("models", offset, -5.0, 5.0, "-5", "5")?;
            }
        }
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::logit;

    fn shipped() -> &'static RoutingModel {
        RoutingModel::shipped().unwrap()
    }

    const TEXT: &str = "How many apples are 3 apples and 4 apples?";

    #[test]
    fn a_layer_and_a_known_model_are_adjusted_and_nothing_else() {
        let adjusted = shipped()
            .adjusted(r#"{"layers": {"L1": 0.5}, "models": {"openai/gpt-4o-mini": -0.25}}"#)
            .unwrap();
        let (before, after) = (shipped().question(TEXT), adjusted.question(TEXT));
        for layer in Layer::ALL {
            let moved = logit(after.chance(None, layer)) - logit(before.chance(None, layer));
            let expected = if layer == Layer::L1 {
                0.5 - shipped().layers[1].at_zero
            } else {
                0.0
            };
            assert!((moved - expected).abs() < 1e-9, "{layer}: {moved}");
        }
        for name in shipped().known_names() {
            let chance = |question: &crate::Question<'_>| logit(question.chance(shipped().known(name), Layer::L0));
            let expected = if name.starts_with("gpt-4o-mini") { -0.25 } else { 0.0 };
            assert!((chance(&after) - chance(&before) - expected).abs() < 1e-9, "{name}");
        }
        assert_eq!(after.top_prior, before.top_prior);
    }

    #[test]
    fn nothing_to_adjust_leaves_the_model_as_it_is_and_the_last_numbers_count() {
        let same = shipped().adjusted("{}").unwrap();
        let (a, b) = (same.question(TEXT), shipped().question(TEXT));
        assert_eq!(a.classification(), b.classification());
        let twice = shipped().adjusted(r#"{"models":{"o1-mini":1}}"#).unwrap();
        let twice = twice.adjusted(r#"{"models":{"o1-mini":-1}}"#).unwrap();
        let once = shipped().adjusted(r#"{"models":{"o1-mini":-1}}"#).unwrap();
        let top = shipped().known("o1-mini");
        let chance = |model: &RoutingModel| model.question(TEXT).chance(top, Layer::L3);
        assert_eq!(chance(&twice), chance(&once));
    }

    #[test]
    fn adjustments_that_mean_nothing_are_refused() {
        for text in [
            "",
            "[]",
            "null",
            r#"{"layer":{}}"#,
            r#"{"layers":{"L0":"1"}}"#,
            r#"{"layers":{"L0":1e999}}"#,
        ] {
            let error = shipped().adjusted(text).unwrap_err();
            assert!(matches!(error, ModelError::Adjustments { .. }), "{text}: {error}");
        }
        for text in [
            r#"{"layers":{"L4":1}}"#,
            r#"{"models":{"another":1}}"#,
            r#"{"models":{"gpt-4o":1,"openai/gpt-4o":1}}"#,
        ] {
            let error = shipped().adjusted(text).unwrap_err();
            assert!(matches!(error, ModelError::Name { .. }), "{text}: {error}");
        }
        for text in [r#"{"layers":{"L0":20}}"#, r#"{"models":{"gpt-4o":-5}}"#] {
            let error = shipped().adjusted(text).unwrap_err();
            assert!(matches!(error, ModelError::Number { .. }), "{text}: {error}");
        }
    }
}
