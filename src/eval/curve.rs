//! Accuracy over cost: what lies between two settings, and how sure it is.

use super::score::Score;

/// How often questions are drawn anew for an interval.
const DRAWS: usize = 1_000;
/// What the draws begin with: the same figures give the same interval.
const SEED: u64 = 7;

/// What one setting came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// The mean cost of a question, in USD.
    pub(super) cost: f64,
    /// The mean score, 0 to 1.
    pub(super) accuracy: f64,
}

impl From<Score> for Point {
    fn from(score: Score) -> Self {
        Self {
            cost: score.cost,
            accuracy: score.accuracy,
        }
    }
}

/// Score and cost in USD of each question under one setting, in the order of the questions.
pub(super) type Column = Vec<(f64, f64)>;

/// Where an accuracy lies, with a certainty of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Points in the order of their cost.
pub(super) fn by_cost(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.accuracy.total_cmp(&b.accuracy)));
    points
}

/// The accuracy at a cost: on the line between the settings next to it, since questions can be shared out between them.
/// Beyond the dearest setting it is that one's; below the cheapest there is none.
pub(super) fn at(points: &[Point], cost: f64) -> Option<f64> {
    let after = points.partition_point(|point| point.cost < cost);
    let Some(above) = points.get(after) else {
        return points.last().map(|point| point.accuracy);
    };
    let Some(below) = after.checked_sub(1).and_then(|before| points.get(before)) else {
        return (above.cost <= cost).then_some(above.accuracy);
    };
    let part = (cost - below.cost) / (above.cost - below.cost);
    Some(below.accuracy + part * (above.accuracy - below.accuracy))
}

/// By how much a curve lies above the dearest model at shares of its cost, over questions drawn anew: both sides of the
/// difference are of the same draw. Nothing where a draw's curve does not reach the share.
pub(super) fn intervals(settings: &[Column], strongest: &Column, shares: &[f64]) -> Vec<Option<Interval>> {
    let count = strongest.len();
    let mut random = Random(SEED);
    let mut gaps: Vec<Vec<f64>> = vec![Vec::with_capacity(DRAWS); shares.len()];
    let mut places = vec![0; count];
    for _ in 0..DRAWS {
        places.fill_with(|| random.below(count));
        let top = mean(strongest, &places);
        let points = by_cost(settings.iter().map(|column| mean(column, &places)).collect());
        for (gaps, share) in gaps.iter_mut().zip(shares) {
            if let Some(accuracy) = at(&points, share * top.cost) {
                gaps.push(accuracy - top.accuracy);
            }
        }
    }
    gaps.into_iter()
        .map(|gaps| (gaps.len() == DRAWS).then(|| middle(gaps)))
        .collect()
}

/// A number's mean over questions drawn anew, with a certainty of 95 %.
pub(super) fn interval_of(values: &[f64], figure: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
    let mut random = Random(SEED);
    let mut places = vec![0; values.len()];
    let figures: Option<Vec<f64>> = (0..DRAWS)
        .map(|_| {
            places.fill_with(|| random.below(values.len()));
            figure(&places)
        })
        .collect();
    figures.map(middle)
}

fn mean(column: &Column, places: &[usize]) -> Point {
    let (mut right, mut cost) = (0.0, 0.0);
    for place in places {
        if let Some((score, paid)) = column.get(*place) {
            right += score;
            cost += paid;
        }
    }
    Score::of(places.len(), right, cost).into()
}

/// The middle 95 % of some figures.
fn middle(mut figures: Vec<f64>) -> Interval {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    let at = |per_mille: usize| figures.get(last * per_mille / 1_000).copied().unwrap_or(f64::NAN);
    Interval {
        low: at(25),
        high: at(975),
    }
}

/// SplitMix64: a generator of sixty-four bits that any seed will do for.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, 0 where there is none.
    fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        // The upper half is below `bound`.
        (product >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(cost: f64, accuracy: f64) -> Point {
        Point { cost, accuracy }
    }

    #[test]
    fn between_two_settings_lies_a_line() {
        let points = by_cost(vec![point(3.0, 0.9), point(1.0, 0.5)]);
        assert_eq!(at(&points, 0.9), None);
        assert_eq!(at(&points, 1.0), Some(0.5));
        assert_eq!(at(&points, 2.0), Some(0.7));
        assert_eq!(at(&points, 3.0), Some(0.9));
        assert_eq!(at(&points, 8.0), Some(0.9));
        assert_eq!(at(&[], 1.0), None);
    }

    #[test]
    fn an_interval_holds_the_figure_and_is_the_same_each_time() {
        // The router is right about every question and costs half.
        let strongest: Column = (0..200)
            .map(|place| (f64::from(u8::from(place % 4 > 0)), 2.0))
            .collect();
        let router: Column = (0..200).map(|_| (1.0, 1.0)).collect();
        let found = intervals(std::slice::from_ref(&router), &strongest, &[0.25, 0.5, 0.9]);
        assert_eq!(found[0], None, "a share below the cheapest setting");
        let interval = found[1].unwrap();
        assert!(interval.low < 0.25 && 0.25 < interval.high, "{interval:?}");
        assert!(interval.low > 0.15 && interval.high < 0.35, "{interval:?}");
        assert_eq!(intervals(&[router], &strongest, &[0.25, 0.5, 0.9]), found);
    }

    #[test]
    fn draws_are_even() {
        let mut random = Random(1);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[random.below(10)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        assert_eq!(random.below(0), 0);
    }
}
