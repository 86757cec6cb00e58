//! A stream of another dialect's provider, written for a client of this one.
//!
//! Every chunk has the members that the `openai` Python package (version 3.57.0, `types/chat/chat_completion_chunk.py`)
//! requires. The calls of a tool that takes a plain text are told as OpenAI does, which the package has no type for.

mod calls;

use std::rc::Rc;

use gateway_actors::protocol::UsageReport;
use serde::Serialize;

use self::calls::{Calls, Written};
use super::details::{Entry, owned};
use super::grammar::{Grammar, Step};
use super::write_answer::{ID_PREFIX, Usage, answer_id, answer_model, finish_word};
use crate::dialects::neutral::{AnswerContext, Event, FinishReason, Opaque, StreamWriter};
use crate::dialects::sse::push_event;

/// Writes one stream.
#[derive(Debug)]
pub(in crate::dialects) struct Writer {
    context: Rc<AnswerContext>,
    grammar: Grammar,
    /// How every chunk begins, up to its choices.
    head: Vec<u8>,
    finished: bool,
    usage: UsageReport,
    calls: Calls,
    /// How many entries of `reasoning_details` have ended, and whether one is open.
    entries: u32,
    entry_is_open: bool,
    /// What belongs to no words, until it is known what it stands before.
    held: Option<Opaque<'static>>,
}

#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
}

/// What is new of a message.
#[derive(Default, Serialize)]
pub(super) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<[Entry<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<calls::Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[calls::Call<'a>; 1]>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

impl Writer {
    /// A writer for the answer to one request.
    pub(in crate::dialects) fn new(context: Rc<AnswerContext>) -> Self {
        Self {
            context,
            grammar: Grammar::default(),
            head: Vec::new(),
            finished: false,
            usage: UsageReport::Missing,
            calls: Calls::default(),
            entries: 0,
            entry_is_open: false,
            held: None,
        }
    }

    fn begin(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        if !self.head.is_empty() {
            return;
        }
        let head = Head {
            id: &answer_id(id, &self.context, ID_PREFIX),
            object: "chat.completion.chunk",
            created: self.context.created,
            model: answer_model(model, &self.context),
        };
        self.head = serde_json::to_vec(&head).unwrap_or_default();
        // Its members go on in every chunk.
        self.head.pop();
        let delta = Delta {
            role: Some("assistant"),
            content: Some(""),
            refusal: Some(None),
            ..Delta::default()
        };
        self.chunk(Step::Role, delta, None, out);
    }

    /// Writes a chunk with one choice.
    fn chunk(&mut self, step: Step, delta: Delta<'_>, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        let stepped = self.grammar.step(step);
        debug_assert!(stepped.is_ok(), "{stepped:?}");
        let choice = Choice {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        };
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[");
        let written = serde_json::to_writer(&mut *out, &choice);
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        out.push(b']');
        if self.context.wants_usage {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        self.chunk(Step::Delta, delta, None, out);
    }

    fn reasoning(&mut self, words: &str, out: &mut Vec<u8>) {
        self.entry_is_open = true;
        let entry = Entry::for_client(words, None, self.context.origin, self.entries, None);
        let delta = Delta {
            reasoning_content: Some(words),
            reasoning_details: Some([entry]),
            ..Delta::default()
        };
        self.delta(delta, out);
    }

    /// What belongs to the reasoning before, which it ends; or to what comes next, if there was none.
    fn opaque(&mut self, opaque: Opaque<'_>, out: &mut Vec<u8>) {
        if !self.entry_is_open {
            self.held = Some(owned(opaque));
            return;
        }
        let context = Rc::clone(&self.context);
        let delta = Delta {
            reasoning_details: Some([Entry::signature(&opaque, context.origin, self.entries)]),
            ..Delta::default()
        };
        self.delta(delta, out);
        self.end_entry();
    }

    fn end_entry(&mut self) {
        if std::mem::take(&mut self.entry_is_open) {
            self.entries += 1;
        }
    }

    /// Writes what was held, now that it is known what comes next.
    fn release(&mut self, before_call: Option<&str>, out: &mut Vec<u8>) {
        let Some(opaque) = self.held.take() else { return };
        let context = Rc::clone(&self.context);
        let entry = Entry::for_client("", Some(&opaque), context.origin, self.entries, before_call);
        let delta = Delta {
            reasoning_details: Some([entry]),
            ..Delta::default()
        };
        self.delta(delta, out);
        self.entries += 1;
    }

    fn call(&mut self, written: Option<Written>, out: &mut Vec<u8>) {
        if let Some(written) = written {
            let (step, delta) = written.as_delta();
            self.chunk(step, delta, None, out);
        }
    }

    fn finish(&mut self, reason: &FinishReason<'_>, out: &mut Vec<u8>) {
        for written in self.calls.finish() {
            self.call(Some(written), out);
        }
        self.finished = true;
        let word = finish_word(reason, !self.calls.is_empty(), self.calls.has_function());
        self.chunk(Step::Finish, Delta::default(), Some(word), out);
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match &event {
            Event::Usage(usage) => {
                self.usage = *usage;
                return;
            }
            Event::ServiceTier(_) => return,
            Event::Begin { id, model } => return self.begin(id, model, out),
            _ if self.finished => return,
            _ => self.begin("", "", out),
        }
        match &event {
            Event::ToolCall { id, .. } => self.release(Some(id), out),
            Event::Arguments { .. } => {}
            _ => self.release(None, out),
        }
        if !matches!(event, Event::Reasoning(_) | Event::Opaque(_)) {
            self.end_entry();
        }
        match event {
            Event::Text(text) => {
                let delta = Delta {
                    content: Some(&text),
                    ..Delta::default()
                };
                self.delta(delta, out);
            }
            Event::Refusal(refusal) => {
                let delta = Delta {
                    refusal: Some(Some(&refusal)),
                    ..Delta::default()
                };
                self.delta(delta, out);
            }
            Event::Reasoning(words) => self.reasoning(&words, out),
            Event::Opaque(opaque) => self.opaque(opaque, out),
            Event::ToolCall { index, id, name } => {
                let context = Rc::clone(&self.context);
                let written = self.calls.begin(index, &id, &name, &context);
                self.call(written, out);
            }
            Event::Arguments { index, json } => {
                let written = self.calls.go_on(index, &json);
                self.call(written, out);
            }
            Event::Finish(reason) => self.finish(&reason, out),
            Event::Begin { .. } | Event::ServiceTier(_) | Event::Usage(_) => {}
        }
    }

    /// Appends the usage, if the client wants it and it is known, and the end mark. A stream that was not finished gets
    /// neither, so that its client sees that it is cut.
    fn end(&mut self, out: &mut Vec<u8>) {
        if !self.finished || self.grammar.is_over() {
            return;
        }
        if let Some(usage) = Usage::of(self.usage).filter(|_| self.context.wants_usage) {
            let stepped = self.grammar.step(Step::Usage);
            debug_assert!(stepped.is_ok(), "{stepped:?}");
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            let written = serde_json::to_writer(&mut *out, &usage);
            debug_assert!(written.is_ok(), "writing to memory does not fail");
            out.extend_from_slice(b"}\n\n");
        }
        let stepped = self.grammar.step(Step::Done);
        debug_assert!(stepped.is_ok(), "{stepped:?}");
        push_event(out, None, b"[DONE]");
    }
}

#[cfg(test)]
#[path = "write_stream_tests.rs"]
mod tests;
