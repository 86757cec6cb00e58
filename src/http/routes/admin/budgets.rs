//! `/v1/admin/budgets`: what may be spent.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::GatewayError;
use serde::Serialize;

use super::{LARGEST_PAGE, administration, body, page};
use crate::admin::{ShownBudget, budget_rule, scope};
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::json;
use crate::http::shared::Edge;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    budgets: Vec<ShownBudget>,
    has_more: bool,
}

/// `GET /v1/admin/budgets`.
pub(in crate::http::routes) async fn list(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    let query = Query::parse(request.query_string(), &["limit", "after"])?;
    let limit = page(query.number("limit", 1..=LARGEST_PAGE)?);
    let after = query.text("after").map(scope).transpose();
    let after = after.map_err(|error: GatewayError| error.with_param("after"))?;
    // One more than asked for tells whether there are more.
    let mut budgets = administration(&edge).budgets(after, limit + 1).await?;
    let has_more = budgets.len() > limit;
    budgets.truncate(limit);
    json(&Page { budgets, has_more })
}

/// `PUT /v1/admin/budgets/{scope}`.
pub(in crate::http::routes) async fn put(
    request: HttpRequest,
    payload: web::Payload,
    of: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let of = scope(&of)?;
    let rule = budget_rule(&body(&request, payload, &edge).await?)?;
    json(&administration(&edge).set_budget(of, rule).await?)
}

/// `GET /v1/admin/budgets/{scope}`.
pub(in crate::http::routes) async fn get(of: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    json(&administration(&edge).budget(scope(&of)?).await?)
}

/// `DELETE /v1/admin/budgets/{scope}`.
pub(in crate::http::routes) async fn delete(of: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    administration(&edge).delete_budget(scope(&of)?).await?;
    Ok(HttpResponse::build(StatusCode::NO_CONTENT).finish())
}
