use serde_json::{Value, json};

use super::*;

fn file() -> Value {
    serde_json::from_str(SHIPPED).unwrap()
}

/// Reads the shipped file with one value replaced.
fn with(pointer: &str, value: Value) -> ModelError {
    let mut file = file();
    *file.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    RoutingModel::read(&file.to_string()).unwrap_err()
}

#[test]
fn the_shipped_model_is_read_once() {
    let first = RoutingModel::shipped().unwrap();
    assert!(std::ptr::eq(first, RoutingModel::shipped().unwrap()));
    assert_eq!(first.models.len(), 6);
    assert_eq!(first.unit, 8_599_072);
    assert_eq!(first.lambdas, [0.15, 0.06, 0.02]);
}

#[test]
fn a_list_of_another_length_is_refused_by_name() {
    let error = with("/top_first", json!([1.0]));
    assert_eq!(
        error.to_string(),
        "`top_first` of the routing model has 1 values instead of 42"
    );
    for pointer in [
        "/signals/mean",
        "/difficulty/signals",
        "/models/3/prior",
        "/text/mean/2",
        "/text/mean",
        "/votes",
        "/votes/0",
        "/step/gpt-4o-2024-08-06/agrees",
        "/agreement_of_three/tex",
        "/strongest_after_three/other",
        "/verdict/panel/weights",
    ] {
        assert!(
            matches!(with(pointer, json!([])), ModelError::Length { .. }),
            "{pointer}"
        );
    }
    for pointer in ["/difficulty/ngrams/int8", "/words/table"] {
        assert!(
            matches!(with(pointer, json!("AAAA")), ModelError::Length { .. }),
            "{pointer}"
        );
    }
}

#[test]
fn a_number_out_of_its_range_is_refused() {
    for (pointer, value) in [
        ("/signals/deviation/3", 0.0),
        ("/text/deviation/1/4", -1.0),
        ("/models/0/prior/0", 1e9),
        ("/verdict/panel/weights/7", -2000.0),
        ("/complexity/simple", 1.0),
        ("/agreement_of_three/code/0", 1.2),
        ("/quality/high", 0.0),
        ("/unit_usd", -1.0),
        ("/layers/L2/c", 1e300),
    ] {
        assert!(
            matches!(with(pointer, json!(value)), ModelError::Number { .. }),
            "{pointer}"
        );
    }
}

#[test]
fn a_file_of_another_version_is_refused() {
    for (pointer, value) in [
        ("/format", json!(2)),
        ("/ngrams/buckets", json!(1024)),
        ("/signals/names/0", json!("length")),
        ("/text/names/0", json!("length")),
        ("/state_columns/0", json!("length")),
        ("/question_columns", json!([])),
        ("/words/hash", json!("md5")),
    ] {
        assert!(matches!(with(pointer, value), ModelError::Version { .. }), "{pointer}");
    }
}

#[test]
fn names_that_nothing_has_are_refused() {
    for (pointer, value) in [
        ("/panel/0", json!("another")),
        ("/panel/0", json!("gemma-2-9b-it")),
        ("/strongest", json!("gemma-2-9b-it")),
        ("/between/0", json!("another")),
        ("/models/0/layer", json!("L9")),
        ("/layers", json!({})),
        ("/verdict/panel/columns/0", json!("for:5")),
    ] {
        assert!(matches!(with(pointer, value), ModelError::Name { .. }), "{pointer}");
    }
    assert!(matches!(with("/words/table", json!("?")), ModelError::Base64 { .. }));
}

#[test]
fn what_is_no_model_is_refused_with_its_place() {
    for text in ["", "{}", "[]", "{\"format\": 1", "null"] {
        assert!(
            matches!(RoutingModel::read(text), Err(ModelError::Form { .. })),
            "{text}"
        );
    }
    let cut = &SHIPPED[..SHIPPED.len() / 2];
    assert!(matches!(RoutingModel::read(cut), Err(ModelError::Form { line, .. }) if line > 1));
    let mut more = file();
    more["more"] = json!(1);
    assert!(matches!(
        RoutingModel::read(&more.to_string()),
        Err(ModelError::Form { .. })
    ));
}

#[test]
fn a_model_tells_the_prices_that_its_costs_were_reckoned_with_or_that_it_does_not_know() {
    let shipped = RoutingModel::shipped().unwrap();
    let top = shipped.known("o1-mini").unwrap();
    let [input, output] = shipped.fitted_prices(top).unwrap();
    assert!(0 < input && input < output);
    let mut without = file();
    for model in without["models"].as_array_mut().unwrap() {
        model.as_object_mut().unwrap().remove("usd_per_mtok").unwrap();
    }
    let without = RoutingModel::read(&without.to_string()).unwrap();
    assert_eq!(without.fitted_prices(top), None);
}

#[test]
fn a_word_of_the_fit_is_known_and_a_made_up_one_is_not() {
    let words = &RoutingModel::shipped().unwrap().words;
    let hash = |word: &str| word.bytes().fold(crate::math::FNV_START, crate::math::fnv_step);
    assert!(words.contains(hash("what")));
    assert!(words.contains(hash("capital")));
    assert!(!words.contains(hash("zqxjvbkw")));
}
