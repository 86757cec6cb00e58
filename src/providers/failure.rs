//! From what went wrong to what it means: the kind of failure, and whether it may be on the bill.

use std::io;
use std::time::SystemTime;

use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::StatusCode;
use awc::http::header::HeaderMap;
use gateway_actors::protocol::{Billing, FailureKind, UpstreamFailure, UsageReport};
use secrecy::{ExposeSecret as _, SecretString};

use super::retry_after::{asked_wait, at_most, retry_after};
use crate::dialects::{ErrorObject, ShapeError, StreamFault, explanation, kind_of};

/// With these somebody between us and the model says that its answer took too long: it may have been made all the same.
const TIMED_OUT_BEHIND: [u16; 2] = [504, 524];

/// The request could not be sent, or no head of an answer came.
pub(super) fn from_send_error(error: &SendRequestError) -> UpstreamFailure {
    match error {
        // The connection was closed before the answer: it is not known how much of the request had arrived.
        SendRequestError::Connect(ConnectError::Disconnected) => {
            let detail = "the connection was closed before the answer";
            UpstreamFailure::new(FailureKind::Reset, Billing::Ambiguous, detail)
        }
        SendRequestError::Connect(error) => {
            UpstreamFailure::new(FailureKind::Connect, Billing::NotBilled, error.to_string())
        }
        SendRequestError::Url(error) => {
            UpstreamFailure::new(FailureKind::Connect, Billing::NotBilled, error.to_string())
        }
        SendRequestError::Response(error) => {
            let kind = match error {
                // Interim answers without end.
                actix_http::error::ParseError::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
                    FailureKind::Malformed
                }
                actix_http::error::ParseError::Io(_) | actix_http::error::ParseError::Incomplete => FailureKind::Reset,
                actix_http::error::ParseError::TooLarge => FailureKind::TooLarge,
                _ => FailureKind::Malformed,
            };
            UpstreamFailure::new(kind, Billing::Ambiguous, format!("the head of the answer: {error}"))
        }
        other => UpstreamFailure::new(FailureKind::Reset, Billing::Ambiguous, other.to_string()),
    }
}

/// The body of an answer broke off.
pub(super) fn from_payload_error(error: &PayloadError) -> UpstreamFailure {
    let cause = match error {
        PayloadError::Io(cause) | PayloadError::Incomplete(Some(cause)) => Some(cause.kind()),
        _ => None,
    };
    let kind = match cause {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe) => {
            FailureKind::Reset
        }
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => FailureKind::Malformed,
        _ => FailureKind::Truncated,
    };
    UpstreamFailure::new(kind, Billing::Ambiguous, format!("the body of the answer: {error}"))
}

/// What an error came in, under a good status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ToldIn {
    Body,
    Stream,
}

/// A whole body under a good status is no answer.
pub(super) fn from_shape(error: &ShapeError, status: StatusCode) -> UpstreamFailure {
    let kind = match error {
        ShapeError::ErrorObject(object) if object.is_unusable => FailureKind::Unusable,
        ShapeError::Empty => FailureKind::Empty,
        ShapeError::Cut => FailureKind::Truncated,
        ShapeError::Malformed(_) | ShapeError::ErrorObject(_) | ShapeError::NoText => FailureKind::Malformed,
    };
    let failure = UpstreamFailure::new(kind, Billing::Ambiguous, error.to_string()).with_status(status.as_u16());
    match error {
        ShapeError::ErrorObject(object) => as_told(failure, object, ToldIn::Body),
        _ => failure,
    }
}

/// In the place of the stream that was asked for came a body that is an error.
pub(super) fn from_body_for_stream(error: &ErrorObject, status: StatusCode) -> UpstreamFailure {
    let detail = format!("in the place of a stream came an error: {error}");
    let failure = UpstreamFailure::new(told_in_stream(error), Billing::Ambiguous, detail);
    as_told(failure.with_status(status.as_u16()), error, ToldIn::Body)
}

/// What an error is that stands in a stream, or in its place, if its words do not say more.
const fn told_in_stream(error: &ErrorObject) -> FailureKind {
    if error.is_unusable {
        FailureKind::Unusable
    } else {
        FailureKind::ErrorFrame
    }
}

/// A stream went wrong.
pub(super) fn from_fault(fault: &StreamFault, status: StatusCode, usage: UsageReport) -> UpstreamFailure {
    let kind = match fault {
        StreamFault::TooLarge { .. } => FailureKind::TooLarge,
        StreamFault::Malformed => FailureKind::Malformed,
        StreamFault::ErrorObject(object) => told_in_stream(object),
        StreamFault::Truncated => FailureKind::Truncated,
        StreamFault::Empty => FailureKind::Empty,
    };
    let mut failure = UpstreamFailure::new(kind, Billing::Ambiguous, fault.to_string()).with_status(status.as_u16());
    if let StreamFault::ErrorObject(object) = fault {
        failure = as_told(failure, object, ToldIn::Stream);
    }
    failure.usage = usage;
    failure
}

/// An error under a good status whose words refuse the request is what it would have been under their own status. It is
/// on no bill, as one under that status is on none, if nothing of an answer had come. Of one that only says that too much is
/// under way this is sure only where it opens a stream: behind a whole answer there may be one that was begun.
fn as_told(mut failure: UpstreamFailure, object: &ErrorObject, told_in: ToldIn) -> UpstreamFailure {
    failure.usage = object.usage;
    let Some((status, kind)) = object.refusal else {
        return failure;
    };
    let is_of_the_request = kind != FailureKind::ServerError || told_in == ToldIn::Stream;
    if is_of_the_request && !object.has_output {
        failure.billing = Billing::NotBilled;
    }
    failure.kind = kind;
    failure.retry_after = object.retry_after.map(at_most);
    failure.with_status(status)
}

/// The provider answered with a status that is no success.
///
/// `body` is the beginning of what came with it; `key` is ours, which must not get into the log even if the provider
/// repeats it.
pub(super) fn from_status(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    key: Option<&SecretString>,
) -> UpstreamFailure {
    let text = String::from_utf8_lossy(body);
    let explained = explanation(body);
    let refuses_key = explained.error.as_ref().is_some_and(|error| error.refuses_key);
    let kind = kind_of(status.as_u16(), &text, refuses_key);
    let asked = explained.error.as_ref().and_then(|error| error.retry_after);
    let mut detail = format!("answered {}", status.as_u16());
    let repeats_key = key.is_some_and(|key| text.contains(key.expose_secret()));
    // Of what it said no more than this word: the rest may repeat what was asked.
    if let Some(code) = explained.error.and_then(|error| error.code)
        && !matches!(kind, FailureKind::Auth | FailureKind::Redirect)
        && !repeats_key
    {
        detail.push_str(": ");
        detail.push_str(&code);
    }
    let billing = match TIMED_OUT_BEHIND.contains(&status.as_u16()) {
        true => Billing::Ambiguous,
        false => Billing::NotBilled,
    };
    let mut failure = UpstreamFailure::new(kind, billing, detail).with_status(status.as_u16());
    let now = SystemTime::now();
    failure.retry_after = match kind {
        FailureKind::RateLimited => retry_after(headers, asked, now),
        // When a limit of our rate ends says nothing of when another failure does.
        _ => asked_wait(headers, now),
    };
    failure.usage = explained.usage;
    failure
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
