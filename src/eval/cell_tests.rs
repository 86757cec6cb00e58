//! Cells of real actors, on the sample.

use gateway_actors::protocol::Strategy;
use gateway_routing::RoutingModel;

use super::*;
use crate::eval::data::Material;
use crate::eval::direct::Direct;
use crate::eval::sweep::recorded;
use crate::eval::testing::{renamed, sample};

fn shipped() -> Calibration {
    Calibration::Shipped(RoutingModel::shipped().unwrap())
}

fn autos(data: &Data, texts: bool) -> Vec<(usize, Ask)> {
    let rows = data.rows.iter().enumerate();
    rows.filter(|(_, row)| row.has_texts() == texts)
        .map(|(row, _)| (row, Ask::Auto))
        .collect()
}

#[test]
fn a_named_model_answers_and_costs_what_was_recorded() {
    let Material { data, .. } = sample();
    let models = |row: usize| data.rows[row].models().collect::<Vec<_>>();
    let mut engine = Actors::new(Rc::clone(&data), shipped());
    for place in 0..5 {
        // Each question once in a run, to its first model, its second, and so on.
        let asks = (0..data.rows.len()).filter_map(|row| Some((row, models(row).get(place).copied()?)));
        let asks: Vec<(usize, usize)> = asks.collect();
        let named: Vec<(usize, Ask)> = asks.iter().map(|(row, model)| (*row, Ask::Model(*model))).collect();
        let choices = engine.run(&Setting::default(), &named).unwrap();
        let expected: Vec<Choice> = asks.iter().map(|(row, model)| recorded(&data, *row, *model)).collect();
        assert_eq!(choices, expected);
    }
}

#[test]
fn the_gateway_chooses_what_the_plan_alone_does() {
    let data = renamed().data;
    let reader = RoutingModel::shipped().unwrap();
    let mut actors = Actors::new(Rc::clone(&data), shipped());
    let mut direct = Direct {
        data: Rc::clone(&data),
        reader,
    };
    for lambda in [0.01, 0.05, 0.15, 0.3, 0.6] {
        let setting = Setting {
            lambda: Some(lambda),
            checked: true,
            ..Setting::default()
        };
        let asks = autos(&data, true);
        assert_eq!(
            actors.run(&setting, &asks).unwrap(),
            direct.run(&setting, &asks).unwrap(),
            "lambda {lambda}"
        );
    }
}

#[test]
fn one_model_is_asked_where_nothing_can_be_compared() {
    let data = sample().data;
    let mut actors = Actors::new(Rc::clone(&data), shipped());
    let setting = Setting {
        lambda: Some(0.1),
        strategy: Strategy::Value,
        ..Setting::default()
    };
    for choice in actors.run(&setting, &autos(&data, false)).unwrap() {
        assert_eq!(Some(choice.cost), data.rows[choice.row].cost(choice.model.unwrap()));
    }
}
