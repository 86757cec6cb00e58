//! The form that an answer must have, as each dialect writes it.

use gateway_actors::protocol::AnswerShape;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::json::{is_object, text};

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    /// Where chat completions have the schema.
    #[serde(borrow)]
    json_schema: Option<&'a RawValue>,
}

/// What a format asks for. One that cannot be read asks for nothing: the provider judges it.
pub(super) fn shape(format: &RawValue) -> AnswerShape {
    #[derive(Deserialize)]
    struct Within<'a> {
        #[serde(borrow)]
        schema: Option<&'a RawValue>,
    }
    let Some(format) = object::<Format<'_>>(format) else {
        return AnswerShape::Free;
    };
    let kind = format.kind.and_then(text).unwrap_or_default();
    let schema = || {
        let within = format.json_schema.and_then(object::<Within<'_>>);
        let schema = format.schema.or(within.and_then(|within| within.schema));
        schema.filter(|schema| is_object(schema))
    };
    match &*kind {
        "json_schema" => schema().map_or(AnswerShape::Json, |schema| AnswerShape::Schema(schema.get().into())),
        kind if kind.starts_with("json") => AnswerShape::Json,
        _ => AnswerShape::Free,
    }
}

/// What the member `format` of an object asks for; nothing if it has none.
pub(super) fn shape_within(config: &RawValue) -> Option<AnswerShape> {
    #[derive(Deserialize)]
    struct Config<'a> {
        #[serde(borrow)]
        format: Option<&'a RawValue>,
    }
    object::<Config<'_>>(config)?.format.map(shape)
}

/// An object's members; a struct could be read from an array too.
fn object<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    is_object(value)
        .then(|| serde_json::from_str(value.get()).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(format: &str) -> AnswerShape {
        shape(serde_json::from_str(format).unwrap())
    }

    #[test]
    fn every_dialects_schema_is_found_as_it_is_written() {
        let schema = AnswerShape::Schema(r#"{ "type":"object" }"#.into());
        assert_eq!(of(r#"{"type":"json_schema","schema":{ "type":"object" }}"#), schema);
        assert_eq!(
            of(r#"{"type":"json_schema","json_schema":{"name":"n","schema":{ "type":"object" },"strict":true}}"#),
            schema
        );
        let config: &RawValue =
            serde_json::from_str(r#"{"effort":"low","format":{"type":"json_schema","schema":{ "type":"object" }}}"#)
                .unwrap();
        assert_eq!(shape_within(config), Some(schema));
    }

    #[test]
    fn json_without_a_schema_is_any_json_and_all_else_is_free() {
        assert_eq!(of(r#"{"type":"json_object"}"#), AnswerShape::Json);
        for broken in [
            r#"{"type":"json_schema"}"#,
            r#"{"type":"json_schema","json_schema":{"schema":7}}"#,
        ] {
            assert_eq!(of(broken), AnswerShape::Json, "{broken}");
        }
        for free in [
            r#"{"type":"text"}"#,
            "{}",
            "7",
            r#"["json_object"]"#,
            r#"{"type":"grammar"}"#,
            r#"{"type":"json_object","type":"json_object"}"#,
        ] {
            assert_eq!(of(free), AnswerShape::Free, "{free}");
        }
        let config: &RawValue = serde_json::from_str(r#"{"verbosity":"low"}"#).unwrap();
        assert_eq!(shape_within(config), None);
    }
}
