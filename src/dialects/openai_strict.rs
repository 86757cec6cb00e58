//! Schemas that are kept to for certain, in OpenAI's dialects.
//!
//! `strict` promises that an answer, or the arguments of a call, are what their schema says. OpenAI promises it for a part
//! of JSON Schema only, and refuses a request that asks for it with any other (guide "Structured outputs", "Supported
//! schemas"); those who serve its dialect by their own rules mostly do the same. Anthropic and Gemini have no such limits,
//! so that a client of another dialect may well ask for more. It gets the schema without the promise then, and is told.

use gateway_actors::protocol::Vendor;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a strict schema may not say: the guide's list, and what the API is known to refuse beyond it.
const NOT_STRICT: &[&str] = &[
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "minLength",
    "maxLength",
    "default",
];

/// The formats of a text that a strict schema may name.
const FORMATS: &[&str] = &[
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
];

/// What of a wish for strictness is sent to this vendor with this schema.
pub(super) fn strictness(asked: Option<bool>, schema: &RawValue, vendor: Vendor) -> Option<bool> {
    asked.map(|asked| asked && (takes_any(vendor) || is_strict(schema)))
}

/// Whether the vendor is not known to refuse a strict schema that is outside of the part. Servers of one's own hold an
/// answer to any schema, or ignore the member.
const fn takes_any(vendor: Vendor) -> bool {
    matches!(
        vendor,
        Vendor::Other | Vendor::Together | Vendor::Mistral | Vendor::Deepseek | Vendor::Anthropic
    )
}

/// Whether a schema may be kept to for certain: it is one of an object, each of its objects has
/// `additionalProperties: false` and requires all of its properties, and nothing in it is beyond what is taken. One that
/// cannot be read is not.
pub(super) fn is_strict(schema: &RawValue) -> bool {
    serde_json::from_str(schema.get()).is_ok_and(|schema: Value| {
        let is_object = schema.get("type").is_some_and(|kind| kind == "object");
        is_object && schema.get("anyOf").is_none() && is_strict_value(&schema)
    })
}

fn is_strict_value(schema: &Value) -> bool {
    match schema {
        Value::Array(several) => several.iter().all(is_strict_value),
        Value::Object(members) => {
            let is_beyond = members.iter().any(|(name, value)| match name.as_str() {
                "format" => !value.as_str().is_some_and(|format| FORMATS.contains(&format)),
                name => NOT_STRICT.contains(&name),
            });
            let is_object = members.get("type").is_some_and(says_object) || members.contains_key("properties");
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
            !is_beyond && (!is_object || is_closed) && one.chain(inner).all(is_strict_value)
        }
        _ => true,
    }
}

/// Whether a `type` is that of an object, or has it among others.
fn says_object(kind: &Value) -> bool {
    match kind {
        Value::Array(several) => several.iter().any(says_object),
        kind => kind == "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(schema: &str) -> &RawValue {
        serde_json::from_str(schema).unwrap()
    }

    const CLOSED: &str =
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;

    /// A closed schema whose only property is this.
    fn with(property: &str) -> String {
        CLOSED.replace(r#"{"type":"string"}"#, property)
    }

    #[test]
    fn a_schema_is_strict_if_each_of_its_objects_is_closed_and_requires_all() {
        assert!(is_strict(raw(CLOSED)));
        for inner in [
            format!(r#"{{"type":"array","items":{CLOSED},"minItems":1}}"#),
            format!(r#"{{"anyOf":[{CLOSED},{{"type":"null"}}]}}"#),
            CLOSED.replace(r#""object""#, r#"["object","null"]"#),
            r#"{"type":"string","format":"date-time","pattern":"^2","enum":["x"]}"#.to_owned(),
        ] {
            assert!(is_strict(raw(&with(&inner))), "{inner}");
            assert!(!is_strict(raw(&inner)), "no object: {inner}");
        }
        for open in [
            CLOSED.replace(r#","additionalProperties":false"#, ""),
            CLOSED.replace(r#"["a"]"#, "[]"),
            CLOSED.replace("false", "true"),
            CLOSED.replace("false", r#"{"type":"string"}"#),
        ] {
            assert!(!is_strict(raw(&open)), "{open}");
            for inner in [
                open.clone(),
                open.replace(r#""object""#, r#"["object","null"]"#),
                format!(r#"{{"type":"array","items":{open}}}"#),
                format!(r#"{{"anyOf":[{open},{{"type":"null"}}]}}"#),
            ] {
                assert!(!is_strict(raw(&with(&inner))), "{inner}");
            }
            let defined =
                format!(r#"{{"type":"object","properties":{{}},"additionalProperties":false,"$defs":{{"x":{open}}}}}"#);
            assert!(!is_strict(raw(&defined)), "{defined}");
        }
    }

    #[test]
    fn a_schema_that_says_more_than_is_taken_is_not_strict_but_a_property_may_be_called_anything() {
        for beyond in [
            r#"{"type":"string","format":"uri"}"#,
            r#"{"type":"string","minLength":1}"#,
            r#"{"type":"string","default":"x"}"#,
            r#"{"type":"array","items":{"type":"string"},"uniqueItems":true}"#,
            r#"{"oneOf":[{"type":"string"}]}"#,
            r##"{"allOf":[{"$ref":"#/$defs/x"}]}"##,
        ] {
            assert!(!is_strict(raw(&with(beyond))), "{beyond}");
        }
        assert!(is_strict(raw(&CLOSED.replace(r#""a""#, r#""default""#))));
    }

    #[test]
    fn strictness_is_sent_as_it_was_asked_for_save_where_the_vendor_would_refuse_the_schema() {
        let open = raw(r#"{"type":"object"}"#);
        for vendor in [Vendor::Openai, Vendor::Openrouter, Vendor::Groq] {
            assert_eq!(strictness(Some(true), raw(CLOSED), vendor), Some(true), "{vendor}");
            assert_eq!(strictness(Some(true), open, vendor), Some(false), "{vendor}");
        }
        assert_eq!(strictness(Some(true), open, Vendor::Other), Some(true));
        assert_eq!(strictness(Some(false), open, Vendor::Openai), Some(false));
        assert_eq!(strictness(None, open, Vendor::Openai), None);
    }
}
