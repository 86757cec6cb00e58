//! Answers as they are kept, and as they are given again.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use gateway_actors::protocol::{ErrorKind, GatewayError, KeptAnswer};

use crate::http::error::Failure;

static IDEMPOTENT_REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

/// The header fields that belong to an answer, besides those whose names begin with [`OURS`]. The others are of the
/// request that gets it.
const KEPT: [&str; 3] = ["content-type", "retry-after", "x-should-retry"];
const OURS: &str = "x-gateway-";

/// What is kept of an answer besides its body.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    /// As [`KeptAnswer::headers`].
    pub(super) headers: Arc<str>,
}

impl Head {
    pub(super) fn of(response: &HttpResponse) -> Self {
        let is_kept = |name: &str| KEPT.contains(&name) || name.starts_with(OURS);
        let headers = response.headers().iter();
        let headers: Vec<(&str, &str)> = headers
            .filter(|(name, _)| is_kept(name.as_str()))
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        Self {
            status: response.status().as_u16(),
            headers: serde_json::to_string(&headers).unwrap_or_default().into(),
        }
    }
}

/// The answer again.
pub(super) fn replay(answer: KeptAnswer) -> Result<HttpResponse, Failure> {
    let Some(body) = answer.body else {
        let message = "the request with this idempotency key was answered, but its answer was too large to be kept; use a \
                       new key to have it done again";
        let error = GatewayError::new(ErrorKind::IdempotencyNotKept, message).with_param("Idempotency-Key");
        return Err(error.into());
    };
    let status = StatusCode::from_u16(answer.status).map_err(|_invalid| Failure::internal())?;
    let headers: Vec<(String, String)> =
        serde_json::from_str(&answer.headers).map_err(|_invalid| Failure::internal())?;
    let mut response = HttpResponse::build(status);
    for (name, value) in headers {
        response.insert_header((name, value));
    }
    response.insert_header((IDEMPOTENT_REPLAY.clone(), HeaderValue::from_static("true")));
    Ok(response.body(body))
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use bytes::Bytes;

    use super::*;

    #[test]
    fn an_answer_is_given_again_with_the_header_fields_that_are_its_own() {
        let given = HttpResponse::BadGateway()
            .insert_header(("content-type", "application/json"))
            .insert_header(("x-gateway-error", "upstream_error"))
            .insert_header(("x-request-id", "req_1"))
            .insert_header(("retry-after", "7"))
            .finish();
        let head = Head::of(&given);
        let again = replay(KeptAnswer {
            status: head.status,
            headers: head.headers,
            body: Some(Bytes::from_static(b"{}")),
        });
        let again = again.unwrap();
        let header = |name: &str| {
            again
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(again.status(), 502);
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        assert_eq!(header("x-gateway-error").as_deref(), Some("upstream_error"));
        assert_eq!(header("retry-after").as_deref(), Some("7"));
        assert_eq!(header("idempotent-replay").as_deref(), Some("true"));
        assert_eq!(header("x-request-id"), None);
        assert_eq!(again.into_body().try_into_bytes().unwrap(), "{}");
    }

    #[test]
    fn of_an_answer_that_was_too_large_only_this_is_told() {
        let kept = KeptAnswer {
            status: 200,
            headers: "[]".into(),
            body: None,
        };
        let told = replay(kept).unwrap_err();
        assert_eq!(told.error().kind, ErrorKind::IdempotencyNotKept);
    }
}
