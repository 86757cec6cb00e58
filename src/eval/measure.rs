//! A measurement from its files to its figures.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use gateway_actors::protocol::Calibration;
use gateway_routing::RoutingModel;

use super::baselines::{Group, groups, rules};
use super::cell::Actors;
use super::data::{self, HiddenTokens, Material, USUAL_OUTPUT, Wanted};
use super::error::EvalError;
use super::figures::{Figures, ModelLine, PairFigures, of_group};
use super::pair::{self, Pair, pair_of};
use super::prices;
use super::report;
use super::sweep::{Engine, Runs, sweep};

/// What is measured.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The recorded outcomes.
    pub data: PathBuf,
    /// The models, with layers and prices.
    pub models: PathBuf,
    /// Only questions of this source.
    pub source: Option<String>,
    /// Only so many questions.
    pub limit: Option<usize>,
    /// Output tokens billed beyond those recorded, as PATTERN=NUMBER.
    pub hidden_tokens: Vec<String>,
    /// Another calibration than the shipped one.
    pub calibration: Option<PathBuf>,
    /// Only questions whose ids are in this file.
    pub ids: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// The figures for people.
    pub text: String,
    /// The figures as JSON.
    pub json: String,
    /// Diagrams: a file's name and its text.
    pub drawings: Vec<(String, String)>,
}

/// Reads the files, runs the questions through the gateway's own actors, and adds up. Blocks; starts an actix system of its
/// own, so that it must not be called from within one.
///
/// # Errors
/// When a file or flag cannot be used, naming the line; nothing is written by this in any case.
pub fn measure(order: &Order) -> Result<Measurement, EvalError> {
    let calibration = calibration(order)?;
    let material = material(order)?;
    let mut engine = Actors::new(Rc::clone(&material.data), calibration.clone());
    let figures = figures(&mut engine, order, &material, &calibration)?;
    report::of(&figures)
}

fn material(order: &Order) -> Result<Material, EvalError> {
    let hidden: Result<Vec<HiddenTokens>, EvalError> = order
        .hidden_tokens
        .iter()
        .map(|text| HiddenTokens::parse(text))
        .collect();
    let hidden = hidden?;
    let models = prices::read(&order.models)?;
    let wanted = Wanted {
        source: order.source.as_deref(),
        ids: order.ids.as_deref(),
        limit: order.limit,
        hidden: &hidden,
    };
    data::read(&order.data, models, &wanted)
}

fn calibration(order: &Order) -> Result<Calibration, EvalError> {
    let Some(path) = &order.calibration else {
        let shipped = RoutingModel::shipped();
        return shipped
            .map(Calibration::Shipped)
            .map_err(|error| EvalError::Broken(error.to_string()));
    };
    let text = std::fs::read_to_string(path).map_err(EvalError::file(path))?;
    let read = RoutingModel::read(&text).map_err(|error| EvalError::whole(path, error.to_string()))?;
    Ok(Calibration::Own(Arc::new(read)))
}

/// The figures of a measurement that is run through this engine.
pub(super) fn figures(
    engine: &mut dyn Engine,
    order: &Order,
    material: &Material,
    reader: &RoutingModel,
) -> Result<Figures, EvalError> {
    let data = &material.data;
    let mut runs = sweep(engine, data)?;
    runs.rules = rules(engine, data)?;
    let groups = groups(material);
    let pair = match pair_of(data) {
        Some(pair) => Some(two_models(engine, material, pair, &groups, reader)?),
        None => None,
    };
    let groups = groups
        .iter()
        .map(|group| of_group(material, group, &runs, reader))
        .collect();
    Ok(Figures {
        questions: data.rows.len(),
        calibration: match &order.calibration {
            Some(path) => path.display().to_string(),
            None => "shipped".to_owned(),
        },
        models: model_lines(material, reader),
        notes: notes(material, &runs, pair.is_some()),
        groups,
        pair,
    })
}

/// The figures of data of two models.
fn two_models(
    engine: &mut dyn Engine,
    material: &Material,
    pair: Pair,
    groups: &[Group],
    reader: &RoutingModel,
) -> Result<PairFigures, EvalError> {
    let data = &material.data;
    let gain = pair::by_gain(data, reader);
    let curve = pair::run(engine, material, pair, &gain)?;
    let orders = [
        ("expected gain", gain),
        ("hardest first", pair::by_difficulty(data, reader)),
        ("longest first", pair::by_length(data)),
    ];
    let of = |group: &Group| {
        let worths = pair::worths(&material.marks, pair, &orders, &group.rows);
        (group.name.clone(), worths)
    };
    Ok(PairFigures::new(material, pair, groups.iter().map(of), &curve))
}

/// The models that have an answer.
fn model_lines(material: &Material, reader: &RoutingModel) -> Vec<ModelLine> {
    let data = &material.data;
    let models = data.models.iter().enumerate();
    let used = models.filter(|(place, _)| data.rows.iter().any(|row| row.cost(*place).is_some()));
    let line = |(place, model): (usize, &Arc<gateway_actors::protocol::Model>)| ModelLine {
        name: model.api_model.to_string(),
        layer: model.layer.as_str(),
        known: reader.known(&model.api_model).is_some(),
        hidden_tokens: data.hidden.get(place).copied().unwrap_or_default(),
    };
    used.map(line).collect()
}

fn notes(material: &Material, runs: &Runs, is_pair: bool) -> Vec<String> {
    let data = &material.data;
    let mut notes = vec![
        "The router is shown each question and the models that answered it, and nothing else; scores are read afterwards."
            .to_owned(),
        "If the calibration was fitted on these questions, the figures are in sample and no evidence: give --calibration a \
         model that was fitted on others, and --ids those others."
            .to_owned(),
        "No model is asked to review answers: a reviewer's words were not recorded.".to_owned(),
    ];
    if data.assumed > 0 {
        notes.push(format!(
            "{} answers have no number of tokens: {USUAL_OUTPUT} of output, and the question's bytes / 4 of input, are \
             taken; only ratios of their costs mean anything.",
            data.assumed
        ));
    }
    let without = data.rows.iter().filter(|row| !row.has_texts()).count();
    if without > 0 {
        notes.push(format!(
            "{without} questions have answers without texts: nothing can be compared there, and one model is asked."
        ));
    }
    let all = runs.checked.iter().chain(&runs.single).chain(&runs.qualities);
    let unanswered: usize = all.map(super::sweep::Run::unanswered).sum();
    if unanswered > 0 {
        notes.push(format!(
            "{unanswered} times, over all settings, a question ended without an answer; it counts as wrong."
        ));
    }
    if is_pair {
        notes.push(
            "The data is of two models: the questions are ordered by the expected gain of the stronger.".to_owned(),
        );
    }
    notes
}
