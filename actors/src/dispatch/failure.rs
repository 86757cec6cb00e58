//! From a provider's failure to what the client is told.

use std::time::Duration;

use crate::protocol::{Candidate, ErrorKind, FailureKind, GatewayError, Unavailable, UpstreamFailure};

/// The status by which providers say that they have too much under way: Anthropic's, and what others call the same.
const OVERLOADED: u16 = 529;

/// How long a client is asked to wait where the provider does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// What the client is told when the last candidate failed this way.
pub(super) fn told(failure: &UpstreamFailure) -> GatewayError {
    let (kind, message) = match failure.kind {
        FailureKind::Connect => (ErrorKind::UpstreamError, "no provider of this model could be reached"),
        FailureKind::FirstByteTimeout | FailureKind::IdleTimeout | FailureKind::TotalTimeout => {
            (ErrorKind::UpstreamTimeout, "the provider did not answer in time")
        }
        FailureKind::Deadline => (
            ErrorKind::DeadlineExceeded,
            "the request's deadline passed before the provider had answered",
        ),
        FailureKind::Reset | FailureKind::Truncated => (
            ErrorKind::UpstreamError,
            "the provider broke off before the whole answer",
        ),
        FailureKind::ServerError if failure.status == Some(OVERLOADED) => (
            ErrorKind::Overloaded,
            "the provider of this model has too many calls under way; try again shortly",
        ),
        FailureKind::ServerError | FailureKind::ErrorFrame | FailureKind::Redirect | FailureKind::ModelGone => {
            (ErrorKind::UpstreamError, "the provider answered with an error")
        }
        FailureKind::Auth => (
            ErrorKind::UpstreamAuth,
            "the provider refused the gateway's key; its operator must check the key",
        ),
        FailureKind::RateLimited => (
            ErrorKind::UpstreamRateLimited,
            "the provider limits the gateway's rate; try again later",
        ),
        FailureKind::Rejected => (
            if failure.status == Some(400) {
                ErrorKind::UpstreamInvalid
            } else {
                ErrorKind::UpstreamRejected
            },
            "the provider refused this request; check its fields against the provider's documentation",
        ),
        FailureKind::ContextTooLong => (
            ErrorKind::ContextTooLong,
            "the input does not fit the model's context window; shorten it or ask for a larger model",
        ),
        FailureKind::Malformed | FailureKind::TooLarge => (
            ErrorKind::UpstreamMalformed,
            "the provider's answer was no usable answer",
        ),
        FailureKind::Unusable => (
            ErrorKind::UpstreamMalformed,
            "what the model made of this request cannot be used; try again, change its tools or ask another model",
        ),
        FailureKind::Empty => (ErrorKind::UpstreamEmpty, "the provider's answer was empty"),
    };
    let error = GatewayError::new(kind, message);
    match (failure.kind, failure.retry_after) {
        (FailureKind::RateLimited, after) => error.with_retry_after(after.unwrap_or(DEFAULT_WAIT)),
        (_, after) if kind == ErrorKind::Overloaded => error.with_retry_after(after.unwrap_or(DEFAULT_WAIT)),
        (FailureKind::ServerError, Some(after)) => error.with_retry_after(after),
        _ => error,
    }
}

/// Why candidates could not be tried at all.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    soonest: Option<Duration>,
    /// The candidates whose providers had no free place, in order.
    pub(super) full: Vec<Candidate>,
    /// The first candidate whose gate was open.
    pub(super) open: Option<Candidate>,
}

impl Blocked {
    pub(super) fn note(&mut self, candidate: Candidate, why: Unavailable) {
        match why {
            Unavailable::Open { retry_after } => {
                self.soonest = Some(self.soonest.map_or(retry_after, |soonest| soonest.min(retry_after)));
                self.open.get_or_insert(candidate);
            }
            Unavailable::AtCapacity => self.full.push(candidate),
            Unavailable::Restarting => {}
        }
    }

    /// What the client is told when nothing was tried.
    pub(super) fn told(&self) -> GatewayError {
        if !self.full.is_empty() {
            return GatewayError::new(
                ErrorKind::Overloaded,
                "every provider of this model has as many calls under way as it may; try again shortly",
            )
            .with_retry_after(Duration::from_secs(1));
        }
        let Some(soonest) = self.soonest else {
            return GatewayError::component_failed("provider actor");
        };
        GatewayError::new(
            ErrorKind::NoProviderAvailable,
            "every provider of this model is failing at the moment; try again later or ask for another model",
        )
        .with_retry_after(soonest.max(Duration::from_secs(1)))
    }
}
