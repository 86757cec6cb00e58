//! `POST /v1/messages` and `POST /v1/messages/count_tokens`: Anthropic's Messages, whole or streamed, and their size.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::Dialect;

use super::generate::Asked;
use crate::dialects::anthropic_messages::MessagesRequest;
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::shared::Edge;

/// Names the betas that the body makes use of; a provider of this dialect needs to know them too.
static ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Names the version of the API by whose rules the client is to be answered.
static ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// More betas than any client names.
const MOST_BETA_BYTES: usize = 4 * 1024;

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.messages);
    let (betas, version) = (betas(request.headers()), version(request.headers()));
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let message = MessagesRequest::scan(asked.body())?.with_betas(betas);
    let message = message.with_version(version);
    asked.answer(Dialect::AnthropicMessages, message).await
}

pub(super) async fn count_tokens(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.count_tokens);
    let (betas, version) = (betas(request.headers()), version(request.headers()));
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let message = MessagesRequest::scan_for_count(asked.body())?.with_betas(betas);
    let message = message.with_version(version);
    asked.answer(Dialect::AnthropicMessages, message).await
}

/// The version that the client names; an empty one where it names what no version is.
fn version(headers: &HeaderMap) -> Option<Arc<str>> {
    let mut values = headers.get_all(&ANTHROPIC_VERSION);
    let value = values.next()?;
    let is_one = values.next().is_none();
    Some(value.to_str().ok().filter(|_| is_one).unwrap_or_default().into())
}

/// The values of all headers of this name as one.
fn betas(headers: &HeaderMap) -> Option<Arc<str>> {
    let values = headers.get_all(&ANTHROPIC_BETA).filter_map(|value| value.to_str().ok());
    let values: Vec<&str> = values.collect();
    let joined = values.join(",");
    (!joined.is_empty() && joined.len() <= MOST_BETA_BYTES).then(|| joined.into())
}
