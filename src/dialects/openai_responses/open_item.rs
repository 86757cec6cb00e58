//! The item that a stream is writing: how it is opened, filled and closed.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::custom_input::Unwrapper;
use super::emit::{Emitter, WireEvent};
use super::extent::Extent;
use super::response::{OutItem, OutPart};
use super::write_answer::{Call, NO_ARGUMENTS, json};

/// What events are written to, and where in the output they are.
pub(super) struct Place<'p> {
    pub(super) emitter: &'p mut Emitter,
    pub(super) out: &'p mut Vec<u8>,
    /// The item's place in the output.
    pub(super) at: u64,
}

impl Place<'_> {
    fn emit(&mut self, event: WireEvent<'_>) {
        let output_index = Some(self.at);
        self.emitter.emit(WireEvent { output_index, ..event }, self.out);
    }

    /// An event that carries the item.
    fn item(&mut self, kind: &'static str, item_kind: &'static str, id: &str, item: &RawValue) {
        self.emit(WireEvent {
            kind,
            item: Some(item),
            item_id: Some(id),
            item_kind,
            ..WireEvent::default()
        });
    }
}

const ADDED: &str = "response.output_item.added";
const DONE: &str = "response.output_item.done";
const IN_PROGRESS: &str = "in_progress";

fn written(item: &OutItem<'_>) -> Box<RawValue> {
    json(item).unwrap_or_else(|_never| RawValue::NULL.to_owned())
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

/// A call of a tool.
#[derive(Debug)]
pub(super) struct OpenCall {
    /// Tells the calls of an answer apart.
    pub(super) index: u32,
    call: Call,
    extent: Extent,
    unwrapper: Unwrapper,
}

impl OpenCall {
    /// Opens a call.
    pub(super) fn open(index: u32, call: Call, place: &mut Place<'_>) -> Self {
        let item = call
            .write(IN_PROGRESS)
            .unwrap_or_else(|_never| RawValue::NULL.to_owned());
        place.item(ADDED, call.kind(), &call.id, &item);
        Self {
            index,
            call,
            extent: Extent::default(),
            unwrapper: Unwrapper::default(),
        }
    }

    /// More of its arguments.
    pub(super) fn push(&mut self, json: &str, place: &mut Place<'_>) {
        self.extent.push(json);
        if self.call.is_custom {
            let told = self.unwrapper.push(json);
            self.tell(&told, place);
        } else {
            self.tell(json, place);
        }
    }

    /// Whether its arguments are whole JSON.
    pub(super) const fn is_whole(&self) -> bool {
        self.extent.is_whole()
    }

    fn tell(&mut self, delta: &str, place: &mut Place<'_>) {
        if delta.is_empty() {
            return;
        }
        self.call.arguments.push_str(delta);
        // A search for tools is told whole.
        if !self.call.is_search() {
            place.emit(WireEvent {
                kind: if self.call.is_custom {
                    "response.custom_tool_call_input.delta"
                } else {
                    "response.function_call_arguments.delta"
                },
                item_id: Some(&self.call.id),
                delta: Some(delta),
                ..WireEvent::default()
            });
        }
    }

    /// Closes it, and gives the item.
    pub(super) fn close(mut self, status: &'static str, place: &mut Place<'_>) -> Box<RawValue> {
        if self.call.is_custom {
            let rest = self.unwrapper.finish();
            self.tell(&rest, place);
        } else if self.call.arguments.trim_ascii().is_empty() {
            self.tell(NO_ARGUMENTS, place);
        }
        let Self { call, .. } = self;
        let whole = Some(&*call.arguments);
        if !call.is_search() {
            place.emit(WireEvent {
                kind: if call.is_custom {
                    "response.custom_tool_call_input.done"
                } else {
                    "response.function_call_arguments.done"
                },
                item_id: Some(&call.id),
                input: whole.filter(|_| call.is_custom),
                arguments: whole.filter(|_| !call.is_custom),
                ..WireEvent::default()
            });
        }
        let item = call.write(status).unwrap_or_else(|_never| RawValue::NULL.to_owned());
        place.item(DONE, call.kind(), &call.id, &item);
        item
    }
}
