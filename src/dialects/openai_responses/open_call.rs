//! The call that a stream is writing.

use serde_json::value::RawValue;

use super::custom_input::Unwrapper;
use super::emit::WireEvent;
use super::extent::Extent;
use super::open_item::{ADDED, DONE, IN_PROGRESS, Place};
use super::write_answer::{Call, NO_ARGUMENTS};

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
