//! Our errors in Anthropic's shape, as a body and as an event of a stream.

use std::borrow::Cow;

use bytes::Bytes;
use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Serialize;

use crate::dialects::sse::push_event;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: Inner<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Inner<'a> {
    #[serde(rename = "type")]
    family: &'static str,
    message: Cow<'a, str>,
}

/// The body of an error answer: `{"type":"error","error":{"type","message"},"request_id"}`.
///
/// `type` is one of Anthropic's families. A request that fits no window begins as Anthropic's own such error does, since
/// clients know it by that and make their conversation shorter.
#[must_use]
pub fn error_body(error: &GatewayError, request_id: &str) -> Bytes {
    let message = if error.kind == ErrorKind::ContextTooLong {
        Cow::Owned(format!("prompt is too long: {}", error.message))
    } else {
        Cow::Borrowed(&*error.message)
    };
    let body = Body {
        kind: "error",
        error: Inner {
            family: family(error.kind),
            message,
        },
        request_id,
    };
    serde_json::to_vec(&body).map_or_else(|_never| Bytes::new(), Bytes::from)
}

/// The event that tells of an error after a stream has begun: `event: error`, the same body, and a blank line. No
/// `message_stop` follows it: the stream did not end well.
#[must_use]
pub fn error_event(error: &GatewayError, request_id: &str) -> Bytes {
    let mut event = Vec::new();
    push_event(&mut event, Some("error"), &error_body(error, request_id));
    Bytes::from(event)
}

/// Anthropic's word for the family an error belongs to.
const fn family(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::MalformedJson
        | ErrorKind::InvalidRequest
        | ErrorKind::InvalidHeader
        | ErrorKind::PreviousResponseNotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::ConversationBusy
        | ErrorKind::IdempotencyMismatch
        | ErrorKind::IdempotencyInProgress
        | ErrorKind::IdempotencyNotKept
        | ErrorKind::EscalationExpired
        | ErrorKind::EscalationUsed
        | ErrorKind::ModelUnpriced
        | ErrorKind::CostUnbounded
        | ErrorKind::UnsupportedMediaType
        | ErrorKind::ContextTooLong
        | ErrorKind::UpstreamRejected
        | ErrorKind::UpstreamInvalid
        | ErrorKind::NotSupported => "invalid_request_error",
        ErrorKind::Unauthenticated => "authentication_error",
        ErrorKind::Forbidden | ErrorKind::LayerNotAllowed | ErrorKind::EscalationInvalid => "permission_error",
        ErrorKind::NotFound | ErrorKind::ModelNotFound => "not_found_error",
        ErrorKind::PayloadTooLarge => "request_too_large",
        ErrorKind::BudgetExceeded => "billing_error",
        ErrorKind::RateLimited | ErrorKind::UpstreamRateLimited => "rate_limit_error",
        ErrorKind::Overloaded
        | ErrorKind::Draining
        | ErrorKind::NoProviderAvailable
        | ErrorKind::ComponentFailed
        | ErrorKind::StoreUnavailable => "overloaded_error",
        ErrorKind::RequestTimeout | ErrorKind::DeadlineExceeded | ErrorKind::UpstreamTimeout => "timeout_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::anthropic_messages::grammar::check_stream;

    #[test]
    fn an_error_has_the_members_that_clients_read() {
        let error = GatewayError::invalid("messages[0].role", "say \"who\"");
        assert_eq!(
            error_body(&error, "req_1"),
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"say \"who\""},"request_id":"req_1"}"#
        );
        let error = GatewayError::new(ErrorKind::UpstreamTimeout, "try again");
        assert_eq!(
            error_body(&error, ""),
            r#"{"type":"error","error":{"type":"timeout_error","message":"try again"},"request_id":""}"#
        );
    }

    #[test]
    fn a_request_that_fits_no_window_is_told_as_anthropic_tells_it() {
        let error = GatewayError::new(ErrorKind::ContextTooLong, "the input fits no model");
        let body = error_body(&error, "r");
        let body = std::str::from_utf8(&body).unwrap();
        assert!(
            body.contains(r#""message":"prompt is too long: the input fits no model""#),
            "{body}"
        );
    }

    #[test]
    fn an_error_event_is_one_whole_event_that_ends_a_stream() {
        let event = error_event(&GatewayError::new(ErrorKind::Internal, "two\nlines"), "req_1");
        let text = std::str::from_utf8(&event).unwrap();
        assert!(text.starts_with("event: error\ndata: {\"type\":\"error\",") && text.ends_with("}\n\n"));
        assert_eq!(check_stream(text), Err("it is not over".to_owned()));
        assert!(check_stream(&text.repeat(2)).unwrap_err().contains("after the end"));
    }
}
