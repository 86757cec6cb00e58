//! `POST /v1/chat/completions`: OpenAI's chat completions, whole or streamed. Stores no conversation.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::Dialect;

use super::generate::Asked;
use crate::dialects::openai_chat::ChatCompletionsRequest;
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::shared::Edge;

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.chat_completions);
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let completion = ChatCompletionsRequest::scan(asked.body())?;
    asked.answer(Dialect::OpenaiChat, completion).await
}
