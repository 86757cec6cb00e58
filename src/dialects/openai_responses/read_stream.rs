//! A provider's stream, read for a client of another dialect.
//!
//! What a delta tells is given on at once. An item that comes whole, as some providers send it, is given on when it is
//! done, and a whole response without items before it at its end. The input of a custom tool is given on as the member
//! `input` of a JSON object, as arguments are in every dialect.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::output_item::{ItemKind, OutputItem};
use super::read_answer::Response;
use crate::dialects::json::{raw_text, text};
use crate::dialects::neutral::{Event, PartKind, StreamReader};
use crate::dialects::sse::EventText;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Reader {
    begun: bool,
    /// The items that are under way.
    items: Vec<Item>,
    /// How many calls there have been.
    calls: u32,
    /// Whether an item was done.
    some_done: bool,
    ended: bool,
}

/// What is known of an item that is under way.
#[derive(Debug)]
struct Item {
    /// Its place in the output.
    at: u64,
    kind: ItemKind,
    /// Whether anything of it has been given on, a call's beginning excepted.
    told: bool,
    /// The number of the call that it is.
    call: u32,
    /// Whether its reasoning is told as a summary: of words and a summary the first that comes counts.
    is_summary: Option<bool>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    output_index: Option<u64>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

impl StreamReader for Reader {
    fn read(&mut self, event: &EventText<'_>, give: &mut dyn FnMut(Event<'_>)) -> Result<(), TranslationError> {
        let data = event.data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" || self.ended {
            return Ok(());
        }
        let wire: Wire<'_> =
            serde_json::from_slice(data).map_err(|_error| TranslationError("an event of the stream is none"))?;
        let Some(kind) = wire.kind.and_then(raw_text) else {
            return Err(TranslationError("an event of the stream has no type"));
        };
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => self.begin(&wire, give),
            "response.output_item.added" => self.added(&wire, give),
            "response.output_item.done" => self.done(&wire, give),
            "response.completed" | "response.incomplete" => self.end(&wire, give)?,
            "response.failed" | "error" => return Err(TranslationError("the stream carries an error")),
            _ => self.told(kind, &wire, give),
        }
        Ok(())
    }
}

impl Reader {
    fn begin(&mut self, wire: &Wire<'_>, give: &mut dyn FnMut(Event<'_>)) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let response = response(wire);
        give(Event::Begin {
            id: response.id.and_then(text).unwrap_or_default(),
            model: response.model.and_then(text).unwrap_or_default(),
        });
    }

    fn added(&mut self, wire: &Wire<'_>, give: &mut dyn FnMut(Event<'_>)) {
        self.begin(wire, give);
        let item = wire.item.and_then(OutputItem::read).unwrap_or_default();
        self.start(wire.output_index.unwrap_or_default(), &item, give);
    }

    /// Begins an item.
    fn start(&mut self, at: u64, item: &OutputItem<'_>, give: &mut dyn FnMut(Event<'_>)) {
        let kind = item.kind();
        let call = self.calls;
        if matches!(kind, ItemKind::FunctionCall | ItemKind::CustomCall) {
            self.calls += 1;
            let begun = item.call();
            give(Event::ToolCall {
                index: call,
                name: begun.name.flat(),
                id: begun.id,
            });
        }
        self.items.push(Item {
            at,
            kind,
            told: false,
            call,
            is_summary: None,
        });
    }

    /// A delta, or what needs no look.
    fn told(&mut self, kind: &str, wire: &Wire<'_>, give: &mut dyn FnMut(Event<'_>)) {
        let at = wire.output_index.unwrap_or_default();
        let Some(item) = self.items.iter_mut().rev().find(|item| item.at == at) else {
            return;
        };
        if kind == "response.reasoning_summary_part.added" {
            if item.is_summary == Some(true) && item.told {
                give(Event::Reasoning(Cow::Borrowed("\n\n")));
            }
            return;
        }
        let Some(delta) = wire.delta.and_then(text).filter(|delta| !delta.is_empty()) else {
            return;
        };
        match kind {
            "response.output_text.delta" => give(Event::Text(delta)),
            "response.refusal.delta" => give(Event::Refusal(delta)),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let is_summary = kind == "response.reasoning_summary_text.delta";
                if *item.is_summary.get_or_insert(is_summary) != is_summary {
                    return;
                }
                give(Event::Reasoning(delta));
            }
            "response.function_call_arguments.delta" if item.kind == ItemKind::FunctionCall => {
                arguments(item.call, &delta, give);
            }
            "response.custom_tool_call_input.delta" if item.kind == ItemKind::CustomCall => {
                if !item.told {
                    arguments(item.call, INPUT, give);
                }
                arguments(item.call, &escaped(&delta), give);
            }
            _ => return,
        }
        item.told = true;
    }

    fn done(&mut self, wire: &Wire<'_>, give: &mut dyn FnMut(Event<'_>)) {
        self.begin(wire, give);
        let whole = wire.item.and_then(OutputItem::read).unwrap_or_default();
        self.finish_item(wire.output_index.unwrap_or_default(), whole, give);
    }

    /// Gives on what of an item has not been told yet.
    fn finish_item(&mut self, at: u64, whole: OutputItem<'_>, give: &mut dyn FnMut(Event<'_>)) {
        self.some_done = true;
        if !self.items.iter().any(|item| item.at == at) {
            self.start(at, &whole, give);
        }
        let Some(place) = self.items.iter().rposition(|item| item.at == at) else {
            return;
        };
        let item = self.items.remove(place);
        match item.kind {
            ItemKind::Message if item.told => {}
            ItemKind::Message => {
                for part in whole.said() {
                    match part {
                        PartKind::Refusal(refusal) => give(Event::Refusal(refusal)),
                        PartKind::Text(text) => give(Event::Text(text)),
                        _ => {}
                    }
                }
            }
            ItemKind::Reasoning => {
                let thought = whole.thought();
                if !item.told && !thought.is_empty() {
                    give(Event::Reasoning(thought));
                }
                whole.state().into_iter().for_each(|state| give(Event::Opaque(state)));
            }
            ItemKind::FunctionCall => {
                let call = whole.call();
                if !item.told && !call.arguments.is_empty() {
                    arguments(item.call, &call.arguments, give);
                }
            }
            ItemKind::CustomCall => {
                if !item.told {
                    arguments(item.call, INPUT, give);
                    arguments(item.call, &escaped(&whole.call().arguments), give);
                }
                arguments(item.call, "\"}", give);
            }
            ItemKind::Foreign => {}
        }
    }

    fn end(&mut self, wire: &Wire<'_>, give: &mut dyn FnMut(Event<'_>)) -> Result<(), TranslationError> {
        self.begin(wire, give);
        let response = response(wire);
        if !self.some_done && self.items.iter().all(|item| !item.told) {
            let output = response
                .output
                .iter()
                .flatten()
                .filter_map(|item| OutputItem::read(item));
            for (at, item) in output.enumerate() {
                self.finish_item(at as u64, item, give);
            }
        }
        // What was cut off by the end of the answer is closed, so that it is JSON where it was to be.
        for item in std::mem::take(&mut self.items) {
            if item.kind == ItemKind::CustomCall && item.told {
                arguments(item.call, "\"}", give);
            }
        }
        self.ended = true;
        if let Some(tier) = response.service_tier.and_then(text) {
            give(Event::ServiceTier(tier));
        }
        give(Event::Finish(response.finish(self.calls > 0)?));
        give(Event::Usage(response.usage()));
        Ok(())
    }
}

/// How a custom tool's input begins as arguments.
const INPUT: &str = "{\"input\":\"";

fn arguments(index: u32, json: &str, give: &mut dyn FnMut(Event<'_>)) {
    give(Event::Arguments {
        index,
        json: Cow::Borrowed(json),
    });
}

/// A text as it stands inside a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default()
        .to_owned()
}

fn response<'a>(wire: &Wire<'a>) -> Response<'a> {
    let json = wire.response.map_or("{}", RawValue::get);
    serde_json::from_str(json).unwrap_or_default()
}

#[cfg(test)]
#[path = "read_stream_tests.rs"]
pub(super) mod tests;
