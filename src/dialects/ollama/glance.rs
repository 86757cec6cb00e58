//! A `ChatResponse`, looked at without keeping anything of it: a whole answer, or a line of a stream.

use std::fmt;

use gateway_actors::protocol::UsageReport;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::usage::of_ollama;
use crate::dialects::fault::ErrorObject;
use crate::dialects::json::raw_text;

/// What is seen.
#[derive(Deserialize)]
pub(super) struct Glance<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    done: Option<bool>,
    #[serde(borrow)]
    done_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    tool_calls: Option<ToolCalls>,
}

/// Bytes of the calls' names and arguments.
struct ToolCalls(u64);

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl<'a> Glance<'a> {
    /// Looks at a JSON object.
    ///
    /// # Errors
    /// When it is none, or not of this shape.
    pub(super) fn at(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The error that it is. A model that was only loaded has not answered either.
    pub(super) fn error(&self) -> Option<ErrorObject> {
        let only_loaded = self.done_reason.and_then(unanswered).map(ErrorObject::ended_by);
        let error = self.error.map(ErrorObject::read).or(only_loaded)?;
        Some(error.with(UsageReport::Missing, self.content_bytes() > 0))
    }

    /// Whether there is a message in it.
    pub(super) fn has_message(&self) -> bool {
        self.message.is_some()
    }

    /// Whether the answer ends with it.
    pub(super) fn is_done(&self) -> bool {
        self.done == Some(true)
    }

    /// Bytes of text, thinking and calls: at least as many as there are when escapes are resolved.
    pub(super) fn content_bytes(&self) -> u64 {
        let size = |value: Option<&RawValue>| value.and_then(raw_text).map_or(0, str::len) as u64;
        self.message.as_ref().map_or(0, |message| {
            let calls = message.tool_calls.as_ref().map_or(0, |calls| calls.0);
            size(message.content) + size(message.thinking) + calls
        })
    }
}

/// The reason for which an answer ended, if it says that nothing was answered.
pub(super) fn unanswered(done_reason: &RawValue) -> Option<&'static str> {
    match raw_text(done_reason)? {
        "load" => Some("load"),
        "unload" => Some("unload"),
        _ => None,
    }
}

/// What the object that ends an answer says of usage.
pub(super) fn usage(json: &[u8]) -> UsageReport {
    let whole: Option<&RawValue> = serde_json::from_slice(json).ok();
    whole.map_or(UsageReport::Missing, of_ollama)
}

impl<'de> Deserialize<'de> for ToolCalls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AddUp;

        impl<'de> Visitor<'de> for AddUp {
            type Value = ToolCalls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tool calls")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ToolCalls, A::Error> {
                let mut bytes = 0;
                while let Some(call) = seq.next_element::<ToolCall<'_>>()? {
                    // A call without arguments is one too.
                    bytes += call.function.map_or(0, |function| function.size()).max(1);
                }
                Ok(ToolCalls(bytes))
            }
        }

        deserializer.deserialize_seq(AddUp)
    }
}

impl Function<'_> {
    fn size(&self) -> u64 {
        let name = self.name.and_then(raw_text).map_or(0, str::len);
        (name + self.arguments.map_or(0, |arguments| arguments.get().len())) as u64
    }
}
