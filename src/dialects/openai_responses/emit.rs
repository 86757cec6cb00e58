//! The events of a stream, written one after the other as the grammar has it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::grammar::{Grammar, Step};
use super::response::OutPart;
use crate::dialects::sse::push_event;

/// An event, with the members that its type has.
#[derive(Debug, Default, Serialize)]
pub(super) struct WireEvent<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Set by the emitter.
    pub(super) sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<OutPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<&'a RawValue>,
    /// The type of `item`; not written.
    #[serde(skip)]
    pub(super) item_kind: &'static str,
}

/// Writes events and counts them.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    sequence: u64,
    grammar: Grammar,
}

impl Emitter {
    /// Whether the stream has come to its end.
    pub(super) fn is_over(&self) -> bool {
        self.grammar.is_over()
    }

    /// Appends an event. `item_id` names an item that is carried, too, but is then not written.
    pub(super) fn emit(&mut self, mut event: WireEvent<'_>, out: &mut Vec<u8>) {
        event.sequence_number = self.sequence;
        let stepped = self.grammar.step(&Step {
            kind: event.kind,
            sequence: self.sequence,
            output_index: event.output_index,
            item_id: event.item_id,
            part_index: event.content_index.or(event.summary_index),
            item: event.item.and(event.item_id).map(|id| (event.item_kind, id)),
            part: event.part.as_ref().map(|part| match part {
                OutPart::OutputText { .. } => "output_text",
                OutPart::Refusal { .. } => "refusal",
                OutPart::SummaryText { .. } => "summary_text",
            }),
        });
        debug_assert!(stepped.is_ok(), "{}: {stepped:?}", event.kind);
        if event.item.is_some() {
            event.item_id = None;
        }
        let data = serde_json::to_vec(&event);
        debug_assert!(data.is_ok(), "writing an event to memory does not fail");
        if let Ok(data) = data {
            self.sequence += 1;
            push_event(out, Some(event.kind), &data);
        }
    }
}
