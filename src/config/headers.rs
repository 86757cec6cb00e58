//! `headers` of a provider: what every request to it says besides what its kind and the gateway themselves say.

use std::fmt;

use super::reader::Reader;
use super::value::{Written, text};

/// Constant request headers, such as OpenRouter's `HTTP-Referer` or Anthropic's `anthropic-beta`. Names are in lower
/// case and each is there once. Debug output shows no value, should somebody have put a secret there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExtraHeaders(Vec<(String, String)>);

/// How many there may be.
const MOST: usize = 32;

/// Names that belong to the gateway, to the connection or to the provider's kind.
const OWNED: [&str; 16] = [
    "accept",
    "accept-encoding",
    "anthropic-version",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Parts of names that tell of a secret.
const SECRET: [&str; 7] = [
    "authorization",
    "cookie",
    "password",
    "secret",
    "token",
    "api-key",
    "apikey",
];

impl ExtraHeaders {
    /// Adds a header.
    ///
    /// # Errors
    /// A name or value that a header cannot have, a name that is not for settings to say, or one that is there
    /// already. The message completes the sentence "this setting must …".
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        let name = name.to_ascii_lowercase();
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_of_a_name) {
            return Err("have a header's name: 1 to 64 letters, digits and - _ . and the like");
        }
        if SECRET.iter().any(|part| name.contains(part)) || name.ends_with("-auth") {
            return Err("not hold a key or password: name the variable that holds the key in api_key_env");
        }
        if name == "anthropic-version" {
            return Err("be left out: set anthropic_version instead");
        }
        if OWNED.contains(&name.as_str()) {
            return Err("be left out: the gateway itself sets this header");
        }
        let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if value.is_empty() || value.len() > 1024 || value.trim() != value || !value.bytes().all(is_visible) {
            return Err("have a value of 1 to 1024 visible ASCII characters, without spaces around it");
        }
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err("be there once: the case of its letters makes it no other header");
        }
        if self.0.len() >= MOST {
            return Err("be left out: a provider has at most 32 of them");
        }
        self.0.push((name, value.to_owned()));
        Ok(())
    }

    /// Names and values, in the order of the settings.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads the table of this name.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut headers = Self::default();
        reader.each_of("headers", |name, written| headers.add_written(name, written));
        headers
    }

    fn add_written(&mut self, name: &str, written: Written<'_>) -> Result<(), String> {
        let value = text(written)?;
        self.add(name, &value).map_err(str::to_owned)
    }
}

impl fmt::Debug for ExtraHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether a header's name may have this byte (a token of RFC 9110).
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_order_and_their_names_lose_their_case() {
        let mut headers = ExtraHeaders::default();
        headers.add("X-Title", "AI MCP Gateway").unwrap();
        headers.add("HTTP-Referer", "https://example.org/a?b=c").unwrap();
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(
            all,
            [
                ("x-title", "AI MCP Gateway"),
                ("http-referer", "https://example.org/a?b=c")
            ]
        );
        assert!(headers.add("x-title", "again").is_err());
    }

    #[test]
    fn what_is_not_for_settings_to_say_is_refused() {
        let refused = OWNED.into_iter().chain([
            "Authorization",
            "Proxy-Authorization",
            "X-Api-Key",
            "API-Key",
            "x-goog-api-key",
            "Cookie",
            "x-auth-token",
            "x-auth",
            "",
            "a b",
            "a:b",
            "é",
        ]);
        for name in refused {
            assert!(ExtraHeaders::default().add(name, "value").is_err(), "{name:?}");
        }
    }

    #[test]
    fn values_that_no_header_can_have_are_refused() {
        let long = "x".repeat(1025);
        for value in ["", " ", " a", "a ", "a\nb", "a\r\nx: y", "\u{7f}", "é", &long] {
            assert!(ExtraHeaders::default().add("x-it", value).is_err(), "{value:?}");
        }
        assert!(ExtraHeaders::default().add("x-it", &long[1..]).is_ok());
    }

    #[test]
    fn there_is_a_limit_to_their_number() {
        let mut headers = ExtraHeaders::default();
        for number in 0..MOST {
            headers.add(&format!("x-{number}"), "1").unwrap();
        }
        assert!(headers.add("x-more", "1").is_err());
    }

    #[test]
    fn debug_output_shows_names_only() {
        let mut headers = ExtraHeaders::default();
        headers.add("x-it", "canary").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"x-it"}"#);
    }
}
