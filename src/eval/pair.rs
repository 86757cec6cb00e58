//! Data of two models: which questions go to the stronger first, and how much of the gap is won by how many of its calls.

use std::collections::HashSet;

use gateway_routing::{Layer, RoutingModel};

use super::curve::{Interval, interval_of};
use super::data::{Data, Material};
use super::error::EvalError;
use super::score::{Marks, Score};
use super::sweep::{Ask, Engine, Run, Setting};

/// Into how many shares of the stronger's calls the way from none to all is cut.
const STEPS: usize = 40;
/// The parts of the gap whose price in calls is told.
pub(super) const PARTS: [f64; 2] = [0.5, 0.8];

/// The two models of the data, by layer and price: nobody's score is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) weak: usize,
    pub(super) strong: usize,
}

/// What an order of the questions is worth.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Worth {
    pub(super) name: &'static str,
    /// The recovered part of the gap, on average over all shares of calls: .5 at random.
    pub(super) apgr: f64,
    pub(super) interval: Option<Interval>,
    /// The least share of calls of the stronger that recovers each of [`PARTS`].
    pub(super) calls: [Option<f64>; PARTS.len()],
}

/// Questions in an order, the first of them to the stronger model, and how it does at every share.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) share: f64,
    pub(super) score: Score,
}

/// The pair, if every question was answered by the same two models and no other.
pub(super) fn pair_of(data: &Data) -> Option<Pair> {
    let first: Vec<usize> = data.rows.first()?.models().collect();
    let [weak, strong] = first.try_into().ok()?;
    let is_same = |row: &super::data::Row| row.models().eq([weak, strong]);
    // The models stand in the order of their layers, in these of their prices.
    data.rows.iter().all(is_same).then_some(Pair { weak, strong })
}

/// The questions in the order of what the stronger is expected to gain, the most first.
pub(super) fn by_gain(data: &Data, reader: &RoutingModel) -> Vec<usize> {
    // The order is the same whichever layers are compared.
    by(data, |question| reader.question(question).gain(Layer::L0, Layer::L2))
}

/// The questions in the order of their hardness.
pub(super) fn by_difficulty(data: &Data, reader: &RoutingModel) -> Vec<usize> {
    by(data, |question| reader.question(question).difficulty())
}

/// The questions in the order of their length.
pub(super) fn by_length(data: &Data) -> Vec<usize> {
    by(data, |question| question.len() as f64)
}

/// Greatest first; among equals as they stand in the data.
fn by(data: &Data, score: impl Fn(&str) -> f64) -> Vec<usize> {
    let scored = data.rows.iter().map(|row| score(&row.question)).enumerate();
    let mut scored: Vec<(usize, f64)> = scored.collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.into_iter().map(|(row, _)| row).collect()
}

/// Runs an order through the gateway, at every share of calls from none to all.
pub(super) fn run(
    engine: &mut dyn Engine,
    Material { data, marks }: &Material,
    pair: Pair,
    order: &[usize],
) -> Result<Vec<Ordered>, EvalError> {
    let rows: Vec<usize> = (0..order.len()).collect();
    let mut curve = Vec::with_capacity(STEPS + 1);
    for step in 0..=STEPS {
        let to_strong = order.len() * step / STEPS;
        let ask = |(place, row): (usize, &usize)| {
            let model = if place < to_strong { pair.strong } else { pair.weak };
            (*row, Ask::Model(model))
        };
        let asks: Vec<(usize, Ask)> = order.iter().enumerate().map(ask).collect();
        let run = Run::all(engine, ("order", Setting::default()), data.rows.len(), &asks)?;
        let choices = run.of(&rows).unwrap_or_default();
        let strong = choices
            .iter()
            .filter(|choice| choice.model == Some(pair.strong))
            .count();
        curve.push(Ordered {
            share: strong as f64 / order.len().max(1) as f64,
            score: marks.score(&choices),
        });
    }
    Ok(curve)
}

/// What an order is worth, question by question; nothing where the stronger is not better on these questions.
fn worth(name: &'static str, marks: &Marks, pair: Pair, order: &[usize]) -> Option<Worth> {
    let gains: Vec<f64> = order.iter().map(|row| gain(marks, pair, *row)).collect();
    let apgr = area(gains.iter().copied())?;
    let all = gains.len().max(1) as f64;
    let gap: f64 = gains.iter().sum();
    let mut won = 0.0;
    let mut calls = [None; PARTS.len()];
    for (place, gain) in gains.iter().enumerate() {
        won += gain;
        for (call, part) in calls.iter_mut().zip(PARTS) {
            if call.is_none() && won >= part * gap {
                *call = Some((place + 1) as f64 / all);
            }
        }
    }
    let interval = interval_of(&gains, |places| {
        // The drawn questions in their order, each as often as it was drawn.
        let mut places = places.to_vec();
        places.sort_unstable();
        area(places.iter().filter_map(|place| gains.get(*place).copied()))
    });
    Some(Worth {
        name,
        apgr,
        interval,
        calls,
    })
}

/// What the orders of all questions are worth over some of them.
pub(super) fn worths(marks: &Marks, pair: Pair, orders: &[(&'static str, Vec<usize>)], rows: &[usize]) -> Vec<Worth> {
    let wanted: HashSet<usize> = rows.iter().copied().collect();
    let of = |(name, order): &(&'static str, Vec<usize>)| {
        let order: Vec<usize> = order.iter().copied().filter(|row| wanted.contains(row)).collect();
        worth(name, marks, pair, &order)
    };
    let best = foreseen(marks, pair, rows);
    orders.iter().filter_map(of).chain(best).collect()
}

/// The worth of the best order there could be.
fn foreseen(marks: &Marks, pair: Pair, rows: &[usize]) -> Option<Worth> {
    let mut order = rows.to_vec();
    order.sort_by(|a, b| gain(marks, pair, *b).total_cmp(&gain(marks, pair, *a)));
    worth("oracle", marks, pair, &order)
}

fn gain(marks: &Marks, pair: Pair, row: usize) -> f64 {
    marks.of(row, Some(pair.strong)) - marks.of(row, Some(pair.weak))
}

/// The area under the recovered part of the gap, over the share of calls; nothing without a gap.
fn area(gains: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let gap: f64 = gains.clone().sum();
    if gap <= 0.0 {
        return None;
    }
    let (mut won, mut sum, mut count) = (0.0, 0.0, 0.0);
    for gain in gains {
        // Trapezia: half of what is won with this call counts for its own step.
        sum += won + gain / 2.0;
        won += gain;
        count += 1.0;
    }
    Some(sum / count / gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(rows: &[(f64, f64)]) -> Marks {
        let mut marks = Marks::default();
        for (weak, strong) in rows {
            let line = format!(r#"{{"outcomes":{{"a":{{"correct":{weak}}},"b":{{"correct":{strong}}}}}}}"#);
            let place = |name: &str| ["a", "b"].iter().position(|known| *known == name);
            marks.add(line.as_bytes(), 2, place).unwrap();
        }
        marks
    }

    const PAIR: Pair = Pair { weak: 0, strong: 1 };

    #[test]
    fn an_order_is_worth_the_area_under_what_it_recovers() {
        let marks = marks(&[(0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (0.0, 1.0)]);
        // 2 of 4 gain: both at once, then nothing more.
        let best = foreseen(&marks, PAIR, &[0, 1, 2, 3]).unwrap();
        assert!((best.apgr - 0.75).abs() < 1e-12, "{best:?}");
        assert_eq!(best.calls, [Some(0.25), Some(0.5)]);
        let worst = worth("worst", &marks, PAIR, &[1, 2, 0, 3]).unwrap();
        assert!((worst.apgr - 0.25).abs() < 1e-12, "{worst:?}");
        assert_eq!(worst.calls, [Some(0.75), Some(1.0)]);
        let interval = best.interval;
        assert_eq!(interval, foreseen(&marks, PAIR, &[0, 1, 2, 3]).unwrap().interval);
    }

    #[test]
    fn without_a_gap_no_order_is_worth_anything() {
        let marks = marks(&[(1.0, 0.0), (0.0, 1.0)]);
        assert_eq!(worth("any", &marks, PAIR, &[0, 1]), None);
    }
}
