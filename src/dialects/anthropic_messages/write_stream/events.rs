//! The events as bytes, each one checked against the grammar.

use std::io::Write as _;

use super::super::grammar::{BlockKind, DeltaKind, Grammar, Step};
use super::super::usage::WireUsage;
use crate::dialects::json::push_string;
use crate::dialects::sse::push_event;

/// How a block begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    Text,
    Thinking,
    Redacted(&'a str),
    Call { id: &'a str, name: &'a str },
}

/// Appends events.
#[derive(Debug)]
pub(super) struct Emit<'w> {
    grammar: &'w mut Grammar,
    out: &'w mut Vec<u8>,
}

impl<'w> Emit<'w> {
    pub(super) fn new(grammar: &'w mut Grammar, out: &'w mut Vec<u8>) -> Self {
        Self { grammar, out }
    }

    pub(super) fn message_start(&mut self, id: &str, model: &str, usage: WireUsage) {
        let mut data = br#"{"type":"message_start","message":{"id":"#.to_vec();
        push_string(&mut data, id);
        data.extend_from_slice(br#","type":"message","role":"assistant","model":"#);
        push_string(&mut data, model);
        data.extend_from_slice(br#","content":[],"stop_reason":null,"stop_sequence":null,"usage":"#);
        push_usage(&mut data, usage);
        data.extend_from_slice(b"}}");
        self.event(Step::MessageStart, "message_start", &data);
    }

    pub(super) fn block_start(&mut self, start: Start<'_>) {
        let index = self.grammar.blocks();
        let mut data = numbered("content_block_start", index);
        data.extend_from_slice(br#","content_block":{"type":"#);
        let block = match start {
            Start::Text => {
                data.extend_from_slice(br#""text","text":"""#);
                BlockKind::Text
            }
            Start::Thinking => {
                data.extend_from_slice(br#""thinking","thinking":"","signature":"""#);
                BlockKind::Thinking
            }
            Start::Redacted(state) => {
                data.extend_from_slice(br#""redacted_thinking","data":"#);
                push_string(&mut data, state);
                BlockKind::RedactedThinking
            }
            Start::Call { id, name } => {
                data.extend_from_slice(br#""tool_use","id":"#);
                push_string(&mut data, id);
                data.extend_from_slice(br#","name":"#);
                push_string(&mut data, name);
                data.extend_from_slice(br#","input":{}"#);
                BlockKind::ToolUse
            }
        };
        data.extend_from_slice(b"}}");
        self.event(Step::BlockStart { index, block }, "content_block_start", &data);
    }

    /// Goes on with the open block.
    pub(super) fn delta(&mut self, delta: DeltaKind, text: &str) {
        let index = self.open_block();
        let mut data = numbered("content_block_delta", index);
        data.extend_from_slice(match delta {
            DeltaKind::Text | DeltaKind::Citations => br#","delta":{"type":"text_delta","text":"#.as_slice(),
            DeltaKind::Thinking => br#","delta":{"type":"thinking_delta","thinking":"#.as_slice(),
            DeltaKind::Signature => br#","delta":{"type":"signature_delta","signature":"#.as_slice(),
            DeltaKind::InputJson => br#","delta":{"type":"input_json_delta","partial_json":"#.as_slice(),
        });
        push_string(&mut data, text);
        data.extend_from_slice(b"}}");
        self.event(Step::BlockDelta { index, delta }, "content_block_delta", &data);
    }

    pub(super) fn block_stop(&mut self) {
        let index = self.open_block();
        let mut data = numbered("content_block_stop", index);
        data.push(b'}');
        self.event(Step::BlockStop { index }, "content_block_stop", &data);
    }

    pub(super) fn message_end(&mut self, reason: &str, sequence: Option<&str>, usage: WireUsage) {
        let mut data = br#"{"type":"message_delta","delta":{"stop_reason":"#.to_vec();
        push_string(&mut data, reason);
        data.extend_from_slice(br#","stop_sequence":"#);
        match sequence {
            Some(sequence) => push_string(&mut data, sequence),
            None => data.extend_from_slice(b"null"),
        }
        data.extend_from_slice(br#"},"usage":"#);
        push_usage(&mut data, usage);
        data.push(b'}');
        self.event(Step::MessageDelta, "message_delta", &data);
        self.event(Step::MessageStop, "message_stop", br#"{"type":"message_stop"}"#);
    }

    /// The number of the block that began last.
    fn open_block(&self) -> u64 {
        self.grammar.blocks().saturating_sub(1)
    }

    fn event(&mut self, step: Step, name: &str, data: &[u8]) {
        let stepped = self.grammar.step(step);
        debug_assert!(stepped.is_ok(), "{stepped:?}");
        push_event(self.out, Some(name), data);
    }
}

/// The beginning of an event that is about the block of this number.
fn numbered(name: &str, index: u64) -> Vec<u8> {
    let mut data = Vec::with_capacity(128);
    let written = write!(data, r#"{{"type":"{name}","index":{index}"#);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    data
}

fn push_usage(data: &mut Vec<u8>, usage: WireUsage) {
    let written = serde_json::to_writer(data, &usage);
    debug_assert!(written.is_ok(), "writing counts to memory does not fail");
}
