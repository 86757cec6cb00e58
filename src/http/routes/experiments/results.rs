//! What an experiment has shown so far: rates and costs of each arm, and how sure their differences to the first arm are.

use gateway_actors::protocol::{Experiment, NanoUsd, OutcomeEnd, OutcomeRow};
use gateway_routing::{Interval, mean_difference, mean_interval, newcombe, wilson};
use serde::Serialize;

/// The newest outcomes of an experiment that are counted.
pub(super) const MOST_OUTCOMES: usize = 50_000;
/// Nano-USD of a USD.
const NANO: f64 = 1e9;

/// The results of every arm.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    results: Vec<ArmResult>,
    /// How many outcomes were counted.
    counted: usize,
    /// Whether there were more.
    truncated: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArmResult {
    arm: String,
    n: usize,
    ended: Ends,
    /// Requests that a provider failed, or whose answer something speaks against: evidence, a test, the caller.
    errors: usize,
    /// Of those that were answered or failed.
    error_rate: Option<Range>,
    /// Of those of which the caller said whether it took the answer.
    accepted_rate: Option<Range>,
    /// Of those that were answered or failed.
    escalated_rate: Option<Range>,
    ratings: Ratings,
    mean_cost_usd: Option<Range>,
    cost_nano_usd: NanoUsd,
    /// The difference to the first arm; nothing of the first arm itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    versus_first: Option<Versus>,
}

/// How the requests ended.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Ends {
    answered: usize,
    failed: usize,
    refused: usize,
    left: usize,
}

#[derive(Debug, Serialize)]
struct Ratings {
    up: usize,
    down: usize,
}

/// A value, and where the true one lies with 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Range {
    value: f64,
    low: f64,
    high: f64,
}

impl From<Interval> for Range {
    fn from(interval: Interval) -> Self {
        let Interval { value, low, high } = interval;
        Self { value, low, high }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Versus {
    error_rate: Option<Difference>,
    mean_cost_usd: Option<Difference>,
    /// Whether both differences are certain.
    decided: bool,
}

#[derive(Debug, Serialize)]
struct Difference {
    #[serde(flatten)]
    range: Range,
    /// Whether it is certain that there is one: no difference lies outside the interval.
    decided: bool,
}

impl From<Interval> for Difference {
    fn from(interval: Interval) -> Self {
        Self {
            decided: interval.excludes(0.0),
            range: interval.into(),
        }
    }
}

/// The outcomes of one arm, counted.
#[derive(Debug, Default)]
struct Tally {
    n: usize,
    ends: Ends,
    errors: usize,
    accepted: usize,
    judged: usize,
    escalated: usize,
    up: usize,
    down: usize,
    costs: Vec<f64>,
    cost: NanoUsd,
}

impl Results {
    /// Of these outcomes, newest first.
    pub(super) fn of(experiment: &Experiment, outcomes: &[OutcomeRow]) -> Self {
        let counted = outcomes.get(..MOST_OUTCOMES).unwrap_or(outcomes);
        let tallies: Vec<Tally> = experiment
            .arms
            .iter()
            .map(|arm| {
                let is_of_arm = |row: &&OutcomeRow| row.experiment.as_ref().is_some_and(|(_, name)| *name == arm.name);
                counted.iter().filter(is_of_arm).fold(Tally::default(), Tally::and)
            })
            .collect();
        let results = experiment.arms.iter().zip(&tallies).enumerate();
        let results = results.map(|(place, (arm, tally))| {
            let first = tallies.first().filter(|_| place > 0);
            tally.result(&arm.name, first)
        });
        Self {
            results: results.collect(),
            counted: counted.len(),
            truncated: outcomes.len() > MOST_OUTCOMES,
        }
    }
}

impl Tally {
    fn and(mut self, row: &OutcomeRow) -> Self {
        self.n += 1;
        *match row.ended {
            OutcomeEnd::Answered => &mut self.ends.answered,
            OutcomeEnd::Failed => &mut self.ends.failed,
            OutcomeEnd::Refused => &mut self.ends.refused,
            OutcomeEnd::Left => &mut self.ends.left,
        } += 1;
        self.errors += usize::from(row.is_failure());
        self.accepted += usize::from(row.accepted == Some(true));
        self.judged += usize::from(row.accepted.is_some());
        self.escalated += usize::from(row.counts() && row.escalated);
        self.up += usize::from(row.rating.is_some_and(|rating| rating > 0));
        self.down += usize::from(row.rating.is_some_and(|rating| rating < 0));
        // Means are estimates: what a float of 53 bits loses of an amount does not matter here.
        self.costs.push(row.cost.0 as f64 / NANO);
        self.cost += row.cost;
        self
    }

    /// Those that say how well the arm does: nobody refused them, and nobody left.
    const fn counted(&self) -> usize {
        self.ends.answered + self.ends.failed
    }

    fn result(&self, arm: &str, first: Option<&Self>) -> ArmResult {
        ArmResult {
            arm: arm.to_owned(),
            n: self.n,
            ended: self.ends,
            errors: self.errors,
            error_rate: rate(self.errors, self.counted()),
            accepted_rate: rate(self.accepted, self.judged),
            escalated_rate: rate(self.escalated, self.counted()),
            ratings: Ratings {
                up: self.up,
                down: self.down,
            },
            mean_cost_usd: mean_interval(self.costs.iter().copied()).map(Into::into),
            cost_nano_usd: self.cost,
            versus_first: first.map(|first| self.versus(first)),
        }
    }

    fn versus(&self, first: &Self) -> Versus {
        let errors = newcombe(of(self.errors, self.counted()), of(first.errors, first.counted()));
        let costs = mean_difference(self.costs.iter().copied(), first.costs.iter().copied());
        let is_certain = |difference: Option<Interval>| difference.is_some_and(|difference| difference.excludes(0.0));
        Versus {
            error_rate: errors.map(Into::into),
            mean_cost_usd: costs.map(Into::into),
            decided: is_certain(errors) && is_certain(costs),
        }
    }
}

fn rate(count: usize, of_all: usize) -> Option<Range> {
    let (count, of_all) = of(count, of_all);
    wilson(count, of_all).map(Into::into)
}

fn of(count: usize, all: usize) -> (u64, u64) {
    (
        u64::try_from(count).unwrap_or(u64::MAX),
        u64::try_from(all).unwrap_or(u64::MAX),
    )
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
