//! Errors on their way out: the only table of HTTP statuses, and the two shapes of error bodies.

use std::fmt;
use std::time::Duration;

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use bytes::Bytes;
use gateway_actors::protocol::{Dialect, ErrorKind, GatewayError, InvalidId, RequestId, StoreError};
use serde::Serialize;

use crate::config::ExhaustedStatus;
use crate::dialects::error_body;

static ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Our own word for the error: not every dialect has a place for it in the body.
static X_GATEWAY_ERROR: HeaderName = HeaderName::from_static("x-gateway-error");
/// OpenAI's and Anthropic's own clients obey it, whatever they would do after this status.
static X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The shape that a route's error bodies have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorShape {
    /// `{"error":{"type","message","param"?,"requestId","retryAfterMs"?}}`.
    Native,
    /// As the clients of this dialect expect it.
    Client(Dialect),
    /// As clients of Anthropic's dialect or of OpenAI's expect it, whichever the request's headers are of.
    AsAsked,
}

impl ErrorShape {
    /// The shape for this request.
    pub(crate) fn of(self, head: &RequestHead) -> Self {
        match self {
            Self::AsAsked => Self::Client(dialect_of(head)),
            known => known,
        }
    }
}

/// Which dialect a client speaks at an endpoint that both vendors have: Anthropic's clients always send their version.
pub(crate) fn dialect_of(head: &RequestHead) -> Dialect {
    if head.headers.contains_key(&ANTHROPIC_VERSION) {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenaiChat
    }
}

/// The HTTP status of an error. This is the only place that knows.
pub(crate) fn status(kind: ErrorKind, exhausted: ExhaustedStatus) -> StatusCode {
    let code = match kind {
        ErrorKind::MalformedJson | ErrorKind::InvalidRequest | ErrorKind::InvalidHeader => 400,
        // 400 is what clients know both by.
        ErrorKind::UpstreamInvalid | ErrorKind::PreviousResponseNotFound => 400,
        ErrorKind::Unauthenticated => 401,
        ErrorKind::BudgetExceeded => match exhausted {
            ExhaustedStatus::PaymentRequired => 402,
            ExhaustedStatus::TooManyRequests => 429,
        },
        ErrorKind::Forbidden | ErrorKind::LayerNotAllowed | ErrorKind::EscalationInvalid => 403,
        ErrorKind::NotFound | ErrorKind::ModelNotFound => 404,
        ErrorKind::MethodNotAllowed => 405,
        ErrorKind::RequestTimeout => 408,
        ErrorKind::ConversationBusy | ErrorKind::IdempotencyInProgress | ErrorKind::EscalationUsed => 409,
        ErrorKind::EscalationExpired => 410,
        ErrorKind::PayloadTooLarge => 413,
        ErrorKind::UnsupportedMediaType => 415,
        ErrorKind::ContextTooLong
        | ErrorKind::IdempotencyMismatch
        | ErrorKind::IdempotencyNotKept
        | ErrorKind::ModelUnpriced
        | ErrorKind::CostUnbounded
        | ErrorKind::UpstreamRejected => 422,
        ErrorKind::RateLimited | ErrorKind::UpstreamRateLimited => 429,
        ErrorKind::ClientClosed => 499,
        ErrorKind::NotSupported => 501,
        ErrorKind::UpstreamError
        | ErrorKind::UpstreamMalformed
        | ErrorKind::UpstreamAuth
        | ErrorKind::UpstreamEmpty => 502,
        ErrorKind::Overloaded
        | ErrorKind::Draining
        | ErrorKind::StoreUnavailable
        | ErrorKind::NoProviderAvailable
        | ErrorKind::ComponentFailed => 503,
        ErrorKind::DeadlineExceeded | ErrorKind::UpstreamTimeout => 504,
        ErrorKind::InsufficientStorage => 507,
        // `Internal`, and a kind that was added without a line here: the test of this table finds it.
        _ => 500,
    };
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What a handler fails with. The guard around the route renders it, since it knows the request's id and the route's
/// error shape.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    error: GatewayError,
    allow: Option<&'static str>,
}

impl Failure {
    /// The path is known, the method is not; `allow` lists those that are.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let message = format!("this path answers {allow} only");
        Self {
            error: GatewayError::new(ErrorKind::MethodNotAllowed, message),
            allow: Some(allow),
        }
    }

    /// A defect of the gateway, with nothing of it told to the client.
    pub(crate) fn internal() -> Self {
        let message = "the gateway failed to handle this request; its log has the details under this request id";
        GatewayError::new(ErrorKind::Internal, message).into()
    }

    /// What went wrong.
    pub(crate) fn error(&self) -> &GatewayError {
        &self.error
    }

    /// Whether the rest of the request is not worth reading, or no further one is welcome.
    pub(crate) fn closes_connection(&self) -> bool {
        matches!(
            self.error.kind,
            ErrorKind::RequestTimeout | ErrorKind::PayloadTooLarge | ErrorKind::ClientClosed | ErrorKind::Draining
        )
    }

    /// The answer to send.
    pub(crate) fn render(&self, shape: ErrorShape, exhausted: ExhaustedStatus, request: RequestId) -> HttpResponse {
        let error = &self.error;
        let mut response = HttpResponse::build(status(error.kind, exhausted));
        if error.kind == ErrorKind::BudgetExceeded {
            response.insert_header((X_SHOULD_RETRY.clone(), HeaderValue::from_static("false")));
        }
        if let Some(after) = error.retry_after {
            response.insert_header((header::RETRY_AFTER, whole_seconds(after)));
        }
        if error.kind == ErrorKind::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, HeaderValue::from_static(allow)));
        }
        if self.closes_connection() {
            response.force_close();
        }
        response
            .insert_header((X_GATEWAY_ERROR.clone(), HeaderValue::from_static(error.kind.as_str())))
            .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
            .body(body(error, shape, request))
    }
}

/// `Retry-After` knows whole seconds only; rounded up, so that nobody comes back too early.
fn whole_seconds(after: Duration) -> u64 {
    after.as_secs() + u64::from(after.subsec_nanos() > 0)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        status(self.error.kind, ExhaustedStatus::default())
    }

    /// A status without a body: the guard replaces both by [`Failure::render`].
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        Self { error, allow: None }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if let StoreError::Failed { source } | StoreError::Unavailable { source: Some(source) } = &error {
            tracing::warn!(cause = %source, "{error}");
        }
        GatewayError::from(error).into()
    }
}

impl From<InvalidId> for Failure {
    fn from(invalid: InvalidId) -> Self {
        GatewayError::invalid(invalid.what, invalid.to_string()).into()
    }
}

/// The body of an error in a route's shape.
pub(crate) fn body(error: &GatewayError, shape: ErrorShape, request: RequestId) -> Bytes {
    match shape {
        ErrorShape::Native => native_body(error, request),
        ErrorShape::Client(dialect) => error_body(dialect, error, request),
        ErrorShape::AsAsked => error_body(Dialect::OpenaiChat, error, request),
    }
}

#[derive(Serialize)]
struct NativeBody<'a> {
    error: NativeError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NativeError<'a> {
    r#type: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    request_id: RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

fn native_body(error: &GatewayError, request: RequestId) -> Bytes {
    let body = NativeBody {
        error: NativeError {
            r#type: error.kind.as_str(),
            message: &error.message,
            param: error.param.as_deref(),
            request_id: request,
            retry_after_ms: error
                .retry_after
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        },
    };
    serde_json::to_vec(&body).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use actix_web::body::MessageBody;
    use serde_json::Value;

    use super::*;

    /// Every kind, and the status that clients are promised for it.
    const KINDS: &[(ErrorKind, u16)] = &[
        (ErrorKind::MalformedJson, 400),
        (ErrorKind::InvalidRequest, 400),
        (ErrorKind::InvalidHeader, 400),
        (ErrorKind::Unauthenticated, 401),
        (ErrorKind::BudgetExceeded, 402),
        (ErrorKind::Forbidden, 403),
        (ErrorKind::LayerNotAllowed, 403),
        (ErrorKind::EscalationInvalid, 403),
        (ErrorKind::EscalationUsed, 409),
        (ErrorKind::EscalationExpired, 410),
        (ErrorKind::NotFound, 404),
        (ErrorKind::ModelNotFound, 404),
        (ErrorKind::MethodNotAllowed, 405),
        (ErrorKind::RequestTimeout, 408),
        (ErrorKind::ConversationBusy, 409),
        (ErrorKind::IdempotencyInProgress, 409),
        (ErrorKind::PayloadTooLarge, 413),
        (ErrorKind::UnsupportedMediaType, 415),
        (ErrorKind::ContextTooLong, 422),
        (ErrorKind::IdempotencyMismatch, 422),
        (ErrorKind::IdempotencyNotKept, 422),
        (ErrorKind::ModelUnpriced, 422),
        (ErrorKind::CostUnbounded, 422),
        (ErrorKind::UpstreamRejected, 422),
        (ErrorKind::UpstreamInvalid, 400),
        (ErrorKind::PreviousResponseNotFound, 400),
        (ErrorKind::RateLimited, 429),
        (ErrorKind::UpstreamRateLimited, 429),
        (ErrorKind::ClientClosed, 499),
        (ErrorKind::Internal, 500),
        (ErrorKind::NotSupported, 501),
        (ErrorKind::UpstreamError, 502),
        (ErrorKind::UpstreamMalformed, 502),
        (ErrorKind::UpstreamAuth, 502),
        (ErrorKind::UpstreamEmpty, 502),
        (ErrorKind::Overloaded, 503),
        (ErrorKind::Draining, 503),
        (ErrorKind::StoreUnavailable, 503),
        (ErrorKind::NoProviderAvailable, 503),
        (ErrorKind::ComponentFailed, 503),
        (ErrorKind::DeadlineExceeded, 504),
        (ErrorKind::UpstreamTimeout, 504),
        (ErrorKind::InsufficientStorage, 507),
    ];

    #[test]
    fn every_kind_has_its_status_and_a_body_in_both_shapes() {
        let names: HashSet<&str> = KINDS.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(names.len(), KINDS.len(), "a kind is listed twice");
        let request = RequestId::generate();
        for (kind, expected) in KINDS {
            let failure = Failure::from(GatewayError::new(*kind, "what to do").with_param("field"));
            for shape in [ErrorShape::Native, ErrorShape::Client(Dialect::OpenaiChat)] {
                let response = failure.render(shape, ExhaustedStatus::default(), request);
                assert_eq!(response.status().as_u16(), *expected, "{kind:?}");
                assert_eq!(
                    response.headers().contains_key("www-authenticate"),
                    *expected == 401,
                    "{kind:?}"
                );
                assert_eq!(response.headers().get(&X_GATEWAY_ERROR).unwrap(), kind.as_str());
                let body = response.into_body().try_into_bytes().unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(body["error"]["message"], "what to do");
                assert_eq!(body["error"]["param"], "field");
            }
        }
    }

    #[test]
    fn what_is_the_clients_fault_is_told_as_such_in_every_shape() {
        for (kind, status) in KINDS.iter().filter(|(_, status)| (400..499).contains(status)) {
            let failure = Failure::from(GatewayError::new(*kind, "what to do"));
            for (dialect, servers_fault) in [
                (Dialect::OpenaiChat, "server_error"),
                (Dialect::OpenaiResponses, "server_error"),
                (Dialect::AnthropicMessages, "api_error"),
            ] {
                let told = failure.render(
                    ErrorShape::Client(dialect),
                    ExhaustedStatus::default(),
                    RequestId::generate(),
                );
                let body: Value = serde_json::from_slice(&told.into_body().try_into_bytes().unwrap()).unwrap();
                let family = body["error"]["type"].as_str().unwrap();
                assert!(
                    family != servers_fault && (*status != 422 || family == "invalid_request_error"),
                    "{kind:?} is a {family} in {dialect:?}"
                );
            }
        }
    }

    #[test]
    fn a_spent_budget_is_told_with_the_status_that_was_chosen_and_never_to_be_tried_again() {
        let spent = Failure::from(GatewayError::new(ErrorKind::BudgetExceeded, "wait for the next month"));
        let limited = Failure::from(GatewayError::new(ErrorKind::RateLimited, "slower"));
        for (exhausted, status) in [
            (ExhaustedStatus::PaymentRequired, 402),
            (ExhaustedStatus::TooManyRequests, 429),
        ] {
            let told = spent.render(ErrorShape::Native, exhausted, RequestId::generate());
            assert_eq!(told.status().as_u16(), status);
            assert_eq!(told.headers().get(&X_SHOULD_RETRY).unwrap(), "false");
            let told = limited.render(ErrorShape::Native, exhausted, RequestId::generate());
            assert_eq!(
                (told.status().as_u16(), told.headers().get(&X_SHOULD_RETRY)),
                (429, None)
            );
        }
    }

    #[test]
    fn retry_after_is_in_whole_seconds_and_never_early() {
        for (millis, seconds) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
