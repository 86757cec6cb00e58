//! Errors on their way out: the only table of JSON-RPC codes, and the shape of a tool's failure.
//!
//! What is wrong with a message is a JSON-RPC error; a tool that was called properly and could not do its work answers
//! with a result that says so, since only that reaches the model which called it.

use std::borrow::Cow;
use std::time::Duration;

use gateway_actors::protocol::{ErrorKind, GatewayError, InvalidId, RequestId};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode};
use serde::Serialize;

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It is not JSON in UTF-8.
    #[error("the message is not JSON in UTF-8")]
    NotJson,
    /// It is JSON, but no message.
    #[error("the message is no JSON-RPC 2.0 request, notification or response")]
    NotAMessage,
    /// Its id cannot be answered to.
    #[error("an id must be a string or a whole number of at most 63 bits")]
    BadId,
    /// Several messages in an array.
    #[error("batches are not part of the protocol revisions served here; send one message a line")]
    Batch,
    /// It is longer than the limit.
    #[error("the message is longer than {most} bytes")]
    TooLong {
        /// The limit.
        most: usize,
    },
    /// Its id is that of a request which is under way, or was cancelled.
    #[error("the id {id} is in use, or its request was cancelled; every request needs an id of its own")]
    IdInUse {
        /// The id.
        id: String,
    },
    /// Nobody knows the method.
    #[error("there is no method {method:?} here")]
    UnknownMethod {
        /// The method.
        method: String,
    },
    /// The method is known, what it was given makes no sense.
    #[error("the parameters of {method} do not have the shape that the protocol gives them")]
    BadParams {
        /// The method.
        method: String,
    },
    /// It is not known which of them is meant.
    #[error("the parameters of {method} have the member {name:?} twice; give it once")]
    GivenTwice {
        /// The method.
        method: String,
        /// The member.
        name: String,
    },
    /// The session has none: its first request named its revision.
    #[error(
        "this session has begun without initialize: every request names its revision in _meta; start the process anew to \
         begin with initialize"
    )]
    BegunWithout,
    /// No page begins there.
    #[error("there is no cursor {cursor:?}: every list here has one page; leave the cursor out")]
    UnknownCursor {
        /// What was named.
        cursor: String,
    },
    /// There is no such tool.
    #[error("there is no tool {name:?}; tools/list lists those there are")]
    UnknownTool {
        /// Its name.
        name: String,
    },
}

impl Fault {
    /// The JSON-RPC code of a fault. This is the only place that knows.
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotJson => ErrorCode::PARSE_ERROR,
            Self::NotAMessage
            | Self::BadId
            | Self::Batch
            | Self::TooLong { .. }
            | Self::IdInUse { .. }
            | Self::BegunWithout => ErrorCode::INVALID_REQUEST,
            Self::UnknownMethod { .. } => ErrorCode::METHOD_NOT_FOUND,
            Self::BadParams { .. }
            | Self::GivenTwice { .. }
            | Self::UnknownCursor { .. }
            | Self::UnknownTool { .. } => ErrorCode::INVALID_PARAMS,
        }
    }
}

impl From<Fault> for ErrorData {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code(), fault.to_string(), None)
    }
}

/// Why a tool could not do its work, as whoever called it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolFailure {
    kind: &'static str,
    message: Cow<'static, str>,
    param: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    request: Option<RequestId>,
}

impl ToolFailure {
    /// An argument is missing, unknown or impossible.
    pub(crate) fn invalid_args(message: impl Into<Cow<'static, str>>) -> Self {
        GatewayError::new(ErrorKind::InvalidRequest, message).into()
    }

    /// The call was cancelled before it had ended. Nobody reads this, since a cancelled call is not answered.
    pub(crate) fn cancelled() -> Self {
        GatewayError::new(ErrorKind::ClientClosed, "the call was cancelled").into()
    }

    /// The process ends before the call has.
    pub(crate) fn draining() -> Self {
        let message = "the gateway is shutting down before this call has ended; it may have been billed";
        GatewayError::new(ErrorKind::Draining, message).into()
    }

    /// A defect of the gateway, with nothing of it told.
    pub(crate) fn internal() -> Self {
        let message = "the gateway failed while answering; its log has the details, and the call may have been billed";
        GatewayError::new(ErrorKind::Internal, message).into()
    }

    /// The request that failed, by which its call records are found.
    pub(crate) fn of(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }

    /// The type that clients see.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The result to answer with. It is text only: structured content would have to match the tool's output schema.
    pub(crate) fn into_result(self) -> CallToolResult {
        let body = Body {
            error: BodyError {
                r#type: self.kind,
                message: &self.message,
                param: self.param.as_deref(),
                request_id: self.request,
                retry_after_ms: self
                    .retry_after
                    .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            },
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        CallToolResult::error(vec![ContentBlock::text(text)])
    }
}

/// The type of a tool's failure: the words of the HTTP edge, save those that speak of HTTP.
fn tool_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::MalformedJson | ErrorKind::InvalidHeader => "invalid_args",
        ErrorKind::PayloadTooLarge => "too_large",
        ErrorKind::DeadlineExceeded | ErrorKind::RequestTimeout => "timeout",
        ErrorKind::ClientClosed => "cancelled",
        other => other.as_str(),
    }
}

impl From<GatewayError> for ToolFailure {
    fn from(error: GatewayError) -> Self {
        Self {
            kind: tool_type(error.kind),
            message: error.message,
            param: error.param,
            retry_after: error.retry_after,
            request: None,
        }
    }
}

impl From<InvalidId> for ToolFailure {
    fn from(invalid: InvalidId) -> Self {
        GatewayError::invalid(invalid.what, invalid.to_string()).into()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: BodyError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BodyError<'a> {
    r#type: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_fault_has_its_code() {
        let id = || "7".to_owned();
        let cases = [
            (Fault::NotJson, -32700),
            (Fault::NotAMessage, -32600),
            (Fault::BadId, -32600),
            (Fault::Batch, -32600),
            (Fault::TooLong { most: 5 }, -32600),
            (Fault::IdInUse { id: id() }, -32600),
            (Fault::UnknownMethod { method: id() }, -32601),
            (Fault::BadParams { method: id() }, -32602),
            (Fault::UnknownTool { name: id() }, -32602),
        ];
        for (fault, code) in cases {
            assert_eq!(ErrorData::from(fault.clone()).code.0, code, "{fault:?}");
        }
    }

    #[test]
    fn a_failed_tool_says_why_in_text_and_has_no_structured_content() {
        let request = RequestId::generate();
        let failure = ToolFailure::from(
            GatewayError::new(ErrorKind::NoProviderAvailable, "nobody there").with_retry_after(Duration::from_secs(2)),
        );
        let result = failure.of(request).into_result();
        assert_eq!((result.is_error, result.structured_content), (Some(true), None));
        let text = result.content[0].as_text().unwrap().text.clone();
        let body: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({"error": {"type": "no_provider_available", "message": "nobody there",
            "requestId": request.to_string(), "retryAfterMs": 2_000}});
        assert_eq!(body, expected);
    }

    #[test]
    fn words_that_speak_of_http_are_replaced() {
        assert_eq!(tool_type(ErrorKind::InvalidRequest), "invalid_args");
        assert_eq!(tool_type(ErrorKind::DeadlineExceeded), "timeout");
        assert_eq!(tool_type(ErrorKind::UpstreamTimeout), "upstream_timeout");
    }
}
