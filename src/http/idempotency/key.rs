//! The header with the key.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName};
use gateway_actors::protocol::{ErrorKind, GatewayError};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const NAME: &str = "Idempotency-Key";
const LONGEST: usize = 255;

/// A client's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Key(pub(super) Arc<str>);

/// The request's key, if it has one.
///
/// # Errors
/// `invalid_header` when it is not 1 to 255 visible ASCII characters, or is given twice.
pub(in crate::http) fn key(headers: &HeaderMap) -> Result<Option<Key>, GatewayError> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(refused("Idempotency-Key is given twice; send it once"));
    }
    let bytes = value.as_bytes();
    let is_key = (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(bytes) {
        Ok(text) if is_key => Ok(Some(Key(text.into()))),
        _ => Err(refused(
            "Idempotency-Key must be 1 to 255 visible ASCII characters, without spaces",
        )),
    }
}

fn refused(message: &'static str) -> GatewayError {
    GatewayError::new(ErrorKind::InvalidHeader, message).with_param(NAME)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    fn of(values: &[&[u8]]) -> Result<Option<Key>, ErrorKind> {
        let mut request = TestRequest::default();
        for value in values {
            request = request.append_header((NAME, HeaderValue::from_bytes(value).unwrap()));
        }
        key(request.to_http_request().headers()).map_err(|error| error.kind)
    }

    #[test]
    fn a_key_is_1_to_255_visible_characters() {
        assert_eq!(of(&[]), Ok(None));
        for good in ["k", "a-b_c.d/e:f", &"x".repeat(255)] {
            assert_eq!(of(&[good.as_bytes()]), Ok(Some(Key(good.into()))));
        }
        for bad in [&b""[..], b"a b", b"a\tb", b"\xff", "\u{e9}".as_bytes(), &[b'x'; 256]] {
            assert_eq!(of(&[bad]), Err(ErrorKind::InvalidHeader), "{bad:?}");
        }
        assert_eq!(of(&[b"a", b"a"]), Err(ErrorKind::InvalidHeader));
    }
}
