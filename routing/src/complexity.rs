//! How complex a question is: whether a small model is likely to do.

use std::fmt;

use crate::layer::Layer;
use crate::question::Question;

/// Words that a question needs for anything to be known about it.
const LEAST_WORDS: usize = 3;

/// Whether a small model is likely to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Complexity {
    /// Small models are likely right, and the question is like those that this was seen at.
    Simple,
    /// In between, or nothing is known.
    Medium,
    /// Cheap models are likely wrong.
    Complex,
}

impl Complexity {
    /// `simple`, `medium`, `complex`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Medium => "medium",
            Self::Complex => "complex",
        }
    }
}

impl fmt::Display for Complexity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why. Chances are those of a model of the layer to be right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ComplexityReason {
    /// Complex: a model of L1 is right with this chance only.
    CheapModelsLikelyWrong {
        /// Of a model of L1.
        chance: f64,
    },
    /// Simple: a model of L0 is right with this chance, and this share of the words is known.
    SmallModelsLikelyRight {
        /// Of a model of L0.
        chance: f64,
        /// Between 0 and 1.
        known_words: f64,
    },
    /// Medium: looks easy, but there are too few words to tell.
    TooFewWords {
        /// Words of three letters or more.
        words: usize,
    },
    /// Medium: looks easy, but most of its words were never seen.
    UnknownWords {
        /// Share of the words that are known.
        known_words: f64,
    },
    /// Medium: neither easy nor hard.
    InBetween {
        /// Of a model of L0.
        small: f64,
        /// Of a model of L1.
        cheap: f64,
    },
}

impl fmt::Display for ComplexityReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheapModelsLikelyWrong { chance } => {
                write!(f, "a model of L1 is right with a chance of {chance:.2} only")
            }
            Self::SmallModelsLikelyRight { chance, known_words } => write!(
                f,
                "a model of L0 is right with a chance of {chance:.2}, and {:.0} % of the words are known",
                known_words * 100.0
            ),
            Self::TooFewWords { words } => write!(
                f,
                "looks easy, but too few words of three letters or more to tell: {words}"
            ),
            Self::UnknownWords { known_words } => {
                write!(
                    f,
                    "looks easy, but only {:.0} % of its words are known",
                    known_words * 100.0
                )
            }
            Self::InBetween { small, cheap } => write!(
                f,
                "a model of L0 is right with a chance of {small:.2}, one of L1 with {cheap:.2}"
            ),
        }
    }
}

/// How near to a bound a chance may be for the class to be a close call.
const CLOSE: f64 = 0.05;

impl Question<'_> {
    /// Whether its complexity is a close call: a chance is near to the bound that decided, or there was too little to go by.
    #[must_use]
    pub fn is_close_call(&self) -> bool {
        let bounds = self.model.bounds;
        match complexity(self).1 {
            ComplexityReason::CheapModelsLikelyWrong { chance } => bounds.hard - chance < CLOSE,
            ComplexityReason::SmallModelsLikelyRight { chance, .. } => chance - bounds.simple < CLOSE,
            ComplexityReason::TooFewWords { .. } | ComplexityReason::UnknownWords { .. } => true,
            ComplexityReason::InBetween { small, cheap } => {
                cheap - bounds.hard < CLOSE || bounds.simple - small < CLOSE
            }
        }
    }
}

/// "Nothing is known" is never simple: simple takes evidence.
pub(crate) fn complexity(question: &Question<'_>) -> (Complexity, ComplexityReason) {
    let ease = question.difficulty.ease;
    let small = question.model.layer_chance(Layer::L0, ease);
    let cheap = question.model.layer_chance(Layer::L1, ease);
    let bounds = question.model.bounds;
    let words = &question.scan.words;
    let known_words = words.known as f64 / words.long.max(1) as f64;
    if cheap < bounds.hard {
        (
            Complexity::Complex,
            ComplexityReason::CheapModelsLikelyWrong { chance: cheap },
        )
    } else if small < bounds.simple {
        (Complexity::Medium, ComplexityReason::InBetween { small, cheap })
    } else if words.long < LEAST_WORDS {
        (Complexity::Medium, ComplexityReason::TooFewWords { words: words.long })
    } else if known_words < bounds.known {
        (Complexity::Medium, ComplexityReason::UnknownWords { known_words })
    } else {
        let chance = small;
        (
            Complexity::Simple,
            ComplexityReason::SmallModelsLikelyRight { chance, known_words },
        )
    }
}
