//! The models of a decision: what is expected of each, and in which order they are tried.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use gateway_routing as routing;
use routing::{KnownModel, RoutingModel};

use super::core::{RouterCore, Scene, candidate};
use super::cost::{expected_cost, known_cost, least_cost, usual_cost};
use super::order::Rank;
use super::words::layer_of;
use crate::protocol::{Candidate, HealthNote, HeuristicRule, Layer, Model, NanoUsd, Selection, TaskType};

/// A model, and what is expected of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) candidate: Candidate,
    pub(super) rank: Rank,
    /// What the calibration calls it, if it knows it.
    pub(super) known: Option<KnownModel>,
    /// The chance of a right answer.
    pub(super) chance: f64,
    /// What a call is expected to cost.
    pub(super) cost: NanoUsd,
    place: Place,
}

/// What a candidate is sorted by before its rank; smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Place {
    shut: bool,
    too_dear: bool,
    avoided: bool,
    /// How many layers below the start; the nearest first.
    below: usize,
    not_preferred: bool,
}

/// The models of one decision.
#[derive(Debug)]
pub(super) struct Roster {
    /// Those that may be used.
    pub(super) allowed: Vec<Entry>,
    /// Those that want nothing but leave.
    pub(super) beyond: Vec<Entry>,
    /// Those that may judge an answer and give none, the nearest layer first: below all that may be used.
    pub(super) judges: Vec<Candidate>,
    /// What a call of the best model costs, whether or not it may be used; at least 1.
    pub(super) unit: NanoUsd,
}

/// In which order candidates are tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    /// The layer to start from.
    pub(super) start: Layer,
    /// By value: the weight of the price. Else by rank.
    pub(super) by_value: Option<f64>,
    /// What a stored heuristic says.
    pub(super) rule: Option<&'a HeuristicRule>,
}

impl Entry {
    pub(super) fn layer(&self) -> Layer {
        self.candidate.model.layer
    }

    /// Whether its breaker is open.
    pub(super) fn is_shut(&self) -> bool {
        self.candidate.reason.health == HealthNote::Open
    }

    /// Whether there is enough left to pay for it.
    pub(super) fn is_payable(&self) -> bool {
        !self.candidate.reason.is_too_dear
    }

    /// Whether it may be put before others: it can be called, and paid.
    pub(super) fn is_ready(&self) -> bool {
        !self.is_shut() && self.is_payable()
    }

    pub(super) fn is_avoided(&self) -> bool {
        self.place.avoided
    }

    pub(super) fn model(&self) -> &Model {
        &self.candidate.model
    }

    /// The chance less what the price weighs.
    pub(super) fn value(&self, chance: f64, lambda: f64, unit: NanoUsd) -> f64 {
        chance - lambda * share(self.cost, unit)
    }
}

/// One amount as a share of another.
fn share(part: NanoUsd, whole: NanoUsd) -> f64 {
    part.0 as f64 / whole.0.max(1) as f64
}

impl RouterCore {
    /// What is expected of each of these models.
    pub(super) fn roster(
        &self,
        scene: &Scene<'_>,
        calibration: &RoutingModel,
        read: &routing::Question<'_>,
        ranked: Vec<(Rank, Candidate)>,
        beyond: Vec<(Rank, Candidate)>,
    ) -> Roster {
        let names = self.known.borrow();
        let question = scene.request.question.as_deref();
        let is_capped = question.is_some_and(|question| question.capped);
        let needs = &scene.request.needs;
        let left = scene.request.wish.left;
        let entry = |(rank, mut candidate): (Rank, Candidate)| {
            let model = &candidate.model;
            let known = names.get(model);
            let chance = read.chance(known, layer_of(model.layer));
            let cost = match known {
                Some(known) => Some(known_cost(calibration, read, known, model, question, needs)),
                None => expected_cost(model, needs, is_capped),
            };
            let is_too_dear = left.is_some_and(|left| least_cost(model, needs) > left);
            candidate.reason.is_too_dear = is_too_dear;
            let entry = Entry {
                rank,
                known,
                chance,
                cost: cost.unwrap_or_default(),
                place: Place {
                    shut: candidate.reason.health == HealthNote::Open,
                    too_dear: is_too_dear,
                    ..Place::default()
                },
                candidate,
            };
            (entry, cost.is_none())
        };
        let mut allowed: Vec<(Entry, bool)> = ranked.into_iter().map(entry).collect();
        let mut beyond: Vec<(Entry, bool)> = beyond.into_iter().map(entry).collect();
        let all = || allowed.iter().chain(&beyond).map(|(entry, _)| entry);
        let dearest = all().map(|entry| entry.cost).max().unwrap_or_default();
        let best = all().max_by_key(|entry| (entry.layer(), Reverse(entry.rank)));
        let of_best = best
            .map(|entry| usual_cost(calibration, entry))
            .filter(|cost| *cost > NanoUsd::ZERO);
        let unit = of_best.unwrap_or(dearest).max(NanoUsd(1));
        // Nobody knows what it costs: as much as the best, so that it is never taken for cheap.
        for (entry, is_unpriced) in allowed.iter_mut().chain(&mut beyond) {
            if *is_unpriced {
                entry.cost = unit;
            }
        }
        Roster {
            allowed: allowed.into_iter().map(|(entry, _)| entry).collect(),
            beyond: beyond.into_iter().map(|(entry, _)| entry).collect(),
            judges: Vec::new(),
            unit,
        }
    }
}

impl Roster {
    /// Those that may be used, and those that want leave.
    fn reachable(&self) -> impl Iterator<Item = &Entry> {
        self.allowed.iter().chain(&self.beyond)
    }

    /// The highest layer that may be used.
    pub(super) fn highest(&self) -> Layer {
        let layers = self.allowed.iter().map(Entry::layer);
        layers.max().unwrap_or(Layer::L0)
    }

    /// The highest layer that has a model which can be called, wanting leave or not.
    pub(super) fn top_layer(&self) -> Layer {
        let ready = self.reachable().filter(|entry| entry.is_ready());
        ready.map(Entry::layer).max().unwrap_or_else(|| self.highest())
    }

    /// The lowest layer from this one on that may be used, else the highest.
    pub(super) fn allowed_from(&self, layer: Layer) -> Layer {
        let layers = self.allowed.iter().map(Entry::layer);
        layers
            .filter(|one| *one >= layer)
            .min()
            .unwrap_or_else(|| self.highest())
    }

    /// The lowest layer from this one on that has a model, wanting leave or not, else the highest.
    pub(super) fn reachable_from(&self, layer: Layer) -> Layer {
        let above = self.reachable().map(Entry::layer).filter(|one| *one >= layer).min();
        above
            .or_else(|| self.reachable().map(Entry::layer).max())
            .unwrap_or(layer)
    }

    /// The lowest layer above this one that has a model, wanting leave or not.
    pub(super) fn reachable_above(&self, layer: Layer) -> Option<Layer> {
        self.reachable().map(Entry::layer).filter(|one| *one > layer).min()
    }

    /// The chance that a layer's best model is right, as far as the calibration knows it.
    pub(super) fn chance_at(&self, layer: Layer) -> f64 {
        let at = self.reachable().filter(|entry| entry.layer() == layer);
        at.map(|entry| entry.chance).fold(0.0, f64::max)
    }

    /// The layer of the model that is most worth its price, of this layer or above it, wanting leave or not.
    pub(super) fn most_worth_from(&self, layer: Layer, lambda: f64) -> Option<Layer> {
        let value = |entry: &&Entry| entry.value(entry.chance, lambda, self.unit);
        let high_enough = self.reachable().filter(|entry| entry.layer() >= layer);
        let best = high_enough.max_by(|a, b| value(a).total_cmp(&value(b)));
        best.map(Entry::layer)
    }

    /// Where there are two models alone, of different layers, and the fit knows neither: what the question is about says
    /// more about which of them is worth its price than their layers' lines.
    pub(super) fn set_apart(&mut self, read: &routing::Question<'_>) {
        let mut all: Vec<&mut Entry> = self.allowed.iter_mut().chain(&mut self.beyond).collect();
        all.sort_by_key(|entry| entry.layer());
        if let [weak, strong] = all.as_mut_slice()
            && weak.known.is_none()
            && strong.known.is_none()
            && weak.layer() < strong.layer()
        {
            [weak.chance, strong.chance] = read.chances_of_two(layer_of(weak.layer()), layer_of(strong.layer()));
        }
    }

    /// Sorts those that may be used, the best first.
    pub(super) fn sort(&mut self, order: Order<'_>) {
        let unit = self.unit;
        for entry in &mut self.allowed {
            let model = &entry.candidate.model;
            let names = |list: &[Arc<str>]| model.is_among(list);
            entry.place.avoided = order.rule.is_some_and(|rule| names(&rule.avoid));
            entry.place.not_preferred = order.rule.is_some_and(|rule| !names(&rule.prefer));
            entry.place.below = order.start.index().saturating_sub(model.layer.index());
            entry.candidate.reason.is_not_worth_it = order
                .by_value
                .is_some_and(|lambda| entry.value(entry.chance, lambda, unit) <= 0.0);
        }
        self.allowed.sort_by(|a, b| {
            let by_value = order.by_value.map_or(Ordering::Equal, |lambda| {
                let value = |entry: &Entry| entry.value(entry.chance, lambda, unit);
                value(b).total_cmp(&value(a))
            });
            a.place.cmp(&b.place).then(by_value).then(a.rank.cmp(&b.rank))
        });
    }

    /// Puts one before all others.
    pub(super) fn promote(&mut self, place: usize) {
        if let Some(first) = self.allowed.get_mut(..=place) {
            first.rotate_right(1);
        }
    }

    /// Where a model of this name stands: its id counts before its provider's name for it.
    pub(super) fn place_of(&self, name: &str, fits: impl Fn(&Entry) -> bool) -> Option<usize> {
        let find = |is_it: &dyn Fn(&Model) -> bool| {
            let mut entries = self.allowed.iter();
            entries.position(|entry| is_it(entry.model()) && fits(entry))
        };
        find(&|model| model.id.as_str() == name).or_else(|| find(&|model| &*model.api_model == name))
    }
}

/// Models that want leave, with their places.
pub(super) fn ranked_beyond(scene: &Scene<'_>, task: TaskType, models: Vec<Arc<Model>>) -> Vec<(Rank, Candidate)> {
    let ranked = models
        .into_iter()
        .map(|model| candidate(scene, task, Selection::Layer, model));
    ranked.collect()
}
