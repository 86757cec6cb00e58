//! From the head of an answer and a source of bytes to a reply, or to what went wrong.

use std::time::Duration;

use awc::error::PayloadError;
use awc::http::StatusCode;
use awc::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use bytes::Bytes;
use futures_core::Stream;
use gateway_actors::protocol::{
    AnswerForm, Billing, Completion, Dialect, FailureKind, Operation, UpstreamFailure, UpstreamReply, UpstreamStream,
    Vendor,
};
use secrecy::SecretString;

use super::failure::{from_body_for_stream, from_shape, from_status};
use super::frames::Frames;
use super::watchdog::Watchdog;
use super::whole::{read_beginning, read_whole};
use crate::config::UpstreamLimits;
use crate::dialects::{ShapeError, StreamScanner, UsageEvents, inspect};

/// How much of a body that explains a failure is read.
const EXPLANATION_BYTES: usize = 8 * 1024;

/// How long a body that explains a failure may take: another provider is waiting to be asked.
const EXPLANATION_TIME: Duration = Duration::from_secs(1);

/// What is known of a provider while its answer is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) limits: UpstreamLimits,
    pub(super) stream: bool,
    /// What the provider was asked to do.
    pub(super) operation: Operation,
    /// The dialect in which it answers.
    pub(super) dialect: Dialect,
    /// Whose answer it is.
    pub(super) vendor: Vendor,
    /// In which form the answer is wanted.
    pub(super) form: &'a AnswerForm,
    /// Our key, to keep it out of the log.
    pub(super) key: Option<&'a SecretString>,
}

/// Reads an answer.
pub(super) async fn read_reply<S>(
    status: StatusCode,
    headers: &HeaderMap,
    mut source: S,
    mut watchdog: Watchdog,
    reading: Reading<'_>,
) -> Result<UpstreamReply, UpstreamFailure>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    if !status.is_success() {
        watchdog.hurry(EXPLANATION_TIME);
        let body = read_beginning(&mut source, EXPLANATION_BYTES, &mut watchdog).await;
        return Err(from_status(status, headers, &body, reading.key));
    }
    let malformed = |detail: &str| {
        UpstreamFailure::new(FailureKind::Malformed, Billing::Ambiguous, detail).with_status(status.as_u16())
    };
    // Nothing but `identity` was accepted. To unpack it all the same would let a small answer fill the memory.
    if header(headers, CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(malformed("the answer is compressed, which was not asked for"));
    }
    let content_type = header(headers, CONTENT_TYPE).unwrap_or_default();
    if content_type.starts_with("text/html") {
        return Err(malformed("the answer is HTML"));
    }
    if !reading.stream {
        return complete(status, headers, source, watchdog, reading).await;
    }
    if content_type.starts_with("application/json") {
        watchdog.hurry(EXPLANATION_TIME);
        let body = read_beginning(&mut source, EXPLANATION_BYTES, &mut watchdog).await;
        return Err(
            match inspect(reading.operation, reading.dialect, reading.vendor, &body) {
                Err(ShapeError::ErrorObject(error)) => from_body_for_stream(&error, status),
                _ => malformed("the answer is JSON, not the stream that was asked for"),
            },
        );
    }
    let (usage_events, translation) = match reading.form {
        AnswerForm::AsSent { usage_events: false } => (UsageEvents::Drop, None),
        AnswerForm::AsSent { usage_events: true } | AnswerForm::Known(_) => (UsageEvents::Forward, None),
        AnswerForm::Translated(translation) => (UsageEvents::Forward, Some(translation.stream())),
    };
    let scanner = StreamScanner::new(
        reading.dialect,
        reading.vendor,
        reading.limits.event_bytes,
        usage_events,
    );
    let mut frames = Frames::new(source, status, scanner, watchdog, translation);
    frames.prime().await?;
    Ok(UpstreamReply::Stream(UpstreamStream {
        status: status.as_u16(),
        frames: Box::pin(frames),
    }))
}

/// Reads a whole answer.
async fn complete<S>(
    status: StatusCode,
    headers: &HeaderMap,
    mut source: S,
    mut watchdog: Watchdog,
    reading: Reading<'_>,
) -> Result<UpstreamReply, UpstreamFailure>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    watchdog.touch();
    let announced = header(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let body = read_whole(&mut source, announced, reading.limits.body_bytes, &mut watchdog)
        .await
        .map_err(|failure| failure.with_status(status.as_u16()))?;
    let inspected = inspect(reading.operation, reading.dialect, reading.vendor, &body)
        .map_err(|error| from_shape(&error, status))?;
    let body = match reading.form {
        AnswerForm::AsSent { .. } | AnswerForm::Known(_) => body,
        AnswerForm::Translated(translation) => translation.whole(&body).map_err(|error| {
            let mut failure = UpstreamFailure::new(FailureKind::Malformed, Billing::Ambiguous, error.to_string());
            failure.usage = inspected.usage;
            failure.with_status(status.as_u16())
        })?,
    };
    Ok(UpstreamReply::Complete(Completion {
        status: status.as_u16(),
        body,
        usage: inspected.usage,
    }))
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
