//! What a request's target may look like, so that a proxy in front and the gateway read one path.

use actix_web::http::Uri;
use gateway_actors::protocol::{ErrorKind, GatewayError};
use percent_encoding::percent_decode_str;

/// Whether a path means what it says, letter by letter. Bytes that are no text would be replaced by others on the way to
/// whoever reads them, and a letter that is written as its escape would pass by whoever compares paths in front.
///
/// # Errors
/// `invalid_request` where an escape is none or its bytes are no UTF-8; `not_found` where it stands for a letter, a digit or
/// one of `-._~`, which need none (RFC 3986, section 2.3).
pub(super) fn check(target: &Uri) -> Result<(), GatewayError> {
    let path = target.path();
    if !path.contains('%') {
        return Ok(());
    }
    check_text(path, "path")?;
    let needless = |escape: &str| {
        let byte = escape.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    if path.split('%').skip(1).any(needless) {
        let message = "there is nothing at this path; write letters and digits without escapes";
        return Err(GatewayError::new(ErrorKind::NotFound, message));
    }
    Ok(())
}

/// Whether the escapes in a part of the target are some, and of UTF-8.
///
/// # Errors
/// `invalid_request` otherwise.
pub(crate) fn check_text(text: &str, part: &'static str) -> Result<(), GatewayError> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if text.split('%').skip(1).all(is_escape) && percent_decode_str(text).decode_utf8().is_ok() {
        return Ok(());
    }
    let message = format!("the {part} must be UTF-8, and `%` in it stand before two hexadecimal digits");
    Err(GatewayError::invalid(part, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_letter_by_letter_and_is_text() {
        for (path, expected) in [
            ("/v1/chat", None),
            ("/v1/admin/budgets/user:a%20b%2Fc", None),
            ("/v1/admin/budgets/user:%C3%A9", None),
            ("/v1/%63hat", Some(ErrorKind::NotFound)),
            ("/v1/chat%2e", Some(ErrorKind::NotFound)),
            ("/v1/admin/budgets/user:%ff", Some(ErrorKind::InvalidRequest)),
            ("/v1/admin/budgets/user:%zz", Some(ErrorKind::InvalidRequest)),
            ("/v1/admin/budgets/user:%", Some(ErrorKind::InvalidRequest)),
            ("/v1/admin/budgets/user:%+1", Some(ErrorKind::InvalidRequest)),
        ] {
            let found = check(&path.parse().unwrap()).map_err(|error| error.kind);
            assert_eq!(found.err(), expected, "{path}");
        }
    }
}
