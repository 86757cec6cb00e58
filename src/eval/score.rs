//! Whether recorded answers were right: read, kept and looked at in this file alone.
//!
//! Nobody who chooses a model can get at it: rows (`data.rs`) do not hold it, and what is here takes what was chosen and
//! gives back sums.

use std::collections::HashMap;

use gateway_actors::protocol::NanoUsd;
use serde::Deserialize;

/// Which model's answer was given to each question of a list, and what that cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// The question's row.
    pub(super) row: usize,
    /// The model whose answer was given; nothing where there was none.
    pub(super) model: Option<usize>,
    /// All that was paid for it.
    pub(super) cost: NanoUsd,
}

/// Accuracy and cost over some questions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Score {
    /// How many questions.
    pub(super) questions: usize,
    /// The mean score of the answers, 0 to 1.
    pub(super) accuracy: f64,
    /// What a question cost on average, in USD.
    pub(super) cost: f64,
}

/// The scores of all recorded answers: by row, then by model.
#[derive(Debug, Default)]
pub(super) struct Marks {
    rows: Vec<Vec<Option<f64>>>,
}

#[derive(Deserialize)]
struct Line {
    outcomes: HashMap<String, Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    correct: Correct,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Correct {
    Word(bool),
    Number(f64),
}

impl Marks {
    /// Reads the scores of one line, for a row that is added behind those there are. `place` tells a model's number.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub(super) fn add(
        &mut self,
        line: &[u8],
        models: usize,
        place: impl Fn(&str) -> Option<usize>,
    ) -> Result<(), String> {
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            let problem = "each of `outcomes` must have `correct`, which is true, false or a number from 0 to 1";
            format!("{problem}: {error}")
        })?;
        let mut row = vec![None; models];
        for (name, outcome) in &line.outcomes {
            let mark = match outcome.correct {
                Correct::Word(word) => f64::from(u8::from(word)),
                Correct::Number(number) => number,
            };
            if !(0.0..=1.0).contains(&mark) {
                return Err(format!(
                    "`outcomes.{name}.correct` must be true, false or a number from 0 to 1"
                ));
            }
            if let Some(cell) = place(name).and_then(|place| row.get_mut(place)) {
                *cell = Some(mark);
            }
        }
        self.rows.push(row);
        Ok(())
    }

    /// The score of an answer; 0 where there is none.
    pub(super) fn of(&self, row: usize, model: Option<usize>) -> f64 {
        let marks = self.rows.get(row);
        let mark = marks.and_then(|marks| marks.get(model?).copied().flatten());
        mark.unwrap_or(0.0)
    }

    /// Accuracy and cost of what was chosen.
    pub(super) fn score(&self, choices: &[Choice]) -> Score {
        let right: f64 = choices.iter().map(|choice| self.of(choice.row, choice.model)).sum();
        let cost: NanoUsd = choices.iter().map(|choice| choice.cost).sum();
        Score::of(choices.len(), right, usd(cost))
    }

    /// The most accurate of these models over these questions, among equals the later one; nothing without models.
    pub(super) fn most_accurate(&self, rows: &[usize], models: &[usize]) -> Option<usize> {
        let sum = |model: usize| -> f64 { rows.iter().map(|row| self.of(*row, Some(model))).sum() };
        models.iter().copied().max_by(|a, b| sum(*a).total_cmp(&sum(*b)))
    }

    /// What somebody would choose who knew all: the cheapest of those with the best score, which is the cheapest of all
    /// where none is right.
    pub(super) fn foreseen(&self, row: usize, offers: &[(usize, NanoUsd)]) -> Choice {
        let best = offers.iter().max_by(|a, b| {
            let mark = |offer: &(usize, NanoUsd)| self.of(row, Some(offer.0));
            mark(a).total_cmp(&mark(b)).then(b.1.cmp(&a.1))
        });
        Choice {
            row,
            model: best.map(|best| best.0),
            cost: best.map_or(NanoUsd::ZERO, |best| best.1),
        }
    }
}

impl Score {
    /// The means of sums.
    pub(super) fn of(questions: usize, right: f64, cost: f64) -> Self {
        // A count of questions is far below what a float holds exactly.
        let count = (questions.max(1)) as f64;
        Self {
            questions,
            accuracy: right / count,
            cost: cost / count,
        }
    }

    /// The cost of a thousand questions, in USD.
    pub(super) fn per_thousand(&self) -> f64 {
        self.cost * 1_000.0
    }
}

/// An amount in USD. For figures; no amount is made of it again.
pub(super) fn usd(amount: NanoUsd) -> f64 {
    amount.0 as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(lines: &[&str]) -> Result<Marks, String> {
        let mut marks = Marks::default();
        for line in lines {
            marks.add(line.as_bytes(), 2, |name| {
                ["a", "b"].iter().position(|known| *known == name)
            })?;
        }
        Ok(marks)
    }

    #[test]
    fn scores_are_words_or_numbers() {
        let marks = marks(&[
            r#"{"outcomes": {"a": {"correct": true}, "b": {"correct": false, "text": "x"}}}"#,
            r#"{"outcomes": {"b": {"correct": 0.25}}}"#,
        ])
        .unwrap();
        let read = |row| (marks.of(row, Some(0)), marks.of(row, Some(1)), marks.of(row, None));
        assert_eq!(read(0), (1.0, 0.0, 0.0));
        assert_eq!(read(1), (0.0, 0.25, 0.0));
        let choice = |row, model, cost| Choice {
            row,
            model,
            cost: NanoUsd(cost),
        };
        let score = marks.score(&[choice(0, Some(0), 1_000_000), choice(1, Some(1), 3_000_000)]);
        assert_eq!((score.questions, score.accuracy), (2, 0.625));
        assert!((score.per_thousand() - 2.0).abs() < 1e-12);
        assert_eq!(marks.most_accurate(&[0, 1], &[0, 1]), Some(0));
    }

    #[test]
    fn a_score_that_is_none_is_refused() {
        for bad in ["2", "-0.1", "\"yes\"", "null", "NaN"] {
            let line = format!(r#"{{"outcomes": {{"a": {{"correct": {bad}}}}}}}"#);
            let error = marks(&[&line]).unwrap_err();
            assert!(error.contains("from 0 to 1"), "{bad}: {error}");
        }
        assert!(marks(&[r#"{"outcomes": {"a": {}}}"#]).is_err());
    }

    #[test]
    fn who_knows_all_takes_the_cheapest_right_answer_or_the_cheapest() {
        let marks = marks(&[
            r#"{"outcomes": {"a": {"correct": true}, "b": {"correct": true}}}"#,
            r#"{"outcomes": {"a": {"correct": false}, "b": {"correct": true}}}"#,
            r#"{"outcomes": {"a": {"correct": 0}, "b": {"correct": 0}}}"#,
        ])
        .unwrap();
        let offers = [(0, NanoUsd(1)), (1, NanoUsd(9))];
        let chosen = [0, 1, 2].map(|row| marks.foreseen(row, &offers).model);
        assert_eq!(chosen, [Some(0), Some(1), Some(0)]);
    }
}
