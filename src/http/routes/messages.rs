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

/// More betas than any client names.
const MOST_BETA_BYTES: usize = 4 * 1024;

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.messages);
    let betas = betas(request.headers());
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let message = MessagesRequest::scan(asked.body())?.with_betas(betas);
    asked.answer(Dialect::AnthropicMessages, message).await
}

pub(super) async fn count_tokens(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.count_tokens);
    let betas = betas(request.headers());
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let message = MessagesRequest::scan_for_count(asked.body())?.with_betas(betas);
    asked.answer(Dialect::AnthropicMessages, message).await
}

/// The values of all headers of this name as one.
fn betas(headers: &HeaderMap) -> Option<Arc<str>> {
    let values = headers.get_all(&ANTHROPIC_BETA).filter_map(|value| value.to_str().ok());
    let values: Vec<&str> = values.collect();
    let joined = values.join(",");
    (!joined.is_empty() && joined.len() <= MOST_BETA_BYTES).then(|| joined.into())
}
