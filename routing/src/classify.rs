//! What a question is, with the reasons.

use crate::complexity::{self, Complexity, ComplexityReason};
use crate::layer::Layer;
use crate::question::Question;
use crate::signals;
use crate::task::{self, Task, TaskReason};

/// How many signals are named as reasons.
const NAMED: usize = 5;

/// What a question is. The same text always gives the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// Its task.
    pub task: Task,
    /// The rules that spoke for it.
    pub task_reasons: Vec<TaskReason>,
    /// Whether a small model is likely to do.
    pub complexity: Complexity,
    /// Why.
    pub complexity_reason: ComplexityReason,
    /// How hard it is, about -1.5 (easy) to 1.5.
    pub difficulty: f64,
    /// The chance that a model of L0, L1, L2, L3 is right.
    pub layer_chances: [f64; 4],
    /// What made it hard or easy, the most first.
    pub contributions: Vec<Contribution>,
}

/// What one signal added to the difficulty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// Its name; `ngrams` for all n-grams together.
    pub signal: &'static str,
    /// Its value in this question: the logarithm of a count, a share, or 0 and 1; for `ngrams` the same as `effect`.
    pub value: f64,
    /// What it added: above 0 harder, below 0 easier.
    pub effect: f64,
}

pub(crate) fn classify(question: &Question<'_>) -> Classification {
    let (task, task_reasons) = task::task(&question.scan);
    let (complexity, complexity_reason) = complexity::complexity(question);
    let difficulty = &question.difficulty;
    Classification {
        task,
        task_reasons,
        complexity,
        complexity_reason,
        difficulty: -difficulty.ease,
        layer_chances: Layer::ALL.map(|layer| question.model.layer_chance(layer, difficulty.ease)),
        contributions: contributions(question),
    }
}

fn contributions(question: &Question<'_>) -> Vec<Contribution> {
    let difficulty = &question.difficulty;
    let signals = signals::NAMES.into_iter().zip(question.signals).zip(difficulty.parts);
    let grams = Contribution {
        signal: "ngrams",
        value: -difficulty.grams,
        effect: -difficulty.grams,
    };
    let mut all: Vec<Contribution> = signals
        .map(|((signal, value), part)| Contribution {
            signal,
            value,
            effect: -part,
        })
        .chain([grams])
        .filter(|contribution| contribution.effect != 0.0)
        .collect();
    all.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
    all.truncate(NAMED);
    all
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
