//! Which model answers a question. Pure decisions: nothing here reads a file, opens a connection, waits, or knows what
//! the time is. The caller asks the models and tells what they said.
//!
//! # What it does
//!
//! - [`RoutingModel::question`] reads a question once: forty signals, hashed n-grams, and from them how hard it is and
//!   how likely each model is to be right.
//! - [`Question::classification`] names its task, how complex it is, and why ([`Classification`]).
//! - [`plan`] weighs what a call may gain against its price, and hands the caller one [`Step`] after the other: ask
//!   these together, ask that one, take this answer. The weight is lambda: what a call of the strongest model must add to
//!   the chance of a right answer to be worth its price ([`Quality`]).
//! - [`Question::gain`] says which of many questions the stronger of two models is given first.
//! - [`extract`], [`answer_key`], [`code_key`] and [`agree`] take the final answer out of a text, bring it into a normal
//!   form, and count who agrees with whom. Agreement of cheap models is the strongest sign of a right answer there is.
//! - [`same_code`], [`ReviewVerdict::parse`] and [`ArbiterVerdict::parse`] are for answers that cannot be compared by a final one.
//! - [`maker`], [`bucket`], [`Draws`], [`beta`], [`wilson`], [`newcombe`], [`mean_interval`] are for choosing panels, for
//!   experiments and for what is learned from outcomes; [`RoutingModel::adjusted`] puts what was learned on the model.
//! - [`seed_layer`] and [`keyword_score`] are simple rules to measure against.
//!
//! # Where the numbers come from
//!
//! `data/routing-model.json`, which is part of the binary ([`RoutingModel::shipped`]), is written by
//! `scripts/fit_routing.py` from recorded questions, answers and prices. Signals are the question, the answers' texts
//! and their token counts; whether an answer was right is what is learned, and never a signal. To fit it anew:
//!
//! ```text
//! python3 scripts/fit_routing.py --data outcomes.jsonl.gz --models models.json --out routing/data/routing-model.json
//! python3 scripts/routing_vectors.py --out routing/tests/vectors.json
//! cargo test -p gateway-routing
//! ```
//!
//! `scripts/routing_gain.py` is a part of the first and can be run alone for the section that it writes. The second line
//! writes what the Python functions make of made-up questions and answers; the tests compare. Without
//! `--out` both scripts only print: the first its tables of accuracy and cost, the second whether the vectors still hold.
//!
//! # What holds for every text
//!
//! Texts may be of any size and say anything. Of a long question both ends are read; time is linear in what is read.
//! No rule looks for names of layers or models: a question that demands one is a question with these words in it.

mod agreement;
mod answer;
mod answer_key;
mod answer_signals;
mod baselines;
mod classify;
mod code_key;
mod complexity;
mod difficulty;
mod draws;
mod gain;
mod intervals;
mod layer;
mod lexicon;
mod literal;
mod makers;
mod math;
mod model;
mod ngrams;
mod numeric;
mod part;
mod policy;
mod priors;
mod question;
mod review;
mod same_code;
mod scan;
mod signals;
mod sum;
mod task;
mod typical;
#[cfg(test)]
mod vectors_tests;
mod verdict;

pub use agreement::{Agreement, agree};
pub use answer::{Extracted, Found, extract};
pub use answer_key::{KeyRules, answer_key};
pub use baselines::{keyword_layer, keyword_score, seed_layer};
pub use classify::{Classification, Contribution};
pub use code_key::code_key;
pub use complexity::{Complexity, ComplexityReason};
pub use draws::{Draws, beta, bucket};
pub use intervals::{Interval, mean_difference, mean_interval, newcombe, wilson};
pub use layer::Layer;
pub use makers::maker;
pub use model::{ModelError, RoutingModel};
pub use part::Part;
pub use policy::{
    AnswerText, Candidate, Compare, Decision, Offer, Panel, Plan, PolicyError, Quality, Step, Terms, Why, plan,
};
pub use priors::KnownModel;
pub use question::{Question, comparable};
pub use review::{ArbiterVerdict, ReviewIssue, ReviewVerdict, Severity, Stands};
pub use same_code::same_code;
pub use task::{Task, TaskReason};
