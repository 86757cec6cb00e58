//! Templates of JSON: which fields there must be, which there may be, and of what type each is. A field that is in no
//! template fails the test, so that a template is all that a published schema lets through.
//!
//! A template is JSON. An object has exactly its fields, save those whose name ends in `?`, which may be missing. A list
//! has one template for all its items. A text names a type, `text`, `count` (an integer from 0), `number`, `bool`, `null`,
//! `object`, `any`, or a constant text after `=`; `|` is between alternatives.

use serde_json::{Value, json};

/// This value is of this template.
#[track_caller]
pub(super) fn assert_shape(value: &Value, template: &Value) {
    if let Err(error) = check(value, template, "$") {
        panic!("{error}\nin {value}\nagainst {template}");
    }
}

fn check(value: &Value, template: &Value, place: &str) -> Result<(), String> {
    match (template, value) {
        (Value::String(words), _) => {
            let is_one = words.split('|').any(|word| is_of_type(value, word));
            is_one
                .then_some(())
                .ok_or_else(|| format!("{place} is no {words}: {value}"))
        }
        (Value::Array(templates), Value::Array(items)) => {
            let Some(template) = templates.first() else {
                return items
                    .is_empty()
                    .then_some(())
                    .ok_or_else(|| format!("{place} is not empty"));
            };
            let mut items = items.iter().enumerate();
            items.try_for_each(|(number, item)| check(item, template, &format!("{place}[{number}]")))
        }
        (Value::Object(fields), Value::Object(found)) => {
            for (name, template) in fields {
                let plain = name.trim_end_matches('?');
                match found.get(plain) {
                    Some(value) => check(value, template, &format!("{place}.{plain}"))?,
                    None if name.ends_with('?') => {}
                    None => return Err(format!("{place}.{plain} is missing")),
                }
            }
            let is_known = |name: &String| fields.contains_key(name) || fields.contains_key(&format!("{name}?"));
            match found.keys().find(|name| !is_known(name)) {
                Some(name) => Err(format!("{place}.{name} is in no schema")),
                None => Ok(()),
            }
        }
        _ => Err(format!("{place} is no {template}: {value}")),
    }
}

fn is_of_type(value: &Value, word: &str) -> bool {
    match word {
        "text" => value.is_string(),
        "count" => value.is_u64(),
        "number" => value.is_number(),
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "any" => true,
        word => {
            let constant = word
                .strip_prefix('=')
                .unwrap_or_else(|| panic!("no type is called {word}"));
            value == constant
        }
    }
}

#[test]
fn a_value_of_a_template_passes_and_nothing_else() {
    let template = json!({ "type": "=a|=b", "n": "count", "more?": [{ "x": "text|null" }] });
    let good = [
        json!({ "type": "a", "n": 0 }),
        json!({ "type": "b", "n": 7, "more": [{ "x": "" }, { "x": null }] }),
    ];
    for value in &good {
        assert_eq!(check(value, &template, "$"), Ok(()));
    }
    let bad = [
        (json!({ "type": "c", "n": 0 }), "$.type is no =a|=b"),
        (json!({ "type": "a" }), "$.n is missing"),
        (json!({ "type": "a", "n": -1 }), "$.n is no count"),
        (json!({ "type": "a", "n": 1, "extra": 1 }), "$.extra is in no schema"),
        (
            json!({ "type": "a", "n": 1, "more": [{ "x": 1 }] }),
            "$.more[0].x is no text|null",
        ),
        (json!({ "type": "a", "n": 1, "more": {} }), "$.more is no"),
    ];
    for (value, error) in bad {
        let found = check(&value, &template, "$").unwrap_err();
        assert!(found.starts_with(error), "{found}");
    }
}
