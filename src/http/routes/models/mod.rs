//! `GET /v1/models` and `GET /v1/models/{id}`: the catalogue, in Anthropic's shape for who sends `anthropic-version` and in
//! OpenAI's for all others.

mod anthropic;
mod openai;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{Dialect, ErrorKind, GatewayError};

use crate::http::error::{Failure, dialect_of};
use crate::http::shared::Edge;

pub(super) async fn list(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    std::future::ready(match dialect_of(request.head()) {
        Dialect::AnthropicMessages => anthropic::list(&request, shared),
        _ => openai::list(shared),
    })
    .await
}

/// `name` may have slashes, which some clients send as `%2F`.
pub(super) async fn one(request: HttpRequest, name: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let catalogue = shared.catalogue.load();
    let called = catalogue.called(&name);
    let Some(model) = called.as_ref().and_then(|(_, models)| models.first()) else {
        let message = "no model has this name; GET /v1/models lists the names";
        return Err(GatewayError::new(ErrorKind::ModelNotFound, message)
            .with_param("model")
            .into());
    };
    std::future::ready(match dialect_of(request.head()) {
        Dialect::AnthropicMessages => anthropic::one(model, shared),
        _ => openai::one(model, shared),
    })
    .await
}
