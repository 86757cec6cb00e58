//! What the single words of a schema say of a value.

use serde_json::{Number, Value};

/// What is known of a value and a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fits,
    Breaks,
    /// The schema says something that is not understood here.
    Unknown,
}

impl Verdict {
    pub(super) fn of(fits: bool) -> Self {
        if fits { Self::Fits } else { Self::Breaks }
    }

    /// Both are asked for.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Breaks, _) | (_, Self::Breaks) => Self::Breaks,
            (Self::Fits, Self::Fits) => Self::Fits,
            _ => Self::Unknown,
        }
    }

    /// Either will do.
    pub(super) fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::Fits => Self::Breaks,
            Self::Breaks => Self::Fits,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// What a word says that needs no other schema; nothing for one that does, or is not known.
pub(super) fn alone(word: &str, means: &Value, value: &Value) -> Option<Verdict> {
    let told = match word {
        "type" => is_of(means, value),
        "enum" => Some(means.as_array()?.iter().any(|allowed| same(allowed, value))),
        "const" => Some(same(means, value)),
        "required" => required(means, value),
        "minimum" => compare(means, value, |number, bound| number >= bound),
        "maximum" => compare(means, value, |number, bound| number <= bound),
        "exclusiveMinimum" => compare(means, value, |number, bound| number > bound),
        "exclusiveMaximum" => compare(means, value, |number, bound| number < bound),
        "minLength" => count(means, value.as_str().map(characters), |count, bound| count >= bound),
        "maxLength" => count(means, value.as_str().map(characters), |count, bound| count <= bound),
        "minItems" => count(means, value.as_array().map(Vec::len), |count, bound| count >= bound),
        "maxItems" => count(means, value.as_array().map(Vec::len), |count, bound| count <= bound),
        "minProperties" => count(means, members(value), |count, bound| count >= bound),
        "maxProperties" => count(means, members(value), |count, bound| count <= bound),
        // What is only said to people, or is looked up from elsewhere.
        "title" | "description" | "default" | "examples" | "deprecated" | "readOnly" | "writeOnly" | "$comment"
        | "$schema" | "$defs" | "definitions" => Some(true),
        _ => return None,
    };
    Some(told.map_or(Verdict::Unknown, Verdict::of))
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

fn members(value: &Value) -> Option<usize> {
    value.as_object().map(serde_json::Map::len)
}

/// Whether a value is of a type, or of one of several.
fn is_of(types: &Value, value: &Value) -> Option<bool> {
    match types {
        Value::String(name) => is_a(name, value),
        Value::Array(names) => {
            let told = names.iter().map(|name| is_a(name.as_str()?, value));
            let told: Option<Vec<bool>> = told.collect();
            told.map(|told| told.contains(&true))
        }
        _ => None,
    }
}

fn is_a(name: &str, value: &Value) -> Option<bool> {
    Some(match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        // 1.0 is an integer in JSON Schema.
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => return None,
    })
}

fn required(names: &Value, value: &Value) -> Option<bool> {
    let names = names.as_array()?;
    let Some(members) = value.as_object() else {
        return Some(true);
    };
    let told = names.iter().map(|name| Some(members.contains_key(name.as_str()?)));
    let told: Option<Vec<bool>> = told.collect();
    told.map(|told| !told.contains(&false))
}

/// A bound of numbers; other values have none.
fn compare(bound: &Value, value: &Value, holds: impl Fn(f64, f64) -> bool) -> Option<bool> {
    let bound = bound.as_f64()?;
    Some(value.as_f64().is_none_or(|number| holds(number, bound)))
}

/// A bound of how many there are, where they can be counted.
fn count(bound: &Value, count: Option<usize>, holds: impl Fn(u64, u64) -> bool) -> Option<bool> {
    let bound = bound.as_u64()?;
    let count = count.map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    Some(count.is_none_or(|count| holds(count, bound)))
}

/// Whether two values are the same in JSON Schema: 1 and 1.0 are.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, member): (&String, &Value)| other.get(name).is_some_and(|found| same(member, found));
            one.len() == other.len() && one.iter().all(has)
        }
        (one, other) => one == other,
    }
}

fn same_number(one: &Number, other: &Number) -> bool {
    one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
}
