//! The port to the providers: one call of one model, whole or streamed, and what can go wrong with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::future::LocalBoxFuture;
use std::pin::Pin;
use tokio::time::Instant;

use super::catalogue::Model;
use super::dialect::Operation;
use super::ids::AttemptId;
use super::outgoing::Outgoing;
use super::record::Outcome;
use super::usage::UsageReport;

/// One call to make.
#[derive(Debug, Clone)]
pub struct UpstreamCall {
    /// The attempt it is made for.
    pub attempt: AttemptId,
    /// The model to ask; its provider is the one to call.
    pub model: Arc<Model>,
    /// What it is asked to do.
    pub operation: Operation,
    /// What to send, and in which form the answer is wanted.
    pub outgoing: Outgoing,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// When the whole attempt must be over.
    pub deadline: Instant,
}

/// A provider's answer.
pub enum UpstreamReply {
    /// The whole answer at once.
    Complete(Completion),
    /// A stream whose first meaningful event has been seen.
    Stream(UpstreamStream),
}

impl fmt::Debug for UpstreamReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(completion) => completion.fmt(f),
            Self::Stream(stream) => stream.fmt(f),
        }
    }
}

/// A whole answer, known to be one, in the form that was asked for.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The provider's status, 200 in all but odd cases.
    pub status: u16,
    /// The body as the provider sent it, or its translation.
    pub body: Bytes,
    /// What the body says of usage.
    pub usage: UsageReport,
}

/// A stream under way.
pub struct UpstreamStream {
    /// The provider's status.
    pub status: u16,
    /// The frames, from the first: the bytes seen so far come out again.
    pub frames: Pin<Box<dyn Stream<Item = Result<StreamFrame, UpstreamFailure>>>>,
}

impl fmt::Debug for UpstreamStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamStream")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// One or more whole events of a stream, as the provider sent them, or their translation.
///
/// A stream that ends without a frame that is `terminal` was cut: the adapter reports that as a failure of kind
/// [`FailureKind::Truncated`] instead of just ending.
#[derive(Debug, Clone, Default)]
pub struct StreamFrame {
    /// The bytes to forward; empty when the frame is only for the gateway (a usage event the client did not ask for).
    pub bytes: Bytes,
    /// Bytes of answer text (or tool-call arguments) in the frame: an upper bound of its output tokens.
    pub content_bytes: u64,
    /// What the frame says of usage; a later one replaces an earlier one.
    pub usage: Option<UsageReport>,
    /// Whether the provider's own end mark is in it (`[DONE]`).
    pub terminal: bool,
}

/// Why a call came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Name, connection or TLS failed before anything was sent.
    Connect,
    /// No first byte or meaningful event in time.
    FirstByteTimeout,
    /// The stream stalled between chunks.
    IdleTimeout,
    /// The whole took longer than calls of this provider may.
    TotalTimeout,
    /// The request's deadline passed.
    Deadline,
    /// The connection broke after the request may have been sent.
    Reset,
    /// The stream or body ended before its end mark.
    Truncated,
    /// 408, 5xx and the like.
    ServerError,
    /// 401 or 403: our key does not work.
    Auth,
    /// 429.
    RateLimited,
    /// 404: the provider does not have this model.
    ModelGone,
    /// 400 or 422 and the like: the provider refuses this request for what it says.
    Rejected,
    /// The input does not fit the model's window, says the provider.
    ContextTooLong,
    /// 3xx: not followed, since that would carry the key elsewhere.
    Redirect,
    /// 200, but no answer in it: wrong shape, HTML, an error object.
    Malformed,
    /// 200 and nothing in it.
    Empty,
    /// An error frame in the stream.
    ErrorFrame,
    /// The model made something of this request that cannot be used, as its provider says: of another request it may not.
    Unusable,
    /// The answer is larger than the cap.
    TooLarge,
}

/// Whether a failed call may be on the provider's bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Billing {
    /// It certainly is not: nothing was sent, or the provider answered with an error.
    NotBilled,
    /// It may be: it was sent, or may have been.
    Ambiguous,
}

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind:?}: {detail}")]
pub struct UpstreamFailure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Whether it may be on the bill.
    pub billing: Billing,
    /// The provider's status, if it gave one. Where a good one came with an error that refuses the request, the status that
    /// such an error has.
    pub status: Option<u16>,
    /// When the provider said that trying again may help.
    pub retry_after: Option<Duration>,
    /// Usage that was reported all the same.
    pub usage: UsageReport,
    /// For the log: our words, with at most the code by which the provider calls its error.
    pub detail: String,
}

impl UpstreamFailure {
    /// A failure of this kind with nothing more known.
    #[cold]
    #[must_use]
    pub fn new(kind: FailureKind, billing: Billing, detail: impl Into<String>) -> Self {
        Self {
            kind,
            billing,
            status: None,
            retry_after: None,
            usage: UsageReport::Missing,
            detail: detail.into(),
        }
    }

    /// Adds the provider's status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The outcome that goes into the call record.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.kind {
            FailureKind::Connect => Outcome::ConnectFailed,
            FailureKind::FirstByteTimeout
            | FailureKind::IdleTimeout
            | FailureKind::TotalTimeout
            | FailureKind::Deadline => Outcome::TimedOut,
            FailureKind::Reset | FailureKind::Truncated => Outcome::Broken,
            FailureKind::ServerError
            | FailureKind::Auth
            | FailureKind::RateLimited
            | FailureKind::ModelGone
            | FailureKind::Rejected
            | FailureKind::ContextTooLong
            | FailureKind::Redirect => Outcome::Refused,
            FailureKind::Malformed
            | FailureKind::Empty
            | FailureKind::ErrorFrame
            | FailureKind::Unusable
            | FailureKind::TooLarge => Outcome::Malformed,
        }
    }
}

/// Calls providers. One per cell; its futures stay on the cell's thread.
pub trait Upstream: fmt::Debug {
    /// Makes one call. For a stream the future is ready when the first meaningful event has been read, so that a
    /// failure up to there can still go to another candidate.
    fn call(&self, call: UpstreamCall) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>>;
}
