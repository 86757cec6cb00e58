//! The item that a stream is writing: how it is opened, filled and closed.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::emit::{Emitter, WireEvent};
use super::open_call::OpenCall;
use super::response::{OutItem, OutPart};
use super::write_answer::json;

/// What events are written to, and where in the output they are.
pub(super) struct Place<'p> {
    pub(super) emitter: &'p mut Emitter,
    pub(super) out: &'p mut Vec<u8>,
    /// The item's place in the output.
    pub(super) at: u64,
}

impl Place<'_> {
    pub(super) fn emit(&mut self, event: WireEvent<'_>) {
        let output_index = Some(self.at);
        self.emitter.emit(WireEvent { output_index, ..event }, self.out);
    }

    /// An event that carries the item.
    pub(super) fn item(&mut self, kind: &'static str, item_kind: &'static str, id: &str, item: &RawValue) {
        self.emit(WireEvent {
            kind,
            item: Some(item),
            item_id: Some(id),
            item_kind,
            ..WireEvent::default()
        });
    }
}

/// The event that opens an item, the one that closes it, and an item's status in between.
pub(super) const ADDED: &str = "response.output_item.added";
pub(super) const DONE: &str = "response.output_item.done";
pub(super) const IN_PROGRESS: &str = "in_progress";

fn written(item: &OutItem<'_>) -> Box<RawValue> {
    json(item).unwrap_or_else(|_never| RawValue::NULL.to_owned())
}

/// The item.
#[derive(Debug)]
pub(super) enum OpenItem {
    Message(OpenMessage),
    Reasoning(OpenReasoning),
    Call(Box<OpenCall>),
}

impl OpenItem {
    /// Closes it, and gives the item.
    pub(super) fn close(self, status: &'static str, place: &mut Place<'_>) -> Box<RawValue> {
        match self {
            Self::Message(message) => message.close(status, place),
            Self::Reasoning(reasoning) => reasoning.close(None, place),
            Self::Call(call) => call.close(status, place),
        }
    }
}

/// A message, of texts and refusals.
#[derive(Debug)]
pub(super) struct OpenMessage {
    id: String,
    /// The last of them is open.
    parts: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    text: String,
    is_refusal: bool,
}

impl Said {
    fn part<'s>(&self, text: &'s str) -> OutPart<'s> {
        if self.is_refusal {
            OutPart::Refusal { refusal: text }
        } else {
            OutPart::text(text)
        }
    }
}

impl OpenMessage {
    /// Opens a message.
    pub(super) fn open(id: String, place: &mut Place<'_>) -> Self {
        let message = Self { id, parts: Vec::new() };
        place.item(ADDED, "message", &message.id, &message.item(IN_PROGRESS));
        message
    }

    /// Adds to the text or refusal that is open; another kind is another part.
    pub(super) fn say(&mut self, delta: &str, is_refusal: bool, place: &mut Place<'_>) {
        if self.parts.last().is_none_or(|last| last.is_refusal != is_refusal) {
            self.close_part(place);
            let said = Said {
                text: String::new(),
                is_refusal,
            };
            self.part("response.content_part.added", said.part(""), self.parts.len(), place);
            self.parts.push(said);
        }
        let content_index = Some(self.parts.len().saturating_sub(1) as u64);
        place.emit(WireEvent {
            kind: if is_refusal {
                "response.refusal.delta"
            } else {
                "response.output_text.delta"
            },
            item_id: Some(&self.id),
            content_index,
            delta: Some(delta),
            logprobs: (!is_refusal).then_some([]),
            ..WireEvent::default()
        });
        if let Some(last) = self.parts.last_mut() {
            last.text.push_str(delta);
        }
    }

    fn part(&self, kind: &'static str, part: OutPart<'_>, at: usize, place: &mut Place<'_>) {
        place.emit(WireEvent {
            kind,
            item_id: Some(&self.id),
            content_index: Some(at as u64),
            part: Some(part),
            ..WireEvent::default()
        });
    }

    fn close_part(&self, place: &mut Place<'_>) {
        let Some(last) = self.parts.last() else { return };
        let at = self.parts.len() - 1;
        let text = Some(&*last.text);
        place.emit(WireEvent {
            kind: if last.is_refusal {
                "response.refusal.done"
            } else {
                "response.output_text.done"
            },
            item_id: Some(&self.id),
            content_index: Some(at as u64),
            text: text.filter(|_| !last.is_refusal),
            refusal: text.filter(|_| last.is_refusal),
            logprobs: (!last.is_refusal).then_some([]),
            ..WireEvent::default()
        });
        self.part("response.content_part.done", last.part(&last.text), at, place);
    }

    /// Closes it, and gives the item.
    pub(super) fn close(self, status: &'static str, place: &mut Place<'_>) -> Box<RawValue> {
        self.close_part(place);
        let item = self.item(status);
        place.item(DONE, "message", &self.id, &item);
        item
    }

    fn item(&self, status: &'static str) -> Box<RawValue> {
        written(&OutItem::Message {
            id: &self.id,
            status,
            role: "assistant",
            content: self.parts.iter().map(|said| said.part(&said.text)).collect(),
        })
    }
}

/// Reasoning, whose words are told as a summary.
#[derive(Debug)]
pub(super) struct OpenReasoning {
    id: String,
    text: String,
}

impl OpenReasoning {
    /// Opens reasoning.
    pub(super) fn open(id: String, place: &mut Place<'_>) -> Self {
        let reasoning = Self {
            id,
            text: String::new(),
        };
        place.item(ADDED, "reasoning", &reasoning.id, &reasoning.item(None));
        reasoning
    }

    /// Adds to its words.
    pub(super) fn think(&mut self, delta: &str, place: &mut Place<'_>) {
        if self.text.is_empty() {
            self.event("response.reasoning_summary_part.added", None, None, Some(""), place);
        }
        self.event("response.reasoning_summary_text.delta", Some(delta), None, None, place);
        self.text.push_str(delta);
    }

    /// Closes it with what only its provider can read, and gives the item.
    pub(super) fn close(self, encrypted: Option<&str>, place: &mut Place<'_>) -> Box<RawValue> {
        if !self.text.is_empty() {
            self.event(
                "response.reasoning_summary_text.done",
                None,
                Some(&self.text),
                None,
                place,
            );
            self.event(
                "response.reasoning_summary_part.done",
                None,
                None,
                Some(&self.text),
                place,
            );
        }
        let item = self.item(encrypted);
        place.item(DONE, "reasoning", &self.id, &item);
        item
    }

    fn event(
        &self,
        kind: &'static str,
        delta: Option<&str>,
        text: Option<&str>,
        part: Option<&str>,
        place: &mut Place<'_>,
    ) {
        place.emit(WireEvent {
            kind,
            item_id: Some(&self.id),
            summary_index: Some(0),
            delta,
            text,
            part: part.map(|text| OutPart::SummaryText { text }),
            ..WireEvent::default()
        });
    }

    fn item(&self, encrypted: Option<&str>) -> Box<RawValue> {
        let summary = (!self.text.is_empty()).then_some(OutPart::SummaryText { text: &self.text });
        written(&OutItem::Reasoning {
            id: &self.id,
            summary: summary.into_iter().collect(),
            encrypted_content: encrypted.map(Cow::Borrowed),
        })
    }
}
