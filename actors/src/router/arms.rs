//! Experiments, and the choice by what was learned: where chance has a part, by draws that can be repeated.

use std::borrow::Cow;
use std::sync::Arc;

use gateway_routing::{Draws, beta, bucket};

use super::decide::Case;
use super::roster::{Entry, Roster};
use super::settings::RouterSettings;
use crate::protocol::{Arm, ArmChosen, ArmSpec, Experiment, Layer, LearnedModel, Sticky};

/// Why a request is in no experiment.
pub(super) const NOT_ALLOWED: &str = "not every arm of the experiment may be used for this request";

/// Whether a request is in an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entered {
    /// It is.
    Arm {
        /// The arm.
        chosen: ArmChosen,
    },
    /// One of its arms wants what the request may not have, at this layer: it is out of the experiment.
    PassedOver(Layer),
    /// There is none for it.
    None,
}

/// The arm that a request meets. The oldest running experiment for its kind of task applies, and no other.
///
/// A request is in it only if every arm could be used for it: were only its own arm looked at, each arm would be judged by
/// other requests. How far a conversation has come counts for nothing there: an arm that let it move up would lose its
/// hard requests, and the others would keep theirs.
pub(super) fn enter(case: &Case<'_>, roster: &Roster) -> Entered {
    let is_meant = |one: &&Arc<Experiment>| one.task.is_none_or(|task| task == case.class.task);
    let Some(experiment) = case.learned.experiments.iter().find(is_meant) else {
        return Entered::None;
    };
    let mut arms = experiment.arms.iter();
    if let Some(layer) = arms.find_map(|arm| out_of_reach(case, roster, &arm.spec)) {
        return Entered::PassedOver(layer);
    }
    arm_of(case, experiment).map_or(Entered::None, |arm| Entered::Arm {
        chosen: ArmChosen {
            experiment: (*experiment.id.text()).into(),
            arm: Arc::clone(&arm.name),
            spec: arm.spec.clone(),
            is_shut: is_shut(case, roster, &arm.spec),
        },
    })
}

/// The arm of the request's unit: the same for the same conversation or user, in every process. A conversation without an
/// id is known by how it began.
fn arm_of<'a>(case: &Case<'_>, experiment: &'a Experiment) -> Option<&'a Arm> {
    let wish = &case.scene.request.wish;
    let user = || wish.unit_user.as_deref();
    let key = case.question.loop_key.as_ref();
    let beginning = || key.map(|key| format!("{:032x}", u128::from_be_bytes(key.conversation.beginning)));
    let request = || case.scene.request.request.text().to_string();
    let unit: Cow<'_, str> = match experiment.sticky {
        Sticky::Conversation => match wish.unit_conversation.as_deref() {
            Some(conversation) => conversation.into(),
            None => beginning().map_or_else(|| user().map_or_else(|| request().into(), Cow::from), Cow::from),
        },
        Sticky::User => user().map_or_else(|| request().into(), Cow::from),
        Sticky::Request => request().into(),
    };
    let weights: Vec<u32> = experiment.arms.iter().map(|arm| arm.weight).collect();
    let place = bucket(&experiment.id.text(), &unit, &weights);
    experiment.arms.get(place)
}

/// Whether the arm's own models could answer this request, and are left alone as they have failed. A conversation that has
/// moved above them is not theirs.
fn is_shut(case: &Case<'_>, roster: &Roster, spec: &ArmSpec) -> bool {
    let is_meant = |entry: &Entry| entry.is_payable() && entry.layer() >= case.floor;
    match spec {
        ArmSpec::Strategy(_) => false,
        ArmSpec::Layer(layer) => {
            let of_layer = || roster.allowed.iter().filter(|entry| entry.layer() == *layer);
            of_layer().any(is_meant) && of_layer().filter(|entry| is_meant(entry)).all(Entry::is_shut)
        }
        ArmSpec::Model(name) => {
            let ready = roster.place_of(name, |entry| is_meant(entry) && !entry.is_shut());
            ready.is_none() && roster.place_of(name, is_meant).is_some()
        }
    }
}

/// The layer of what the arm wants and the request may not have: an experiment spends nothing without leave. What has an
/// open breaker is in reach: were its arm's requests left out, an arm that fails would be judged by the few that came before
/// its breaker opened.
fn out_of_reach(case: &Case<'_>, roster: &Roster, spec: &ArmSpec) -> Option<Layer> {
    match spec {
        ArmSpec::Strategy(_) => None,
        ArmSpec::Layer(layer) => {
            let mut there = roster.allowed.iter().filter(|entry| entry.layer() == *layer);
            (!there.any(Entry::is_payable)).then_some(*layer)
        }
        ArmSpec::Model(name) => {
            if roster.place_of(name, Entry::is_payable).is_some() {
                return None;
            }
            let called = case.scene.catalogue.called(name);
            let layer = called.and_then(|(_, models)| models.first().map(|model| model.layer));
            Some(layer.unwrap_or(case.floor))
        }
    }
}

/// Who is asked first by what was learned: Thompson sampling over those that may be used from the start on. Each gets a
/// chance drawn from what is known of it, the calibration counting for some outcomes, and the one of the greatest value
/// goes first. Now and then one that costs no more is drawn in its place, whatever is thought of it.
pub(super) fn adaptive(settings: &RouterSettings, case: &Case<'_>, roster: &Roster, start: Layer) -> Option<usize> {
    let mut draws = Draws::of(case.scene.request.request.text().as_bytes());
    let learned = case.learned.table.get(&(case.class.task, case.class.complexity));
    let learned: &[LearnedModel] = learned.map_or(&[], Vec::as_slice);
    let is_meant = |entry: &Entry| entry.is_ready() && !entry.is_avoided() && entry.layer() >= start;
    let entries = roster.allowed.iter().enumerate();
    let meant: Vec<(usize, &Entry)> = entries.filter(|(_, entry)| is_meant(entry)).collect();
    let prior = f64::from(settings.adaptive_prior);
    let mut best: Option<(usize, &Entry, f64)> = None;
    for (place, entry) in &meant {
        let known = learned.iter().find(|known| known.model == entry.model().id);
        let (well, badly) = known.map_or((0, 0), |known| (known.successes, known.failures));
        let right = prior * entry.chance + f64::from(well);
        let wrong = prior * (1.0 - entry.chance) + f64::from(badly);
        let value = entry.value(beta(&mut draws, right, wrong), case.lambda, roster.unit);
        if best.is_none_or(|(_, _, highest)| value > highest) {
            best = Some((*place, entry, value));
        }
    }
    let (chosen, entry, _) = best?;
    if draws.unit() >= f64::from(settings.adaptive_floor_percent) / 100.0 {
        return Some(chosen);
    }
    let most = entry.model().price_rank();
    let no_dearer = |other: &&(usize, &Entry)| other.1.model().price_rank() <= most;
    let others: Vec<&(usize, &Entry)> = meant.iter().filter(no_dearer).collect();
    others.get(draws.below(others.len())).map(|(place, _)| *place)
}

#[cfg(test)]
#[path = "arms_tests.rs"]
mod tests;
