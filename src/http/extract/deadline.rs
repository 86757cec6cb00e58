//! When an answer must be there: `X-Request-Timeout-Ms`, or the default.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use gateway_actors::protocol::{ErrorKind, GatewayError};
use tokio::time::Instant;

static X_REQUEST_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-request-timeout-ms");
const LONGEST_MS: u64 = 3_600_000;

/// The moment at which the answer to a request that came at `arrived` must be there.
///
/// # Errors
/// `invalid_header` when the header is not a number from 1 to 3600000, or is given twice.
pub(crate) fn deadline(request: &HttpRequest, arrived: Instant, default: Duration) -> Result<Instant, GatewayError> {
    let mut values = request.headers().get_all(&X_REQUEST_TIMEOUT_MS);
    let Some(value) = values.next() else {
        return Ok(arrived + default);
    };
    if values.next().is_some() {
        return Err(refused("X-Request-Timeout-Ms is given twice; send it once".to_owned()));
    }
    match value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(millis @ 1..=LONGEST_MS) => Ok(arrived + Duration::from_millis(millis)),
        _ => Err(refused(format!(
            "X-Request-Timeout-Ms must be a whole number from 1 to {LONGEST_MS}"
        ))),
    }
}

fn refused(message: String) -> GatewayError {
    GatewayError::new(ErrorKind::InvalidHeader, message).with_param("X-Request-Timeout-Ms")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn after(header: Option<&str>) -> Result<Duration, ErrorKind> {
        let mut request = TestRequest::default();
        if let Some(value) = header {
            request = request.insert_header(("x-request-timeout-ms", value));
        }
        let arrived = Instant::now();
        match deadline(&request.to_http_request(), arrived, Duration::from_secs(60)) {
            Ok(deadline) => Ok(deadline - arrived),
            Err(error) => Err(error.kind),
        }
    }

    #[test]
    fn two_deadlines_are_no_deadline() {
        let request = TestRequest::default()
            .append_header(("x-request-timeout-ms", "1000"))
            .append_header(("x-request-timeout-ms", "1000"))
            .to_http_request();
        let refused = deadline(&request, Instant::now(), Duration::from_secs(60));
        assert_eq!(refused.unwrap_err().kind, ErrorKind::InvalidHeader);
    }

    #[test]
    fn the_client_says_how_long_it_waits_within_bounds() {
        assert_eq!(after(None), Ok(Duration::from_secs(60)));
        assert_eq!(after(Some("1")), Ok(Duration::from_millis(1)));
        assert_eq!(after(Some("3600000")), Ok(Duration::from_secs(3_600)));
        for bad in [
            "0",
            "-1",
            "3600001",
            "1000000000000",
            "99999999999999999999",
            "abc",
            "1.5",
            "",
        ] {
            assert_eq!(after(Some(bad)), Err(ErrorKind::InvalidHeader), "{bad:?}");
        }
    }
}
