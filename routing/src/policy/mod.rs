//! Which models are asked, in which order, and whose answer is taken: what a call may add to the chance of a right
//! answer against its price. `value = chance - lambda * cost / unit`.
//!
//! Where the caller's models are those that the fit knows, its tables say how likely an answer is right given who
//! agrees with whom (`fitted.rs`); where they are others, the number of votes among three does (`general.rs`). Where
//! answers cannot be compared, or there are too few models, one is asked after the other by value.
//!
//! Where a model costs money that nobody has given leave for, it is a candidate that is not allowed: a plan that would
//! ask it ends, naming it and the best answer so far.

use std::fmt;
use std::ops::Deref;

use crate::layer::Layer;
use crate::model::{PANEL, RoutingModel};

mod fitted;
mod general;
mod plan;
mod seats;

pub use self::plan::{Plan, plan};

/// How many candidates a plan looks at.
pub(crate) const MOST_CANDIDATES: usize = 64;

/// How much a right answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quality {
    /// Good value.
    #[default]
    Normal,
    /// Rather right than cheap.
    High,
    /// Right, whatever it costs.
    Critical,
}

impl RoutingModel {
    /// The lambda of a quality: what a call that costs as much as the strongest's on average must add to the chance of
    /// a right answer to be worth it, between 0 and 1.
    #[must_use]
    pub const fn lambda(&self, quality: Quality) -> f64 {
        let [normal, high, critical] = self.lambdas;
        match quality {
            Quality::Normal => normal,
            Quality::High => high,
            Quality::Critical => critical,
        }
    }
}

/// A model that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name at its provider, by which the fit may know it ([`RoutingModel::known`]).
    pub name: &'a str,
    /// Who made it: three models of three makers err less together. Any text that is the same for the same maker.
    pub maker: &'a str,
    /// Its layer.
    pub layer: Layer,
    /// What this call is expected to cost, by its prices and the sizes of the question and of a usual answer, in
    /// nano-USD.
    pub cost: u64,
    /// Whether it may be asked. One that may not is weighed like the others, and where a plan would ask it to do better
    /// than the best answer so far, it ends with [`Step::NeedsLeave`]. It is asked neither at first nor in place of one
    /// that failed. Such a one is worth listing where it is stronger than all that may be asked.
    pub allowed: bool,
}

/// How answers to a question are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compare {
    /// By the final answer: a number, a literal, a letter, a few words.
    #[default]
    Answers,
    /// By the code in fences.
    Code,
    /// Not at all: free text, of which no two are the same.
    Nothing,
}

/// What a plan goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// What a call must add to be worth its price, 0 or more ([`RoutingModel::lambda`]).
    pub lambda: f64,
    /// What a usual call of the strongest candidate costs, in nano-USD: the unit that lambda speaks of. Without one it
    /// is what this call of the strongest costs, so that long questions count as much as short ones.
    pub unit: Option<u64>,
    /// How answers are compared.
    pub compare: Compare,
}

/// What a candidate said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerText<'a> {
    /// All of it.
    pub text: &'a str,
    /// Its length in tokens, as the provider counted them.
    pub output_tokens: u32,
    /// It ended because it grew too long.
    pub cut: bool,
}

/// Those that are asked together. It reads as a list of their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// Where no more than two may be asked beside the strongest.
    Two([usize; 2]),
    /// As many as the fit was made with.
    Three([usize; PANEL]),
}

impl Deref for Panel {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        match self {
            Self::Two(places) => places,
            Self::Three(places) => places,
        }
    }
}

impl IntoIterator for Panel {
    type Item = usize;
    type IntoIter = std::iter::Take<std::array::IntoIter<usize, PANEL>>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            Self::Two([a, b]) => [a, b, b].into_iter().take(2),
            Self::Three(places) => places.into_iter().take(PANEL),
        }
    }
}

/// What the caller does next. Candidates are named by their place in the caller's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask these together, and tell what each said.
    CallPanel(Panel),
    /// Ask this one, and tell what it said.
    Call(usize),
    /// Take the answer that this one gave.
    Accept(usize),
    /// Ask nobody any more, unless leave is given to ask this candidate, which the plan would ask next.
    NeedsLeave {
        /// The candidate that may not be asked.
        candidate: usize,
        /// Whose answer is the best so far.
        best: usize,
    },
    /// Every candidate that may be asked failed: there is no answer.
    Exhausted,
}

/// A step that was looked at, and what it was worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// The step.
    pub step: Step,
    /// The chance of a right answer in the end, less lambda times what is yet to be paid, in units. Values are there to
    /// be compared: of two models one after the other the chances are set so that their difference is the expected gain,
    /// and may lie a little outside 0 to 1.
    pub value: f64,
}

/// A step, with the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the caller does next.
    pub step: Step,
    /// Why.
    pub why: Why,
    /// The chance that the best answer so far is right, once there is one that can be judged.
    pub chance: Option<f64>,
    /// What was weighed. The step is one of them unless `why` says that there was no choice.
    pub offers: Vec<Offer>,
}

/// Why a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// A panel's cheap answers, and the strongest where they do not do, are worth more than the strongest at once.
    PanelFirst,
    /// Cheap answers come first, since the strongest, which would be worth more, may not be asked.
    StrongestNotAllowed,
    /// The strongest at once is worth more than cheap answers that would hardly be trusted.
    StrongestAtOnce,
    /// Answers cannot be compared, or there are too few candidates: the one that is worth most.
    BestValue,
    /// The best answer so far is likely enough to be right.
    LikelyRight,
    /// One more answer may confirm or refute the best.
    MayConfirm,
    /// The strongest is likely enough to be better than the best so far.
    StrongestIsBetter,
    /// The model that was asked for this gave a usable answer.
    Answered,
    /// The strongest gave no usable answer: the others are asked, or the best of theirs is taken.
    StrongestHasNone,
    /// A call failed: what is left is taken or asked.
    AfterFailure,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PanelFirst => "cheap answers first are worth more than the strongest model at once",
            Self::StrongestNotAllowed => "the strongest model would be worth more, but may not be asked",
            Self::StrongestAtOnce => "the strongest model at once is worth more than cheap answers first",
            Self::BestValue => "this model is worth most",
            Self::LikelyRight => "the best answer so far is likely enough to be right",
            Self::MayConfirm => "one more answer may confirm or refute the best so far",
            Self::StrongestIsBetter => "the strongest model is likely enough to do better than the best answer so far",
            Self::Answered => "the model that was asked for this has answered",
            Self::StrongestHasNone => "the strongest model gave no usable answer",
            Self::AfterFailure => "a call failed or gave no usable answer",
        })
    }
}

/// Why there is no plan, or why something cannot be told to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Nobody who may be asked.
    #[error("a plan needs at least one candidate that may be asked")]
    NoCandidates,
    /// More than a plan looks at.
    #[error("a plan takes at most {most} candidates: leave out those that are not needed")]
    TooManyCandidates {
        /// How many it takes.
        most: usize,
    },
    /// A lambda below 0, or none at all.
    #[error("`lambda` must be a number of 0 or more")]
    Lambda,
    /// What was told is not what was asked.
    #[error("candidate {candidate} was not asked, or has answered already")]
    NotAsked {
        /// Its place in the list.
        candidate: usize,
    },
}

#[cfg(test)]
mod tests;
