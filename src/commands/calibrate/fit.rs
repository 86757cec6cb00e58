//! Layers and models, fitted to outcomes.

use std::collections::BTreeMap;

use gateway_routing::{KnownModel, Layer, RoutingModel};
use serde_json::json;

/// For how many outcomes of even chance the shipped number counts.
const PRIOR: f64 = 50.0;
/// What one such outcome tells: p (1 - p) at one half.
const INFORMATION: f64 = 0.25;
/// Fewer outcomes of a model say nothing.
const LEAST: usize = 20;
/// One in so many outcomes, the newest, is kept to judge by.
const HELD_OUT: usize = 5;
/// Of these somebody must have judged so many, so that it can be told whether the new numbers are better.
pub(super) const LEAST_JUDGED: usize = 30;
/// Steps of Newton's method; it is done after five.
const STEPS: usize = 25;
/// How far a layer's number, and a model's, may move from where it was.
const MOST_MOVE: f64 = 4.0;

/// What an outcome says of a layer, and of a model if the calibration knows it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) layer: Layer,
    pub(super) known: Option<KnownModel>,
    pub(super) difficulty: f64,
    pub(super) right: bool,
    /// Somebody said something of the answer.
    pub(super) judged: bool,
    /// How much it counts, above 0 and at most 1.
    pub(super) weight: f64,
}

/// One number, before and after.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Outcomes that it was fitted to, and how many were right.
    pub(super) count: usize,
    pub(super) right: usize,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(super) struct Fitted {
    pub(super) layers: Vec<Change>,
    pub(super) models: Vec<Change>,
    pub(super) all: usize,
    pub(super) judged: usize,
    /// The newest, which were not fitted to.
    pub(super) held_out: usize,
    /// Those among them that somebody judged.
    pub(super) held_out_judged: usize,
    /// Mean squared distance of chance and outcome over these, with the calibration that applies now.
    pub(super) before: f64,
    /// The same with the new one.
    pub(super) after: f64,
    /// The standard error of their difference.
    pub(super) noise: f64,
}

impl Fitted {
    /// Whether somebody judged enough of the newest to tell anything.
    pub(super) const fn has_enough(&self) -> bool {
        self.held_out_judged >= LEAST_JUDGED
    }

    /// Whether the new numbers foretell the newest outcomes better, by more than the noise.
    pub(super) fn is_better(&self) -> bool {
        self.has_enough() && self.before - self.after > self.noise
    }

    /// The new numbers, as they go on top of a calibration.
    pub(super) fn data(&self) -> String {
        let of = |changes: &[Change]| -> BTreeMap<String, f64> {
            let numbers = changes
                .iter()
                .map(|change| (change.name.clone(), (change.to * 1e6).round() / 1e6));
            numbers.collect()
        };
        json!({ "layers": of(&self.layers), "models": of(&self.models) }).to_string()
    }
}

/// Fits the layers' and models' numbers over `base` to all but the newest of these outcomes, which stand oldest first.
/// `now` is what applies.
pub(super) fn fit(base: &RoutingModel, now: &RoutingModel, seen: &[Seen]) -> Fitted {
    let (old, new) = seen.split_at(seen.len() - seen.len() / HELD_OUT);
    let mut layers = Vec::new();
    for layer in Layer::ALL {
        let of: Vec<&Seen> = old.iter().filter(|one| one.layer == layer).collect();
        if of.is_empty() {
            continue;
        }
        let chances = |model: &RoutingModel| -> Vec<f64> {
            of.iter()
                .map(|one| logit(model.chance_at(None, layer, one.difficulty)))
                .collect()
        };
        // The slope stays, so that the number at difficulty 0 moves as much as every other.
        let at_zero = |model: &RoutingModel| logit(model.chance_at(None, layer, 0.0));
        let moved = newton(&chances(base), &of);
        layers.push(change(layer.as_str(), at_zero(now), at_zero(base) + moved, &of));
    }
    let mut models: Vec<Change> = Vec::new();
    for name in base.known_names() {
        let Some(model) = base.known(name) else { continue };
        let of: Vec<&Seen> = old.iter().filter(|one| one.known == Some(model)).collect();
        if of.len() < LEAST {
            continue;
        }
        let chances: Vec<f64> = of
            .iter()
            .map(|one| logit(base.chance_at(Some(model), one.layer, one.difficulty)))
            .collect();
        let moved = newton(&chances, &of);
        let offset = of.first().map_or(0.0, |one| {
            let at = |from: &RoutingModel| logit(from.chance_at(Some(model), one.layer, one.difficulty));
            at(now) - at(base)
        });
        models.push(change(name, offset, moved, &of));
    }
    let before = distances(now, new);
    let mut fitted = Fitted {
        layers,
        models,
        all: seen.len(),
        judged: seen.iter().filter(|one| one.judged).count(),
        held_out: new.len(),
        held_out_judged: new.iter().filter(|one| one.judged).count(),
        before: mean(&before, new),
        after: f64::INFINITY,
        noise: 0.0,
    };
    // Read back as it is stored, so that what is judged is what applies.
    if let Ok(adjusted) = base.adjusted(&fitted.data()) {
        let after = distances(&adjusted, new);
        fitted.after = mean(&after, new);
        fitted.noise = standard_error(&before, &after, new);
    }
    fitted
}

fn change(name: &str, from: f64, to: f64, of: &[&Seen]) -> Change {
    Change {
        name: name.to_owned(),
        from,
        to,
        count: of.len(),
        right: of.iter().filter(|one| one.right).count(),
    }
}

/// By how much the logits move, all alike, to fit what was seen: at most some, and less the fewer outcomes there are.
fn newton(logits: &[f64], seen: &[&Seen]) -> f64 {
    let mut moved = 0.0_f64;
    for _ in 0..STEPS {
        let (mut slope, mut curve) = (-PRIOR * INFORMATION * moved, PRIOR * INFORMATION);
        for (logit, one) in logits.iter().zip(seen) {
            let chance = sigmoid(logit + moved);
            slope += one.weight * (f64::from(u8::from(one.right)) - chance);
            curve += one.weight * chance * (1.0 - chance);
        }
        moved = (moved + slope / curve).clamp(-MOST_MOVE, MOST_MOVE);
    }
    moved
}

/// Squared distances of chance and outcome.
fn distances(model: &RoutingModel, seen: &[Seen]) -> Vec<f64> {
    let distance = |one: &Seen| {
        let chance = model.chance_at(one.known, one.layer, one.difficulty);
        (chance - f64::from(u8::from(one.right))).powi(2)
    };
    seen.iter().map(distance).collect()
}

/// Their mean, each counting by its weight: the Brier score.
fn mean(distances: &[f64], seen: &[Seen]) -> f64 {
    let sum: f64 = distances
        .iter()
        .zip(seen)
        .map(|(distance, one)| distance * one.weight)
        .sum();
    sum / weight(seen)
}

fn weight(seen: &[Seen]) -> f64 {
    let weight: f64 = seen.iter().map(|one| one.weight).sum();
    weight.max(f64::MIN_POSITIVE)
}

/// The standard error of the difference of two such means over the same outcomes.
fn standard_error(before: &[f64], after: &[f64], seen: &[Seen]) -> f64 {
    let gain = mean(before, seen) - mean(after, seen);
    let squares = before.iter().zip(after).zip(seen);
    let squares = squares.map(|((before, after), one)| (one.weight * (before - after - gain)).powi(2));
    squares.sum::<f64>().sqrt() / weight(seen)
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

fn logit(chance: f64) -> f64 {
    let chance = chance.clamp(1e-9, 1.0 - 1e-9);
    (chance / (1.0 - chance)).ln()
}
