//! Vectors of another dialect's provider, written as OpenAI's answer.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};
use serde_json::value::RawValue;

use super::encode::{Encoding, numbers, written};
use crate::dialects::json::push_string;

/// What a provider answered.
#[derive(Debug)]
pub(super) struct Vectors<'a> {
    /// Its name for the model; nothing if it gave none.
    pub(super) model: Option<Cow<'a, str>>,
    /// In the order of the texts.
    pub(super) vectors: Vec<&'a RawValue>,
    pub(super) usage: UsageReport,
}

/// Writes the body. The dialect has no answer without a count of tokens: where the provider told none, it is 0.
///
/// # Errors
/// When there are not as many vectors as texts, or one cannot be read.
pub(super) fn write(
    answer: &Vectors<'_>,
    asked: &str,
    texts: usize,
    encoding: Encoding,
) -> Result<Vec<u8>, TranslationError> {
    if answer.vectors.len() != texts {
        return Err(TranslationError("it has not as many vectors as there were texts"));
    }
    let mut out = br#"{"object":"list","data":["#.to_vec();
    for (index, vector) in answer.vectors.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(format!(r#"{{"object":"embedding","index":{index},"embedding":"#).as_bytes());
        // What is passed on as it stands is looked at too: a provider of another dialect vouches for nothing in OpenAI's.
        if encoding == Encoding::Float {
            numbers(vector.get())?;
        }
        out.extend_from_slice(&written(vector, encoding)?);
        out.push(b'}');
    }
    out.extend_from_slice(br#"],"model":"#);
    push_string(&mut out, answer.model.as_deref().unwrap_or(asked));
    let tokens = match answer.usage {
        UsageReport::Reported(usage) => usage.input,
        UsageReport::Missing | UsageReport::Absurd | UsageReport::Unused => 0,
    };
    let usage = format!(r#","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#);
    out.extend_from_slice(usage.as_bytes());
    Ok(out)
}
