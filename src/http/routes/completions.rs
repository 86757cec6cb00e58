//! `POST /v1/completions`: OpenAI's completions before chat, whole or streamed: a plain text is gone on with.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::Dialect;

use super::generate::Asked;
use crate::dialects::openai_completions::CompletionsRequest;
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::shared::Edge;

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.completions);
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let completion = CompletionsRequest::scan(asked.body())?;
    asked.answer(Dialect::OpenaiChat, completion).await
}
