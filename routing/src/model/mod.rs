//! The fitted model: every table that decisions are read from, checked once.

use std::sync::LazyLock;

use self::check::{bytes, chance, exactly, names, positive, same, scales, weights};
use self::column::Column;
use crate::gain::GainTables;
use crate::layer::Layer;
use crate::priors::plain_name;
use crate::scan::KnownWords;
use crate::{answer_signals, ngrams, signals};

mod adjust;
pub(crate) mod check;
mod column;
mod raw;

pub use self::check::ModelError;
pub(crate) use self::check::Scale;
pub(crate) use self::column::{Column as VerdictColumn, Scope};

/// Signals, ease, constant.
pub(crate) const QUESTION: usize = signals::COUNT + 2;
/// Verdict, its square, the strongest's prior, two votes, three votes, code, formulas, both times the verdict; signals;
/// constant.
pub(crate) const STATE: usize = signals::COUNT + 10;
/// How many models are asked together at first.
pub(crate) const PANEL: usize = 3;

const STATE_NAMES: [&str; 9] = [
    "verdict",
    "verdict^2/4",
    "top",
    "votes=2",
    "votes=3",
    "code",
    "tex",
    "code*verdict",
    "tex*verdict",
];

/// The file that this build was made with.
const SHIPPED: &str = include_str!("../../data/routing-model.json");

static MODEL: LazyLock<Result<RoutingModel, ModelError>> = LazyLock::new(|| RoutingModel::read(SHIPPED));

/// What was learned from recorded questions, answers and prices.
#[derive(Debug, Clone)]
pub struct RoutingModel {
    pub(crate) signal_scale: [Scale; signals::COUNT],
    pub(crate) signal_clip: f64,
    pub(crate) signal_weights: [f64; signals::COUNT],
    pub(crate) gram_weights: Vec<f64>,
    /// A line for each layer over a question's ease.
    pub(crate) layers: [Line; 4],
    pub(crate) words: WordTable,
    pub(crate) bounds: Bounds,
    pub(crate) text_clip: f64,
    pub(crate) models: Vec<ModelTable>,
    /// What a call of the strongest cost on average, in nano-USD: the unit of the fit's prices.
    pub(crate) unit: u64,
    pub(crate) question_scale: f64,
    pub(crate) state_scale: f64,
    pub(crate) panel: [usize; PANEL],
    pub(crate) panel_verdict: VerdictTable,
    pub(crate) between: Vec<Between>,
    pub(crate) strongest: usize,
    pub(crate) top_first: [f64; QUESTION],
    pub(crate) top_after_panel: [f64; STATE],
    pub(crate) votes: [[f64; QUESTION]; PANEL],
    pub(crate) verdict_at_votes: [[f64; QUESTION]; PANEL],
    /// How often the best of three answers is right, whichever models gave them.
    pub(crate) agreement: ByVotes,
    /// How often the strongest is right then.
    pub(crate) strongest_after: ByVotes,
    pub(crate) lambdas: [f64; 3],
    /// How much the stronger of two models is expected to do better, from the question alone.
    pub(crate) gain: GainTables,
}

/// Logit of the chance to be right: `at_zero + slope * ease`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) at_zero: f64,
    pub(crate) slope: f64,
}

/// Between which chances a question is medium, and which share of its words must be known to call it simple.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) simple: f64,
    pub(crate) hard: f64,
    pub(crate) known: f64,
}

/// One model that the fit knows.
#[derive(Debug, Clone)]
pub(crate) struct ModelTable {
    pub(crate) name: String,
    /// The name as makers, routers and snapshots share it.
    pub(crate) plain: String,
    pub(crate) layer: Layer,
    pub(crate) prior: [f64; QUESTION],
    /// What was learned after the fit, added to the prior where chances are told, but not in verdicts.
    pub(crate) offset: f64,
    pub(crate) cost: [f64; QUESTION],
    pub(crate) cost_factor: f64,
    /// The prices that the costs were reckoned with, in pico-USD a token: input, output.
    pub(crate) prices: Option<[u64; 2]>,
    pub(crate) text_scale: [Scale; answer_signals::COUNT],
}

/// The chance that the best of these models' answers is right.
#[derive(Debug, Clone)]
pub(crate) struct VerdictTable {
    pub(crate) members: Vec<usize>,
    pub(crate) columns: Vec<(Column, f64)>,
}

/// A model that may be asked after the panel and before the strongest.
#[derive(Debug, Clone)]
pub(crate) struct Between {
    pub(crate) model: usize,
    pub(crate) verdict: VerdictTable,
    pub(crate) agrees: [f64; STATE],
    pub(crate) verdict_if_agrees: [f64; STATE],
    pub(crate) verdict_if_not: [f64; STATE],
    pub(crate) top_after: [f64; STATE],
}

/// Chances by the votes (1, 2, 3) that the best of three answers has.
#[derive(Debug, Clone)]
pub(crate) struct ByVotes {
    pub(crate) code: [f64; PANEL],
    pub(crate) tex: [f64; PANEL],
    pub(crate) other: [f64; PANEL],
}

/// One bit for each word that the fit's questions have; several words share a bit.
#[derive(Debug, Clone)]
pub(crate) struct WordTable {
    bytes: Vec<u8>,
}

/// How many bits the table of words has.
const WORD_BITS: usize = 32_768;

impl KnownWords for WordTable {
    fn contains(&self, hash: u32) -> bool {
        let bit = (hash ^ (hash >> 15)) as usize % WORD_BITS;
        self.bytes
            .get(bit / 8)
            .is_some_and(|byte| byte >> (7 - bit % 8) & 1 == 1)
    }
}

impl RoutingModel {
    /// The model that this build was made with. It is read at the first call and once; give it a call at the start.
    ///
    /// # Errors
    ///
    /// When the build was made with a file of another version.
    pub fn shipped() -> Result<&'static Self, ModelError> {
        MODEL.as_ref().map_err(Clone::clone)
    }

    /// Reads a file that `scripts/fit_routing.py` wrote.
    ///
    /// # Errors
    ///
    /// When the text is not of this form, or a list's length or a number's size is not what the code works with.
    pub fn read(json: &str) -> Result<Self, ModelError> {
        let file: raw::File = serde_json::from_str(json).map_err(|error| ModelError::Form {
            line: error.line(),
            column: error.column(),
        })?;
        check_constants(&file)?;
        let index = |field, name: &String| {
            let found = file.models.iter().position(|model| model.model == *name);
            found.ok_or(ModelError::Name { field })
        };
        let panel = file.panel.iter().map(|name| index("panel", name));
        let panel = exactly("panel", &panel.collect::<Result<Vec<_>, _>>()?)?;
        let strongest = index("strongest", &file.strongest)?;
        let mut between = Vec::with_capacity(file.between.len());
        for name in &file.between {
            let model = index("between", name)?;
            let step = file.step.get(name).ok_or(ModelError::Name { field: "step" })?;
            between.push(Between {
                model,
                verdict: verdict(&file, name, panel.into_iter().chain([model]).collect())?,
                agrees: weights("step.agrees", &step.agrees)?,
                verdict_if_agrees: weights("step.verdict_if_agrees", &step.verdict_if_agrees)?,
                verdict_if_not: weights("step.verdict_if_not", &step.verdict_if_not)?,
                top_after: weights("step.top_after", &step.top_after)?,
            });
        }
        check_roles(&panel, &between, strongest)?;
        let grams = bytes("difficulty.ngrams", &file.difficulty.ngrams.int8, ngrams::BUCKETS)?;
        let scale = positive("difficulty.ngrams.scale", file.difficulty.ngrams.scale)?;
        Ok(Self {
            signal_scale: scales("signals", &file.signals.mean, &file.signals.deviation)?,
            signal_clip: positive("signals.clip", file.signals.clip)?,
            signal_weights: weights("difficulty.signals", &file.difficulty.signals)?,
            gram_weights: grams.iter().map(|byte| f64::from(byte.cast_signed()) * scale).collect(),
            layers: lines(&file)?,
            words: WordTable {
                bytes: bytes("words.table", &file.words.table, WORD_BITS / 8)?,
            },
            bounds: Bounds {
                simple: chance("complexity.simple", file.complexity.simple)?,
                hard: chance("complexity.hard", file.complexity.hard)?,
                known: chance("complexity.known", file.complexity.known)?,
            },
            text_clip: positive("text.clip", file.text.clip)?,
            models: models(&file)?,
            // Checked to be between 0 and 1000 USD.
            unit: (positive("unit_usd", file.unit_usd)? * 1e9).round().max(1.0) as u64,
            question_scale: positive("question_scale", file.question_scale)?,
            state_scale: positive("state_scale", file.state_scale)?,
            panel_verdict: verdict(&file, "panel", panel.to_vec())?,
            panel,
            between,
            strongest,
            top_first: weights("top_first", &file.top_first)?,
            top_after_panel: weights("top_after_panel", &file.top_after_panel)?,
            votes: tables("votes", &file.votes)?,
            verdict_at_votes: tables("verdict_at_votes", &file.verdict_at_votes)?,
            agreement: by_votes("agreement_of_three", &file.agreement_of_three)?,
            strongest_after: by_votes("strongest_after_three", &file.strongest_after_three)?,
            lambdas: [
                positive("quality.normal", file.quality.normal)?,
                positive("quality.high", file.quality.high)?,
                positive("quality.critical", file.quality.critical)?,
            ],
            gain: GainTables::read(&file.gain)?,
        })
    }
}

/// What the code and the script must have in common.
fn check_constants(file: &raw::File) -> Result<(), ModelError> {
    same("format", &file.format, &1)?;
    same("ngrams.sizes", &file.ngrams.sizes, &ngrams::SIZES.to_vec())?;
    same("ngrams.buckets", &file.ngrams.buckets, &ngrams::BUCKETS)?;
    same("ngrams.head", &file.ngrams.head, &ngrams::END)?;
    same("ngrams.tail", &file.ngrams.tail, &ngrams::END)?;
    same(
        "ngrams.hash",
        &file.ngrams.hash.as_str(),
        &"fnv1a-32, h ^ h>>16, mod buckets",
    )?;
    same("words.bits", &file.words.bits, &WORD_BITS)?;
    let hash = "fnv1a-32, h ^ h>>15, mod bits; bit 7 of byte 0 is word 0";
    same("words.hash", &file.words.hash.as_str(), &hash)?;
    names("signals.names", &file.signals.names, signals::NAMES.into_iter())?;
    names("text.names", &file.text.names, answer_signals::NAMES.into_iter())?;
    let question = signals::NAMES.into_iter().chain(["difficulty", "1"]);
    names("question_columns", &file.question_columns, question)?;
    let state = STATE_NAMES.into_iter().chain(signals::NAMES).chain(["1"]);
    names("state_columns", &file.state_columns, state)
}

/// No model has two parts to play.
fn check_roles(panel: &[usize], between: &[Between], strongest: usize) -> Result<(), ModelError> {
    let mut roles = panel.to_vec();
    roles.extend(between.iter().map(|between| between.model));
    roles.push(strongest);
    roles.sort_unstable();
    let all = roles.len();
    roles.dedup();
    if roles.len() == all {
        Ok(())
    } else {
        Err(ModelError::Name { field: "strongest" })
    }
}

fn models(file: &raw::File) -> Result<Vec<ModelTable>, ModelError> {
    let count = file.models.len();
    for (field, found) in [
        ("text.mean", file.text.mean.len()),
        ("text.deviation", file.text.deviation.len()),
    ] {
        if found != count {
            return Err(ModelError::Length {
                field,
                expected: count,
                found,
            });
        }
    }
    let texts = file.text.mean.iter().zip(&file.text.deviation);
    let models = file.models.iter().zip(texts).map(|(model, (mean, deviation))| {
        Ok(ModelTable {
            name: model.model.clone(),
            plain: plain_name(&model.model),
            layer: Layer::parse(&model.layer).ok_or(ModelError::Name { field: "models.layer" })?,
            prior: weights("models.prior", &model.prior)?,
            offset: 0.0,
            cost: weights("models.cost", &model.cost)?,
            cost_factor: positive("models.cost_factor", model.cost_factor)?,
            prices: model.usd_per_mtok.map(prices).transpose()?,
            text_scale: scales("text", mean, deviation)?,
        })
    });
    models.collect()
}

/// USD per million tokens in pico-USD a token.
fn prices(usd: [f64; 2]) -> Result<[u64; 2], ModelError> {
    // Checked to be between 0 and 1000.
    let pico = |usd: f64| Ok((positive("models.usd_per_mtok", usd)? * 1e6).round() as u64);
    let [input, output] = usd;
    Ok([pico(input)?, pico(output)?])
}

fn lines(file: &raw::File) -> Result<[Line; 4], ModelError> {
    let mut lines = [Line {
        at_zero: 0.0,
        slope: 0.0,
    }; 4];
    if file.layers.len() != lines.len() {
        return Err(ModelError::Name { field: "layers" });
    }
    for (line, layer) in lines.iter_mut().zip(Layer::ALL) {
        let found = file.layers.get(layer.as_str());
        let found = found.ok_or(ModelError::Name { field: "layers" })?;
        let [at_zero, slope] = weights("layers", &[found.b, found.c])?;
        *line = Line { at_zero, slope };
    }
    Ok(lines)
}

fn verdict(file: &raw::File, name: &str, members: Vec<usize>) -> Result<VerdictTable, ModelError> {
    let table = file.verdict.get(name).ok_or(ModelError::Name { field: "verdict" })?;
    if table.columns.len() != table.weights.len() {
        return Err(ModelError::Length {
            field: "verdict.weights",
            expected: table.columns.len(),
            found: table.weights.len(),
        });
    }
    let mut columns = Vec::with_capacity(table.columns.len());
    for (column, weight) in table.columns.iter().zip(&table.weights) {
        let [weight] = weights("verdict.weights", &[*weight])?;
        columns.push((Column::parse(column, &members)?, weight));
    }
    Ok(VerdictTable { members, columns })
}

fn tables(field: &'static str, values: &[Vec<f64>]) -> Result<[[f64; QUESTION]; PANEL], ModelError> {
    let tables = values.iter().map(|values| weights(field, values));
    exactly(field, &tables.collect::<Result<Vec<_>, _>>()?)
}

fn by_votes(field: &'static str, kinds: &raw::Kinds) -> Result<ByVotes, ModelError> {
    let chances = |values: &[f64]| {
        for value in values {
            chance(field, *value)?;
        }
        exactly(field, values)
    };
    Ok(ByVotes {
        code: chances(&kinds.code)?,
        tex: chances(&kinds.tex)?,
        other: chances(&kinds.other)?,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
