//! The one wrapper around every route: what is the same for all of them, in the order in which it happens.

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{self, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use gateway_actors::protocol::{Caller, Dialect, ErrorKind, GatewayError, RequestId};
use tokio::time::Instant;

use super::{Access, Place, Unanswered};
use crate::config::ExhaustedStatus;
use crate::http::connection::{Traffic, UnderWay};
use crate::http::error::{self, ErrorShape, Failure};
use crate::http::rates;
use crate::http::routes::{Lane, Rule};
use crate::http::shared::Edge;
use crate::limits::Entered;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Anthropic's clients know it by this name.
static REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// What is known of a request before its handler runs. The id is always the gateway's own: one that the client sends
/// is not looked at, so that it can neither clash with another nor end up in a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    /// Its id.
    pub(crate) id: RequestId,
    /// When its head was there.
    pub(crate) arrived: Instant,
}

impl Incoming {
    pub(super) fn now() -> Self {
        Self {
            id: RequestId::generate(),
            arrived: Instant::now(),
        }
    }
}

impl FromRequest for Incoming {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(request.extensions().get().copied().ok_or_else(Failure::internal))
    }
}

/// Who asks, as the guard found it.
#[derive(Debug, Clone)]
pub(crate) struct Asker(pub(crate) Caller);

impl Asker {
    /// Who sends this request.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Failure> {
        // A route where everybody may come in has no use for this.
        request.extensions().get().cloned().ok_or_else(Failure::internal)
    }
}

impl FromRequest for Asker {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

/// Guards a route by its rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    rule: &'static Rule,
}

impl Guard {
    pub(crate) fn new(rule: &'static Rule) -> Self {
        Self { rule }
    }
}

impl<S> Transform<S, ServiceRequest> for Guard
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type InitError = ();
    type Transform = Guarded<S>;
    type Future = Ready<Result<Guarded<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let (service, rule) = (Rc::new(service), self.rule);
        ready(Ok(Guarded { service, rule }))
    }
}

/// A guarded route.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    service: Rc<S>,
    rule: &'static Rule,
}

impl<S> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<ServiceResponse, Error>>;

    dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        Box::pin(guarded(Rc::clone(&self.service), self.rule, request))
    }
}

async fn guarded<S>(service: Rc<S>, rule: &'static Rule, request: ServiceRequest) -> Result<ServiceResponse, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    let edge = Edge::of(request.request())?;
    let incoming = Incoming::now();
    request.extensions_mut().insert(incoming);
    let http = request.request().clone();
    let on_connection = http.conn_data().map(Traffic::begin);
    let mut visit = Visit::new(edge.clone(), incoming, rule.lane, on_connection);
    let inner = async {
        visit.enter(rule.access, &http).await?;
        service.call(request).await
    };
    let outcome = tokio::select! {
        biased;
        outcome = AssertUnwindSafe(inner).catch_unwind() => outcome,
        () = edge.cut() => Ok(Err(too_late_to_finish().into())),
    };
    http.extensions_mut().remove::<Unanswered>();
    let outcome = outcome.unwrap_or_else(|_panic| Err(Failure::internal().into()));
    let response = match outcome {
        Ok(response) => response.into_parts().1,
        Err(error) => HttpResponse::from_error(error),
    };
    let shape = rule.errors.of(http.head());
    let mut response = match failure_of(&response) {
        Some(failure) => {
            let exhausted = edge.shared().exhausted_status;
            log_failure(failure.error(), exhausted, incoming, rule, http.method());
            if failure.closes_connection()
                && let Some(on_connection) = &mut visit.on_connection
            {
                on_connection.close_after();
            }
            failure.render(shape, exhausted, incoming.id)
        }
        None => response,
    };
    add_headers(&mut response, incoming.id, rule.access, shape);
    rates::add_headers(&mut response, &http, shape);
    tracing::debug!(
        request_id = %incoming.id,
        method = %http.method(),
        path = rule.path,
        status = response.status().as_u16(),
        "request answered"
    );
    if http.version() < Version::HTTP_11 && response.body().size() == BodySize::Stream {
        end_with_the_connection(&mut response);
    }
    let response = response.map_body(|_, body| visit.attend(body));
    Ok(ServiceResponse::new(http, response))
}

/// A request's stay: its place among those under way, and its time. Ends when this is dropped.
#[derive(Debug)]
struct Visit {
    edge: Edge,
    incoming: Incoming,
    lane: Lane,
    place: Option<Place>,
    entered: Option<Arc<Entered>>,
    on_connection: Option<UnderWay>,
}

impl Visit {
    fn new(edge: Edge, incoming: Incoming, lane: Lane, on_connection: Option<UnderWay>) -> Self {
        Self {
            edge,
            incoming,
            lane,
            place: None,
            entered: None,
            on_connection,
        }
    }

    async fn enter(&mut self, access: Access, request: &HttpRequest) -> Result<(), Failure> {
        if let Some(caller) = access.check(request.head(), &self.edge.shared().auth).await? {
            request.extensions_mut().insert(Asker(caller));
        }
        if self.lane == Lane::Work {
            self.entered = rates::enter(request, self.edge.shared()).await?;
            let (place, unanswered) = self.edge.shared().admission.enter(request.method()).await?;
            self.place = Some(place);
            if let Some(unanswered) = unanswered {
                request.extensions_mut().insert(unanswered);
            }
        }
        Ok(())
    }

    /// Stays until the body is sent if it is sent piece by piece; else leaves now.
    fn attend(self, body: BoxBody) -> BoxBody {
        match body.size() {
            BodySize::Stream => BoxBody::new(AttendedBody { body, _visit: self }),
            BodySize::None | BodySize::Sized(_) => body,
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.lane == Lane::Work {
            self.edge.shared().requests.add(self.incoming.arrived.elapsed());
        }
    }
}

/// A body whose request is under way until the body ends or the client leaves.
struct AttendedBody {
    body: BoxBody,
    _visit: Visit,
}

impl MessageBody for AttendedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(cx)
    }
}

/// HTTP/1.0 knows no chunks: what says nothing of its length ends where the connection does (RFC 9112, section 6.3).
fn end_with_the_connection(response: &mut HttpResponse) {
    let head = response.head_mut();
    head.no_chunking(true);
    head.set_connection_type(ConnectionType::Close);
}

fn too_late_to_finish() -> Failure {
    let message = "the gateway shut down before the answer was there; send the request again";
    let error = GatewayError::new(ErrorKind::Draining, message);
    error.with_retry_after(Duration::from_secs(1)).into()
}

/// The failure behind an error response; a foreign error that should not be there counts as a defect.
fn failure_of(response: &HttpResponse) -> Option<Cow<'_, Failure>> {
    let error = response.error()?;
    match error.as_error::<Failure>() {
        Some(failure) => Some(Cow::Borrowed(failure)),
        None => Some(Cow::Owned(Failure::internal())),
    }
}

/// One line per failed request: what and where, never what was said.
pub(super) fn log_failure(
    error: &GatewayError,
    exhausted: ExhaustedStatus,
    incoming: Incoming,
    rule: &Rule,
    method: &Method,
) {
    let status = error::status(error.kind, exhausted);
    let kind = error.kind.as_str();
    // A name that is not the gateway's own was made up by the client, and may say anything.
    let param = error.param.as_ref().and_then(|param| match param {
        Cow::Borrowed(name) => Some(*name),
        Cow::Owned(_) => None,
    });
    let duration_ms = u64::try_from(incoming.arrived.elapsed().as_millis()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id = %incoming.id,
                kind,
                param,
                status = status.as_u16(),
                method = %method,
                path = rule.path,
                duration_ms,
                "request failed"
            )
        };
    }
    if status.is_server_error() {
        line!(warn)
    } else {
        line!(info)
    }
}

pub(super) fn add_headers(response: &mut HttpResponse, id: RequestId, access: Access, shape: ErrorShape) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.text()) {
        if shape == ErrorShape::Client(Dialect::AnthropicMessages) {
            headers.insert(REQUEST_ID.clone(), id.clone());
        }
        headers.insert(X_REQUEST_ID.clone(), id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if access != Access::Open {
        headers.insert(header::VARY, HeaderValue::from_static("authorization, x-api-key"));
    }
}
