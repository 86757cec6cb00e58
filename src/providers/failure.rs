//! From what went wrong to what it means: the kind of failure, and whether it may be on the bill.

use std::io;
use std::time::SystemTime;

use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::StatusCode;
use awc::http::header::HeaderMap;
use gateway_actors::protocol::{Billing, FailureKind, UpstreamFailure, UsageReport};
use secrecy::{ExposeSecret as _, SecretString};

use super::retry_after::retry_after;
use crate::dialects::{ShapeError, StreamFault, explanation};

/// Words by which providers say that the input does not fit. There is no common code for it.
const CONTEXT_WORDS: [&str; 10] = [
    "context_length",
    "context length",
    "context window",
    "context size",
    "maximum context",
    "too many tokens",
    "too many input tokens",
    "prompt is too long",
    "input is too long",
    "reduce the length",
];

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

/// A whole body under a good status is no answer.
pub(super) fn from_shape(error: &ShapeError, status: StatusCode) -> UpstreamFailure {
    let kind = match error {
        ShapeError::Empty => FailureKind::Empty,
        ShapeError::Cut => FailureKind::Truncated,
        ShapeError::Malformed(_) | ShapeError::ErrorObject(_) | ShapeError::NoText => FailureKind::Malformed,
    };
    UpstreamFailure::new(kind, Billing::Ambiguous, error.to_string()).with_status(status.as_u16())
}

/// A stream went wrong.
pub(super) fn from_fault(fault: &StreamFault, status: StatusCode, usage: UsageReport) -> UpstreamFailure {
    let kind = match fault {
        StreamFault::TooLarge { .. } => FailureKind::TooLarge,
        StreamFault::Malformed => FailureKind::Malformed,
        StreamFault::ErrorObject(_) => FailureKind::ErrorFrame,
        StreamFault::Truncated => FailureKind::Truncated,
        StreamFault::Empty => FailureKind::Empty,
    };
    let mut failure = UpstreamFailure::new(kind, Billing::Ambiguous, fault.to_string()).with_status(status.as_u16());
    failure.usage = usage;
    failure
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
    let kind = kind_of(status, &text);
    let explained = explanation(body);
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
    failure.retry_after = retry_after(headers, SystemTime::now());
    failure.usage = explained.usage;
    failure
}

fn kind_of(status: StatusCode, body: &str) -> FailureKind {
    match status.as_u16() {
        300..=399 => FailureKind::Redirect,
        // Some providers answer 403 for what the request says. That says nothing of our key.
        403 if says(body, &["flagged", "moderation"]) => FailureKind::Rejected,
        // 402: the account behind our key has no money left.
        401..=403 => FailureKind::Auth,
        404 => FailureKind::ModelGone,
        408 => FailureKind::ServerError,
        429 => FailureKind::RateLimited,
        400 | 413 | 422 if says(body, &CONTEXT_WORDS) => FailureKind::ContextTooLong,
        400..=499 => FailureKind::Rejected,
        500..=599 => FailureKind::ServerError,
        _ => FailureKind::Malformed,
    }
}

fn says(body: &str, words: &[&str]) -> bool {
    let body = body.to_ascii_lowercase();
    words.iter().any(|word| body.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> UpstreamFailure {
        let status = StatusCode::from_u16(status).unwrap();
        from_status(
            status,
            &HeaderMap::new(),
            body.as_bytes(),
            Some(&SecretString::from("sk-very-secret")),
        )
    }

    #[test]
    fn every_status_has_its_kind_and_none_is_billed_but_where_an_answer_was_waited_for() {
        let cases = [
            (302, FailureKind::Redirect),
            (400, FailureKind::Rejected),
            (401, FailureKind::Auth),
            (402, FailureKind::Auth),
            (403, FailureKind::Auth),
            (404, FailureKind::ModelGone),
            (408, FailureKind::ServerError),
            (409, FailureKind::Rejected),
            (413, FailureKind::Rejected),
            (415, FailureKind::Rejected),
            (422, FailureKind::Rejected),
            (429, FailureKind::RateLimited),
            (500, FailureKind::ServerError),
            (502, FailureKind::ServerError),
            (503, FailureKind::ServerError),
            (504, FailureKind::ServerError),
            (524, FailureKind::ServerError),
            (529, FailureKind::ServerError),
            (700, FailureKind::Malformed),
        ];
        for (status, kind) in cases {
            let failure = read(status, "{}");
            assert_eq!(failure.kind, kind, "{status}");
            let billing = match status {
                504 | 524 => Billing::Ambiguous,
                _ => Billing::NotBilled,
            };
            assert_eq!(failure.billing, billing, "{status}");
            assert_eq!(failure.status, Some(status));
        }
    }

    #[test]
    fn an_input_that_does_not_fit_is_known_by_the_words_providers_use() {
        let bodies = [
            r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#,
            r#"{"error":{"type":"exceed_context_size_error","message":"exceeds the available context size"}}"#,
            "Prompt is too long: 9 > 8",
        ];
        for body in bodies {
            for status in [400, 413, 422] {
                assert_eq!(read(status, body).kind, FailureKind::ContextTooLong, "{status} {body}");
            }
            assert_eq!(read(500, body).kind, FailureKind::ServerError);
        }
    }

    #[test]
    fn a_request_refused_for_what_it_says_does_not_blame_our_key() {
        let body = r#"{"error":{"code":403,"message":"x","metadata":{"flagged_input":"…","reasons":["violence"]}}}"#;
        assert_eq!(read(403, body).kind, FailureKind::Rejected);
    }

    #[test]
    fn the_log_gets_a_word_of_what_the_provider_says_and_never_the_key() {
        let long = format!(r#"{{"error":{{"code":"{}","type":"server_error"}}}}"#, "x".repeat(65));
        for (body, detail) in [
            (
                r#"{"error":{"message":"you said: hello","code":"oops"}}"#,
                "answered 500: oops",
            ),
            (
                r#"{"error":{"message":"you said: hello","type":"server_error","code":null}}"#,
                "answered 500: server_error",
            ),
            (r#"{"error":{"code":503}}"#, "answered 500: 503"),
            (r#"{"error":{"code":"two words"}}"#, "answered 500"),
            (r#"{"error":{"code":"\u001b[31m\n"}}"#, "answered 500"),
            (&long, "answered 500: server_error"),
            (r#"{"error":"you said: hello"}"#, "answered 500"),
            ("you said: hello", "answered 500"),
            ("", "answered 500"),
        ] {
            assert_eq!(read(500, body).detail, detail, "{body}");
        }
        for status in [400, 401, 403, 500] {
            let failure = read(
                status,
                r#"{"error":{"message":"Incorrect API key: sk-very-secret","code":"sk-very-secret"}}"#,
            );
            assert!(!failure.detail.contains("secret"), "{}", failure.detail);
        }
    }

    #[test]
    fn usage_in_an_error_is_kept() {
        let failure = read(
            500,
            r#"{"error":{"message":"x"},"usage":{"prompt_tokens":3,"completion_tokens":0}}"#,
        );
        assert!(matches!(failure.usage, UsageReport::Reported(usage) if usage.input == 3));
    }

    #[test]
    fn what_was_never_sent_is_not_billed_and_the_rest_may_be() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        for error in [
            ConnectError::Io(refused),
            ConnectError::Timeout,
            ConnectError::NoRecords,
        ] {
            let failure = from_send_error(&SendRequestError::Connect(error));
            assert_eq!(
                (failure.kind, failure.billing),
                (FailureKind::Connect, Billing::NotBilled)
            );
        }
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        for error in [
            SendRequestError::Connect(ConnectError::Disconnected),
            SendRequestError::Send(reset()),
            SendRequestError::Response(reset().into()),
        ] {
            let failure = from_send_error(&error);
            assert_eq!(
                (failure.kind, failure.billing),
                (FailureKind::Reset, Billing::Ambiguous)
            );
        }
        let failure = from_payload_error(&PayloadError::Io(reset()));
        assert_eq!(
            (failure.kind, failure.billing),
            (FailureKind::Reset, Billing::Ambiguous)
        );
        assert_eq!(
            from_payload_error(&PayloadError::Incomplete(None)).kind,
            FailureKind::Truncated
        );
    }
}
