//! The tables of the score, as they are written and as they are read.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::PROBLEM;
use super::lists::STEM;
use super::topics::{Evidence, Marks, Topics};
use crate::model::ModelError;
use crate::model::check::{Scale, names, positive, same, scales, weights};

/// The names of what tells word problems apart, in order.
const NAMES: [&str; PROBLEM] = ["words", "sentences", "parts", "means", "conditions", "steps"];

/// The section `gain` of the model's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGain {
    stem: usize,
    none: f64,
    chance: f64,
    mean_gap: f64,
    center: f64,
    topics: BTreeMap<String, RawTopic>,
    kinds: RawKinds,
    words: RawProblem,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTopic {
    gap: f64,
    strong: String,
    weak: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKinds {
    code: RawKind,
    tex: RawKind,
    other: RawKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKind {
    gain: f64,
    unknown: f64,
    length: f64,
    length_unknown: f64,
    mean: f64,
    deviation: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProblem {
    names: Vec<String>,
    weights: Vec<f64>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    spread: f64,
    slope: f64,
    least: usize,
    most: usize,
    evidence_below: f64,
    strong_below: u32,
    science: Vec<String>,
}

/// What the score is made with.
#[derive(Debug, Clone)]
pub(crate) struct GainTables {
    pub(super) topics: Topics,
    pub(super) marks: Marks,
    /// Squared evidence that speaks for no topic, in a text without words.
    none: f64,
    /// How many words collect one point of evidence by chance.
    chance: f64,
    /// The gap where no topic is known.
    pub(super) mean_gap: f64,
    /// The mean of 100 times the difference of the layers' chances, over recorded questions.
    pub(super) center: f64,
    pub(super) code: KindWeights,
    pub(super) tex: KindWeights,
    pub(super) other: KindWeights,
    pub(super) problem: Problem,
}

/// The weights of a kind of question.
#[derive(Debug, Clone, Copy)]
pub(super) struct KindWeights {
    pub(super) gain: f64,
    pub(super) unknown: f64,
    pub(super) length: f64,
    pub(super) length_unknown: f64,
    pub(super) scale: Scale,
}

/// What tells word problems apart.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) weights: [f64; PROBLEM],
    pub(super) scales: [Scale; PROBLEM],
    /// The deviation of their weighted sum.
    pub(super) spread: f64,
    /// Percentage points for each deviation.
    pub(super) slope: f64,
    /// The gap of arithmetic.
    pub(super) gap: f64,
    pub(super) least: usize,
    pub(super) most: usize,
    /// From so much evidence on, or so many strong entries, for one of these topics it is no word problem.
    evidence: f64,
    strong: u32,
    science: Vec<usize>,
}

impl GainTables {
    /// Checks and reads the section.
    pub(crate) fn read(raw: &RawGain) -> Result<Self, ModelError> {
        same("gain.stem", &raw.stem, &STEM)?;
        names("gain.words.names", &raw.words.names, NAMES.into_iter())?;
        let topics: Vec<&str> = raw.topics.keys().map(String::as_str).collect();
        let topic = |field, name: &str| {
            let found = topics.iter().position(|topic| *topic == name);
            found.ok_or(ModelError::Name { field })
        };
        let marked = |name| topic("gain.topics", name);
        let gaps: Vec<f64> = raw.topics.values().map(|topic| topic.gap).collect();
        for gap in &gaps {
            weights::<1>("gain.topics.gap", &[*gap])?;
        }
        let words = &raw.words;
        let science = words.science.iter().map(|name| topic("gain.words.science", name));
        let arithmetic = marked("arithmetic")?;
        let [slope] = weights("gain.words.slope", &[words.slope])?;
        let [mean_gap] = weights("gain.mean_gap", &[raw.mean_gap])?;
        let lists = raw
            .topics
            .values()
            .map(|topic| (topic.gap, &*topic.strong, &*topic.weak));
        Ok(Self {
            topics: Topics::of(lists).ok_or(ModelError::Name { field: "gain.topics" })?,
            marks: Marks {
                mathematics: marked("mathematics")?,
                computing: marked("computing")?,
                past: marked("past")?,
                logic: marked("logic")?,
                arithmetic,
                physics: marked("physics")?,
                statistics: marked("statistics")?,
            },
            none: positive("gain.none", raw.none)?,
            chance: positive("gain.chance", raw.chance)?,
            mean_gap,
            center: positive("gain.center", raw.center)?,
            code: kind(&raw.kinds.code)?,
            tex: kind(&raw.kinds.tex)?,
            other: kind(&raw.kinds.other)?,
            problem: Problem {
                weights: weights("gain.words.weights", &words.weights)?,
                scales: scales("gain.words", &words.mean, &words.deviation)?,
                spread: positive("gain.words.spread", words.spread)?,
                slope,
                gap: gaps.get(arithmetic).copied().unwrap_or(mean_gap),
                least: words.least,
                most: words.most,
                evidence: positive("gain.words.evidence_below", words.evidence_below)?,
                strong: words.strong_below,
                science: science.collect::<Result<_, _>>()?,
            },
        })
    }

    /// The gap of what a question of so many words is about, and how far no topic speaks, between 0 and 1.
    pub(super) fn topic_gap(&self, evidence: &Evidence, words: usize) -> (f64, f64) {
        let by_chance = words as f64 / self.chance;
        let none = self.none + by_chance * by_chance;
        let (mut sum, mut all) = (none * self.mean_gap, none);
        for (points, gap) in evidence.points.iter().zip(&self.topics.gaps) {
            sum += points * points * gap;
            all += points * points;
        }
        (sum / all, none / all)
    }

    /// Whether a topic is spoken of that word problems do not speak of.
    pub(super) fn is_science(&self, evidence: &Evidence) -> bool {
        self.problem.science.iter().any(|topic| {
            let points = evidence.points.get(*topic).copied().unwrap_or(0.0);
            let strong = evidence.strong.get(*topic).copied().unwrap_or(0);
            points >= self.problem.evidence || strong >= self.problem.strong
        })
    }
}

fn kind(raw: &RawKind) -> Result<KindWeights, ModelError> {
    let [gain, unknown, length, length_unknown] =
        weights("gain.kinds", &[raw.gain, raw.unknown, raw.length, raw.length_unknown])?;
    let [scale] = scales("gain.kinds", &[raw.mean], &[raw.deviation])?;
    Ok(KindWeights {
        gain,
        unknown,
        length,
        length_unknown,
        scale,
    })
}
