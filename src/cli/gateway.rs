//! The gateway at the other end: where it is, the key for it, and how it is asked.

use std::env::{self, VarError};
use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::header::{self, HeaderValue};
use awc::http::{Method, StatusCode};
use awc::{Client, ClientRequest, ClientResponse, Connector};
use bytes::Bytes;
use clap::Args;
use futures_core::Stream;
use rustls::crypto::{CryptoProvider, ring};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::error::{CliError, Refusal};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// More than the hour that a gateway gives a request at most: it is the gateway that says when it took too long.
const ANSWER_LIMIT: Duration = Duration::from_secs(3_630);
/// Bytes of an answer; far above what a model writes.
const MOST_ANSWER: usize = 64 * 1024 * 1024;
/// Where the key comes from: the first of these that is set.
const KEY_VARIABLES: [&str; 2] = ["GATEWAY_API_KEY", "GATEWAY_ADMIN_KEY"];
/// How much is shown of an answer that cannot be read.
const MOST_SHOWN: usize = 200;

/// The arguments of every command that asks a gateway.
#[derive(Debug, Args)]
pub(super) struct GatewayArgs {
    /// Where the gateway is. The form that OpenAI clients want, with /v1 at its end, will do too.
    #[arg(
        long,
        value_name = "URL",
        env = "MCP_ENDPOINT",
        default_value = "http://localhost:3000"
    )]
    endpoint: Endpoint,
}

/// The address of a gateway: http or https, perhaps with a path before its own ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint(String);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("{error}; it looks like http://localhost:3000"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err("it must begin with http:// or https:// and a host".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must hold no user or password; a key goes into GATEWAY_API_KEY".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it must end before any ? or #".to_owned());
        }
        let address = url.as_str().trim_end_matches('/');
        // What OpenAI clients call the base URL is a part of the gateway's own paths.
        let address = match url.path().trim_end_matches('/').ends_with("/v1") {
            true => address.trim_end_matches("v1").trim_end_matches('/'),
            false => address,
        };
        Ok(Self(address.to_owned()))
    }
}

impl Endpoint {
    /// The same without TLS.
    pub(super) fn without_tls(&self) -> Self {
        Self(self.0.replacen("https://", "http://", 1))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A gateway to ask. Lives on one thread.
pub(super) struct Gateway {
    endpoint: Endpoint,
    client: Client,
    /// The whole `Authorization` header, marked as sensitive.
    authorization: Option<HeaderValue>,
}

impl Gateway {
    /// Makes ready to ask; connects only then.
    ///
    /// # Errors
    /// When the key in the environment is none.
    pub(super) fn new(args: GatewayArgs) -> Result<Self, CliError> {
        let authorization = match key()? {
            Some((variable, key)) => Some(bearer(variable, &key)?),
            None => None,
        };
        Ok(Self {
            endpoint: args.endpoint,
            client: client(),
            authorization,
        })
    }

    /// Where it is.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Posts a request and returns the body of the answer.
    ///
    /// # Errors
    /// When there is no gateway, when it answers with an error, or when what answers is no gateway.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Bytes, CliError> {
        let request = self.request(Method::POST, path);
        let response = request.send_json(body).await.map_err(|error| self.failed(error))?;
        let (status, bytes) = self.receive(response).await?;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(match Refusal::parse(status.as_u16(), &bytes) {
            Some(refusal) => CliError::Refused(refusal),
            None => self.no_answer(format!("something else answered with {status}: {}", beginning(&bytes))),
        })
    }

    /// Gets a resource, whatever the status of the answer is, and returns the body.
    ///
    /// # Errors
    /// When there is no gateway, or it breaks off.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, CliError> {
        let request = self.request(Method::GET, path);
        let response = request.send().await.map_err(|error| self.failed(error))?;
        let (_status, bytes) = self.receive(response).await?;
        Ok(bytes)
    }

    fn request(&self, method: Method, path: &str) -> ClientRequest {
        let request = self
            .client
            .request(method, format!("{}{path}", self.endpoint))
            // Minutes may pass between two messages at a terminal: a connection kept for so long is often dead.
            .force_close();
        match &self.authorization {
            Some(authorization) => request.insert_header((header::AUTHORIZATION, authorization.clone())),
            None => request,
        }
    }

    async fn receive<S>(&self, mut response: ClientResponse<S>) -> Result<(StatusCode, Bytes), CliError>
    where
        S: Stream<Item = Result<Bytes, PayloadError>>,
    {
        let bytes = response.body().limit(MOST_ANSWER).await;
        let bytes = bytes.map_err(|error| self.no_answer(format!("it broke off: {error}")))?;
        Ok((response.status(), bytes))
    }

    /// Reads the body of an answer.
    ///
    /// # Errors
    /// When it does not have the shape of a gateway's answer.
    pub(super) fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, CliError> {
        serde_json::from_slice(body).map_err(|error| {
            let what = "what came is not a gateway's answer, or not all of it";
            self.no_answer(format!("{what} ({error}): {}", beginning(body)))
        })
    }

    fn failed(&self, error: SendRequestError) -> CliError {
        match error {
            // There was a connection, whatever the name says: it ended before an answer began.
            SendRequestError::Connect(ConnectError::Disconnected) => {
                self.no_answer("it closed the connection".to_owned())
            }
            SendRequestError::Connect(ConnectError::Io(cause)) if is_no_tls(&cause) => CliError::NoTls {
                endpoint: self.endpoint.clone(),
            },
            SendRequestError::Connect(cause) => CliError::Unreachable {
                endpoint: self.endpoint.clone(),
                cause: cause.to_string(),
            },
            SendRequestError::Timeout => self.no_answer(format!("none within {} s", ANSWER_LIMIT.as_secs())),
            other => self.no_answer(other.to_string()),
        }
    }

    fn no_answer(&self, cause: String) -> CliError {
        CliError::NoAnswer {
            endpoint: self.endpoint.clone(),
            cause,
        }
    }
}

/// Whether something answered a TLS handshake with what is none.
fn is_no_tls(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidMessage(_)))
}

fn client() -> Client {
    // awc's connector asks for the process's default provider.
    if CryptoProvider::get_default().is_none() {
        let _already_installed = ring::default_provider().install_default();
    }
    let connector = Connector::new().timeout(CONNECT_LIMIT).handshake_timeout(CONNECT_LIMIT);
    Client::builder()
        .connector(connector)
        .timeout(ANSWER_LIMIT)
        // A redirect could carry the message and the key to another place.
        .disable_redirects()
        .add_default_header((header::USER_AGENT, concat!("mcp/", env!("CARGO_PKG_VERSION"))))
        .finish()
}

/// The key from the environment, and the variable that holds it. An empty one counts as none.
fn key() -> Result<Option<(&'static str, String)>, CliError> {
    for variable in KEY_VARIABLES {
        match env::var(variable) {
            Ok(key) if key.trim().is_empty() => {}
            Ok(key) => return Ok(Some((variable, key))),
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => return Err(no_key(variable)),
        }
    }
    Ok(None)
}

fn bearer(variable: &str, key: &str) -> Result<HeaderValue, CliError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", key.trim()));
    let mut value = value.map_err(|_invalid| no_key(variable))?;
    value.set_sensitive(true);
    Ok(value)
}

fn no_key(variable: &str) -> CliError {
    CliError::Usage(format!(
        "{variable} holds characters that no key has; set it to the key alone"
    ))
}

/// The beginning of a body, on one line.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MOST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_http_with_a_host_and_without_secrets() {
        for (text, endpoint) in [
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://localhost:3000/", "http://localhost:3000"),
            ("https://example.org/gateway/", "https://example.org/gateway"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://localhost:3000/v1", "http://localhost:3000"),
            ("https://example.org/gateway/v1/", "https://example.org/gateway"),
            ("http://localhost:3000/rev1", "http://localhost:3000/rev1"),
            ("http://v1", "http://v1"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), endpoint);
        }
        for text in [
            "",
            "localhost:3000",
            "ftp://example.org",
            "http://",
            "http://me:secret@example.org",
            "http://example.org/?key=1",
            "http://example.org/#top",
        ] {
            let refused = text.parse::<Endpoint>().unwrap_err();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_key_is_marked_as_sensitive_and_a_broken_one_is_refused_without_being_shown() {
        let value = bearer("GATEWAY_API_KEY", " abc \n").unwrap();
        assert_eq!(value, "Bearer abc");
        assert!(value.is_sensitive());
        let refused = bearer("GATEWAY_API_KEY", "one\ntwo").unwrap_err().to_string();
        assert!(
            refused.contains("GATEWAY_API_KEY") && !refused.contains("two"),
            "{refused}"
        );
    }

    #[test]
    fn only_the_beginning_of_a_foreign_answer_is_shown() {
        assert_eq!(beginning(b"<html>\n  <p>no\xff</p>"), "<html> <p>no\u{fffd}</p>");
        assert_eq!(beginning("é".repeat(1_000).as_bytes()).chars().count(), MOST_SHOWN);
    }
}
