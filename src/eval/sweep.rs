//! The settings that questions are run at.

use gateway_actors::protocol::{NanoUsd, QualityLevel, Strategy};

use super::data::Data;
use super::error::EvalError;
use super::score::Choice;

/// What a call of the best model must add to the chance of a right answer to be worth its price, where answers are
/// compared: from hardly any thrift to a good deal.
const WITH_CHECK: [f64; 24] = [
    0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.13, 0.15, 0.17, 0.19, 0.22, 0.25, 0.28, 0.31,
    0.35, 0.4, 0.5, 0.6, 0.7,
];
/// The same where one model is asked.
const ONE_MODEL: [f64; 24] = [
    0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.55, 0.7, 1.0, 2.0, 4.0, 8.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0,
    16.0, 18.0, 20.0,
];

/// How the router is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Setting {
    /// What a call must add, in the place of what the quality says.
    pub(super) lambda: Option<f64>,
    pub(super) quality: QualityLevel,
    pub(super) strategy: Strategy,
    /// Whether several cheap models are asked first and their answers compared.
    pub(super) checked: bool,
}

/// What is asked of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// That it chooses.
    Auto,
    /// This model.
    Model(usize),
}

/// What questions are run through: the actors, or in tests the plan alone.
pub(super) trait Engine {
    /// Runs questions, each at most once in the list, and tells what was chosen, in their order.
    ///
    /// # Errors
    /// When the run itself fails; a question that no model answered is none.
    fn run(&mut self, setting: &Setting, asks: &[(usize, Ask)]) -> Result<Vec<Choice>, EvalError>;
}

/// What one setting came to: of each question of the data what was chosen, nothing where it was not run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) lambda: Option<f64>,
    pub(super) choices: Vec<Option<Choice>>,
}

/// All runs of a measurement, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Cheap answers are compared; only questions whose answers have texts.
    pub(super) checked: Vec<Run>,
    /// One model is asked, by its value.
    pub(super) single: Vec<Run>,
    /// What callers get by quality, as the gateway is shipped and with checks on.
    pub(super) qualities: Vec<Run>,
    /// What simple rules choose.
    pub(super) rules: Vec<Run>,
}

impl Run {
    /// Runs all of these questions alike.
    pub(super) fn all(
        engine: &mut dyn Engine,
        (name, setting): (impl Into<String>, Setting),
        questions: usize,
        asks: &[(usize, Ask)],
    ) -> Result<Self, EvalError> {
        let mut choices = vec![None; questions];
        for choice in engine.run(&setting, asks)? {
            if let Some(place) = choices.get_mut(choice.row) {
                *place = Some(choice);
            }
        }
        Ok(Self {
            name: name.into(),
            lambda: setting.lambda,
            choices,
        })
    }

    /// What was chosen for these questions; nothing unless all of them were run.
    pub(super) fn of(&self, rows: &[usize]) -> Option<Vec<Choice>> {
        rows.iter()
            .map(|row| self.choices.get(*row).copied().flatten())
            .collect()
    }

    /// How many questions ended without an answer.
    pub(super) fn unanswered(&self) -> usize {
        let choices = self.choices.iter().flatten();
        choices.filter(|choice| choice.model.is_none()).count()
    }
}

/// Runs the router at every setting.
pub(super) fn sweep(engine: &mut dyn Engine, data: &Data) -> Result<Runs, EvalError> {
    let all: Vec<(usize, Ask)> = (0..data.rows.len()).map(|row| (row, Ask::Auto)).collect();
    let texts = data.rows.iter().enumerate().filter(|(_, row)| row.has_texts());
    let with_texts: Vec<(usize, Ask)> = texts.map(|(row, _)| (row, Ask::Auto)).collect();
    let questions = data.rows.len();
    let mut runs = Runs::default();
    let plain = Setting::default();
    if !with_texts.is_empty() {
        for lambda in WITH_CHECK {
            let setting = Setting {
                lambda: Some(lambda),
                checked: true,
                ..plain
            };
            let run = Run::all(engine, (format!("lambda {lambda}"), setting), questions, &with_texts)?;
            runs.checked.push(run);
        }
    }
    for lambda in ONE_MODEL {
        let setting = Setting {
            lambda: Some(lambda),
            strategy: Strategy::Value,
            ..plain
        };
        let run = Run::all(engine, (format!("lambda {lambda}"), setting), questions, &all)?;
        runs.single.push(run);
    }
    for quality in QualityLevel::ALL {
        let quality = *quality;
        let setting = Setting { quality, ..plain };
        let name = format!("quality {quality}, as shipped");
        runs.qualities.push(Run::all(engine, (name, setting), questions, &all)?);
        if !with_texts.is_empty() {
            let setting = Setting {
                checked: true,
                ..setting
            };
            let name = format!("quality {quality}, answers compared");
            runs.qualities
                .push(Run::all(engine, (name, setting), questions, &with_texts)?);
        }
    }
    Ok(runs)
}

/// Runs a rule that names a model for each question.
pub(super) fn by_rule(
    engine: &mut dyn Engine,
    data: &Data,
    name: &str,
    rule: impl Fn(usize) -> Option<usize>,
) -> Result<Run, EvalError> {
    let rows = (0..data.rows.len()).filter_map(|row| Some((row, Ask::Model(rule(row)?))));
    let asks: Vec<(usize, Ask)> = rows.collect();
    Run::all(engine, (name, Setting::default()), data.rows.len(), &asks)
}

/// The choice of a model whose answer costs what was recorded.
pub(super) fn recorded(data: &Data, row: usize, model: usize) -> Choice {
    let cost = data.rows.get(row).and_then(|row| row.cost(model));
    Choice {
        row,
        model: Some(model),
        cost: cost.unwrap_or(NanoUsd::ZERO),
    }
}
