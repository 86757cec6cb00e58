//! Whether an answer is JSON of a schema.
//!
//! The words that the providers' own structured output knows are judged, as JSON Schema 2020-12 means them; of a schema
//! with others only what can be told without them. Schemas come from whoever asks, and a small one can be made to take
//! for ever by references alone, in every judge that has no bound: here a look takes a bounded number of steps, and what
//! it has not found out by then speaks against nobody.

mod words;

use serde_json::{Map, Value};

use self::words::Verdict;

/// Words that are looked at for one answer, each place where one is used counted; a long list and a long text count as
/// several.
const STEPS: usize = 100_000;
/// Bytes of a text that count as one.
const STEP_BYTES: usize = 256;
/// How deep schemas are followed, references too.
const DEPTH: u32 = 128;

/// Whether a value is certainly not what the schema asks for.
pub(super) fn is_broken_by(schema: &Value, value: &Value) -> bool {
    let mut judge = Judge {
        root: schema,
        steps: STEPS,
    };
    judge.judge(schema, value, DEPTH) == Verdict::Breaks
}

/// One look at an answer.
struct Judge<'a> {
    /// What references are looked up in.
    root: &'a Value,
    steps: usize,
}

impl<'a> Judge<'a> {
    fn judge(&mut self, schema: &'a Value, value: &Value, depth: u32) -> Verdict {
        let Some(depth) = depth.checked_sub(1) else {
            return Verdict::Unknown;
        };
        let members = match schema {
            Value::Bool(allowed) => return Verdict::of(*allowed),
            Value::Object(members) => members,
            _ => return Verdict::Unknown,
        };
        let mut verdict = Verdict::Fits;
        for (word, means) in members {
            let Some(steps) = self.steps.checked_sub(1 + length(means) + length(value) / STEP_BYTES) else {
                return verdict.and(Verdict::Unknown);
            };
            self.steps = steps;
            let told = match words::alone(word, means, value) {
                Some(told) => told,
                None => self.with_others(members, word, means, value, depth),
            };
            verdict = verdict.and(told);
            if verdict == Verdict::Breaks {
                break;
            }
        }
        verdict
    }

    /// What a word says that holds schemas of its own.
    fn with_others(
        &mut self,
        schema: &'a Map<String, Value>,
        word: &str,
        means: &'a Value,
        value: &Value,
        depth: u32,
    ) -> Verdict {
        match (word, means) {
            ("$ref", Value::String(reference)) => match self.find(reference) {
                Some(found) => self.judge(found, value, depth),
                None => Verdict::Unknown,
            },
            ("allOf", Value::Array(schemas)) => self.all(schemas, value, depth),
            ("anyOf", Value::Array(schemas)) => self.any(schemas, value, depth),
            ("oneOf", Value::Array(schemas)) => self.one(schemas, value, depth),
            ("not", negated) => self.judge(negated, value, depth).not(),
            ("properties", Value::Object(schemas)) => self.members(schemas, value, depth),
            ("additionalProperties", of_others) => self.other_members(schema, of_others, value, depth),
            ("prefixItems", Value::Array(schemas)) => self.first_items(schemas, value, depth),
            ("items", of_each) => self.items(schema, of_each, value, depth),
            _ => Verdict::Unknown,
        }
    }

    /// What a reference within the schema leads to.
    fn find(&self, reference: &str) -> Option<&'a Value> {
        let pointer = reference.strip_prefix('#')?;
        // Names that a schema gave itself, and escapes of addresses, are not followed.
        let is_plain = !pointer.contains('%') && (pointer.is_empty() || pointer.starts_with('/'));
        is_plain.then(|| self.root.pointer(pointer)).flatten()
    }

    fn all(&mut self, schemas: &'a [Value], value: &Value, depth: u32) -> Verdict {
        let mut verdict = Verdict::Fits;
        for schema in schemas {
            verdict = verdict.and(self.judge(schema, value, depth));
            if verdict == Verdict::Breaks {
                break;
            }
        }
        verdict
    }

    fn any(&mut self, schemas: &'a [Value], value: &Value, depth: u32) -> Verdict {
        let mut verdict = Verdict::Breaks;
        for schema in schemas {
            verdict = verdict.or(self.judge(schema, value, depth));
            if verdict == Verdict::Fits {
                break;
            }
        }
        verdict
    }

    fn one(&mut self, schemas: &'a [Value], value: &Value, depth: u32) -> Verdict {
        let (mut fitting, mut unknown) = (0, false);
        for schema in schemas {
            match self.judge(schema, value, depth) {
                Verdict::Fits => fitting += 1,
                Verdict::Unknown => unknown = true,
                Verdict::Breaks => {}
            }
        }
        match (fitting, unknown) {
            (0, false) | (2.., _) => Verdict::Breaks,
            (1, false) => Verdict::Fits,
            _ => Verdict::Unknown,
        }
    }

    fn members(&mut self, schemas: &'a Map<String, Value>, value: &Value, depth: u32) -> Verdict {
        let Some(members) = value.as_object() else {
            return Verdict::Fits;
        };
        let mut verdict = Verdict::Fits;
        for (name, schema) in schemas {
            if let Some(member) = members.get(name) {
                verdict = verdict.and(self.judge(schema, member, depth));
            }
        }
        verdict
    }

    /// What is said of members that the schema does not name.
    fn other_members(
        &mut self,
        schema: &'a Map<String, Value>,
        of_others: &'a Value,
        value: &Value,
        depth: u32,
    ) -> Verdict {
        let Some(members) = value.as_object() else {
            return Verdict::Fits;
        };
        let named = schema.get("properties").and_then(Value::as_object);
        let is_named = |name: &String| named.is_some_and(|named| named.contains_key(name));
        let mut verdict = Verdict::Fits;
        for (name, member) in members {
            if !is_named(name) {
                verdict = verdict.and(self.judge(of_others, member, depth));
            }
        }
        // Which names a pattern takes is not known.
        let may_be_taken = schema.contains_key("patternProperties") && verdict == Verdict::Breaks;
        if may_be_taken { Verdict::Unknown } else { verdict }
    }

    fn first_items(&mut self, schemas: &'a [Value], value: &Value, depth: u32) -> Verdict {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut verdict = Verdict::Fits;
        for (schema, item) in schemas.iter().zip(items) {
            verdict = verdict.and(self.judge(schema, item, depth));
        }
        verdict
    }

    fn items(&mut self, schema: &'a Map<String, Value>, of_each: &'a Value, value: &Value, depth: u32) -> Verdict {
        if of_each.is_array() {
            // What `prefixItems` was called in older drafts.
            return Verdict::Unknown;
        }
        let first = schema.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
        let mut verdict = Verdict::Fits;
        for item in value.as_array().into_iter().flatten().skip(first) {
            verdict = verdict.and(self.judge(of_each, item, depth));
            if verdict == Verdict::Breaks {
                break;
            }
        }
        verdict
    }
}

/// How long a look at this may take.
fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        Value::String(text) => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
