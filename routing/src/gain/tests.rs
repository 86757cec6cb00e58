use super::*;
use crate::model::RoutingModel;

fn model() -> &'static RoutingModel {
    RoutingModel::shipped().unwrap()
}

fn score(text: &str) -> f64 {
    model().question(text).gain_score().score
}

#[test]
fn a_gain_is_that_of_the_lines_where_the_score_is_the_mean_and_follows_the_score() {
    let at_zero = |layer| model().layer_chance(layer, 0.0);
    let texts = [
        "Is every subgroup of a cyclic group abelian?",
        "What did the king do then?",
        "Ann has 3 apples and buys 5 more. How many has she now?",
        "",
        "x",
    ];
    for (weak, strong) in [(Layer::L0, Layer::L2), (Layer::L1, Layer::L2), (Layer::L2, Layer::L3)] {
        let difference = at_zero(strong) - at_zero(weak);
        let mut seen: Vec<(f64, f64)> = texts
            .iter()
            .map(|text| {
                let gain = model().question(text).gain(weak, strong);
                assert_eq!(model().question(text).gain(strong, weak), -gain);
                let expected = difference * (1.0 + (score(text) - 10.0) / model().gain.center);
                assert!((gain - expected).abs() < 1e-12 && gain > 0.0, "{text}");
                (score(text), gain)
            })
            .collect();
        seen.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(seen.is_sorted_by(|a, b| a.1 < b.1), "{seen:?}");
    }
    assert_eq!(model().question("x").gain(Layer::L1, Layer::L1), 0.0);
}

#[test]
fn fields_in_which_strong_models_are_ahead_come_before_others() {
    let algebra = score("Is this polynomial irreducible over the integers modulo 3?");
    let history = score("Which treaty ended the war between the two empires?");
    assert!(algebra > history + 4.0, "{algebra} {history}");
}

#[test]
fn longer_word_problems_with_more_steps_gain_more() {
    let short = "Tom has 3 pens and gets 4 more. How many pens has he?";
    let long = "Tom has 3 boxes of 12 pens each. He gives half of them to Ann, who has twice as many as Bob, and buys 20% \
                more than he had before. If each pen costs $2 and Bob pays for a third, how much does Tom pay in total?";
    for text in [short, long] {
        assert_eq!(model().question(text).gain_score().kind, Kind::Words, "{text}");
    }
    assert!(score(long) > score(short) + 5.0);
}

#[test]
fn every_kind_of_question_is_told() {
    for (text, kind) in [
        ("def f(x):\n    return x\nassert f(2) == ??", Kind::Code),
        ("How much is \\frac{1}{2} of 10 and half of 6?", Kind::Tex),
        (
            "How old is Ann if she is 3 years older than Bob, who is 10?",
            Kind::Words,
        ),
        (
            "If y = 3 and z = 4, how much is the sum of the two of them?",
            Kind::Other,
        ),
        (
            "How many moles of NaOH neutralize 2 moles of HCl in 3 liters of water?",
            Kind::Other,
        ),
        ("", Kind::Other),
    ] {
        assert_eq!(model().question(text).gain_score().kind, kind, "{text}");
    }
}

mod files {
    use serde_json::{Value, json};

    use crate::model::{ModelError, RoutingModel};

    fn with(pointer: &str, value: Value) -> ModelError {
        let mut file: Value = serde_json::from_str(include_str!("../../data/routing-model.json")).unwrap();
        *file.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        RoutingModel::read(&file.to_string()).unwrap_err()
    }

    #[test]
    fn a_section_that_does_not_fit_the_code_is_refused_by_name() {
        for (pointer, value, expected) in [
            ("/gain/stem", json!(8), "gain.stem"),
            ("/gain/words/names/0", json!("letters"), "gain.words.names"),
            ("/gain/center", json!(0.0), "gain.center"),
            ("/gain/words/deviation/2", json!(-1.0), "gain.words"),
            ("/gain/words/weights", json!([1.0]), "gain.words.weights"),
            ("/gain/kinds/tex/gain", json!(1e9), "gain.kinds"),
            ("/gain/words/science/0", json!("astrology"), "gain.words.science"),
            ("/gain/topics/physics/strong", json!("a_b_c_d"), "gain.topics"),
            ("/gain/topics/physics/weak", json!("photon"), "gain.topics"),
        ] {
            let error = with(pointer, value).to_string();
            assert!(error.contains(&format!("`{expected}`")), "{pointer}: {error}");
        }
        let error = with(
            "/gain/topics",
            json!({"physics": {"gap": 1.0, "strong": "", "weak": ""}}),
        );
        assert_eq!(error, ModelError::Name { field: "gain.topics" });
        assert!(matches!(with("/gain", json!({})), ModelError::Form { .. }));
    }
}
