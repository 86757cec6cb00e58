//! `POST /v1/responses`: OpenAI's Responses, whole or streamed, and what is kept of them: `GET` and `DELETE
//! /v1/responses/{id}`, `GET /v1/responses/{id}/input_items`.
//!
//! The gateway keeps answers itself, whichever provider gave them, unless the request says `store: false`: so a request
//! may go on from an answer (`previous_response_id`) at another provider, or at one that keeps nothing.

mod history;
mod keep;
mod stored;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::Dialect;

use self::history::with_history;
use self::keep::Keeping;
pub(super) use self::stored::{delete, get, input_items};
use super::generate::Asked;
use crate::dialects::openai_responses::ResponsesRequest;
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::shared::Edge;

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let shared = Arc::clone(edge.shared());
    let endpoint = Arc::clone(&shared.endpoints.responses);
    let asked = Asked::read(request, payload, edge, incoming, endpoint).await?;
    let response = ResponsesRequest::scan(asked.body())?;
    let tenant = asked.caller().tenant();
    let keeping = Keeping::of(&response, &shared, incoming.id, tenant.clone())?;
    let response = with_history(response, &shared, tenant.as_deref()).await?;
    let response = if shared.response_settings.store {
        response
    } else {
        response.not_kept()?
    };
    match keeping {
        Some(keeping) => {
            asked
                .answer_and_keep(Dialect::OpenaiResponses, response, Box::new(keeping))
                .await
        }
        None => asked.answer(Dialect::OpenaiResponses, response).await,
    }
}
