//! A provider's stream, read for a client of another dialect.
//!
//! The wire format is that of the `openai` Python package, version 3.57.0 (`types/chat/chat_completion_chunk.py`), with
//! what [`super::read_answer`] tells of.

mod calls;

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport, Vendor};
use serde_json::value::RawValue;

use self::calls::Calls;
use super::details::{Detail, OpenEntry};
use super::read_answer::{Call, Called, ContentPart, finish_reason, no_images, split, transcript};
use super::usage::{XGroq, chunk_usage, usage_report};
use crate::dialects::json::text;
use crate::dialects::neutral::{Event, StreamReader};
use crate::dialects::object::{List, Text, TextOr, object, read_body};
use crate::dialects::sse::EventText;

object! {
    /// One chunk.
    Chunk {
        id = "id": &'a RawValue,
        model = "model": &'a RawValue,
        choices = "choices": List<Choice<'a>>,
        usage = "usage": &'a RawValue,
        service_tier = "service_tier": &'a RawValue,
        x_groq = "x_groq": &'a RawValue,
        error = "error": &'a RawValue,
    }
}

object! {
    /// One choice's share of a chunk.
    Choice {
        index = "index": &'a RawValue,
        delta = "delta": Delta<'a>,
        /// What the older completions API has in the delta's place.
        text = "text": Text<'a>,
        finish_reason = "finish_reason": &'a RawValue,
        stop_reason = "stop_reason": &'a RawValue,
        /// Moonshot's.
        usage = "usage": &'a RawValue,
    }
}

object! {
    /// What is new of a message.
    Delta {
        content = "content": TextOr<'a, List<ContentPart<'a>>>,
        refusal = "refusal": Text<'a>,
        reasoning = "reasoning": &'a RawValue,
        reasoning_content = "reasoning_content": &'a RawValue,
        reasoning_details = "reasoning_details": List<Detail<'a>>,
        tool_calls = "tool_calls": List<Call<'a>>,
        function_call = "function_call": Called<'a>,
        audio = "audio": &'a RawValue,
        images = "images": &'a RawValue,
    }
}

type Give<'g> = &'g mut dyn FnMut(Event<'_>);

/// Reads the chunks of one stream. Of several choices only the first is read: more are never asked for.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Reader {
    vendor: Vendor,
    begun: bool,
    finished: bool,
    /// The tier of service that was told, in JSON.
    tier: String,
    /// The entry of reasoning that has begun and not ended.
    entry: Option<OpenEntry>,
    calls: Calls,
}

impl Reader {
    /// For a stream of this vendor's.
    pub(in crate::dialects) fn new(vendor: Vendor) -> Self {
        Self {
            vendor,
            ..Self::default()
        }
    }
}

impl StreamReader for Reader {
    fn read(&mut self, event: &EventText<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        let data = event.data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let data = std::str::from_utf8(data).map_err(|_error| TranslationError("a chunk of it is not UTF-8"))?;
        let chunk: Chunk<'_> = read_body(data).map_err(|_error| TranslationError("a chunk of it cannot be read"))?;
        if chunk.error.is_some() || event.name == Some(b"error") {
            return Err(TranslationError("a chunk of it is an error"));
        }
        let List(choices) = chunk.choices.unwrap_or_default();
        let mut choices = choices.into_iter();
        let choice = choices.find(|choice| choice.index.is_none_or(|index| index.get() == "0"));
        let groq = chunk.x_groq.map(XGroq::read).unwrap_or_default();
        let of_choice = choice.as_ref().and_then(|choice| choice.usage);
        let usage = match chunk_usage(chunk.usage, &groq, self.vendor) {
            UsageReport::Missing => of_choice.map_or(UsageReport::Missing, |usage| usage_report(usage, self.vendor)),
            usage => usage,
        };
        // The first chunk of some says nothing yet, not even who answers.
        if !self.begun && (choice.is_some() || usage != UsageReport::Missing) {
            self.begun = true;
            give(Event::Begin {
                id: chunk.id.and_then(text).unwrap_or_default(),
                model: chunk.model.and_then(text).unwrap_or_default(),
            });
        }
        // All chunks name it, the first perhaps as it was asked for.
        let tier = chunk.service_tier.filter(|tier| self.begun && self.tier != tier.get());
        if let Some(word) = tier.and_then(text) {
            self.tier = tier.map(|tier| tier.get().to_owned()).unwrap_or_default();
            give(Event::ServiceTier(word));
        }
        if let Some(choice) = choice {
            self.choice(choice, give)?;
        }
        if usage != UsageReport::Missing {
            give(Event::Usage(usage));
        }
        Ok(())
    }
}

impl Reader {
    fn choice(&mut self, choice: Choice<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        let delta = choice.delta.unwrap_or_default();
        let (thought, mut said) = delta.content.map_or((None, None), split);
        said = said.or(choice.text.map(|Text(text)| text));
        no_images(delta.images)?;
        if said.as_ref().is_none_or(|said| said.is_empty()) {
            said = delta.audio.and_then(transcript);
        }
        let plain = delta.reasoning_content.or(delta.reasoning).and_then(text).or(thought);
        let List(details) = delta.reasoning_details.unwrap_or_default();
        self.reasoning(details, plain, give)?;
        self.part(said, Event::Text, give)?;
        self.part(delta.refusal.map(|Text(refusal)| refusal), Event::Refusal, give)?;
        let List(calls) = delta.tool_calls.unwrap_or_default();
        for call in calls {
            self.said_more(give)?;
            self.calls.add(call, give)?;
        }
        if let Some(function) = delta.function_call {
            self.said_more(give)?;
            self.calls.add_function(function, give)?;
        }
        // Some have an empty reason as long as the answer goes on.
        let reason = choice.finish_reason.and_then(text);
        if let Some(reason) = reason.filter(|reason| !self.finished && !reason.is_empty()) {
            self.end_entry(give);
            self.calls.finish(give)?;
            self.finished = true;
            let stopped_at = choice.stop_reason.and_then(text);
            let finish = finish_reason(Some(&reason), stopped_at, !self.calls.is_empty())?;
            give(Event::Finish(finish));
        }
        Ok(())
    }

    /// Reasoning: the entries, and `plain` where they have no words.
    fn reasoning(
        &mut self,
        details: Vec<Detail<'_>>,
        plain: Option<Cow<'_, str>>,
        give: Give<'_>,
    ) -> Result<(), TranslationError> {
        let mut has_words = false;
        for mut piece in details {
            self.still_open()?;
            if self.entry.as_ref().is_some_and(|entry| !entry.goes_on_with(&piece)) {
                self.end_entry(give);
            }
            self.entry.get_or_insert_default().add(&piece);
            let words = piece.text.take().or(piece.summary.take());
            if let Some(Text(words)) = words.filter(|Text(words)| !words.is_empty()) {
                has_words = true;
                self.calls.begin(give);
                give(Event::Reasoning(words));
            }
        }
        match plain.filter(|plain| !plain.is_empty() && !has_words) {
            Some(plain) => {
                self.still_open()?;
                self.calls.begin(give);
                give(Event::Reasoning(plain));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A piece of a text, if there is one.
    fn part<'t>(
        &mut self,
        text: Option<Cow<'t, str>>,
        event: fn(Cow<'t, str>) -> Event<'t>,
        give: Give<'_>,
    ) -> Result<(), TranslationError> {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.said_more(give)?;
            self.calls.begin(give);
            give(event(text));
        }
        Ok(())
    }

    /// Something other than reasoning comes, which ends what came of it.
    fn said_more(&mut self, give: Give<'_>) -> Result<(), TranslationError> {
        self.still_open()?;
        self.end_entry(give);
        Ok(())
    }

    fn end_entry(&mut self, give: Give<'_>) {
        if let Some(opaque) = self.entry.take().and_then(|entry| entry.seal()) {
            give(Event::Opaque(opaque));
        }
    }

    fn still_open(&self) -> Result<(), TranslationError> {
        if self.finished {
            return Err(TranslationError("it goes on after its end"));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "read_stream_tests.rs"]
mod tests;
