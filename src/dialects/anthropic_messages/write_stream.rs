//! A stream, written for a client event by event.
//!
//! One block is open at a time, as the dialect has it. Providers of other dialects may send several calls side by side:
//! what belongs to a block that is not open waits until the open call's input is whole, or the answer ends. The start
//! is written with the first thing that the answer says, so that it tells what is known of the usage by then; the usage
//! of the whole answer stands in the event before the last. A refusal is a text, told by the `stop_reason`.

mod events;
mod input;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use gateway_actors::protocol::UsageReport;

use self::events::{Emit, Start};
use self::input::InputScan;
use super::grammar::{DeltaKind, Grammar};
use super::ids::UniqueIds;
use super::stop::stop_reason;
use super::usage::WireUsage;
use super::write_answer::{message_id, model_name};
use crate::dialects::neutral::{AnswerContext, Event, FinishReason, Opaque, OpaqueKind, StreamWriter};

/// Writes one stream.
#[derive(Debug)]
pub(in crate::dialects) struct Writer {
    context: Rc<AnswerContext>,
    grammar: Grammar,
    /// The provider's id of the answer and its name for the model, until the start is written.
    begun: Option<(String, String)>,
    open: Open,
    /// What comes when the open call is whole, in order.
    waiting: VecDeque<Waiting>,
    /// The index of each call that was begun.
    calls: HashSet<u32>,
    ids: UniqueIds,
    usage: UsageReport,
    finish: Option<FinishReason<'static>>,
    is_refusal: bool,
    is_ended: bool,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Call { index: u32, input: InputScan },
}

/// A block that waits for its turn.
#[derive(Debug)]
enum Waiting {
    Text(String),
    Thinking {
        text: String,
        signature: Option<String>,
    },
    Redacted(String),
    Call {
        index: u32,
        id: String,
        name: String,
        input: String,
    },
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.is_ended || self.finish.is_some() && !matches!(event, Event::Usage(_)) {
            return;
        }
        match event {
            Event::Begin { id, model } => self.begun = Some((id.into_owned(), model.into_owned())),
            Event::Usage(usage) => self.usage = usage,
            Event::ServiceTier(_) => {}
            Event::Text(text) => self.text(&text, out),
            Event::Refusal(text) => {
                self.is_refusal = true;
                self.text(&text, out);
            }
            Event::Reasoning(text) => self.reasoning(&text, out),
            Event::Opaque(opaque) => self.opaque(&opaque, out),
            Event::ToolCall { index, id, name } => self.call(index, &id, &name, out),
            Event::Arguments { index, json } => self.arguments(index, &json, out),
            Event::Finish(reason) => {
                self.start(out);
                self.write_waiting(true, out);
                self.close(out);
                self.finish = Some(owned(reason));
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(out);
        self.write_waiting(true, out);
        self.close(out);
        let finish = self.finish.take().unwrap_or(FinishReason::Stop);
        let (reason, sequence) = stop_reason(&finish, !self.calls.is_empty(), self.is_refusal);
        let usage = WireUsage::of(self.usage).without_creation();
        Emit::new(&mut self.grammar, out).message_end(reason, sequence, usage);
    }
}

impl Writer {
    /// Begins a stream for the client of this request.
    pub(in crate::dialects) fn new(context: Rc<AnswerContext>) -> Self {
        Self {
            context,
            grammar: Grammar::default(),
            begun: Some((String::new(), String::new())),
            open: Open::Nothing,
            waiting: VecDeque::new(),
            calls: HashSet::new(),
            ids: UniqueIds::default(),
            usage: UsageReport::Missing,
            finish: None,
            is_refusal: false,
            is_ended: false,
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        let Some((id, model)) = self.begun.take() else {
            return;
        };
        Emit::new(&mut self.grammar, out).message_start(
            &message_id(&id, &self.context),
            model_name(&model, &self.context),
            WireUsage::of(self.usage),
        );
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.must_wait() {
            match self.waiting.back_mut() {
                Some(Waiting::Text(before)) => before.push_str(text),
                _ => self.waiting.push_back(Waiting::Text(text.to_owned())),
            }
            return;
        }
        self.start(out);
        if !matches!(self.open, Open::Text) {
            self.begin(Open::Text, Start::Text, out);
        }
        Emit::new(&mut self.grammar, out).delta(DeltaKind::Text, text);
    }

    fn reasoning(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.must_wait() {
            match self.waiting.back_mut() {
                Some(Waiting::Thinking {
                    text: before,
                    signature: None,
                }) => before.push_str(text),
                _ => self.waiting.push_back(Waiting::Thinking {
                    text: text.to_owned(),
                    signature: None,
                }),
            }
            return;
        }
        self.start(out);
        if !matches!(self.open, Open::Thinking) {
            self.begin(Open::Thinking, Start::Thinking, out);
        }
        Emit::new(&mut self.grammar, out).delta(DeltaKind::Thinking, text);
    }

    fn opaque(&mut self, opaque: &Opaque<'_>, out: &mut Vec<u8>) {
        let must_wait = self.must_wait();
        if opaque.kind == OpaqueKind::Redacted {
            if must_wait {
                self.waiting
                    .push_back(Waiting::Redacted(opaque.data.clone().into_owned()));
            } else {
                self.redacted(&opaque.data, out);
            }
            return;
        }
        let signature = opaque.to_field(OpaqueKind::Signature, self.context.origin);
        if !must_wait {
            return self.signature(&signature, out);
        }
        let written = Some(signature.into_owned());
        match self.waiting.back_mut() {
            Some(Waiting::Thinking { signature, .. }) if signature.is_none() => *signature = written,
            _ => self.waiting.push_back(Waiting::Thinking {
                text: String::new(),
                signature: written,
            }),
        }
    }

    fn redacted(&mut self, data: &str, out: &mut Vec<u8>) {
        self.start(out);
        self.begin(Open::Thinking, Start::Redacted(data), out);
        self.close(out);
    }

    /// Signs the open thinking, or a block without any, and closes it.
    fn signature(&mut self, signature: &str, out: &mut Vec<u8>) {
        self.start(out);
        if !matches!(self.open, Open::Thinking) {
            self.begin(Open::Thinking, Start::Thinking, out);
        }
        Emit::new(&mut self.grammar, out).delta(DeltaKind::Signature, signature);
        self.close(out);
    }

    fn call(&mut self, index: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        if !self.calls.insert(index) {
            return;
        }
        let id = self.ids.wire_id(id);
        let name = self.context.tools.original(name).0.name.into_owned();
        if self.must_wait() {
            let input = String::new();
            self.waiting.push_back(Waiting::Call { index, id, name, input });
            return;
        }
        self.begin_call(index, &id, &name, out);
    }

    fn begin_call(&mut self, index: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.start(out);
        let input = InputScan::default();
        self.begin(Open::Call { index, input }, Start::Call { id, name }, out);
    }

    fn arguments(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Call { index: open, .. } if open == index) {
            self.input(json, out);
            if !self.waiting.is_empty() {
                self.write_waiting(false, out);
            }
            return;
        }
        let of_call = self.waiting.iter_mut().rev().find_map(|waiting| match waiting {
            Waiting::Call {
                index: waits, input, ..
            } if *waits == index => Some(input),
            _ => None,
        });
        if let Some(input) = of_call {
            input.push_str(json);
        }
    }

    /// Goes on with the input of the open call.
    fn input(&mut self, json: &str, out: &mut Vec<u8>) {
        if let Open::Call { input, .. } = &mut self.open {
            let piece = input.take(json);
            if !piece.is_empty() {
                Emit::new(&mut self.grammar, out).delta(DeltaKind::InputJson, piece);
            }
        }
    }

    /// Whether a call is open whose input is not whole: the next block has to wait.
    fn must_wait(&self) -> bool {
        matches!(&self.open, Open::Call { input, .. } if !input.is_whole())
    }

    /// Writes the blocks that wait, up to the first call that is not whole, or all of them.
    fn write_waiting(&mut self, all: bool, out: &mut Vec<u8>) {
        while all || !self.must_wait() {
            let Some(next) = self.waiting.pop_front() else {
                return;
            };
            self.close(out);
            match next {
                Waiting::Text(text) => self.text(&text, out),
                Waiting::Thinking { text, signature } => {
                    self.reasoning(&text, out);
                    if let Some(signature) = signature {
                        self.signature(&signature, out);
                    }
                }
                Waiting::Redacted(data) => self.redacted(&data, out),
                Waiting::Call { index, id, name, input } => {
                    self.begin_call(index, &id, &name, out);
                    self.input(&input, out);
                }
            }
        }
    }

    fn begin(&mut self, open: Open, start: Start<'_>, out: &mut Vec<u8>) {
        self.close(out);
        Emit::new(&mut self.grammar, out).block_start(start);
        self.open = open;
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let rest = match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::Text | Open::Thinking => None,
            Open::Call { input, .. } => input.rest(),
        };
        let mut emit = Emit::new(&mut self.grammar, out);
        if let Some(rest) = rest {
            emit.delta(DeltaKind::InputJson, &rest);
        }
        emit.block_stop();
    }
}

fn owned(reason: FinishReason<'_>) -> FinishReason<'static> {
    match reason {
        FinishReason::Stop => FinishReason::Stop,
        FinishReason::StopText(text) => FinishReason::StopText(text.map(|text| Cow::Owned(text.into_owned()))),
        FinishReason::Length => FinishReason::Length,
        FinishReason::ToolCalls => FinishReason::ToolCalls,
        FinishReason::Refused => FinishReason::Refused,
        FinishReason::Paused => FinishReason::Paused,
    }
}

#[cfg(test)]
#[path = "write_stream_tests.rs"]
mod tests;
