//! A `GenerateContentResponse`, looked at without keeping anything of it: a whole answer, or a chunk of a stream.

use std::fmt;

use gateway_actors::protocol::UsageReport;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::finish::Finish;
use super::usage::usage_report;
use crate::dialects::fault::ErrorObject;
use crate::dialects::json::{is_string, raw_text};

/// What is seen.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Glance<'a> {
    candidates: Option<Candidates>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Why there is no candidate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<&'a RawValue>,
}

impl Feedback<'_> {
    /// Whether the prompt was blocked.
    pub(super) fn is_blocked(&self) -> bool {
        self.block_reason.is_some_and(is_string)
    }
}

#[derive(Default)]
struct Candidates {
    /// Those that say something: a content, or why they ended.
    count: u32,
    content_bytes: u64,
    finished: bool,
    failure: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    content: Option<Content>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Parts>,
}

/// Bytes of texts and calls.
struct Parts(u64);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<FunctionCall<'a>>,
}

#[derive(Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

impl<'a> Glance<'a> {
    /// Looks at a JSON object.
    ///
    /// # Errors
    /// When it is none, or not of this shape.
    pub(super) fn at(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The error that it is. What the model made and the provider could not use was made all the same.
    pub(super) fn error(&self) -> Option<ErrorObject> {
        let failure = self.candidates.as_ref().and_then(|candidates| candidates.failure);
        let failed = || failure.and_then(|word| Finish::Failed(word).failure());
        let error = self.error.map(ErrorObject::read).or_else(failed)?;
        Some(error.with(self.usage(), self.has_begun()))
    }

    /// Whether something of an answer is in it, or was made for it.
    pub(super) fn has_begun(&self) -> bool {
        self.candidates.as_ref().is_some_and(|candidates| candidates.count > 0) || self.usage_metadata.is_some()
    }

    /// Whether it answers: with a candidate, or by saying that the prompt was blocked.
    pub(super) fn is_answer(&self) -> bool {
        self.candidates.as_ref().is_some_and(|candidates| candidates.count > 0) || self.is_blocked()
    }

    /// Bytes of text, reasoning and calls: at least as many as there are when escapes are resolved.
    pub(super) fn content_bytes(&self) -> u64 {
        self.candidates
            .as_ref()
            .map_or(0, |candidates| candidates.content_bytes)
    }

    /// Whether the answer ends with it.
    pub(super) fn is_finished(&self) -> bool {
        self.candidates.as_ref().is_some_and(|candidates| candidates.finished) || self.is_blocked()
    }

    /// What it says of usage.
    pub(super) fn usage(&self) -> UsageReport {
        self.usage_metadata.map_or(UsageReport::Missing, usage_report)
    }

    fn is_blocked(&self) -> bool {
        let has_candidates = self.candidates.as_ref().is_some_and(|candidates| candidates.count > 0);
        !has_candidates && self.prompt_feedback.as_ref().is_some_and(Feedback::is_blocked)
    }
}

impl Part<'_> {
    fn bytes(&self) -> u64 {
        let text = self.text.and_then(raw_text).map_or(0, str::len);
        let call = self.function_call.as_ref().map_or(0, |call| {
            let name = call.name.and_then(raw_text).map_or(0, str::len);
            // A call without arguments is one too.
            (name + call.args.map_or(0, |args| args.get().len())).max(1)
        });
        (text + call) as u64
    }
}

/// Reads an array by adding its elements up, so that nothing is allocated for them.
struct AddUp<T>(T);

impl<'de> Visitor<'de> for AddUp<Candidates> {
    type Value = Candidates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("candidates")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Candidates, A::Error> {
        let Self(mut sum) = self;
        while let Some(candidate) = seq.next_element::<Candidate<'_>>()? {
            let finish = Finish::read(candidate.finish_reason);
            sum.count += u32::from(candidate.content.is_some() || finish.is_some());
            sum.content_bytes += candidate
                .content
                .and_then(|content| content.parts)
                .map_or(0, |parts| parts.0);
            sum.finished |= finish.is_some();
            if let Some(Finish::Failed(word)) = finish {
                sum.failure.get_or_insert(word);
            }
        }
        Ok(sum)
    }
}

impl<'de> Visitor<'de> for AddUp<Parts> {
    type Value = Parts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Parts, A::Error> {
        let Self(Parts(mut bytes)) = self;
        while let Some(part) = seq.next_element::<Part<'_>>()? {
            bytes += part.bytes();
        }
        Ok(Parts(bytes))
    }
}

impl<'de> Deserialize<'de> for Candidates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AddUp(Self::default()))
    }
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AddUp(Self(0)))
    }
}
