//! One event of a stream: what it is, without keeping anything of it.

use std::fmt;

use gateway_actors::protocol::{Tier, UsageReport, Vendor};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error_like::error_like;
use super::response::Ended;
use super::usage::{XGroq, chunk_usage, usage_report};
use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::fault::ErrorObject;
use crate::dialects::json::raw_text;
use crate::dialects::sse::EventText;

/// Looks at the events of one stream, and keeps which of its choices are finished.
#[derive(Debug)]
pub(in crate::dialects) struct EventReader {
    vendor: Vendor,
    choices: Progress,
    /// At whose prices the answer is made, as far as was told.
    tier: Tier,
}

impl EventReader {
    /// For a stream of this vendor's.
    pub(in crate::dialects) fn new(vendor: Vendor) -> Self {
        Self {
            vendor,
            choices: Progress::default(),
            tier: Tier::Untold,
        }
    }

    /// Looks at one whole event.
    ///
    /// # Errors
    /// If it is no event of this dialect, or an error.
    pub(in crate::dialects) fn read(&mut self, event: &EventText<'_>) -> Result<Seen, BadEvent> {
        let (mut seen, choices) =
            read_event(event, self.vendor, self.choices.are_finished()).map_err(|bad| match bad {
                BadEvent::Error(error) => {
                    let usage = error.usage;
                    BadEvent::Error(error.with(usage, self.choices.have_begun()))
                }
                BadEvent::Malformed => bad,
            })?;
        for choice in choices.first.into_iter().chain(choices.more) {
            self.choices.note(choice);
        }
        seen.finished &= self.choices.are_finished();
        // What is told with one choice of several is not all.
        if seen.usage.is_none() && !self.choices.are_several() {
            seen.usage = choices
                .usage
                .map(|usage| usage_report(usage, self.vendor))
                .filter(|usage| *usage != UsageReport::Missing);
        }
        if choices.tier != Tier::Untold {
            self.tier = choices.tier;
        }
        seen.usage = seen.usage.map(|usage| usage.in_tier(self.tier));
        Ok(seen)
    }

    /// Whether there was a choice, and each that there was is finished.
    pub(in crate::dialects) fn is_finished(&self) -> bool {
        self.choices.are_finished()
    }
}

/// One event of this vendor's, and the choices in it. `is_over`: whether all choices are finished, so that an event without
/// any may say what it likes.
fn read_event<'e>(event: &'e EventText<'_>, vendor: Vendor, is_over: bool) -> Result<(Seen, Choices<'e>), BadEvent> {
    let data = event.data.trim_ascii();
    if data.is_empty() {
        return Ok((Seen::default(), Choices::default()));
    }
    if data == b"[DONE]" {
        let seen = Seen {
            terminal: true,
            ..Seen::default()
        };
        return Ok((seen, Choices::default()));
    }
    // Looked at once here, instead of once for every value that is kept.
    let json = std::str::from_utf8(data).map_err(|_error| BadEvent::Malformed)?;
    let chunk: Chunk<'_> = serde_json::from_str(json).map_err(|_error| BadEvent::Malformed)?;
    let groq = chunk.x_groq.map(XGroq::read).unwrap_or_default();
    let usage = chunk_usage(chunk.usage, &groq, vendor);
    let mut choices = chunk.choices.unwrap_or_default();
    choices.tier = Tier::of_member(chunk.service_tier);
    let has_output = choices.content_bytes > 0;
    if let Some(error) = chunk.error.or(groq.error) {
        return Err(BadEvent::Error(ErrorObject::read(error).with(usage, has_output)));
    }
    if choices.first.is_none()
        && let Some(error) = error_like(json, is_over || chunk.usage.is_some())
    {
        return Err(BadEvent::Error(error.with(usage, has_output)));
    }
    if event.name == Some(b"error") {
        return Err(BadEvent::Error(ErrorObject::UNKNOWN.with(usage, has_output)));
    }
    if let Some(error) = choices.failure {
        return Err(BadEvent::Error(error.with(usage, true)));
    }
    let finished = choices.finished;
    let seen = Seen {
        content_bytes: choices.content_bytes,
        meaningful: choices.content_bytes > 0 || finished,
        finished,
        only_usage: choices.first.is_none() && chunk.usage.is_some(),
        usage: (usage != UsageReport::Missing).then_some(usage),
        terminal: false,
    };
    Ok((seen, choices))
}

/// How far the choices of a stream are.
#[derive(Debug, Default)]
struct Progress {
    /// By their places: nothing of one that has not come yet, else whether it is finished.
    known: Vec<Option<bool>>,
    /// Whether there was one of a place beyond all that are kept. Of it nothing but the end mark tells that it is finished.
    has_others: bool,
}

/// The most choices that are kept apart: more than anybody gives at once.
const MOST_CHOICES: usize = 4096;

impl Progress {
    fn note(&mut self, choice: Told) {
        if choice.place >= MOST_CHOICES {
            self.has_others = true;
            return;
        }
        if self.known.len() <= choice.place {
            self.known.resize(choice.place + 1, None);
        }
        if let Some(known) = self.known.get_mut(choice.place) {
            *known = Some(choice.is_finished || *known == Some(true));
        }
    }

    /// Whether there is more than one.
    fn are_several(&self) -> bool {
        self.has_others || self.known.iter().flatten().count() > 1
    }

    fn have_begun(&self) -> bool {
        !self.known.is_empty() || self.has_others
    }

    fn are_finished(&self) -> bool {
        let mut known = self.known.iter().flatten().peekable();
        !self.has_others && known.peek().is_some() && known.all(|is_finished| *is_finished)
    }
}

/// What an event tells of one choice.
#[derive(Clone, Copy)]
struct Told {
    place: usize,
    is_finished: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Choices<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    x_groq: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Default)]
struct Choices<'a> {
    content_bytes: u64,
    /// What is said beside them of whose prices they have.
    tier: Tier,
    /// What one of them says of usage.
    usage: Option<&'a RawValue>,
    /// Whether one is finished with the event.
    finished: bool,
    /// Mostly there is no other.
    first: Option<Told>,
    more: Vec<Told>,
    /// That one came to nothing.
    failure: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    /// Its place. Where there is none, it is the only one.
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// What the older completions API has in the delta's place.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    native_finish_reason: Option<&'a RawValue>,
    /// What OpenRouter says of one that came to nothing.
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    /// Moonshot's, of the choice alone.
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    tool_calls: Option<ToolCalls>,
    #[serde(borrow)]
    function_call: Option<Function<'a>>,
}

/// Bytes of the calls' names and arguments.
#[derive(Default)]
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

/// Bytes of a text; of anything else that is not empty (some providers send parts), all of its bytes.
fn size(value: Option<&RawValue>) -> u64 {
    let Some(value) = value else { return 0 };
    let bytes = match raw_text(value) {
        Some(text) => text.len(),
        None if matches!(value.get(), "[]" | "{}") => 0,
        None => value.get().len(),
    };
    bytes as u64
}

impl Function<'_> {
    fn size(&self) -> u64 {
        size(self.name) + size(self.arguments)
    }
}

impl Delta<'_> {
    fn size(&self) -> u64 {
        size(self.content)
            + size(self.refusal)
            + size(self.reasoning)
            + size(self.reasoning_content)
            + self.tool_calls.as_ref().map_or(0, |calls| calls.0)
            + self.function_call.as_ref().map_or(0, Function::size)
    }
}

/// Reads an array by adding its elements up, so that nothing is allocated for them.
struct AddUp<T>(T);

impl<'de> Visitor<'de> for AddUp<Choices<'de>> {
    type Value = Choices<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices<'de>, A::Error> {
        let Self(mut sum) = self;
        while let Some(choice) = seq.next_element::<Choice<'_>>()? {
            sum.content_bytes += choice.delta.as_ref().map_or(0, Delta::size) + size(choice.text);
            // Some have an empty reason as long as the answer goes on.
            let reason = choice.finish_reason.and_then(raw_text);
            let is_finished = reason.is_some_and(|reason| !reason.is_empty());
            sum.finished |= is_finished;
            sum.usage = sum.usage.or(choice.usage);
            if sum.failure.is_none() {
                let ended = Ended {
                    finish_reason: choice.finish_reason,
                    native_finish_reason: choice.native_finish_reason,
                    error: choice.error,
                };
                sum.failure = ended.failure();
            }
            let told = Told {
                place: choice.index.and_then(|index| index.get().parse().ok()).unwrap_or(0),
                is_finished,
            };
            if sum.first.is_none() {
                sum.first = Some(told);
            } else {
                sum.more.push(told);
            }
        }
        Ok(sum)
    }
}

impl<'de> Visitor<'de> for AddUp<ToolCalls> {
    type Value = ToolCalls;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tool calls")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ToolCalls, A::Error> {
        let Self(ToolCalls(mut bytes)) = self;
        while let Some(call) = seq.next_element::<ToolCall<'_>>()? {
            // A call counts even before it has a name: something is on its way.
            bytes += call.function.as_ref().map_or(0, Function::size).max(1);
        }
        Ok(ToolCalls(bytes))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AddUp(Choices::default()))
    }
}

impl<'de> Deserialize<'de> for ToolCalls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AddUp(Self::default()))
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
