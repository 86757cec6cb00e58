//! `/v1/admin/limits/{scope}`: the rates of projects and users.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::{administration, body};
use crate::admin::{limited_scope, rate_limits};
use crate::http::error::Failure;
use crate::http::respond::json;
use crate::http::shared::Edge;

/// `PUT /v1/admin/limits/{scope}`.
pub(in crate::http::routes) async fn put(
    request: HttpRequest,
    payload: web::Payload,
    of: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let of = limited_scope(&of)?;
    let limits = rate_limits(&body(&request, payload, &edge).await?)?;
    json(&administration(&edge).set_limits(of, limits).await?)
}

/// `GET /v1/admin/limits/{scope}`.
pub(in crate::http::routes) async fn get(of: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    json(&administration(&edge).limits(limited_scope(&of)?).await?)
}

/// `DELETE /v1/admin/limits/{scope}`.
pub(in crate::http::routes) async fn delete(of: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    administration(&edge).delete_limits(limited_scope(&of)?).await?;
    Ok(HttpResponse::build(StatusCode::NO_CONTENT).finish())
}
