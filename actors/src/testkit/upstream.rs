//! A provider that answers by script, without a network.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use crate::protocol::{
    AnswerEnd, AnswerFault, AnswerRead, AnswerShape, Billing, BoundRules, Completion, FailureKind, GatewayError, Model,
    ModelId, Needs, Outgoing, OutgoingRequest, OwnPrompt, Question, Scribe, StreamFrame, Tier, TokenBound, TokenUsage,
    Upstream, UpstreamCall, UpstreamFailure, UpstreamReply, UpstreamStream, UsageReport,
};

/// What one call meets.
#[derive(Debug, Clone)]
pub enum Script {
    /// An answer with 10 input and 5 output tokens.
    Answer,
    /// An answer that says this, with the same usage. A text that ends in [`CUT`] was cut for its length; one that ends in
    /// [`UNREADABLE`] is of no use.
    Say(Arc<str>),
    /// An answer that says this, with this usage.
    Spend(Arc<str>, UsageReport),
    /// A failure.
    Fail(FailureKind, Billing),
    /// Nothing until the test says so or the call's deadline has passed, then this.
    Held(Arc<Notify>, Box<Self>),
    /// Nothing for so long or until the call's deadline has passed, then this.
    After(Duration, Box<Self>),
    /// A stream of so many frames before its end.
    Frames(usize),
    /// A stream that breaks after so many frames.
    BreakAfter(usize),
    /// A stream that says nothing more after so many frames.
    Stall(usize),
    /// A panic in the task that makes the call.
    Panic,
}

/// What a text ends in that was cut for its length.
pub const CUT: char = '\u{4}';

/// What a text ends in that nobody can make anything of.
pub const UNREADABLE: char = '\u{15}';

/// Answers calls by the scripts of their models; a model without one, or whose scripts are used up, answers.
#[derive(Debug, Default)]
pub struct ScriptedUpstream {
    scripts: RefCell<HashMap<ModelId, VecDeque<Script>>>,
    calls: RefCell<Vec<ModelId>>,
    bodies: RefCell<Vec<(ModelId, String)>>,
    /// How many calls run, and the most that ever did.
    running: Rc<Cell<(usize, usize)>>,
}

/// A request with nothing in it, of 20 input tokens at most.
#[derive(Debug)]
pub struct PlainRequest;

impl OutgoingRequest for PlainRequest {
    fn write_for(&self, model: &Model, _: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let body = Bytes::from(model.api_model.to_string());
        let bound = TokenBound {
            input: 20,
            output: model.max_output_tokens.into(),
        };
        Ok(Outgoing::as_sent(body.into(), true, bound))
    }
}

/// Writes each of the gateway's own requests with its message as the body, and reads every answer's body as its text.
#[derive(Debug)]
pub struct PlainScribe;

impl Scribe for PlainScribe {
    fn write(&self, prompt: OwnPrompt) -> (Rc<dyn OutgoingRequest>, Needs) {
        let needs = Needs {
            input_bound: 20,
            ..Needs::default()
        };
        (Rc::new(TextRequest::new(&prompt.message)), needs)
    }

    fn read(&self, completion: &Completion) -> Option<AnswerRead> {
        Some(read(completion))
    }
}

/// A request with a text, of 20 input tokens at most, whose question is that text.
#[derive(Debug, Clone)]
pub struct TextRequest {
    /// What is known of it.
    pub question: Question,
    /// The note that it was given.
    pub note: Option<Arc<str>>,
}

impl TextRequest {
    /// Asks this in a first turn, for an answer of any form.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            question: Question {
                text: text.into(),
                user_turns: 1,
                loop_key: None,
                in_loop: false,
                tool_errors: 0,
                shape: AnswerShape::Free,
                has_tools: false,
                has_media: false,
                stream: false,
                answers: 1,
                capped: false,
            },
            note: None,
        }
    }
}

impl OutgoingRequest for TextRequest {
    fn write_for(&self, model: &Model, _: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let note = self.note.as_deref().unwrap_or_default();
        let body = Bytes::from(format!("{}{note}", self.question.text));
        let bound = TokenBound {
            input: 20,
            output: model.max_output_tokens.into(),
        };
        Ok(Outgoing::as_sent(body.into(), true, bound))
    }

    fn question(&self) -> Option<Question> {
        Some(self.question.clone())
    }

    fn read_answer(&self, completion: &Completion) -> Option<AnswerRead> {
        (self.fault_of(completion) != Some(AnswerFault::Unusable)).then(|| read(completion))
    }

    fn fault_of(&self, completion: &Completion) -> Option<AnswerFault> {
        if completion.body.ends_with(&[UNREADABLE as u8]) {
            return Some(AnswerFault::Unusable);
        }
        completion.body.trim_ascii().is_empty().then_some(AnswerFault::Empty)
    }

    fn with_note(&self, note: &str) -> Option<Rc<dyn OutgoingRequest>> {
        Some(Rc::new(Self {
            note: Some(note.into()),
            ..self.clone()
        }))
    }
}

fn read(completion: &Completion) -> AnswerRead {
    let text = String::from_utf8_lossy(&completion.body).into_owned();
    let cut = text.strip_suffix(CUT).map(str::to_owned);
    AnswerRead {
        end: if cut.is_some() {
            AnswerEnd::Length
        } else {
            AnswerEnd::Stop
        },
        text: cut.unwrap_or(text),
        calls_tools: false,
    }
}

impl ScriptedUpstream {
    /// Adds what the next calls of a model meet.
    pub fn script(&self, model: &str, scripts: impl IntoIterator<Item = Script>) {
        self.scripts
            .borrow_mut()
            .entry(model.into())
            .or_default()
            .extend(scripts);
    }

    /// The models that were called, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.calls.borrow().iter().map(ToString::to_string).collect()
    }

    /// What a model was sent, call by call.
    #[must_use]
    pub fn sent_to(&self, model: &str) -> Vec<String> {
        let bodies = self.bodies.borrow();
        let own = bodies.iter().filter(|(id, _)| id.as_str() == model);
        own.map(|(_, body)| body.clone()).collect()
    }

    /// The most calls that ever ran side by side.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.running.get().1
    }
}

/// A call that runs.
struct Running(Rc<Cell<(usize, usize)>>);

impl Running {
    fn enter(counts: &Rc<Cell<(usize, usize)>>) -> Self {
        let (now, most) = counts.get();
        counts.set((now + 1, most.max(now + 1)));
        Self(Rc::clone(counts))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (now, most) = self.0.get();
        self.0.set((now - 1, most));
    }
}

impl Upstream for ScriptedUpstream {
    fn call(&self, call: UpstreamCall) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>> {
        self.calls.borrow_mut().push(call.model.id.clone());
        let next = self
            .scripts
            .borrow_mut()
            .get_mut(&call.model.id)
            .and_then(VecDeque::pop_front);
        let body = String::from_utf8_lossy(&call.outgoing.body.to_bytes()).into_owned();
        self.bodies.borrow_mut().push((call.model.id.clone(), body));
        let running = Running::enter(&self.running);
        let played = play(next.unwrap_or(Script::Answer), call.stream, call.deadline);
        Box::pin(async move {
            let _running = running;
            played.await
        })
    }
}

fn play(
    script: Script,
    stream: bool,
    deadline: Instant,
) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>> {
    let late = || UpstreamFailure::new(FailureKind::Deadline, Billing::Ambiguous, "scripted");
    Box::pin(async move {
        match script {
            Script::Answer => Ok(reply(stream, 5, End::Mark)),
            Script::Say(text) => Ok(said(&text, USAGE)),
            Script::Spend(text, usage) => Ok(said(&text, usage)),
            Script::Fail(kind, billing) => Err(UpstreamFailure::new(kind, billing, "scripted")),
            Script::Held(released, then) => {
                if timeout_at(deadline, released.notified()).await.is_err() {
                    return Err(late());
                }
                play(*then, stream, deadline).await
            }
            Script::After(pause, then) => {
                if timeout_at(deadline, sleep(pause)).await.is_err() {
                    return Err(late());
                }
                play(*then, stream, deadline).await
            }
            Script::Frames(frames) => Ok(reply(stream, frames, End::Mark)),
            Script::BreakAfter(frames) => Ok(reply(stream, frames, End::Break)),
            Script::Stall(frames) => Ok(reply(stream, frames, End::Never)),
            #[expect(clippy::panic, reason = "the fault that the script asks for")]
            Script::Panic => panic!("scripted"),
        }
    })
}

fn said(text: &str, usage: UsageReport) -> UpstreamReply {
    UpstreamReply::Complete(Completion {
        status: 200,
        body: Bytes::copy_from_slice(text.as_bytes()),
        usage,
    })
}

const USAGE: UsageReport = UsageReport::Reported(TokenUsage {
    input: 10,
    cached_input: 0,
    cache_write_5m: 0,
    cache_write_1h: 0,
    cache_write_untold: 0,
    output: 5,
    reasoning: 0,
    tier: Tier::Untold,
});

/// How a stream ends.
enum End {
    Mark,
    Break,
    Never,
}

fn reply(stream: bool, frames: usize, end: End) -> UpstreamReply {
    if !stream {
        return UpstreamReply::Complete(Completion {
            status: 200,
            body: Bytes::from_static(b"hello"),
            usage: USAGE,
        });
    }
    let frame = |text: &'static str| StreamFrame {
        bytes: Bytes::from_static(text.as_bytes()),
        content_bytes: 1,
        usage: None,
        terminal: false,
    };
    let mut frames: Vec<Result<StreamFrame, UpstreamFailure>> = (0..frames).map(|_| Ok(frame("x"))).collect();
    match end {
        End::Mark => frames.push(Ok(StreamFrame {
            usage: Some(USAGE),
            terminal: true,
            ..frame("[DONE]")
        })),
        End::Break => {
            let failure = UpstreamFailure::new(FailureKind::Reset, Billing::Ambiguous, "scripted");
            frames.push(Err(failure));
        }
        End::Never => {}
    }
    let stalls = matches!(end, End::Never);
    let frames = futures_util::stream::iter(frames);
    UpstreamReply::Stream(UpstreamStream {
        status: 200,
        frames: if stalls {
            frames.chain(futures_util::stream::pending()).boxed_local()
        } else {
            frames.boxed_local()
        },
    })
}
