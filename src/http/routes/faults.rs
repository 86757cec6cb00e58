//! `POST /v1/faults/{actor}`: makes an actor panic. Only in builds for tests.

use actix_web::{HttpResponse, web};
use gateway_actors::protocol::{ErrorKind, GatewayError};

use crate::http::error::Failure;
use crate::http::shared::Edge;

pub(super) async fn post(actor: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    let known = (edge.shared().faults.0)(&actor);
    let answer = if known {
        Ok(HttpResponse::Accepted().finish())
    } else {
        Err(GatewayError::new(ErrorKind::NotFound, "there is no actor of this name").into())
    };
    std::future::ready(answer).await
}
