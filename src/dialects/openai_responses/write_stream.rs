//! A stream, written for a client.
//!
//! Items come one after the other. Calls whose arguments come side by side are put in order: what does not belong to the
//! open item waits until the arguments of the open call are whole, or the answer has ended.

use std::collections::VecDeque;
use std::rc::Rc;

use gateway_actors::protocol::UsageReport;
use serde_json::value::RawValue;

use super::emit::{Emitter, WireEvent};
use super::open_call::OpenCall;
use super::open_item::{OpenItem, OpenMessage, OpenReasoning, Place};
use super::response::{Names, Response, Status, item_id};
use super::write_answer::{Call, encrypted};
use crate::dialects::neutral::{AnswerContext, Event, FinishReason, StreamWriter, ToolName};

/// Writes one stream.
#[derive(Debug)]
pub(in crate::dialects) struct Writer {
    context: Rc<AnswerContext>,
    emitter: Emitter,
    names: Option<Names>,
    open: Option<OpenItem>,
    held: VecDeque<Held>,
    /// The items that are closed.
    output: Vec<Box<RawValue>>,
    refuses: bool,
    finish: Option<FinishReason<'static>>,
    usage: UsageReport,
    /// The tier of service, once the provider has told it.
    tier: String,
}

/// What waits for the open call to be whole.
#[derive(Debug)]
enum Held {
    Said {
        text: String,
        is_refusal: bool,
    },
    Thought(String),
    /// What goes into `encrypted_content`.
    State(String),
    Call {
        index: u32,
        id: String,
        name: String,
        arguments: String,
    },
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.emitter.is_over() {
            return;
        }
        match event {
            Event::Begin { id, model } => self.begin(&id, &model, out),
            Event::Usage(usage) => self.usage = usage,
            Event::ServiceTier(tier) => self.tier = tier.into_owned(),
            Event::Finish(reason) => self.finish = Some(owned(reason)),
            Event::Arguments { index, json } => self.arguments(index, &json, out),
            Event::Text(text) => self.say(&text, false, out),
            Event::Refusal(text) => self.say(&text, true, out),
            Event::Reasoning(text) if text.is_empty() => {}
            Event::Reasoning(text) => self.take(Held::Thought(text.into_owned()), out),
            Event::Opaque(opaque) => {
                let state = encrypted(&opaque, &self.context).into_owned();
                self.take(Held::State(state), out);
            }
            Event::ToolCall { index, id, name } => {
                let call = Held::Call {
                    index,
                    id: id.into_owned(),
                    name: name.into_owned(),
                    arguments: String::new(),
                };
                self.take(call, out);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.emitter.is_over() {
            return;
        }
        self.begin("", "", out);
        while let Some(held) = self.held.pop_front() {
            self.apply(held, out);
        }
        let status = match &self.finish {
            Some(reason) => Status::of(reason, self.refuses),
            None => Status::Failed,
        };
        self.close(
            if status == Status::Completed {
                "completed"
            } else {
                "incomplete"
            },
            out,
        );
        let kind = match status {
            Status::Completed | Status::InProgress => "response.completed",
            Status::Incomplete(_) => "response.incomplete",
            Status::Failed => "response.failed",
        };
        self.response(kind, status, self.usage, out);
    }
}

impl Writer {
    /// A writer for the answer to one request.
    pub(in crate::dialects) fn new(context: Rc<AnswerContext>) -> Self {
        Self {
            context,
            emitter: Emitter::default(),
            names: None,
            open: None,
            held: VecDeque::new(),
            output: Vec::new(),
            refuses: false,
            finish: None,
            usage: UsageReport::Missing,
            tier: String::new(),
        }
    }

    fn begin(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        if self.names.is_some() {
            return;
        }
        self.names = Some(Names::new(id, model, &self.context));
        for kind in ["response.created", "response.in_progress"] {
            self.response(kind, Status::InProgress, UsageReport::Missing, out);
        }
    }

    /// An event that carries the response.
    fn response(&mut self, kind: &'static str, status: Status, usage: UsageReport, out: &mut Vec<u8>) {
        let Some(names) = &self.names else { return };
        let response = Response::new(names, &self.context, status, &self.output, usage);
        let json = response.write(&self.context, &self.tier).ok();
        let json = json.and_then(|json| String::from_utf8(json).ok());
        let json = json.and_then(|json| RawValue::from_string(json).ok());
        debug_assert!(json.is_some(), "a response is JSON");
        let event = WireEvent {
            kind,
            response: json.as_deref(),
            ..WireEvent::default()
        };
        self.emitter.emit(event, out);
    }

    fn say(&mut self, text: &str, is_refusal: bool, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.refuses |= is_refusal;
        let at = self.output.len() as u64;
        match &mut self.open {
            Some(OpenItem::Message(message)) if self.held.is_empty() => {
                let emitter = &mut self.emitter;
                message.say(text, is_refusal, &mut Place { emitter, out, at });
            }
            _ => {
                let text = text.to_owned();
                self.take(Held::Said { text, is_refusal }, out);
            }
        }
    }

    /// Writes what comes next, or holds it back.
    fn take(&mut self, held: Held, out: &mut Vec<u8>) {
        self.begin("", "", out);
        self.held.push_back(held);
        self.advance(out);
    }

    fn arguments(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        self.begin("", "", out);
        let at = self.output.len() as u64;
        match &mut self.open {
            Some(OpenItem::Call(open)) if open.index == index => {
                let emitter = &mut self.emitter;
                open.push(json, &mut Place { emitter, out, at });
                self.advance(out);
            }
            _ => {
                let waits = |held: &mut Held| match held {
                    Held::Call {
                        index: known,
                        arguments,
                        ..
                    } if *known == index => {
                        arguments.push_str(json);
                        true
                    }
                    _ => false,
                };
                // Of a call that is closed, or that nobody began, there is nothing to tell.
                self.held.iter_mut().any(waits);
            }
        }
    }

    /// Writes what has waited, as far as it may come now.
    fn advance(&mut self, out: &mut Vec<u8>) {
        let is_free = |open: &Option<OpenItem>| match open {
            Some(OpenItem::Call(call)) => call.is_whole(),
            _ => true,
        };
        while is_free(&self.open) {
            let Some(next) = self.held.pop_front() else { return };
            self.apply(next, out);
        }
    }

    /// Writes what comes next. A call that is open is whole, or will never be.
    fn apply(&mut self, next: Held, out: &mut Vec<u8>) {
        match next {
            Held::Said { text, is_refusal } => {
                if !matches!(self.open, Some(OpenItem::Message(_))) {
                    self.close("completed", out);
                    let id = item_id("msg", &self.context, self.output.len());
                    let message = OpenMessage::open(id, &mut self.place(out));
                    self.open = Some(OpenItem::Message(message));
                }
                let at = self.output.len() as u64;
                let emitter = &mut self.emitter;
                if let Some(OpenItem::Message(message)) = &mut self.open {
                    message.say(&text, is_refusal, &mut Place { emitter, out, at });
                }
            }
            Held::Thought(text) => {
                self.open_reasoning(out);
                let at = self.output.len() as u64;
                let emitter = &mut self.emitter;
                if let Some(OpenItem::Reasoning(reasoning)) = &mut self.open {
                    reasoning.think(&text, &mut Place { emitter, out, at });
                }
            }
            Held::State(state) => {
                self.open_reasoning(out);
                if let Some(OpenItem::Reasoning(reasoning)) = self.open.take() {
                    let item = reasoning.close(Some(&state), &mut self.place(out));
                    self.output.push(item);
                }
            }
            Held::Call {
                index,
                id,
                name,
                arguments,
            } => {
                self.close("completed", out);
                let number = self.output.len();
                let call = Call::begun(&id, &ToolName::plain(name), false, &self.context, number);
                let mut place = self.place(out);
                let mut open = OpenCall::open(index, call, &mut place);
                if !arguments.is_empty() {
                    open.push(&arguments, &mut place);
                }
                self.open = Some(OpenItem::Call(Box::new(open)));
            }
        }
    }

    fn open_reasoning(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(OpenItem::Reasoning(_))) {
            self.close("completed", out);
            let id = item_id("rs", &self.context, self.output.len());
            let reasoning = OpenReasoning::open(id, &mut self.place(out));
            self.open = Some(OpenItem::Reasoning(reasoning));
        }
    }

    /// Closes what is open.
    fn close(&mut self, status: &'static str, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else { return };
        let item = open.close(status, &mut self.place(out));
        self.output.push(item);
    }

    fn place<'p>(&'p mut self, out: &'p mut Vec<u8>) -> Place<'p> {
        Place {
            at: self.output.len() as u64,
            emitter: &mut self.emitter,
            out,
        }
    }
}

/// The reason without the stop text, of which the dialect says nothing.
fn owned(reason: FinishReason<'_>) -> FinishReason<'static> {
    match reason {
        FinishReason::Stop | FinishReason::StopText(_) => FinishReason::Stop,
        FinishReason::Length => FinishReason::Length,
        FinishReason::ToolCalls => FinishReason::ToolCalls,
        FinishReason::Refused => FinishReason::Refused,
        FinishReason::Paused => FinishReason::Paused,
    }
}

#[cfg(test)]
#[path = "write_stream_tests.rs"]
pub(super) mod tests;
