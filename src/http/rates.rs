//! Rate limits at the edge: a request is let in or not, and its answer says how far its caller's limits are used.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use gateway_actors::protocol::{Dialect, TokenMeter};

use super::error::{ErrorShape, Failure};
use super::middleware::Asker;
use super::respond::micros_text;
use super::shared::Shared;
use crate::limits::{Entered, Standing};

/// How far its limits are used, by the request that asked last; kept among the request's extensions.
#[derive(Clone, Copy)]
struct Told(Standing);

/// Lets a request in, if its caller may have one more. Only what is posted counts: to look costs nobody anything.
///
/// # Errors
/// `rate_limited` when the caller has reached one of its limits.
pub(crate) async fn enter(request: &HttpRequest, shared: &Shared) -> Result<Option<Arc<Entered>>, Failure> {
    if request.method() != Method::POST {
        return Ok(None);
    }
    let Some(Asker(caller)) = request.extensions().get().cloned() else {
        return Ok(None);
    };
    match shared.limits.enter(&caller, input_bytes(request.headers())).await {
        Ok(None) => Ok(None),
        Ok(Some(entered)) => {
            let mut extensions = request.extensions_mut();
            extensions.insert(Told(entered.standing()));
            extensions.insert(Arc::clone(&entered));
            Ok(Some(entered))
        }
        Err(over) => {
            request.extensions_mut().insert(Told(over.standing));
            Err(over.error.into())
        }
    }
}

/// What the request declares to be the size of its body. One that comes in chunks is charged when its tokens are known.
fn input_bytes(headers: &HeaderMap) -> u64 {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Who counts the tokens of the request's attempts.
pub(crate) fn meter(request: &HttpRequest) -> Option<Arc<dyn TokenMeter>> {
    let entered = request.extensions().get::<Arc<Entered>>().map(Arc::clone);
    entered.map(|entered| entered as Arc<dyn TokenMeter>)
}

/// Its place among the caller's requests under way.
pub(crate) fn place(request: &HttpRequest) -> Option<Arc<dyn fmt::Debug + Send + Sync>> {
    let entered = request.extensions_mut().remove::<Arc<Entered>>();
    entered.map(|entered| entered as Arc<dyn fmt::Debug + Send + Sync>)
}

/// Says how far the caller's limits are used, in the way that clients of the dialect read.
pub(crate) fn add_headers(response: &mut HttpResponse, request: &HttpRequest, shape: ErrorShape) {
    let mut extensions = request.extensions_mut();
    // Whoever has not taken it by now has no use for it: the request is under way no longer than the guard says.
    extensions.remove::<Arc<Entered>>();
    let Some(Told(standing)) = extensions.remove::<Told>() else {
        return;
    };
    let headers = response.headers_mut();
    let is_anthropic = shape == ErrorShape::Client(Dialect::AnthropicMessages);
    let (of_requests, of_tokens) = if is_anthropic {
        (&ANTHROPICS_OF_REQUESTS, &ANTHROPICS_OF_TOKENS)
    } else {
        (&OPENAIS_OF_REQUESTS, &OPENAIS_OF_TOKENS)
    };
    for (names, level) in [(of_requests, standing.requests), (of_tokens, standing.tokens)] {
        let Some(level) = level else { continue };
        let [limit, remaining, reset] = names;
        headers.insert(limit.clone(), HeaderValue::from(level.limit));
        headers.insert(remaining.clone(), HeaderValue::from(level.remaining));
        let when = if is_anthropic {
            moment_after(level.reset)
        } else {
            span(level.reset)
        };
        if let Ok(when) = HeaderValue::try_from(when) {
            headers.insert(reset.clone(), when);
        }
    }
}

/// The names of a limit, of what is left of it, and of when all of it is there again.
type Names = [HeaderName; 3];

static OPENAIS_OF_REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static OPENAIS_OF_TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
static ANTHROPICS_OF_REQUESTS: Names = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
static ANTHROPICS_OF_TOKENS: Names = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];

/// As OpenAI writes it: `17ms`, `8.64s`, `1m30s`.
fn span(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (minutes, seconds, rest) = (millis / 60_000, millis / 1_000 % 60, millis % 1_000);
    let mut digits = itoa::Buffer::new();
    let mut text = String::with_capacity(16);
    if minutes == 0 && seconds == 0 {
        text.push_str(digits.format(rest));
        text.push_str("ms");
        return text;
    }
    if minutes > 0 {
        text.push_str(digits.format(minutes));
        text.push('m');
    }
    text.push_str(digits.format(seconds));
    if rest > 0 {
        text.push('.');
        let digits = digits.format(rest);
        let zeros = "000".get(digits.len()..).unwrap_or_default();
        text.push_str(zeros);
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('s');
    text
}

/// The moment after so long as RFC 3339 in UTC.
fn moment_after(time: Duration) -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + time;
    // Written in milliseconds, and not early.
    let millis = i64::try_from(since_1970.as_micros().div_ceil(1_000)).unwrap_or_default();
    micros_text(millis.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_openai_writes_them() {
        for (millis, text) in [
            (0, "0ms"),
            (17, "17ms"),
            (1_000, "1s"),
            (8_640, "8.64s"),
            (60_000, "1m0s"),
            (90_500, "1m30.5s"),
            (59_999, "59.999s"),
            (2_050, "2.05s"),
            (60_007, "1m0.007s"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}
