//! `GET /v1/models` and `GET /v1/models/{id}`: the models that the caller may use, in Anthropic's shape for who sends `anthropic-version` and in
//! OpenAI's for all others.

mod anthropic;
mod openai;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{Dialect, ErrorKind, GatewayError};

use crate::http::error::{Failure, dialect_of};
use crate::http::middleware::Asker;
use crate::http::shared::Edge;

pub(super) async fn list(request: HttpRequest, edge: Edge, Asker(caller): Asker) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let catalogue = shared.catalogue.load();
    let mut models = catalogue.models().to_vec();
    models.retain(|model| caller.may_use(model));
    std::future::ready(match dialect_of(request.head()) {
        Dialect::AnthropicMessages => anthropic::list(&request, shared, &models),
        _ => openai::list(shared, &models),
    })
    .await
}

/// `name` may have slashes, which some clients send as `%2F`.
pub(super) async fn one(
    request: HttpRequest,
    name: web::Path<String>,
    edge: Edge,
    Asker(caller): Asker,
) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let catalogue = shared.catalogue.load();
    let called = catalogue.called(&name);
    let models = called.as_ref().map(|(_, models)| models.as_slice()).unwrap_or_default();
    let Some(model) = models.iter().find(|model| caller.may_use(model)) else {
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
