//! Which part a known model plays in a plan over the fit's own models, and whether answers may be alike at all.

use crate::answer_key::has_choices;
use crate::model::RoutingModel;
use crate::priors::KnownModel;
use crate::question::Question;
use crate::task::{Task, task};

/// The list of words that ask for a number, among those that are counted as signals.
const QUANTITY: u32 = 1 << 3;

/// A part in a plan over the fit's own models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// One of the three that answer side by side.
    Panel,
    /// One that may be asked before the strongest.
    Between,
    /// The strongest.
    Strongest,
}

impl RoutingModel {
    /// The part that a known model plays; nothing for one that is only known by its chance and its price.
    #[must_use]
    pub fn part(&self, model: KnownModel) -> Option<Part> {
        if self.panel.contains(&model.0) {
            Some(Part::Panel)
        } else if self.between.iter().any(|between| between.model == model.0) {
            Some(Part::Between)
        } else {
            (self.strongest == model.0).then_some(Part::Strongest)
        }
    }
}

impl Question<'_> {
    /// Whether it has one short answer, so that two models may say the same: it prescribes the answer's form, offers
    /// choices, asks what code gives, or asks about numbers or formulas. Wider than
    /// [`comparable`](crate::comparable): models write such an answer in many ways, and where no final answer is found
    /// in a text, it agrees with none.
    #[must_use]
    pub fn may_be_compared(&self) -> bool {
        let marks = &self.scan.marks;
        if marks.answer_form || has_choices(self.text) {
            return true;
        }
        if self.is_code() {
            return marks.hole || marks.output;
        }
        let asks_for_a_number = self.is_tex() || self.scan.numbers.count > 0 || self.scan.words.has(QUANTITY);
        asks_for_a_number && matches!(task(&self.scan).0, Task::General | Task::Analyze)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_code_to_run_and_choices_have_one_short_answer_and_free_text_has_none() {
        let model = RoutingModel::shipped().unwrap();
        for text in [
            "Josh buys a house for $80,000 and spends $50,000. How much profit did he make?",
            "def f(a):\n    return a + 1\nassert f(1) == ??",
            "Find all integers that satisfy \\[ |x|+1>7. \\]",
            "Find the sum of all ways to do it.",
            "Which is it?\nA) one\nB) two\nC) three",
        ] {
            assert!(model.question(text).may_be_compared(), "{text}");
        }
        for text in [
            "",
            "hello",
            "Describe the sea",
            "Write a function in Rust that adds 2 numbers.",
            "Create a new React app with 3 pages",
        ] {
            assert!(!model.question(text).may_be_compared(), "{text}");
        }
    }

    #[test]
    fn three_known_models_make_the_panel_and_one_is_the_strongest() {
        let model = RoutingModel::shipped().unwrap();
        let parts = |part| {
            let known = model.known_names().filter_map(|name| model.known(name));
            known.filter(|known| model.part(*known) == Some(part)).count()
        };
        assert_eq!((parts(Part::Panel), parts(Part::Strongest)), (3, 1));
        assert_eq!(parts(Part::Between), model.between.len());
        let top = model.known("o1-mini").unwrap();
        assert_eq!(model.part(top), Some(Part::Strongest));
    }
}
