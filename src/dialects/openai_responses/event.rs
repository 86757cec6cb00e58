//! One event of a stream: what it is, without keeping anything of it.

use std::fmt;

use gateway_actors::protocol::{Tier, UsageReport};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::fault::ErrorObject;
use crate::dialects::json::{is_non_empty_container, raw_text};
use crate::dialects::sse::EventText;
use crate::dialects::usage::of_openai_responses;

/// What comes before anything of an answer does.
const BEFORE_AN_ANSWER: [&str; 4] = [
    "response.created",
    "response.queued",
    "response.in_progress",
    "response.failed",
];

/// Looks at the events of one stream.
///
/// Text is measured where it comes first: in the deltas, or in the finished item of a provider that sends none.
#[derive(Debug, Default)]
pub(in crate::dialects) struct EventReader {
    /// Bytes that deltas and the names of calls have had.
    told: u64,
    /// Bytes that finished items had.
    finished: u64,
    /// Whether the answer has begun.
    has_begun: bool,
}

impl EventReader {
    /// Looks at one whole event.
    pub(in crate::dialects) fn read(&mut self, event: &EventText<'_>) -> Result<Seen, BadEvent> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(Seen::default());
        }
        // Not of the dialect, but some send it behind the end. Of itself it ends nothing.
        if data == b"[DONE]" {
            return Ok(Seen::default());
        }
        // The parser would read an array as the members of an object, in order.
        if !data.starts_with(b"{") {
            return Err(BadEvent::Malformed);
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|_error| BadEvent::Malformed)?;
        let Some(kind) = event.kind.and_then(raw_text) else {
            // An error of a server in front of the provider has no type.
            let error = event.error.map(ErrorObject::read);
            return Err(error.map_or(BadEvent::Malformed, |error| self.bad(error, &Response::default())));
        };
        self.has_begun |= kind.starts_with("response.") && !BEFORE_AN_ANSWER.contains(&kind);
        match kind {
            "error" => {
                let error = ErrorObject::read(event.error.unwrap_or(event.whole(data)));
                Err(self.bad(error, &Response::default()))
            }
            "response.failed" => {
                let response = event.response();
                let error = response.error.map_or(ErrorObject::UNKNOWN, ErrorObject::read);
                Err(self.bad(error, &response))
            }
            "response.completed" | "response.incomplete" => Ok(ended(&event.response())),
            "response.output_item.added" => Ok(self.tell(event.item().call_bytes())),
            "response.output_item.done" => {
                self.finished += event.item().size();
                Ok(self.tell(self.finished.saturating_sub(self.told)))
            }
            _ if kind.ends_with(".delta") => Ok(self.tell(size(event.delta))),
            _ => Ok(Seen::default()),
        }
    }

    /// An error, with what its response tells of the answer so far.
    fn bad(&self, error: ErrorObject, response: &Response<'_>) -> BadEvent {
        let usage = response.usage();
        let has_output = response.output.is_some_and(is_non_empty_container);
        BadEvent::Error(error.with(usage, self.has_begun || has_output))
    }

    fn tell(&mut self, bytes: u64) -> Seen {
        self.told += bytes;
        Seen {
            content_bytes: bytes,
            meaningful: bytes > 0,
            ..Seen::default()
        }
    }
}

fn ended(response: &Response<'_>) -> Seen {
    let usage = response.usage();
    Seen {
        meaningful: true,
        finished: true,
        usage: (usage != UsageReport::Missing).then_some(usage),
        terminal: true,
        ..Seen::default()
    }
}

impl Response<'_> {
    fn usage(&self) -> UsageReport {
        let usage = self.usage.map_or(UsageReport::Missing, of_openai_responses);
        usage.in_tier(Tier::of_member(self.service_tier))
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Response<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
}

impl<'a> Event<'a> {
    /// What cannot be read says nothing.
    fn response(&self) -> Response<'a> {
        read(self.response)
    }

    fn item(&self) -> Item<'a> {
        read(self.item)
    }

    /// The event itself, in which an error tells its code.
    fn whole(&self, data: &'a [u8]) -> &'a RawValue {
        serde_json::from_slice(data).unwrap_or(RawValue::NULL)
    }
}

/// What of an item is text.
#[derive(Deserialize, Default)]
struct Item<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
}

impl Item<'_> {
    /// Bytes of a call's name, and at least one: something is on its way. Nothing for other items.
    fn call_bytes(&self) -> u64 {
        let is_call = self.kind.and_then(raw_text).is_some_and(|kind| kind.ends_with("_call"));
        if is_call { size(self.name).max(1) } else { 0 }
    }

    fn size(&self) -> u64 {
        let parts = |value: Option<&RawValue>| read::<Texts>(value).0;
        self.call_bytes() + size(self.arguments) + size(self.input) + parts(self.content) + parts(self.summary)
    }
}

/// Bytes of the texts in an array of parts.
#[derive(Default)]
struct Texts(u64);

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;

        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("parts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
                let mut bytes = 0;
                while let Some(part) = seq.next_element::<Part<'_>>()? {
                    bytes += size(part.text) + size(part.refusal);
                }
                Ok(Texts(bytes))
            }
        }

        deserializer.deserialize_seq(TextsVisitor)
    }
}

fn read<'a, T: Deserialize<'a> + Default>(value: Option<&'a RawValue>) -> T {
    value
        .and_then(|value| serde_json::from_str(value.get()).ok())
        .unwrap_or_default()
}

/// Bytes of a text; of anything else that is there, all of its bytes.
fn size(value: Option<&RawValue>) -> u64 {
    let Some(value) = value else { return 0 };
    raw_text(value).map_or(value.get().len(), str::len) as u64
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
