//! Providers that are called over HTTP, in whichever dialect a model of theirs is asked.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use awc::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use awc::{ClientRequest, FrozenClientRequest};
use futures_util::StreamExt as _;
use gateway_actors::protocol::{
    Billing, Dialect, FailureKind, IdMap, Model, Operation, Outgoing, UpstreamCall, UpstreamFailure, UpstreamReply,
};
use secrecy::ExposeSecret as _;

use super::BuildError;
use super::client::{Client, ConnectionKind};
use super::endpoints::Endpoints;
use super::failure::from_send_error;
use super::reply::{Reading, read_reply};
use super::resting::Call;
use super::watchdog::Watchdog;
use super::wire::Wire;
use crate::config::ProviderSettings;

/// One provider, with everything about its requests prepared that does not change from one to the next.
pub(super) struct HttpProvider {
    client: Client,
    endpoints: Endpoints,
    headers: Vec<(HeaderName, HeaderValue)>,
    settings: ProviderSettings,
    /// Requests that were made before, without their bodies.
    prepared: RefCell<IdMap<Route, Rc<Wire>>>,
}

/// The dialect in which a model answers. Texts are gone on with in OpenAI's way by providers of every dialect.
fn answered_in(model: &Model, operation: Operation) -> Dialect {
    match operation {
        Operation::CompleteText => Dialect::OpenaiChat,
        Operation::Generate | Operation::Embed | Operation::CountTokens => model.dialect,
    }
}

/// What a request's address follows from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Route {
    dialect: Dialect,
    operation: Operation,
    stream: bool,
    /// The model, where its name is in the address.
    api_model: Option<Arc<str>>,
}

impl HttpProvider {
    /// Prepares the requests to a provider.
    pub(super) fn new(settings: &ProviderSettings, client: &Client) -> Result<Self, BuildError> {
        Ok(Self {
            client: client.clone(),
            endpoints: Endpoints::of(settings)?,
            headers: headers(settings)?,
            settings: settings.clone(),
            prepared: RefCell::default(),
        })
    }

    /// Makes one call.
    pub(super) async fn call(self: Rc<Self>, call: UpstreamCall) -> Result<UpstreamReply, UpstreamFailure> {
        let mut watchdog = Watchdog::start(&self.settings.timeouts, call.deadline)?;
        let wire = self.prepared(&call.model, call.operation, call.stream)?;
        let connected = Call::begin();
        let sent = Rc::clone(&connected).send(wire.send(headers_of(&call.outgoing), &call.outgoing.body));
        let mut response = watchdog.guard(sent).await?.map_err(|error| from_send_error(&error))?;
        // The connection is in use until the last of the answer is read, or nobody wants it any more.
        let source = response.take_payload().inspect(move |_chunk| {
            let _in_use = &connected;
        });
        let reading = Reading {
            limits: self.settings.limits,
            stream: call.stream,
            operation: call.operation,
            dialect: answered_in(&call.model, call.operation),
            vendor: call.model.vendor,
            form: &call.outgoing.answer,
            key: self.settings.api_key.as_ref(),
        };
        read_reply(response.status(), response.headers(), source, watchdog, reading).await
    }

    /// The way of such a call, made once.
    fn prepared(&self, model: &Model, operation: Operation, stream: bool) -> Result<Rc<Wire>, UpstreamFailure> {
        let names_the_model = self.endpoints.names_the_model(model.dialect);
        let route = Route {
            dialect: model.dialect,
            operation,
            // It is in the address of one dialect only.
            stream: stream && model.dialect == Dialect::Gemini,
            api_model: names_the_model.then(|| Arc::clone(&model.api_model)),
        };
        if let Some(wire) = self.prepared.borrow().get(&route) {
            return Ok(Rc::clone(wire));
        }
        let unable = |detail| UpstreamFailure::new(FailureKind::ModelGone, Billing::NotBilled, detail);
        let uri = self
            .endpoints
            .of_call(model, operation, stream)
            .ok_or_else(|| unable("its provider cannot be asked for this"))?;
        let request = self
            .client
            .post(uri)
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        let request =
            freeze(request, &self.headers).ok_or_else(|| unable("its provider's address cannot be called"))?;
        let wire = Rc::new(self.client.wire(&request));
        self.prepared.borrow_mut().insert(route, Rc::clone(&wire));
        Ok(wire)
    }
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

/// The headers that only this request has.
fn headers_of(outgoing: &Outgoing) -> Option<HeaderMap> {
    if outgoing.headers.is_empty() {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(outgoing.headers.len());
    for (name, value) in &outgoing.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    Some(headers)
}

/// The connections that this provider needs, each to be made within this time.
pub(super) fn connection_kind(settings: &ProviderSettings, timeout: Duration) -> ConnectionKind {
    let tls = settings.base_url.as_ref().is_some_and(|url| url.scheme() == "https");
    ConnectionKind { timeout, tls }
}

/// The request for a provider's list of models.
pub(super) fn models_request(settings: &ProviderSettings, client: &Client) -> Result<FrozenClientRequest, BuildError> {
    let uri = Endpoints::of(settings)?.models();
    let headers = headers(settings)?;
    uri.and_then(|uri| freeze(client.get(uri), &headers))
        .ok_or_else(|| BuildError::BaseUrl {
            provider: settings.name.clone(),
            problem: "cannot be called",
        })
}

fn freeze(request: ClientRequest, headers: &[(HeaderName, HeaderValue)]) -> Option<FrozenClientRequest> {
    let mut request = request.no_decompress();
    for header in headers {
        request = request.append_header(header.clone());
    }
    request.freeze().ok()
}

/// What all requests to a provider have.
fn headers(settings: &ProviderSettings) -> Result<Vec<(HeaderName, HeaderValue)>, BuildError> {
    let mut headers = vec![
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        (
            USER_AGENT,
            HeaderValue::from_static(concat!("ai-mcp-gateway/", env!("CARGO_PKG_VERSION"))),
        ),
    ];
    let authority = Endpoints::of(settings)?;
    // Left out, it would be made anew for every request.
    if let Ok(host) = HeaderValue::from_str(authority.authority()) {
        headers.push((HOST, host));
    }
    if settings.kind.dialect() == Dialect::AnthropicMessages
        && let Ok(version) = HeaderValue::from_str(&settings.anthropic_version)
    {
        headers.push((HeaderName::from_static("anthropic-version"), version));
    }
    for (name, value) in settings.headers.iter() {
        if let (Ok(name), Ok(value)) = (name.parse(), value.parse()) {
            headers.push((name, value));
        }
    }
    if let Some(key) = &settings.api_key {
        let placement = settings.kind.key_placement();
        let value = format!("{}{}", placement.prefix(), key.expose_secret());
        let mut value = HeaderValue::from_str(&value).map_err(|_secret| BuildError::Key {
            provider: settings.name.clone(),
        })?;
        value.set_sensitive(true);
        headers.push((HeaderName::from_static(placement.header()), value));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProviderKind;

    #[test]
    fn the_kind_of_connection_has_the_tls() {
        for (base_url, tls) in [("https://api.test/v1", true), ("http://127.0.0.1/v1", false)] {
            let mut settings = ProviderSettings::new("alpha", ProviderKind::Openai);
            settings.base_url = Some(base_url.parse().unwrap());
            assert_eq!(connection_kind(&settings, Duration::ZERO).tls, tls);
        }
    }

    #[test]
    fn each_kind_sends_its_key_where_its_vendor_looks_for_it() {
        for (kind, name, value) in [
            (ProviderKind::Openai, "authorization", "Bearer sk-1"),
            (ProviderKind::Anthropic, "x-api-key", "sk-1"),
            (ProviderKind::Gemini, "x-goog-api-key", "sk-1"),
        ] {
            let mut settings = ProviderSettings::new("alpha", kind);
            settings.api_key = Some("sk-1".into());
            let headers = headers(&settings).unwrap();
            let found = headers.iter().find(|(known, _)| known == name).unwrap();
            assert_eq!(found.1, value);
            assert!(found.1.is_sensitive());
            let version = headers.iter().any(|(known, _)| known == "anthropic-version");
            assert_eq!(version, kind == ProviderKind::Anthropic);
        }
    }
}
