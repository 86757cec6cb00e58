//! Whether an answer is JSON of a schema: the few words that say what must be there. Words that are not known here let
//! everything pass.

use serde_json::Value;

/// How deep a schema is followed.
const DEPTH: u32 = 32;

/// Whether a value is what the schema asks for, as far as `type`, `enum`, `required`, `properties` and `items` tell.
pub(super) fn fits(schema: &Value, value: &Value) -> bool {
    fits_within(schema, value, DEPTH)
}

fn fits_within(schema: &Value, value: &Value, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    let Some(schema) = schema.as_object() else {
        return *schema != Value::Bool(false);
    };
    if !schema.get("type").is_none_or(|types| is_of(types, value)) {
        return false;
    }
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        return false;
    }
    if let Some(members) = value.as_object() {
        let required = schema.get("required").and_then(Value::as_array);
        let mut names = required.into_iter().flatten().filter_map(Value::as_str);
        if !names.all(|name| members.contains_key(name)) {
            return false;
        }
        let known = schema.get("properties").and_then(Value::as_object);
        let mut known = known.into_iter().flatten();
        let fits_member = |name: &String, of_member: &Value| {
            let member = members.get(name);
            member.is_none_or(|member| fits_within(of_member, member, depth))
        };
        if !known.all(|(name, of_member)| fits_member(name, of_member)) {
            return false;
        }
    }
    match (value.as_array(), schema.get("items")) {
        (Some(items), Some(of_item)) => items.iter().all(|item| fits_within(of_item, item, depth)),
        _ => true,
    }
}

/// Whether a value is of a type, or of one of several.
fn is_of(types: &Value, value: &Value) -> bool {
    match types {
        Value::String(name) => is_a(name, value),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(|name| is_a(name, value)),
        _ => true,
    }
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        // 1.0 is an integer in JSON Schema.
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str, value: &str) -> bool {
        fits(
            &serde_json::from_str(schema).unwrap(),
            &serde_json::from_str(value).unwrap(),
        )
    }

    #[test]
    fn what_is_required_must_be_there_and_of_its_type() {
        let schema = r#"{"type":"object","required":["name","tags"],"properties":{
            "name":{"type":"string"},"age":{"type":["integer","null"]},"kind":{"enum":["a","b"]},
            "tags":{"type":"array","items":{"type":"string"}}}}"#;
        for (value, expected) in [
            (r#"{"name":"x","tags":["y"],"age":3,"kind":"a"}"#, true),
            (r#"{"name":"x","tags":[],"age":null,"more":1}"#, true),
            (r#"{"name":"x","tags":[],"age":3.0}"#, true),
            (r#"{"name":"x"}"#, false),
            (r#"{"name":1,"tags":[]}"#, false),
            (r#"{"name":"x","tags":[1]}"#, false),
            (r#"{"name":"x","tags":[],"age":3.5}"#, false),
            (r#"{"name":"x","tags":[],"kind":"c"}"#, false),
            (r#"[]"#, false),
        ] {
            assert_eq!(check(schema, value), expected, "{value}");
        }
    }

    #[test]
    fn words_that_are_not_known_let_everything_pass() {
        for schema in [
            "{}",
            "true",
            r#"{"oneOf":[]}"#,
            r#"{"type":"date"}"#,
            r#"{"minimum":5}"#,
        ] {
            assert!(check(schema, "1"), "{schema}");
        }
        assert!(!check("false", "1"));
    }
}
