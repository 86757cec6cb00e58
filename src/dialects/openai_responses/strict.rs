//! Whether a schema may be kept to for certain.

use serde_json::Value;
use serde_json::value::RawValue;

/// Whether every object of a schema has `additionalProperties: false` and requires all of its properties, which strict
/// tools of every provider must. A schema that cannot be read is not.
pub(super) fn is_strict(schema: &RawValue) -> bool {
    serde_json::from_str(schema.get()).is_ok_and(|schema: Value| is_strict_value(&schema))
}

fn is_strict_value(schema: &Value) -> bool {
    match schema {
        Value::Array(several) => several.iter().all(is_strict_value),
        Value::Object(members) => {
            let is_object =
                members.get("type").is_some_and(|kind| kind == "object") || members.contains_key("properties");
            let properties = members.get("properties").and_then(Value::as_object);
            let is_required = |name: &String| {
                let required = members.get("required").and_then(Value::as_array);
                required.is_some_and(|required| required.iter().any(|known| known == name))
            };
            let is_closed = members.get("additionalProperties") == Some(&Value::Bool(false))
                && properties.is_none_or(|properties| properties.keys().all(is_required));
            let one = ["items", "anyOf"].into_iter().filter_map(|name| members.get(name));
            let named = ["$defs", "definitions"]
                .into_iter()
                .filter_map(|name| members.get(name)?.as_object());
            let inner = properties.into_iter().chain(named).flat_map(|named| named.values());
            (!is_object || is_closed) && one.chain(inner).all(is_strict_value)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(schema: &str) -> bool {
        is_strict(serde_json::from_str(schema).unwrap())
    }

    #[test]
    fn a_schema_is_strict_if_each_of_its_objects_is_closed_and_requires_all() {
        let closed =
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
        assert!(strict(closed));
        assert!(strict(&format!(r#"{{"type":"array","items":{closed}}}"#)));
        assert!(strict(&format!(r#"{{"anyOf":[{closed},{{"type":"null"}}]}}"#)));
        for open in [
            closed.replace(r#","additionalProperties":false"#, ""),
            closed.replace(r#"["a"]"#, "[]"),
            closed.replace("false", "true"),
            format!(r#"{{"type":"array","items":{}}}"#, closed.replace(r#"["a"]"#, "[]")),
            format!(
                r#"{{"type":"object","properties":{{}},"additionalProperties":false,"$defs":{{"x":{}}}}}"#,
                closed.replace("false", "true")
            ),
        ] {
            assert!(!strict(&open), "{open}");
        }
    }
}
