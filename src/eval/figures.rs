//! The figures of a measurement: what is printed, and what `eval.json` holds.

use gateway_routing::RoutingModel;
use serde::Serialize;

use super::baselines::{self, Group};
use super::curve::{Column, Interval, Point, at, by_cost, intervals};
use super::data::Material;
use super::pair::{Ordered, PARTS, Pair, Worth};
use super::score::{Choice, Score, usd};
use super::sweep::{Run, Runs};

/// The shares of the strongest model's cost that are told.
pub(super) const SHARES: [f64; 8] = [0.20, 0.27, 0.32, 0.37, 0.42, 0.47, 0.51, 0.59];

/// Everything.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) questions: usize,
    pub(super) calibration: String,
    pub(super) models: Vec<ModelLine>,
    /// What must be known to read the figures.
    pub(super) notes: Vec<String>,
    pub(super) groups: Vec<GroupFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pair: Option<PairFigures>,
}

/// A model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelLine {
    pub(super) name: String,
    pub(super) layer: &'static str,
    pub(super) known: bool,
    pub(super) hidden_tokens: u64,
}

/// Figures over some questions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupFigures {
    pub(super) name: String,
    pub(super) questions: usize,
    pub(super) strongest: Option<String>,
    pub(super) models: Vec<Line>,
    pub(super) baselines: Vec<Line>,
    /// The router where the answers of cheap models are compared.
    pub(super) compared: Vec<Line>,
    /// The router where one model is asked.
    pub(super) one_model: Vec<Line>,
    pub(super) qualities: Vec<Line>,
    /// Simple rules over the text.
    pub(super) rules: Vec<Line>,
    pub(super) at_shares: Vec<AtShare>,
    #[serde(skip)]
    pub(super) keyword_order: Vec<Point>,
}

/// One way of choosing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lambda: Option<f64>,
    pub(super) accuracy: f64,
    pub(super) usd_per_thousand: f64,
    /// Of the strongest model's cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<f64>,
    /// The router's accuracy at the same cost, where questions are shared out between two of its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) router_there: Option<f64>,
}

/// The router at a share of the strongest model's cost.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtShare {
    pub(super) share: f64,
    pub(super) accuracy: Option<f64>,
    pub(super) minus_strongest: Option<f64>,
    /// The middle 95 % of that difference.
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// Where one model is asked.
    pub(super) one_model: Option<f64>,
    /// The keyword weights as an order between the cheapest of L1 and the strongest.
    pub(super) keyword_order: Option<f64>,
}

/// Figures of data of two models.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PairFigures {
    pub(super) weak: String,
    pub(super) strong: String,
    pub(super) groups: Vec<PairGroup>,
    /// All questions in the order of the expected gain.
    pub(super) curve: Vec<PairPoint>,
}

/// What orders are worth over some questions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PairGroup {
    pub(super) name: String,
    /// None where the stronger is not better on these.
    pub(super) orders: Vec<OrderLine>,
}

/// What an order is worth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderLine {
    pub(super) name: &'static str,
    pub(super) apgr: f64,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// The share of calls of the stronger that recovers half of the gap, and 80 % of it.
    pub(super) cpt50: Option<f64>,
    pub(super) cpt80: Option<f64>,
}

/// One share of calls.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PairPoint {
    pub(super) share: f64,
    pub(super) accuracy: f64,
    pub(super) usd_per_thousand: f64,
}

impl From<Worth> for OrderLine {
    fn from(worth: Worth) -> Self {
        let [cpt50, cpt80] = worth.calls;
        const { assert!(PARTS.len() == 2) };
        Self {
            name: worth.name,
            apgr: worth.apgr,
            low: worth.interval.map(|interval| interval.low),
            high: worth.interval.map(|interval| interval.high),
            cpt50,
            cpt80,
        }
    }
}

impl From<&Ordered> for PairPoint {
    fn from(point: &Ordered) -> Self {
        Self {
            share: point.share,
            accuracy: point.score.accuracy,
            usd_per_thousand: point.score.per_thousand(),
        }
    }
}

impl PairFigures {
    pub(super) fn new(
        material: &Material,
        pair: Pair,
        groups: impl Iterator<Item = (String, Vec<Worth>)>,
        curve: &[Ordered],
    ) -> Self {
        let group = |(name, orders): (String, Vec<Worth>)| PairGroup {
            name,
            orders: orders.into_iter().map(Into::into).collect(),
        };
        Self {
            weak: name(material, pair.weak),
            strong: name(material, pair.strong),
            groups: groups.map(group).collect(),
            curve: curve.iter().map(Into::into).collect(),
        }
    }
}

impl Line {
    pub(super) fn point(&self) -> Point {
        Point {
            cost: self.usd_per_thousand,
            accuracy: self.accuracy,
        }
    }
}

/// What the lines of a group are compared with.
struct Measure {
    strongest: Option<Score>,
    /// The router at every setting where answers are compared, by cost.
    compared: Vec<Point>,
    /// The same where one model is asked.
    one_model: Vec<Point>,
}

impl Measure {
    /// The router's accuracy at a cost, between the settings next to it. None is picked for having done well on these very
    /// questions. Below what the comparison costs, one model is asked.
    fn router_at(&self, cost: f64) -> Option<f64> {
        let cheapest = self.compared.first().map(|point| point.cost);
        match cheapest.filter(|cheapest| *cheapest <= cost) {
            Some(_) => at(&self.compared, cost),
            None => at(&self.one_model, cost),
        }
    }

    fn line(&self, name: impl Into<String>, lambda: Option<f64>, score: Score) -> Line {
        let top = self.strongest.filter(|top| top.cost > 0.0);
        Line {
            name: name.into(),
            lambda,
            accuracy: score.accuracy,
            usd_per_thousand: score.per_thousand(),
            share: top.map(|top| score.cost / top.cost),
            router_there: self.router_at(score.cost),
        }
    }
}

/// The figures of a group.
pub(super) fn of_group(material: &Material, group: &Group, runs: &Runs, reader: &RoutingModel) -> GroupFigures {
    let marks = &material.marks;
    let singles = baselines::singles(material, group);
    let strongest = singles.iter().find(|(model, _)| Some(*model) == group.strongest);
    let compared = scored(group, &runs.checked);
    let one_model = scored(group, &runs.single);
    let points = |runs: &[(&Run, Vec<Choice>)]| by_cost(runs.iter().map(|(_, of)| marks.score(of).into()).collect());
    let main = if compared.is_empty() { &one_model } else { &compared };
    let measure = Measure {
        strongest: strongest.map(|(_, score)| *score),
        compared: points(&compared),
        one_model: points(&one_model),
    };
    let plain = Measure {
        strongest: measure.strongest,
        compared: Vec::new(),
        one_model: Vec::new(),
    };
    let lines = |runs: &[(&Run, Vec<Choice>)], measure: &Measure| -> Vec<Line> {
        let lines = runs
            .iter()
            .map(|(run, of)| measure.line(&run.name, run.lambda, marks.score(of)));
        lines.collect()
    };
    let mut baselines = baselines::plain(material, group, &singles);
    baselines.extend(baselines::agreement(material, group, reader));
    let keyword_order = baselines::keyword_order(material, group);
    let at_shares = shares(
        material,
        group,
        main,
        (&points(main), &points(&one_model)),
        &keyword_order,
    );
    GroupFigures {
        name: group.name.clone(),
        questions: group.rows.len(),
        strongest: group.strongest.map(|model| name(material, model)),
        models: singles
            .iter()
            .map(|(model, score)| measure.line(name(material, *model), None, *score))
            .collect(),
        baselines: baselines
            .into_iter()
            .map(|one| measure.line(one.name, None, one.score))
            .collect(),
        qualities: lines(&scored(group, &runs.qualities), &plain),
        rules: lines(&scored(group, &runs.rules), &measure),
        compared: lines(&compared, &plain),
        one_model: lines(&one_model, &plain),
        at_shares,
        keyword_order,
    }
}

/// The runs that asked all of a group's questions.
fn scored<'a>(group: &Group, runs: &'a [Run]) -> Vec<(&'a Run, Vec<Choice>)> {
    runs.iter()
        .filter_map(|run| Some((run, run.of(&group.rows)?)))
        .collect()
}

fn shares(
    material: &Material,
    group: &Group,
    main: &[(&Run, Vec<Choice>)],
    (router, one_model): (&[Point], &[Point]),
    keyword_order: &[Point],
) -> Vec<AtShare> {
    let Some(strongest) = group.strongest else {
        return Vec::new();
    };
    let alone = group.rows.iter().map(|row| {
        let cost = material.data.rows.get(*row).and_then(|row| row.cost(strongest));
        (material.marks.of(*row, Some(strongest)), usd(cost.unwrap_or_default()))
    });
    let alone: Column = alone.collect();
    let sum = |of: fn(&(f64, f64)) -> f64| alone.iter().map(of).sum::<f64>();
    let top = Score::of(alone.len(), sum(|one| one.0), sum(|one| one.1));
    if top.cost <= 0.0 {
        return Vec::new();
    }
    let column = |of: &Vec<Choice>| -> Column {
        of.iter()
            .map(|choice| (material.marks.of(choice.row, choice.model), usd(choice.cost)))
            .collect()
    };
    let columns: Vec<Column> = main.iter().map(|(_, of)| column(of)).collect();
    let intervals = intervals(&columns, &alone, &SHARES);
    let line = |(share, interval): (&f64, Option<Interval>)| {
        let there = |points: &[Point]| at(points, share * top.cost);
        let accuracy = there(router);
        AtShare {
            share: *share,
            accuracy,
            minus_strongest: accuracy.map(|accuracy| accuracy - top.accuracy),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            one_model: there(one_model),
            keyword_order: there(keyword_order),
        }
    };
    SHARES.iter().zip(intervals).map(line).collect()
}

pub(super) fn name(material: &Material, model: usize) -> String {
    let model = material.data.models.get(model);
    model.map(|model| model.api_model.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_is_where_its_settings_lie_and_not_where_the_luckiest_of_them_do() {
        let point = |cost, accuracy| Point { cost, accuracy };
        let measure = Measure {
            strongest: None,
            compared: vec![point(2.0, 0.6), point(3.0, 0.5), point(4.0, 0.8)],
            one_model: vec![point(1.0, 0.4), point(3.0, 0.9)],
        };
        assert_eq!(measure.router_at(3.0), Some(0.5));
        assert_eq!(measure.router_at(3.5), Some(0.65));
        // Below what a comparison costs, one model is asked.
        assert_eq!(measure.router_at(1.0), Some(0.4));
        assert_eq!(measure.router_at(1.5), Some(0.525));
        assert_eq!(measure.router_at(0.5), None);
    }
}
