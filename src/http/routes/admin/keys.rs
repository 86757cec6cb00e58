//! `/v1/admin/keys`: virtual keys. The key itself is in the answers that make it and in no other.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{ErrorKind, GatewayError, KeyId};
use serde::Serialize;

use super::{LARGEST_PAGE, administration, body, page};
use crate::admin::{KeyDraft, ShownKey, grace, key_change};
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::{json, json_with};
use crate::http::shared::Edge;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    keys: Vec<ShownKey>,
    has_more: bool,
}

/// `POST /v1/admin/keys`.
pub(in crate::http::routes) async fn create(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let draft = KeyDraft::parse(&body(&request, payload, &edge).await?)?;
    json_with(StatusCode::CREATED, &administration(&edge).create(draft).await?)
}

/// `GET /v1/admin/keys`.
pub(in crate::http::routes) async fn list(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    let query = Query::parse(request.query_string(), &["limit", "after"])?;
    let limit = page(query.number("limit", 1..=LARGEST_PAGE)?);
    let after = match query.text("after") {
        Some(after) => Some(
            after
                .parse::<KeyId>()
                .map_err(|error| GatewayError::invalid("after", format!("`after` must be {}", error.must_be)))?,
        ),
        None => None,
    };
    // One more than asked for tells whether there are more.
    let most = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let mut keys = administration(&edge).list(after, most).await?;
    let has_more = keys.len() > limit;
    keys.truncate(limit);
    json(&Page { keys, has_more })
}

/// `GET /v1/admin/keys/{id}`.
pub(in crate::http::routes) async fn get(id: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    json(&administration(&edge).get(&key_id(&id)?).await?)
}

/// `PATCH /v1/admin/keys/{id}`.
pub(in crate::http::routes) async fn update(
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let id = key_id(&id)?;
    let change = key_change(&body(&request, payload, &edge).await?)?;
    json(&administration(&edge).update(&id, change).await?)
}

/// `DELETE /v1/admin/keys/{id}`: the key is refused from then on; what is known of it stays.
pub(in crate::http::routes) async fn revoke(id: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    json(&administration(&edge).revoke(&key_id(&id)?).await?)
}

/// `POST /v1/admin/keys/{id}/rotate`.
pub(in crate::http::routes) async fn rotate(
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let id = key_id(&id)?;
    // Whoever wants no grace need not send a body, nor say what it is.
    let is_json = request.headers().contains_key(actix_web::http::header::CONTENT_TYPE);
    let grace = match is_json {
        true => grace(&body(&request, payload, &edge).await?)?,
        false => grace(b"")?,
    };
    json(&administration(&edge).rotate(&id, grace).await?)
}

/// What cannot be an id is as little there as one that is unknown.
fn key_id(text: &str) -> Result<KeyId, GatewayError> {
    text.parse()
        .map_err(|_unknown| GatewayError::new(ErrorKind::NotFound, "there is no key of this id"))
}
