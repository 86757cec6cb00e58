//! `eval`: recorded answers of several models go through the gateway's own pipeline, and what it would have chosen is
//! compared with what there was to choose from.
//!
//! ```text
//! data.rs       reads questions and recorded answers; knows nothing of whether they were right
//! prices.rs     reads the models: layer, price, window
//! score.rs      the one place that reads and knows whether an answer was right
//! cell.rs       a cell of real actors over ports in memory; replay.rs is its provider
//! sweep.rs      runs the questions at different weights of money, and in the order of the gain for two models
//! baselines.rs  what simple rules would have chosen
//! pair.rs       data of two models: in which order questions go to the stronger
//! curve.rs      accuracy over cost: what lies between two points, how sure it is, the area under it
//! report.rs, figures.rs, svg.rs   what is printed and drawn
//! ```
//!
//! Nothing is fitted here. The router is shown a question and the models that have an answer to it, and nothing else of
//! what is recorded: no source, no gold answer, no score.

mod baselines;
mod cell;
mod curve;
mod data;
#[cfg(test)]
mod direct;
mod error;
mod figures;
mod line;
mod measure;
mod pair;
mod ports;
mod prices;
mod replay;
mod report;
mod score;
mod svg;
mod sweep;
#[cfg(test)]
mod testing;

pub use error::EvalError;
pub use measure::{Measurement, Order, measure};
