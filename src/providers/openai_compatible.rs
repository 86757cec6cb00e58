//! Providers that speak OpenAI chat completions over HTTP.

use std::fmt;
use std::rc::Rc;

use actix_http::HttpMessage as _;
use awc::http::Uri;
use awc::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use awc::{Client, ClientRequest, FrozenClientRequest};
use gateway_actors::protocol::{UpstreamCall, UpstreamFailure, UpstreamReply};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::BuildError;
use super::failure::from_send_error;
use super::reply::{Reading, read_reply};
use super::watchdog::Watchdog;
use crate::config::{ProviderKind, ProviderSettings, UpstreamLimits, UpstreamTimeouts};

/// One provider, with everything about its requests prepared that does not change from one to the next.
pub(super) struct OpenAiCompatible {
    request: FrozenClientRequest,
    key: Option<SecretString>,
    timeouts: UpstreamTimeouts,
    limits: UpstreamLimits,
}

impl OpenAiCompatible {
    /// Prepares the requests to a provider.
    pub(super) fn new(settings: &ProviderSettings, client: &Client) -> Result<Self, BuildError> {
        let uri = endpoint(settings, "/chat/completions")?;
        let request = client
            .post(&uri)
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        Ok(Self {
            request: prepare(request, settings)?,
            key: settings.api_key.clone(),
            timeouts: settings.timeouts,
            limits: settings.limits,
        })
    }

    /// Makes one call.
    pub(super) async fn call(self: Rc<Self>, call: UpstreamCall) -> Result<UpstreamReply, UpstreamFailure> {
        let mut watchdog = Watchdog::start(&self.timeouts, call.deadline)?;
        let sent = self.request.send_body(call.request.body_for(&call.model));
        let mut response = watchdog.guard(sent).await?.map_err(|error| from_send_error(&error))?;
        let source = response.take_payload();
        let reading = Reading {
            limits: self.limits,
            stream: call.stream,
            forwards_usage: call.request.forwards_usage(),
            key: self.key.as_ref(),
        };
        read_reply(response.status(), response.headers(), source, watchdog, reading).await
    }
}

impl fmt::Debug for OpenAiCompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiCompatible")
            .field("uri", self.request.get_uri())
            .finish_non_exhaustive()
    }
}

/// The request for a provider's list of models.
pub(super) fn models_request(settings: &ProviderSettings, client: &Client) -> Result<FrozenClientRequest, BuildError> {
    prepare(client.get(&endpoint(settings, "/models")?), settings)
}

/// Adds what all requests to a provider have.
fn prepare(request: ClientRequest, settings: &ProviderSettings) -> Result<FrozenClientRequest, BuildError> {
    let mut request = request
        .no_decompress()
        .insert_header((ACCEPT_ENCODING, HeaderValue::from_static("identity")))
        .insert_header((
            USER_AGENT,
            HeaderValue::from_static(concat!("ai-mcp-gateway/", env!("CARGO_PKG_VERSION"))),
        ));
    // Left out, it would be made anew for every request.
    let host = request.get_uri().authority();
    if let Some(host) = host.and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
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
fn endpoint(settings: &ProviderSettings, path: &str) -> Result<Uri, BuildError> {
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
    url.as_str()
        .parse()
        .map_err(|_invalid| wrong("is not an address that can be called"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_actors::protocol::ProviderName;

    fn settings(kind: ProviderKind, base_url: Option<&str>) -> ProviderSettings {
        ProviderSettings {
            name: ProviderName::from("alpha"),
            kind,
            base_url: base_url.map(|url| url.parse().unwrap()),
            api_key_env: None,
            api_key: None,
            max_in_flight: 1,
            timeouts: UpstreamTimeouts::default(),
            limits: UpstreamLimits::default(),
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
    fn an_address_that_cannot_be_called_is_refused() {
        for base_url in [None, Some("ftp://x.test/"), Some("http://user:pass@x.test/v1")] {
            assert!(
                endpoint(&settings(ProviderKind::Openai, base_url), "/models").is_err(),
                "{base_url:?}"
            );
        }
    }
}
