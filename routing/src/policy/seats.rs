//! The candidates of a plan, and who plays which part.

use std::cmp::Reverse;

use super::{Candidate, Compare, Panel, Terms};
use crate::layer::Layer;
use crate::model::PANEL;
use crate::priors::KnownModel;
use crate::question::Question;

/// A candidate, with what the plan knows of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    /// Its number in the fit.
    pub(super) known: Option<usize>,
    pub(super) layer: Layer,
    /// What its call costs, in units.
    pub(super) cost: f64,
    /// How likely it is right, before anybody has answered.
    pub(super) chance: f64,
    /// Whether it may be asked.
    pub(super) allowed: bool,
}

/// Who plays which part; all numbers are places among the seats.
#[derive(Debug, Clone)]
pub(super) enum Roles {
    /// The fit's own models.
    Fitted {
        panel: Panel,
        /// Place, and number among the fit's models between.
        between: Vec<(usize, usize)>,
        top: usize,
    },
    /// Any models: two or three cheap ones of different makers, and the strongest.
    General { panel: Panel, top: usize },
    /// One after the other.
    OneByOne,
}

/// Seats the candidates.
pub(super) fn seats(question: &Question<'_>, candidates: &[Candidate<'_>], terms: &Terms) -> (Vec<Seat>, Roles) {
    let known = candidates.iter().map(|candidate| question.model.known(candidate.name));
    let known: Vec<Option<KnownModel>> = known.collect();
    let mut seats: Vec<Seat> = candidates
        .iter()
        .zip(&known)
        .map(|(candidate, known)| Seat {
            known: known.map(|known| known.0),
            layer: candidate.layer,
            cost: candidate.cost as f64,
            chance: question.chance(*known, candidate.layer),
            allowed: candidate.allowed,
        })
        .collect();
    let roles = match terms.compare {
        Compare::Nothing => Roles::OneByOne,
        Compare::Answers => fitted(question, &seats)
            .or_else(|| general(&seats, candidates))
            .unwrap_or(Roles::OneByOne),
        Compare::Code => general(&seats, candidates).unwrap_or(Roles::OneByOne),
    };
    if matches!(roles, Roles::OneByOne) {
        set_apart(question, &mut seats);
    }
    let unit = unit(&roles, &seats, terms);
    for seat in &mut seats {
        seat.cost /= unit;
    }
    (seats, roles)
}

/// What lambda speaks of; never 0.
fn unit(roles: &Roles, seats: &[Seat], terms: &Terms) -> f64 {
    let top = match roles {
        Roles::Fitted { top, .. } | Roles::General { top, .. } => Some(*top),
        Roles::OneByOne => strongest(seats),
    };
    let given = terms.unit.map(|unit| unit as f64);
    let of_top = top.and_then(|top| seats.get(top)).map(|seat| seat.cost);
    let dearest = seats.iter().map(|seat| seat.cost).fold(1.0, f64::max);
    given
        .filter(|unit| *unit > 0.0)
        .or(of_top.filter(|cost| *cost > 0.0))
        .unwrap_or(dearest)
}

/// Two models that the fit does not know, of different layers.
fn set_apart(question: &Question<'_>, seats: &mut [Seat]) {
    let [a, b] = seats else { return };
    if a.known.is_some() || b.known.is_some() || a.layer == b.layer {
        return;
    }
    let (weak, strong) = if a.layer < b.layer { (a, b) } else { (b, a) };
    [weak.chance, strong.chance] = question.chances_of_two(weak.layer, strong.layer);
}

/// The fit's own parts, where its panel may be asked and its strongest is there.
fn fitted(question: &Question<'_>, seats: &[Seat]) -> Option<Roles> {
    let model = question.model;
    let place = |number: usize| seats.iter().position(|seat| seat.known == Some(number));
    let [a, b, c] = model
        .panel
        .map(|number| place(number).filter(|place| seats.get(*place).is_some_and(|seat| seat.allowed)));
    let between = model.between.iter().enumerate();
    Some(Roles::Fitted {
        panel: Panel::Three([a?, b?, c?]),
        between: between
            .filter_map(|(number, between)| Some((place(between.model)?, number)))
            .collect(),
        top: place(model.strongest)?,
    })
}

/// Of the highest layer the one most likely right, among equals the cheapest.
fn strongest(seats: &[Seat]) -> Option<usize> {
    let best = seats.iter().enumerate().max_by(|(a_place, a), (b_place, b)| {
        let chance = a.layer.cmp(&b.layer).then(a.chance.total_cmp(&b.chance));
        chance.then(b.cost.total_cmp(&a.cost)).then(b_place.cmp(a_place))
    });
    best.map(|(place, _)| place)
}

/// The strongest, and the three cheapest others of different makers, or two; of the same where there are no others.
fn general(seats: &[Seat], candidates: &[Candidate<'_>]) -> Option<Roles> {
    let top = strongest(seats)?;
    let mut others: Vec<(usize, &Candidate<'_>)> = candidates
        .iter()
        .enumerate()
        .filter(|(place, candidate)| *place != top && candidate.allowed)
        .collect();
    others.sort_by_key(|(place, candidate)| (candidate.cost, Reverse(candidate.layer), *place));
    let mut makers: Vec<&str> = Vec::new();
    let mut first: Vec<usize> = Vec::new();
    let mut rest: Vec<usize> = Vec::new();
    for (place, candidate) in others {
        if makers.contains(&candidate.maker) {
            rest.push(place);
        } else {
            makers.push(candidate.maker);
            first.push(place);
        }
    }
    first.extend(rest);
    let panel = match *first.as_slice() {
        [a, b] => Panel::Two([a, b]),
        ref more => Panel::Three(more.first_chunk::<PANEL>().copied()?),
    };
    Some(Roles::General { panel, top })
}

/// Places of those that may be asked, by value, the best first.
pub(super) fn by_value(seats: &[Seat], lambda: f64) -> Vec<(usize, f64)> {
    let mut values: Vec<(usize, f64)> = seats
        .iter()
        .enumerate()
        .filter(|(_, seat)| seat.allowed)
        .map(|(place, seat)| (place, seat.chance - lambda * seat.cost))
        .collect();
    values.sort_by(|a, b| b.1.total_cmp(&a.1));
    values
}
