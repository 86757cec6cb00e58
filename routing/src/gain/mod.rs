//! How much the stronger of two models is expected to do better at a question, from the question alone: which of many
//! questions it is given first. Nothing else goes by it; what answers say about each other tells far more.
//!
//! The score is in percentage points. Two kinds of questions are told apart by different things:
//!
//! - a **word problem** (a story with numbers that asks how much) by its length and by what it makes one do:
//!   `gap of arithmetic + slope * z`, with z the weighted sum of six standardised logarithms of counts;
//! - any other (**code**, formulas in **TeX**, the **rest**) by the topic that its words speak of:
//!   `topic gap + a * (100 * (P_L2 - P_L0) - center) + b * z(length)`, where the weights a and b are greater where no
//!   topic is known: `a = gain + unknown * u^2`, `b = length + length_unknown * u^2`.
//!
//! The topic gap is a mean of topics' gaps, weighted by the square of the evidence for each; against it stands what a
//! text of n words collects by chance, `none + (n / chance)^2`, with the mean gap.
//!
//! # Where the numbers come from
//!
//! From `scripts/routing_gain.py`, which writes them into the model's file. The topics' gaps are written by hand, from
//! memory of published accuracies by subject (MMLU; Mixtral 8x7B, Llama 2 70B, GPT-3.5 against GPT-4), rounded; the word
//! lists are the fields' vocabulary, and three of the signs are forms of that collection's questions: two statements to
//! compare, a quoted source, two scenarios to judge. All weights are chosen by hand; means and deviations are those of recorded questions.
//! The difference of the layers' chances is the fit's (`difficulty.rs`).

mod lists;
mod tables;
mod topics;

use self::tables::KindWeights;
pub(crate) use self::tables::{GainTables, RawGain};
use crate::layer::Layer;
use crate::math::{log1, standardise};
use crate::question::Question;
use crate::scan;

/// By how many deviations at most a count differs from its mean.
const CLIP: f64 = 3.0;
/// How many counts tell word problems apart.
const PROBLEM: usize = 6;

/// Which of the two formulas, and with which weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    Tex,
    Words,
    Other,
}

/// What the score is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gain {
    /// Which formula it is by.
    #[cfg_attr(not(test), expect(dead_code, reason = "told to tests alone"))]
    pub(crate) kind: Kind,
    /// In percentage points.
    pub(crate) score: f64,
}

impl Question<'_> {
    /// By how much a model of the layer `strong` is expected to be right more often at this question than one of the
    /// layer `weak`: a difference of chances, from -1 to 1; below 0 where `strong` is the lower layer, 0 where both are
    /// the same. It is how much the layers' lines differ at a question of difficulty 0, more where the score of this
    /// module is above its mean, and less where it is below: `difference * (1 + (score - mean) / center)`. So for two
    /// given layers questions are in the order of the score, which is what it is good for; its size is an estimate.
    ///
    /// It reads the text once more. Time is linear in what is read, at most 6 KiB.
    #[must_use]
    pub fn gain(&self, weak: Layer, strong: Layer) -> f64 {
        let model = self.model;
        let difference = model.layer_chance(strong, 0.0) - model.layer_chance(weak, 0.0);
        if difference == 0.0 {
            return 0.0;
        }
        let score = self.gain_score().score;
        difference * (1.0 + (score - model.gain.mean_gap) / model.gain.center)
    }

    /// The score and the kind of question.
    pub(crate) fn gain_score(&self) -> Gain {
        let tables = &self.model.gain;
        let part = scan::part(self.text.as_bytes());
        let n = self.scan.words.count;
        let words = lists::Words::of(part.to_ascii_lowercase(), n);
        let numbers = self.scan.numbers.count;
        let mut evidence = tables.topics.evidence(&words.stems);
        evidence.add_marks(&tables.marks, &part, &self.scan);
        let (gap, unknown) = tables.topic_gap(&evidence, n);
        let is_problem = || {
            let things = numbers + words.numbers + words.pieces + words.multiples;
            things >= 2
                && (words.how || self.scan.count(b'$') > 0 || self.scan.sentences >= 2)
                && (tables.problem.least..=tables.problem.most).contains(&n)
                && self.scan.count_of(b"=^") == 0
                && words.asks > 0
                && !tables.is_science(&evidence)
        };
        let (kind, weights) = if self.is_code() {
            (Kind::Code, &tables.code)
        } else if self.is_tex() {
            (Kind::Tex, &tables.tex)
        } else if is_problem() {
            let score = self.problem_score(&words);
            return Gain {
                kind: Kind::Words,
                score,
            };
        } else {
            (Kind::Other, &tables.other)
        };
        let score = self.topic_score(weights, gap, unknown);
        Gain { kind, score }
    }

    fn topic_score(&self, weights: &KindWeights, gap: f64, unknown: f64) -> f64 {
        let model = self.model;
        let ease = self.difficulty.ease;
        let of_layers = 100.0 * (model.layer_chance(Layer::L2, ease) - model.layer_chance(Layer::L0, ease));
        let length = standardise(log1(self.scan.whole), weights.scale.mean, weights.scale.deviation, CLIP);
        let unknown = unknown * unknown;
        gap + (weights.gain + weights.unknown * unknown) * (of_layers - model.gain.center)
            + (weights.length + weights.length_unknown * unknown) * length
    }

    fn problem_score(&self, words: &lists::Words) -> f64 {
        let problem = &self.model.gain.problem;
        let count = |count: usize| count as f64;
        let percents = self.scan.count(b'%');
        let amounts = self.scan.numbers.count + words.numbers;
        let steps = count(amounts.saturating_sub(1) + words.multiples + words.parts + percents)
            + 0.5 * count(words.differences + words.totals);
        let values: [f64; PROBLEM] = [
            log1(self.scan.words.count),
            log1(self.scan.sentences),
            log1(words.parts + percents),
            log1(words.means),
            log1(words.conditions),
            steps.ln_1p(),
        ];
        let terms = values.into_iter().zip(problem.scales).zip(problem.weights);
        let sum: f64 = terms
            .map(|((value, scale), weight)| weight * standardise(value, scale.mean, scale.deviation, CLIP))
            .sum();
        problem.gap + problem.slope * sum / problem.spread
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
