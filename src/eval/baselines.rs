//! What there is to compare with: each model alone, mixes, who knows all, who asks until two or three agree, and simple
//! rules over the question's text.

use gateway_actors::protocol::{Layer, NanoUsd};
use gateway_routing::{RoutingModel, answer_key, extract, keyword_layer, keyword_score, seed_layer};

use super::curve::Point;
use super::data::{Data, Material};
use super::error::EvalError;
use super::score::{Choice, Score};
use super::sweep::{Engine, Run, by_rule, recorded};

/// How many cheap models answer side by side.
const PANEL: usize = 3;

/// Some questions, and the models that answered all of them.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) rows: Vec<usize>,
    /// The cheapest layer first.
    pub(super) models: Vec<usize>,
    /// The most accurate of them.
    pub(super) strongest: Option<usize>,
}

/// A baseline and what it came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Baseline {
    pub(super) name: String,
    pub(super) score: Score,
}

/// The sources one by one; behind them those whose questions the same models answered, together.
pub(super) fn groups(Material { data, marks }: &Material) -> Vec<Group> {
    let of = |name: String, sources: &[usize]| {
        let rows = data.rows.iter().enumerate();
        let rows = rows
            .filter(|(_, row)| sources.contains(&row.source))
            .map(|(place, _)| place);
        let rows: Vec<usize> = rows.collect();
        let in_all = |model: &usize| {
            rows.iter()
                .all(|row| data.rows.get(*row).is_some_and(|row| row.cost(*model).is_some()))
        };
        let models: Vec<usize> = (0..data.models.len()).filter(in_all).collect();
        let strongest = marks.most_accurate(&rows, &models);
        Group {
            name,
            rows,
            models,
            strongest,
        }
    };
    let mut groups: Vec<Group> = Vec::new();
    let mut pools: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for (source, name) in data.sources.iter().enumerate() {
        let group = of(name.clone(), &[source]);
        match pools.iter_mut().find(|(models, _)| *models == group.models) {
            Some((_, sources)) => sources.push(source),
            None => pools.push((group.models.clone(), vec![source])),
        }
        groups.push(group);
    }
    for (models, sources) in pools {
        if sources.len() > 1 && !models.is_empty() {
            let names = sources.iter().filter_map(|source| data.sources.get(*source));
            let name = format!("together: {}", names.map(String::as_str).collect::<Vec<_>>().join(", "));
            groups.push(of(name, &sources));
        }
    }
    groups
}

/// What the rules over the text choose, through the gateway.
pub(super) fn rules(engine: &mut dyn Engine, data: &Data) -> Result<Vec<Run>, EvalError> {
    let text = |row: usize| data.rows.get(row).map_or("", |row| &*row.question);
    let seed = |row: usize| of_layer(data, row, layer(seed_layer(text(row))));
    let keywords = |row: usize| of_layer(data, row, layer(keyword_layer(text(row))));
    Ok(vec![
        by_rule(engine, data, "heuristic of length, code and key words", seed)?,
        by_rule(engine, data, "keyword weights", keywords)?,
    ])
}

fn layer(layer: gateway_routing::Layer) -> Layer {
    match layer {
        gateway_routing::Layer::L0 => Layer::L0,
        gateway_routing::Layer::L1 => Layer::L1,
        gateway_routing::Layer::L2 => Layer::L2,
        gateway_routing::Layer::L3 => Layer::L3,
    }
}

/// The cheapest model of a layer that answered; of the next layer below that has one, else of the next above.
fn of_layer(data: &Data, row: usize, layer: Layer) -> Option<usize> {
    let models = data.rows.get(row)?.models();
    let models: Vec<(usize, Layer)> = models
        .filter_map(|model| Some((model, data.models.get(model)?.layer)))
        .collect();
    let below = models
        .iter()
        .map(|(_, layer)| *layer)
        .filter(|there| *there <= layer)
        .max();
    let above = models.iter().map(|(_, layer)| *layer).min();
    let there = below.or(above)?;
    let first = models.iter().find(|(_, layer)| *layer == there);
    first.map(|(model, _)| *model)
}

/// Every model alone.
pub(super) fn singles(Material { data, marks }: &Material, group: &Group) -> Vec<(usize, Score)> {
    let single = |model: &usize| {
        let choices: Vec<Choice> = group.rows.iter().map(|row| recorded(data, *row, *model)).collect();
        (*model, marks.score(&choices))
    };
    group.models.iter().map(single).collect()
}

/// What needs no text: mixes and who knows all.
pub(super) fn plain(Material { data, marks }: &Material, group: &Group, singles: &[(usize, Score)]) -> Vec<Baseline> {
    let mix = |name: String, scores: &[&Score]| {
        let sum = |of: fn(&Score) -> f64| scores.iter().map(|score| of(score)).sum::<f64>() / scores.len() as f64;
        Baseline {
            name,
            score: Score {
                questions: group.rows.len(),
                accuracy: sum(|score| score.accuracy),
                cost: sum(|score| score.cost),
            },
        }
    };
    let mut all = Vec::new();
    let scores: Vec<&Score> = singles.iter().map(|(_, score)| score).collect();
    if scores.len() > 1 {
        all.push(mix("random mix of all models".to_owned(), &scores));
    }
    let of = |model: usize| {
        singles
            .iter()
            .find(|(single, _)| *single == model)
            .map(|(_, score)| score)
    };
    let cheapest = group.models.first().and_then(|model| Some((*model, of(*model)?)));
    let strongest = group.strongest.and_then(|model| Some((model, of(model)?)));
    if let (Some((cheap, low)), Some((strong, high))) = (cheapest, strongest)
        && cheap != strong
    {
        let name = format!("random mix, half {}, half {}", name(data, cheap), name(data, strong));
        all.push(mix(name, &[low, high]));
    }
    let foreseen = group.rows.iter().map(|row| marks.foreseen(*row, &offers(data, *row)));
    let foreseen: Vec<Choice> = foreseen.collect();
    all.push(Baseline {
        name: "oracle: the cheapest right answer".to_owned(),
        score: marks.score(&foreseen),
    });
    all
}

fn offers(data: &Data, row: usize) -> Vec<(usize, NanoUsd)> {
    let Some(row) = data.rows.get(row) else {
        return Vec::new();
    };
    row.models()
        .filter_map(|model| Some((model, row.cost(model)?)))
        .collect()
}

fn name(data: &Data, model: usize) -> &str {
    data.models.get(model).map_or("", |model| &model.api_model)
}

/// Two or three cheap models are asked; where their final answers are the same, that is the answer, else the strongest's.
pub(super) fn agreement(Material { data, marks }: &Material, group: &Group, reader: &RoutingModel) -> Vec<Baseline> {
    let Some(strongest) = group.strongest else {
        return Vec::new();
    };
    let cheap: Vec<usize> = group
        .models
        .iter()
        .copied()
        .filter(|model| *model != strongest)
        .collect();
    let Some([a, b, c]) = cheap.first_chunk::<PANEL>().copied() else {
        return Vec::new();
    };
    let told = |models: &[usize]| {
        let names: Vec<&str> = models.iter().map(|model| name(data, *model)).collect();
        let many = if models.len() == PANEL { "three" } else { "two" };
        format!("{many} agree, else the strongest: {}", names.join(", "))
    };
    let asked: [&[usize]; PANEL] = [&[a, c], &[b, c], &[a, b, c]];
    let baseline = |models: &[usize]| {
        let choices = group
            .rows
            .iter()
            .map(|row| agreed(data, *row, models, strongest, reader));
        // Nothing where an answer has no text.
        let choices: Vec<Choice> = choices.collect::<Option<_>>()?;
        Some(Baseline {
            name: told(models),
            score: marks.score(&choices),
        })
    };
    asked.into_iter().filter_map(baseline).collect()
}

/// The last of these models, if all say the same; else the strongest. All that were asked are paid.
fn agreed(data: &Data, row: usize, models: &[usize], strongest: usize, reader: &RoutingModel) -> Option<Choice> {
    let there = data.rows.get(row)?;
    let rules = reader.question(&there.question).key_rules();
    let key = |model: &usize| Some(answer_key(extract(there.answer(*model)?.text.as_deref()?), rules));
    let keys: Vec<String> = models.iter().map(key).collect::<Option<_>>()?;
    let same = keys
        .first()
        .is_some_and(|first| !first.is_empty() && keys.iter().all(|key| key == first));
    let paid: NanoUsd = models.iter().filter_map(|model| there.cost(*model)).sum();
    Some(if same {
        Choice {
            row,
            model: models.last().copied(),
            cost: paid,
        }
    } else {
        Choice {
            row,
            model: Some(strongest),
            cost: paid + there.cost(strongest)?,
        }
    })
}

/// The keyword weights as an order: the questions with the greatest go to the strongest, the others to the cheapest model
/// of layer L1; from none of them to all.
pub(super) fn keyword_order(Material { data, marks }: &Material, group: &Group) -> Vec<Point> {
    let Some(strongest) = group.strongest else {
        return Vec::new();
    };
    let text = |row: &usize| data.rows.get(*row).map_or("", |row| &*row.question);
    let mut order: Vec<(f64, usize)> = group.rows.iter().map(|row| (keyword_score(text(row)), *row)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let cheap: Option<Vec<Choice>> = order
        .iter()
        .map(|(_, row)| Some(recorded(data, *row, of_layer(data, *row, Layer::L1)?)))
        .collect();
    let Some(mut choices) = cheap else {
        return Vec::new();
    };
    let mut points = Vec::new();
    let step = (order.len() / 100).max(1);
    for upto in 0..=order.len() {
        if upto % step == 0 || upto == order.len() {
            points.push(marks.score(&choices).into());
        }
        if let (Some((_, row)), Some(place)) = (order.get(upto), choices.get_mut(upto)) {
            *place = recorded(data, *row, strongest);
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::testing::sample;

    #[test]
    fn sources_of_the_same_models_are_put_together() {
        let sample = sample();
        let names: Vec<String> = groups(&sample).into_iter().map(|group| group.name).collect();
        assert_eq!(names, ["arithmetic", "words", "trivia", "together: arithmetic, words"]);
    }

    #[test]
    fn a_rule_takes_the_cheapest_model_of_its_layer_or_the_nearest() {
        let data = sample().data;
        let taken = |layer| of_layer(&data, 0, layer).map(|model| name(&data, model).to_owned());
        assert_eq!(taken(Layer::L0).as_deref(), Some("small"));
        assert_eq!(taken(Layer::L1).as_deref(), Some("middle"));
        // Nobody of L2 answered it.
        assert_eq!(taken(Layer::L2).as_deref(), Some("middle"));
        assert_eq!(taken(Layer::L3).as_deref(), Some("large"));
    }
}
