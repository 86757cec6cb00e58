//! What counts as free, what is made of an entry, and which five are chosen.

use serde_json::json;

use super::*;

/// A free model with everything the public list tells.
fn entry(id: &str, window: u64) -> Value {
    json!({
        "id": id,
        "name": "A model",
        "created": 1_764_000_000,
        "description": "…",
        "context_length": window,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": null,
        },
        "pricing": { "prompt": "0", "completion": "0", "request": "0", "image": "0", "web_search": "0" },
        "top_provider": { "context_length": window, "max_completion_tokens": null, "is_moderated": false },
        "per_request_limits": null,
        "supported_parameters": ["max_tokens", "temperature"],
    })
}

/// The entry with one of its values replaced.
fn with(key: &str, value: Value) -> Value {
    let mut entry = entry("a/b:free", 8_000);
    entry[key] = value;
    entry
}

fn choose_of(entries: &[Value]) -> Vec<Model> {
    let body = json!({ "data": entries }).to_string();
    choose(body.as_bytes(), &"openrouter".into()).unwrap()
}

fn ids(models: &[Model]) -> Vec<&str> {
    models.iter().map(|model| model.id.as_str()).collect()
}

#[test]
fn the_five_best_are_those_with_the_largest_window_then_the_most_capabilities_then_by_id() {
    let mut able = entry("c/able:free", 64_000);
    able["supported_parameters"] = json!(["tools", "reasoning"]);
    let entries = [
        entry("e/small:free", 1_000),
        entry("d/second:free", 64_000),
        entry("b/first:free", 64_000),
        entry("z/largest:free", 1_000_000),
        able,
        entry("f/last:free", 32_000),
        entry("z/largest:free", 900_000),
    ];
    let expected = [
        "z/largest:free",
        "c/able:free",
        "b/first:free",
        "d/second:free",
        "f/last:free",
    ];
    assert_eq!(ids(&choose_of(&entries)), expected);
    let reversed: Vec<Value> = entries.into_iter().rev().collect();
    assert_eq!(ids(&choose_of(&reversed)), expected, "the list's order means nothing");
}

#[test]
fn only_a_model_all_of_whose_prices_are_0_is_free() {
    for pricing in [
        json!({ "prompt": "0", "completion": "0" }),
        json!({ "prompt": "0.000", "completion": 0, "image": 0.0 }),
    ] {
        assert_eq!(choose_of(&[with("pricing", pricing.clone())]).len(), 1, "{pricing}");
    }
    for pricing in [
        json!({ "prompt": "0", "completion": "0.0000001" }),
        json!({ "prompt": "0", "completion": "0", "request": "0.01" }),
        json!({ "prompt": "-1", "completion": "-1" }),
        json!({ "prompt": "0" }),
        json!({ "prompt": "0", "completion": null }),
        json!({ "prompt": "0", "completion": "" }),
        json!({ "prompt": "0", "completion": "." }),
        json!({ "prompt": "0", "completion": "free" }),
        json!({ "prompt": "0", "completion": "0", "tiers": [{ "prompt": "1" }] }),
        json!({}),
        json!("0"),
        json!(null),
    ] {
        assert!(choose_of(&[with("pricing", pricing.clone())]).is_empty(), "{pricing}");
    }
}

#[test]
fn an_entry_becomes_a_free_model_of_layer_0_with_what_the_list_says() {
    let mut told = with(
        "supported_parameters",
        json!(["tools", "structured_outputs", "include_reasoning"]),
    );
    told["architecture"]["input_modalities"] = json!(["image", "text"]);
    told["top_provider"] = json!({ "context_length": 6_000, "max_completion_tokens": 2_000 });
    let [model] = &choose_of(&[told])[..] else {
        panic!("one entry, one model");
    };
    assert_eq!((model.id.as_str(), &*model.api_model), ("a/b:free", "a/b:free"));
    assert_eq!((model.layer, model.price), (Layer::L0, Some(Price::FREE)));
    assert_eq!((model.context_window, model.max_output_tokens), (6_000, 2_000));
    assert_eq!(
        model.capabilities.to_string(),
        "chat, code, reasoning, tools, json, vision"
    );
}

#[test]
fn what_the_list_does_not_say_is_assumed_with_care() {
    let bare = json!({ "id": "a/b", "context_length": 8_000, "pricing": { "prompt": "0", "completion": "0" } });
    let model = &choose_of(&[bare])[0];
    assert_eq!((model.context_window, model.max_output_tokens), (8_000, 2_000));
    assert_eq!(model.capabilities.to_string(), "chat, code");
    for (top, window, max_output) in [
        (
            json!({ "context_length": null, "max_completion_tokens": null }),
            8_000,
            2_000,
        ),
        (json!({ "context_length": 0, "max_completion_tokens": 0 }), 0, 0),
        (json!({ "context_length": 3, "max_completion_tokens": null }), 3, 1),
        (json!({ "max_completion_tokens": 9_000 }), 8_000, 8_000),
    ] {
        let found = choose_of(&[with("top_provider", top.clone())]);
        let sizes = found
            .first()
            .map(|model| (model.context_window, model.max_output_tokens));
        assert_eq!(sizes.unwrap_or_default(), (window, max_output), "{top}");
    }
    let huge = &choose_of(&[entry("a/b", u64::MAX)])[0];
    assert_eq!((huge.context_window, huge.max_output_tokens), (u32::MAX, 32_768));
}

#[test]
fn an_entry_that_cannot_be_used_is_left_out_and_the_others_are_not() {
    let long = "x".repeat(201);
    for bad in [
        with("id", json!("auto")),
        with("id", json!("L0")),
        with("id", json!("")),
        with("id", json!("a b")),
        with("id", json!("a\nb")),
        with("id", json!(long)),
        with("id", json!(7)),
        with("context_length", json!(-1)),
        with("context_length", json!("8000")),
        with("architecture", json!({ "output_modalities": ["image"] })),
        with("architecture", json!({ "input_modalities": ["audio"] })),
        with("supported_parameters", json!("tools")),
        json!(null),
        json!([]),
        json!("a/b:free"),
    ] {
        let found = choose_of(&[bad.clone(), entry("good/one", 8_000)]);
        assert_eq!(ids(&found), ["good/one"], "{bad}");
    }
}

#[test]
fn d6_what_is_no_list_or_too_long_is_refused() {
    let choose = |body: &str| choose(body.as_bytes(), &"openrouter".into());
    for body in [
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        "{\"data\":{}}",
        "{\"data\":null}",
        "{\"data\":[{}",
        "{\"data\":[]} and more",
        "{\"error\":{\"message\":\"no\"}}",
        &"[".repeat(100_000),
        &format!("{{\"data\":{}", "[".repeat(100_000)),
    ] {
        assert_eq!(choose(body), Err(ListError::Malformed), "{body:.40}");
    }
    let of = |count: usize| format!("{{\"data\":[{}{}]}}", entry("a/b", 8_000), ",{}".repeat(count - 1));
    assert_eq!(choose(&of(10_000)).map(|models| models.len()), Ok(1));
    assert_eq!(choose(&of(10_001)), Err(ListError::TooLong));
    assert_eq!(choose(&of(1_000_000)), Err(ListError::TooLong));
    assert_eq!(choose("{\"data\":[]}"), Ok(vec![]));
}
