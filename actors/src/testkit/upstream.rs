//! A provider that answers by script, without a network.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use futures_util::StreamExt;
use tokio::sync::Notify;

use crate::protocol::{
    Billing, BoundRules, Completion, FailureKind, GatewayError, Model, ModelId, Outgoing, OutgoingRequest, StreamFrame,
    TokenBound, TokenUsage, Upstream, UpstreamCall, UpstreamFailure, UpstreamReply, UpstreamStream, UsageReport,
};

/// What one call meets.
#[derive(Debug, Clone)]
pub enum Script {
    /// An answer with 10 input and 5 output tokens.
    Answer,
    /// A failure.
    Fail(FailureKind, Billing),
    /// Nothing until the test says so, then this.
    Held(Arc<Notify>, Box<Self>),
    /// A stream of so many frames before its end.
    Frames(usize),
    /// A stream that breaks after so many frames.
    BreakAfter(usize),
    /// A stream that says nothing more after so many frames.
    Stall(usize),
    /// A panic in the task that makes the call.
    Panic,
}

/// Answers calls by the scripts of their models; a model without one, or whose scripts are used up, answers.
#[derive(Debug, Default)]
pub struct ScriptedUpstream {
    scripts: RefCell<HashMap<ModelId, VecDeque<Script>>>,
    calls: RefCell<Vec<ModelId>>,
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
}

impl Upstream for ScriptedUpstream {
    fn call(&self, call: UpstreamCall) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>> {
        self.calls.borrow_mut().push(call.model.id.clone());
        let next = self
            .scripts
            .borrow_mut()
            .get_mut(&call.model.id)
            .and_then(VecDeque::pop_front);
        play(next.unwrap_or(Script::Answer), call.stream)
    }
}

fn play(script: Script, stream: bool) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>> {
    Box::pin(async move {
        match script {
            Script::Answer => Ok(reply(stream, 5, End::Mark)),
            Script::Fail(kind, billing) => Err(UpstreamFailure::new(kind, billing, "scripted")),
            Script::Held(released, then) => {
                released.notified().await;
                play(*then, stream).await
            }
            Script::Frames(frames) => Ok(reply(stream, frames, End::Mark)),
            Script::BreakAfter(frames) => Ok(reply(stream, frames, End::Break)),
            Script::Stall(frames) => Ok(reply(stream, frames, End::Never)),
            #[expect(clippy::panic, reason = "the fault that the script asks for")]
            Script::Panic => panic!("scripted"),
        }
    })
}

const USAGE: UsageReport = UsageReport::Reported(TokenUsage {
    input: 10,
    cached_input: 0,
    cache_write_5m: 0,
    cache_write_1h: 0,
    output: 5,
    reasoning: 0,
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
