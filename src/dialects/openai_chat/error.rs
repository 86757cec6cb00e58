//! Our errors in OpenAI's shape, as a body and as an event of a stream.

use bytes::Bytes;
use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    family: &'static str,
    param: Option<&'a str>,
    code: &'static str,
}

/// The body of an error answer: `{"error":{"message","type","param","code"}}`.
///
/// `type` is one of OpenAI's families; `code` is our own word for the error, save for the one that clients act on
/// by OpenAI's name (`context_length_exceeded`).
#[must_use]
pub fn error_body(error: &GatewayError) -> Bytes {
    let body = Body {
        error: Inner {
            message: &error.message,
            family: family(error.kind),
            param: error.param.as_deref(),
            code: code(error.kind),
        },
    };
    serde_json::to_vec(&body).map_or_else(|_never| Bytes::new(), Bytes::from)
}

/// The event that tells of an error after a stream has begun: `data: {"error":{…}}` and a blank line. No `[DONE]`
/// follows it: the stream did not end well.
#[must_use]
pub fn error_event(error: &GatewayError) -> Bytes {
    let body = error_body(error);
    Bytes::from([b"data: ", &*body, b"\n\n"].concat())
}

const fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ContextTooLong => "context_length_exceeded",
        other => other.as_str(),
    }
}

/// OpenAI's word for the family an error belongs to.
const fn family(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::MalformedJson
        | ErrorKind::InvalidRequest
        | ErrorKind::InvalidHeader
        | ErrorKind::NotFound
        | ErrorKind::ModelNotFound
        | ErrorKind::PreviousResponseNotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::RequestTimeout
        | ErrorKind::ConversationBusy
        | ErrorKind::IdempotencyMismatch
        | ErrorKind::IdempotencyInProgress
        | ErrorKind::IdempotencyNotKept
        | ErrorKind::EscalationExpired
        | ErrorKind::EscalationUsed
        | ErrorKind::ModelUnpriced
        | ErrorKind::CostUnbounded
        | ErrorKind::PayloadTooLarge
        | ErrorKind::UnsupportedMediaType
        | ErrorKind::ContextTooLong
        | ErrorKind::UpstreamRejected
        | ErrorKind::UpstreamInvalid
        | ErrorKind::NotSupported => "invalid_request_error",
        ErrorKind::Unauthenticated => "authentication_error",
        ErrorKind::Forbidden | ErrorKind::LayerNotAllowed | ErrorKind::EscalationInvalid => "permission_error",
        ErrorKind::BudgetExceeded => "insufficient_quota",
        ErrorKind::RateLimited | ErrorKind::UpstreamRateLimited => "rate_limit_error",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_four_members_that_clients_read() {
        let error = GatewayError::invalid("messages[0].role", "say \"who\"");
        assert_eq!(
            error_body(&error),
            r#"{"error":{"message":"say \"who\"","type":"invalid_request_error","param":"messages[0].role","code":"invalid_request"}}"#
        );
        let error = GatewayError::new(ErrorKind::UpstreamTimeout, "try again");
        assert_eq!(
            error_body(&error),
            r#"{"error":{"message":"try again","type":"server_error","param":null,"code":"upstream_timeout"}}"#
        );
    }

    #[test]
    fn an_error_event_is_one_whole_event() {
        let event = error_event(&GatewayError::new(ErrorKind::Internal, "two\nlines"));
        let text = std::str::from_utf8(&event).unwrap();
        assert!(text.starts_with("data: {\"error\":{") && text.ends_with("}}\n\n"));
        assert_eq!(text.matches('\n').count(), 2);
    }
}
