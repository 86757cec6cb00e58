//! Chances where only a question's difficulty is known, as in records that keep no text.

use crate::layer::Layer;
use crate::math::sigmoid;
use crate::model::{QUESTION, RoutingModel};
use crate::priors::KnownModel;
use crate::signals;

impl RoutingModel {
    /// The chance that a model is right about a question of this difficulty ([`Question::difficulty`](crate::Question::difficulty))
    /// whose other signals are those of the questions of the fit on average: by its own table if the fit knows it, else
    /// by its layer.
    #[must_use]
    pub fn chance_at(&self, model: Option<KnownModel>, layer: Layer, difficulty: f64) -> f64 {
        match model.and_then(|model| self.table(model.0)) {
            Some(table) => {
                let mut row = [0.0; QUESTION];
                if let Some(cell) = row.get_mut(signals::COUNT) {
                    *cell = -difficulty;
                }
                if let Some(constant) = row.last_mut() {
                    *constant = 1.0;
                }
                sigmoid(table.adjusted_prior(&row))
            }
            None => self.layer_chance(layer, -difficulty),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_average_question_a_known_model_has_its_own_chance_and_others_their_layers() {
        let model = RoutingModel::shipped().unwrap();
        let question = model.question("How many apples are 3 apples and 4 apples?");
        let there = question.difficulty();
        assert_eq!(
            model.chance_at(None, Layer::L1, there),
            question.chance(None, Layer::L1)
        );
        let known = model.known("gpt-4o-mini");
        assert!(model.chance_at(known, Layer::L0, -1.0) > model.chance_at(known, Layer::L0, 1.0));
        let adjusted = model.adjusted(r#"{"models": {"gpt-4o-mini": -1}}"#).unwrap();
        assert!(adjusted.chance_at(known, Layer::L1, 0.0) < model.chance_at(known, Layer::L1, 0.0));
    }
}
