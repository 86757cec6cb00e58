//! A question that was read, with all that is known before anybody has answered it.

use crate::answer_key::{KeyRules, has_choices};
use crate::classify::{self, Classification};
use crate::difficulty::{self, Difficulty};
use crate::layer::Layer;
use crate::math::sigmoid;
use crate::model::{QUESTION, RoutingModel};
use crate::policy::Compare;
use crate::priors::KnownModel;
use crate::scan::Scan;
use crate::signals;
use crate::task::{Task, task};

/// A question, read once.
#[derive(Debug)]
pub struct Question<'a> {
    pub(crate) model: &'a RoutingModel,
    pub(crate) text: &'a str,
    pub(crate) scan: Scan,
    pub(crate) signals: [f64; signals::COUNT],
    pub(crate) difficulty: Difficulty,
    /// The signals, scaled; the ease; a constant: what the tables over questions are multiplied with.
    pub(crate) row: [f64; QUESTION],
    /// Logit of the chance that the strongest known model is right.
    pub(crate) top_prior: f64,
}

impl RoutingModel {
    /// Reads a question: the text of the user's request. Of a text over 6 KiB both ends are read.
    #[must_use]
    pub fn question<'a>(&'a self, text: &'a str) -> Question<'a> {
        let scan = Scan::of(text, &self.words);
        let signals = signals::signals(&scan);
        let difficulty = difficulty::rate(self, text, &signals);
        let mut row = [1.0; QUESTION];
        for (cell, value) in row.iter_mut().zip(&difficulty.standard) {
            *cell = value * self.question_scale;
        }
        if let Some(cell) = row.get_mut(signals::COUNT) {
            *cell = difficulty.ease;
        }
        let top_prior = self.table(self.strongest).map_or(0.0, |table| table.prior(&row));
        Question {
            model: self,
            text,
            scan,
            signals,
            difficulty,
            row,
            top_prior,
        }
    }
}

impl Question<'_> {
    /// Its task, how complex it is, and why.
    #[must_use]
    pub fn classification(&self) -> Classification {
        classify::classify(self)
    }

    /// How hard it is, about -1.5 (easy) to 1.5: what all models' chances to be right depend on.
    #[must_use]
    pub fn difficulty(&self) -> f64 {
        -self.difficulty.ease
    }

    /// The chance that a model is right, by its own table if the fit knows it, else by its layer.
    #[must_use]
    pub fn chance(&self, model: Option<KnownModel>, layer: Layer) -> f64 {
        match model.and_then(|model| self.model.table(model.0)) {
            Some(table) => sigmoid(table.adjusted_prior(&self.row)),
            None => self.model.layer_chance(layer, self.difficulty.ease),
        }
    }

    /// The chances that two models are right that the fit does not know, of a lower and a higher layer: their lines say how
    /// much the stronger is better on average, and what the question is about says more about where. The mean of their
    /// chances stays, so that one of them may lie a little outside 0 to 1.
    #[must_use]
    pub fn chances_of_two(&self, weak: Layer, strong: Layer) -> [f64; 2] {
        let [low, high] = [weak, strong].map(|layer| self.chance(None, layer));
        let (middle, gain) = ((low + high) / 2.0, self.gain(weak, strong));
        [middle - gain / 2.0, middle + gain / 2.0]
    }

    /// What a call of a known model is expected to cost, in nano-USD at the prices of the fit.
    #[must_use]
    pub fn fitted_cost(&self, model: KnownModel) -> u64 {
        let share = self.model.table(model.0).map_or(0.0, |table| table.cost(&self.row));
        // A share is positive and its exponent bounded by the tables' sizes; `as` saturates.
        (share * self.model.unit as f64).round() as u64
    }

    /// How answers to it are compared: as literals where it is about code, as letters where it offers choices.
    #[must_use]
    pub fn key_rules(&self) -> KeyRules {
        KeyRules {
            literal: self.scan.is_code,
            choices: has_choices(self.text),
        }
    }

    /// How answers to it can be compared, as far as the question tells. Only what [`extract`](crate::extract) finds can
    /// be compared: where the question prescribes no form for the final answer, models write free text. A caller who
    /// adds such a form to the question knows better.
    #[must_use]
    pub fn compare(&self) -> Compare {
        if self.scan.marks.answer_form {
            Compare::Answers
        } else if task(&self.scan).0 == Task::Code {
            Compare::Code
        } else {
            Compare::Nothing
        }
    }

    pub(crate) fn is_code(&self) -> bool {
        self.scan.is_code
    }

    pub(crate) fn is_tex(&self) -> bool {
        self.scan.count(b'\\') > 0
    }
}

/// Whether a panel's answers to a question can be compared: whether it prescribes a form for the final answer.
#[must_use]
pub fn comparable(question: &Question<'_>) -> bool {
    question.compare() == Compare::Answers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str) -> Question<'_> {
        RoutingModel::shipped().unwrap().question(text)
    }

    #[test]
    fn answers_are_compared_where_the_question_prescribes_their_form() {
        for text in [
            "How much? Reply as JSON: {\"answer\": \"___\"}",
            "Find the sum. Put it in \\boxed{}.",
            "How many? End with `Answer: <number>`",
            "Who? State your final answer last.",
        ] {
            assert_eq!(question(text).compare(), Compare::Answers, "{text}");
            assert!(comparable(&question(text)), "{text}");
        }
        assert_eq!(question("Write a function in Rust that adds.").compare(), Compare::Code);
        for text in ["", "hello", "What is the answer to life?", "Describe the sea"] {
            assert_eq!(question(text).compare(), Compare::Nothing, "{text}");
            assert!(!comparable(&question(text)), "{text}");
        }
    }

    #[test]
    fn answers_are_literals_where_the_question_shows_code_and_letters_where_it_offers_choices() {
        let code = question("def f(x):\n    return x\nassert f(1) == ??").key_rules();
        assert!(code.literal && !code.choices);
        let choices = question("Which is it?\nA) one\nB) two\nC) three").key_rules();
        assert!(!choices.literal && choices.choices);
    }

    #[test]
    fn a_known_model_has_a_chance_and_a_cost_of_its_own_and_others_those_of_their_layer() {
        let model = RoutingModel::shipped().unwrap();
        let (small, top) = (model.known("gemma-2-9b-it").unwrap(), model.known("o1-mini").unwrap());
        let short = question("How many apples are 3 apples and 4 apples?");
        assert!(short.chance(Some(top), Layer::L0) > short.chance(Some(small), Layer::L0));
        assert_eq!(short.chance(None, Layer::L2), short.classification().layer_chances[2]);
        assert!(short.fitted_cost(top) > 20 * short.fitted_cost(small));
        assert!(short.fitted_cost(small) > 0);
    }
}
