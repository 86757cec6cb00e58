//! How hard a question is: one number over its signals and n-grams, which all models share.

use crate::math::{dot, standardise};
use crate::model::RoutingModel;
use crate::ngrams;
use crate::signals;

/// A question's signals beside those of the questions that the model was fitted on.
#[derive(Debug)]
pub(crate) struct Difficulty {
    /// Each signal as deviations from the mean, at most 3 in size.
    pub(crate) standard: [f64; signals::COUNT],
    /// What each signal adds to the ease.
    pub(crate) parts: [f64; signals::COUNT],
    /// What the n-grams add to it.
    pub(crate) grams: f64,
    /// The sum: the higher the easier. Most questions are between -1.5 and 1.5.
    pub(crate) ease: f64,
}

/// Rates a question of these signals.
pub(crate) fn rate(model: &RoutingModel, question: &str, signals: &[f64; signals::COUNT]) -> Difficulty {
    let mut standard = [0.0; signals::COUNT];
    let mut parts = [0.0; signals::COUNT];
    let scales = signals.iter().zip(&model.signal_scale);
    for (((value, scale), standard), (part, weight)) in scales
        .zip(&mut standard)
        .zip(parts.iter_mut().zip(&model.signal_weights))
    {
        *standard = standardise(*value, scale.mean, scale.deviation, model.signal_clip);
        *part = *standard * weight;
    }
    let grams = ngrams::score(question, &model.gram_weights);
    Difficulty {
        standard,
        parts,
        grams,
        ease: dot(&standard, &model.signal_weights) + grams,
    }
}
