//! Providers that speak OpenAI chat completions over HTTP.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use actix_http::HttpMessage as _;
use awc::http::Uri;
use awc::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use awc::{Client, ClientRequest, FrozenClientRequest};
use futures_util::StreamExt as _;
use gateway_actors::protocol::{UpstreamCall, UpstreamFailure, UpstreamReply};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Position, Url};

use super::BuildError;
use super::client::ConnectionKind;
use super::failure::from_send_error;
use super::reply::{Reading, read_reply};
use super::resting::Call;
use super::watchdog::Watchdog;
use crate::config::{ProviderKind, ProviderSettings, UpstreamLimits, UpstreamTimeouts};

/// One provider, with everything about its requests prepared that does not change from one to the next.
pub(super) struct OpenAiCompatible {
    request: FrozenClientRequest,
    url: Url,
    key: Option<SecretString>,
    timeouts: UpstreamTimeouts,
    limits: UpstreamLimits,
}

impl OpenAiCompatible {
    /// Prepares the requests to a provider.
    pub(super) fn new(settings: &ProviderSettings, client: &Client) -> Result<Self, BuildError> {
        let url = endpoint(settings, "/chat/completions")?;
        let request = client
            .post(client_uri(settings, &url)?)
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        Ok(Self {
            request: prepare(request, settings, &url)?,
            url,
            key: settings.api_key.clone(),
            timeouts: settings.timeouts,
            limits: settings.limits,
        })
    }

    /// Makes one call.
    pub(super) async fn call(self: Rc<Self>, call: UpstreamCall) -> Result<UpstreamReply, UpstreamFailure> {
        let mut watchdog = Watchdog::start(&self.timeouts, call.deadline)?;
        let connected = Call::begin();
        let sent = self.request.send_body(call.outgoing.body.to_bytes());
        let sent = Rc::clone(&connected).send(sent);
        let mut response = watchdog.guard(sent).await?.map_err(|error| from_send_error(&error))?;
        // The connection is in use until the last of the answer is read, or nobody wants it any more.
        let source = response.take_payload().inspect(move |_chunk| {
            let _in_use = &connected;
        });
        let reading = Reading {
            limits: self.limits,
            stream: call.stream,
            dialect: call.model.dialect,
            form: &call.outgoing.answer,
            key: self.key.as_ref(),
        };
        read_reply(response.status(), response.headers(), source, watchdog, reading).await
    }
}

impl fmt::Debug for OpenAiCompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiCompatible")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// The connections that this provider needs, each to be made within this time.
pub(super) fn connection_kind(settings: &ProviderSettings, timeout: Duration) -> ConnectionKind {
    let tls = settings.base_url.as_ref().is_some_and(|url| url.scheme() == "https");
    ConnectionKind { timeout, tls }
}

/// The request for a provider's list of models.
pub(super) fn models_request(settings: &ProviderSettings, client: &Client) -> Result<FrozenClientRequest, BuildError> {
    let url = endpoint(settings, "/models")?;
    prepare(client.get(client_uri(settings, &url)?), settings, &url)
}

/// Adds what all requests to a provider have.
fn prepare(request: ClientRequest, settings: &ProviderSettings, url: &Url) -> Result<FrozenClientRequest, BuildError> {
    let mut request = request
        .no_decompress()
        .insert_header((ACCEPT_ENCODING, HeaderValue::from_static("identity")))
        .insert_header((
            USER_AGENT,
            HeaderValue::from_static(concat!("ai-mcp-gateway/", env!("CARGO_PKG_VERSION"))),
        ));
    // Left out, it would be made anew for every request.
    if let Ok(host) = HeaderValue::from_str(url.authority()) {
        request = request.insert_header((HOST, host));
    }
    if let Some(key) = &settings.api_key {
        let bearer = format!("Bearer {}", key.expose_secret());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_secret| BuildError::Key {
            provider: settings.name.clone(),
        })?;
        bearer.set_sensitive(true);
        request = request.insert_header((AUTHORIZATION, bearer));
    }
    request.freeze().map_err(|_never| BuildError::BaseUrl {
        provider: settings.name.clone(),
        problem: "cannot be called",
    })
}

/// Where a provider has this path of OpenAI's. A query of the base address is kept.
fn endpoint(settings: &ProviderSettings, path: &str) -> Result<Url, BuildError> {
    let wrong = |problem| BuildError::BaseUrl {
        provider: settings.name.clone(),
        problem,
    };
    let mut url: Url = settings.base_url.clone().ok_or_else(|| BuildError::NoBaseUrl {
        provider: settings.name.clone(),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("must start with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "must not hold a user or password: name the key's variable in api_key_env",
        ));
    }
    let version = match settings.kind {
        ProviderKind::Ollama => "/v1",
        _ => "",
    };
    let path = format!("{}{version}{path}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_fragment(None);
    Ok(url)
}

/// The address as the HTTP client is to have it: with TLS below the client, it starts with `http` all the same.
fn client_uri(settings: &ProviderSettings, url: &Url) -> Result<Uri, BuildError> {
    let host = url.host_str().unwrap_or_default();
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let uri = match url.port_or_known_default() {
        Some(port) => format!("http://{host}:{port}{path}"),
        None => format!("http://{host}{path}"),
    };
    uri.parse().map_err(|_invalid| BuildError::BaseUrl {
        provider: settings.name.clone(),
        problem: "is not an address that can be called",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(kind: ProviderKind, base_url: Option<&str>) -> ProviderSettings {
        ProviderSettings {
            base_url: base_url.map(|url| url.parse().unwrap()),
            ..ProviderSettings::new("alpha", kind)
        }
    }

    #[test]
    fn the_path_follows_from_the_kind() {
        let cases = [
            (
                ProviderKind::Openai,
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/chat/completions",
            ),
            (
                ProviderKind::OpenaiCompatible,
                "http://[::1]:9100/v1/",
                "http://[::1]:9100/v1/chat/completions",
            ),
            (
                ProviderKind::Openrouter,
                "https://x.test/api/v1?a=1#b",
                "https://x.test/api/v1/chat/completions?a=1",
            ),
            (
                ProviderKind::Ollama,
                "http://127.0.0.1:11434",
                "http://127.0.0.1:11434/v1/chat/completions",
            ),
        ];
        for (kind, base_url, expected) in cases {
            let uri = endpoint(&settings(kind, Some(base_url)), "/chat/completions").unwrap();
            assert_eq!(uri.to_string(), expected);
        }
    }

    #[test]
    fn the_client_calls_every_address_as_http_and_the_kind_of_connection_has_the_tls() {
        let cases = [
            (
                "https://api.test/v1?a=1",
                "http://api.test:443/v1?a=1",
                "api.test",
                true,
            ),
            (
                "https://api.test:8443/v1",
                "http://api.test:8443/v1",
                "api.test:8443",
                true,
            ),
            ("http://127.0.0.1/v1", "http://127.0.0.1:80/v1", "127.0.0.1", false),
            ("http://[::1]:9100/v1", "http://[::1]:9100/v1", "[::1]:9100", false),
        ];
        for (base_url, called, authority, tls) in cases {
            let settings = settings(ProviderKind::Openai, Some(base_url));
            let url: Url = base_url.parse().unwrap();
            assert_eq!(client_uri(&settings, &url).unwrap().to_string(), called);
            assert_eq!(url.authority(), authority, "the host that is sent");
            assert_eq!(connection_kind(&settings, Duration::ZERO).tls, tls);
        }
    }

    #[test]
    fn an_address_that_cannot_be_called_is_refused() {
        for base_url in [None, Some("ftp://x.test/"), Some("http://user:pass@x.test/v1")] {
            assert!(
                endpoint(&settings(ProviderKind::Openai, base_url), "/models").is_err(),
                "{base_url:?}"
            );
        }
    }
}
