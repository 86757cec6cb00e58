//! The fitted file as it is written, member by member.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::gain::RawGain;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: u32,
    /// The seed of the fit, and the hidden tokens it assumed: for people.
    #[serde(rename = "seed")]
    pub(super) _seed: u64,
    #[serde(rename = "hidden_tokens")]
    pub(super) _hidden_tokens: u32,
    pub(super) signals: Signals,
    pub(super) ngrams: Grams,
    pub(super) difficulty: Difficulty,
    pub(super) layers: BTreeMap<String, Line>,
    pub(super) words: Words,
    pub(super) complexity: Bounds,
    pub(super) text: Text,
    pub(super) models: Vec<Model>,
    pub(super) unit_usd: f64,
    pub(super) question_columns: Vec<String>,
    pub(super) question_scale: f64,
    pub(super) panel: Vec<String>,
    pub(super) between: Vec<String>,
    pub(super) strongest: String,
    pub(super) verdict: BTreeMap<String, Verdict>,
    pub(super) state_columns: Vec<String>,
    pub(super) state_scale: f64,
    pub(super) top_first: Vec<f64>,
    pub(super) top_after_panel: Vec<f64>,
    pub(super) votes: Vec<Vec<f64>>,
    pub(super) verdict_at_votes: Vec<Vec<f64>>,
    pub(super) step: BTreeMap<String, Between>,
    pub(super) agreement_of_three: Kinds,
    pub(super) strongest_after_three: Kinds,
    pub(super) quality: Quality,
    pub(super) gain: RawGain,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signals {
    pub(super) names: Vec<String>,
    pub(super) mean: Vec<f64>,
    pub(super) deviation: Vec<f64>,
    pub(super) clip: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grams {
    pub(super) sizes: Vec<usize>,
    pub(super) buckets: usize,
    pub(super) head: usize,
    pub(super) tail: usize,
    pub(super) hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Difficulty {
    pub(super) signals: Vec<f64>,
    pub(super) ngrams: Packed,
}

/// Numbers as signed bytes, base64, and what each is multiplied by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Packed {
    pub(super) scale: f64,
    pub(super) int8: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) b: f64,
    pub(super) c: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) bits: usize,
    pub(super) table: String,
    pub(super) hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds {
    pub(super) simple: f64,
    pub(super) hard: f64,
    pub(super) known: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) names: Vec<String>,
    pub(super) mean: Vec<Vec<f64>>,
    pub(super) deviation: Vec<Vec<f64>>,
    pub(super) clip: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub(super) model: String,
    pub(super) layer: String,
    pub(super) prior: Vec<f64>,
    pub(super) cost: Vec<f64>,
    pub(super) cost_factor: f64,
    /// The prices that its costs were reckoned with, in USD per million tokens: input, output.
    #[serde(default)]
    pub(super) usd_per_mtok: Option<[f64; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    pub(super) columns: Vec<String>,
    pub(super) weights: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    pub(super) agrees: Vec<f64>,
    pub(super) verdict_if_agrees: Vec<f64>,
    pub(super) verdict_if_not: Vec<f64>,
    pub(super) top_after: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kinds {
    pub(super) code: Vec<f64>,
    pub(super) tex: Vec<f64>,
    pub(super) other: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quality {
    pub(super) normal: f64,
    pub(super) high: f64,
    pub(super) critical: f64,
}
