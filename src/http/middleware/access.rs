//! Who may come in: what a rule wants of a caller, and the key that a request brings. Whoever needs none must name a
//! loopback host, which keeps out web pages that were rebound to this address.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use gateway_actors::protocol::{AccessRole, Caller, ErrorKind, GatewayError};

use crate::auth::Auth;

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody: the answer tells nothing that is not public.
    Open,
    /// Callers with at least this role.
    Role(AccessRole),
    /// Operators to look, administrators to change something.
    Administration,
}

impl Access {
    /// The least role that a request of this method needs; none where everybody may come in.
    pub(crate) fn role(self, method: &Method) -> Option<AccessRole> {
        match self {
            Self::Open => None,
            Self::Role(role) => Some(role),
            Self::Administration if method == Method::GET || method == Method::HEAD => Some(AccessRole::Operator),
            Self::Administration => Some(AccessRole::Admin),
        }
    }

    /// Lets the request in, and says whose it is, or does not. Where everybody may come in nobody is asked who he is.
    pub(crate) async fn check(self, head: &RequestHead, auth: &Auth) -> Result<Option<Caller>, GatewayError> {
        check_host_is_one(head)?;
        super::target::check(&head.uri)?;
        let Some(least) = self.role(&head.method) else {
            return Ok(None);
        };
        let peer = head.peer_addr.map(|address| address.ip());
        let caller = auth.caller(key(&head.headers), peer).await?;
        if caller == Caller::Local {
            check_host(head)?;
        }
        if caller.role() < least {
            return Err(GatewayError::new(
                ErrorKind::Forbidden,
                format!(
                    "this needs a key of the role {least}, and this key's role is {}",
                    caller.role()
                ),
            ));
        }
        Ok(Some(caller))
    }
}

/// The key that a request brings; an empty one if it cannot be told which one it is.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    match only_one(headers, &header::AUTHORIZATION) {
        Ok(Some(value)) => Some(bearer(value).unwrap_or_default()),
        Ok(None) => match only_one(headers, &X_API_KEY) {
            Ok(value) => value.map(HeaderValue::as_bytes),
            Err(Several) => Some(b""),
        },
        Err(Several) => Some(b""),
    }
}

/// A header that must be given once was given several times.
struct Several;

fn only_one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Several> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        _ => Err(Several),
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, key) = value.as_bytes().split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// What cannot be a host is refused whoever sends it, so that nothing on the way and nothing here reads it differently.
fn check_host_is_one(head: &RequestHead) -> Result<(), GatewayError> {
    match head.headers.get(header::HOST) {
        Some(host) if host_name(host.as_bytes()).is_none() => {
            let message = "`Host` must be a name or an address, with a port or without";
            Err(GatewayError::new(ErrorKind::InvalidHeader, message).with_param("Host"))
        }
        _ => Ok(()),
    }
}

fn check_host(head: &RequestHead) -> Result<(), GatewayError> {
    let host = head.headers.get(header::HOST).map(HeaderValue::as_bytes);
    let target = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    if host.is_some_and(is_loopback) && target.is_none_or(is_loopback) {
        return Ok(());
    }
    Err(GatewayError::new(
        ErrorKind::Forbidden,
        "without GATEWAY_ADMIN_KEY this gateway answers only requests to localhost; set the key to serve other hosts",
    ))
}

/// Whether a `Host` header names this machine: `localhost`, 127.0.0.0/8 or `[::1]`, with or without a port.
fn is_loopback(host: &[u8]) -> bool {
    let Some(name) = host_name(host) else { return false };
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// The name or address in a `Host` header, an IPv6 address with its brackets; nothing if it is no host.
fn host_name(host: &[u8]) -> Option<&str> {
    let host = std::str::from_utf8(host).ok()?;
    let is_address = host.starts_with('[');
    let end = if is_address {
        host.find(']').map(|end| end + 1)?
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let (name, port) = host.split_at_checked(end)?;
    let is_name = if is_address {
        name.get(1..end - 1)?.parse::<Ipv6Addr>().is_ok()
    } else {
        !name.is_empty() && name.bytes().all(is_of_a_name)
    };
    (is_name && is_port(port)).then_some(name)
}

/// What RFC 3986 allows in the name of a host.
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte)
}

/// Nothing, or a colon and digits.
fn is_port(port: &str) -> bool {
    port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use actix_web::test::TestRequest;
    use gateway_actors::testkit::MemoryKeys;

    use super::*;
    use crate::auth::KeyRing;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const USER: Access = Access::Role(AccessRole::User);

    fn auth(admin_key: Option<&str>) -> Auth {
        let ring = KeyRing::new(Arc::new(MemoryKeys::default()), Duration::from_secs(60));
        Auth::new(admin_key.map(Into::into), false, Arc::new(ring))
    }

    async fn keyed(headers: &[(&str, &[u8])]) -> Result<(), ErrorKind> {
        let mut request = TestRequest::default();
        for (name, value) in headers {
            request = request.append_header((*name, HeaderValue::from_bytes(value).unwrap()));
        }
        let request = request.to_http_request();
        let checked = USER.check(request.head(), &auth(Some(KEY))).await;
        checked.map(drop).map_err(|error| error.kind)
    }

    #[tokio::test]
    async fn the_key_is_taken_as_bearer_or_as_x_api_key() {
        let bearer = format!("Bearer {KEY}");
        let lower_case = format!("bearer {KEY}");
        assert_eq!(keyed(&[("authorization", bearer.as_bytes())]).await, Ok(()));
        assert_eq!(keyed(&[("authorization", lower_case.as_bytes())]).await, Ok(()));
        assert_eq!(keyed(&[("x-api-key", KEY.as_bytes())]).await, Ok(()));
    }

    #[tokio::test]
    async fn everything_else_is_refused() {
        let bearer = format!("Bearer {KEY}");
        let longer = format!("Bearer {KEY}0");
        let basic = format!("Basic {KEY}");
        let (key, last_differs) = (KEY.as_bytes(), format!("Bearer {}0", &KEY[..31]));
        let refused: &[&[(&str, &[u8])]] = &[
            &[],
            &[("authorization", b"Bearer")],
            &[("authorization", b"Bearer  ")],
            &[("authorization", key)],
            &[("authorization", basic.as_bytes())],
            &[("authorization", longer.as_bytes())],
            &[("authorization", last_differs.as_bytes())],
            &[("authorization", b"Bearer ' OR '1'='1")],
            &[("authorization", b"Bearer \xff\xfe")],
            &[
                ("authorization", bearer.as_bytes()),
                ("authorization", bearer.as_bytes()),
            ],
            &[("authorization", b"Bearer wrong"), ("x-api-key", key)],
            &[("x-api-key", key), ("x-api-key", key)],
            &[("x-api-key", b"")],
        ];
        for headers in refused {
            assert_eq!(keyed(headers).await, Err(ErrorKind::Unauthenticated), "{headers:?}");
        }
    }

    #[test]
    fn hosts_of_this_machine_are_known_with_any_port() {
        for host in [
            "localhost",
            "LocalHost:3000",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:65535",
        ] {
            assert!(is_loopback(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "example.com:127",
            "127.0.0.1.example.com",
            "127.0.0.1@example.com",
            "0.0.0.0",
            "10.0.0.1:3000",
            "[::]",
            "[::1]example.com",
            "[::ffff:10.0.0.1]",
            "localhost:3000:1",
            "localhost:x",
            "2130706433",
        ] {
            assert!(!is_loopback(host.as_bytes()), "{host}");
        }
    }

    #[tokio::test]
    async fn what_is_no_host_is_refused_even_where_everybody_may_come_in() {
        for (host, is_one) in [
            ("localhost", true),
            ("gateway_1.example:80", true),
            ("[::1]:3000", true),
            ("10.0.0.1", true),
            ("", false),
            ("a/b", false),
            ("a@b", false),
            ("a b", false),
            ("a\\b", false),
            ("a:b", false),
            ("[::1", false),
            ("[a]", false),
            ("::1", false),
        ] {
            let request = TestRequest::default()
                .insert_header((header::HOST, host))
                .to_http_request();
            let checked = Access::Open.check(request.head(), &auth(None)).await;
            let refused = checked.err().map(|error| error.kind);
            assert_eq!(refused, (!is_one).then_some(ErrorKind::InvalidHeader), "{host:?}");
        }
    }

    #[tokio::test]
    async fn without_a_key_the_host_and_an_absolute_target_must_be_local() {
        let auth = auth(None);
        let check = async |host: &'static str, uri: &str| {
            let request = TestRequest::with_uri(uri)
                .insert_header((header::HOST, host))
                .to_http_request();
            let checked = USER.check(request.head(), &auth).await;
            checked.map_err(|error| error.kind)
        };
        assert_eq!(check("localhost:3000", "/v1/models").await, Ok(Some(Caller::Local)));
        assert_eq!(check("evil.example", "/v1/models").await, Err(ErrorKind::Forbidden));
        assert_eq!(
            check("localhost", "http://evil.example/v1/models").await,
            Err(ErrorKind::Forbidden)
        );
    }
}
