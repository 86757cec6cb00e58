//! `POST /v1/embeddings`: OpenAI's embeddings: texts become vectors.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::Dialect;

use super::generate::Asked;
use crate::dialects::openai_embeddings::EmbeddingsRequest;
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::shared::Edge;

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.embeddings);
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let embedding = EmbeddingsRequest::scan(asked.body())?;
    asked.answer(Dialect::OpenaiChat, embedding).await
}
