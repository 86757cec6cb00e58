//! Answers that are kept: read again, and deleted.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use gateway_actors::protocol::{ErrorKind, GatewayError, ResponseId, StoredResponse};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialects::openai_responses::with_item_ids;
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::middleware::Asker;
use crate::http::respond::{JSON, json};
use crate::http::shared::Edge;

/// Items on a page where the client does not say, and at most.
const PAGE: i64 = 20;
const LARGEST_PAGE: i64 = 100;

/// `GET /v1/responses/{id}`: the answer as its client got it.
pub(in crate::http::routes) async fn get(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    refuse_stream(&request)?;
    let stored = stored(&request, &edge).await?;
    let body = Bytes::copy_from_slice(stored.body.as_bytes());
    Ok(HttpResponse::Ok()
        .insert_header((actix_web::http::header::CONTENT_TYPE, JSON))
        .body(body))
}

/// The events of an answer are not kept. What else there is in the query says nothing of a whole answer.
fn refuse_stream(request: &HttpRequest) -> Result<(), GatewayError> {
    let query = Query::some(request.query_string(), &["stream"])?;
    if query.text("stream").is_some_and(|stream| stream != "false") {
        let message = "`stream`: the events of an answer are not kept; leave it out for the whole answer";
        return Err(GatewayError::invalid("stream", message));
    }
    Ok(())
}

#[derive(Serialize)]
struct Deleted<'a> {
    id: &'a str,
    object: &'static str,
    deleted: bool,
}

/// `DELETE /v1/responses/{id}`.
pub(in crate::http::routes) async fn delete(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    let id = id(&request)?;
    let stored = id.within(tenant(&request)?.as_deref());
    if !edge.shared().responses.delete(&stored).await? {
        return Err(not_found().into());
    }
    json(&Deleted {
        id: id.as_str(),
        object: "response",
        deleted: true,
    })
}

#[derive(Serialize)]
struct Items<'a> {
    object: &'static str,
    data: &'a [Box<RawValue>],
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

/// `GET /v1/responses/{id}/input_items`: what the answer's own request gave as input.
pub(in crate::http::routes) async fn input_items(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    let query = Query::some(request.query_string(), &["limit", "order", "after"])?;
    let limit = query.number("limit", 1..=LARGEST_PAGE)?.unwrap_or(PAGE);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let newest_first = match query.text("order") {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(_) => return Err(GatewayError::invalid("order", "`order` must be asc or desc").into()),
    };
    let stored = stored(&request, &edge).await?;
    let mut items = with_item_ids(stored.id.client_text(), &stored.input);
    if newest_first {
        items.reverse();
    }
    let from = match query.text("after") {
        None => 0,
        Some(after) => match items.iter().position(|(id, _)| id == after) {
            Some(place) => place + 1,
            None => return Err(GatewayError::invalid("after", "`after` is no id of an item here").into()),
        },
    };
    let has_more = items.len() > from.saturating_add(limit);
    let (ids, data): (Vec<String>, Vec<Box<RawValue>>) = items.into_iter().skip(from).take(limit).unzip();
    json(&Items {
        object: "list",
        data: &data,
        first_id: ids.first().cloned(),
        last_id: ids.last().cloned(),
        has_more,
    })
}

async fn stored(request: &HttpRequest, edge: &Edge) -> Result<StoredResponse, Failure> {
    let id = id(request)?.within(tenant(request)?.as_deref());
    let found = edge.shared().responses.get(&id).await?;
    Ok(found.ok_or_else(not_found)?)
}

/// Whose answers the caller sees.
fn tenant(request: &HttpRequest) -> Result<Option<Arc<str>>, Failure> {
    let Asker(caller) = Asker::of(request)?;
    Ok(caller.tenant())
}

/// What cannot be an id is as little there as one that is unknown.
fn id(request: &HttpRequest) -> Result<ResponseId, GatewayError> {
    let id = request.match_info().get("id").unwrap_or_default();
    id.parse().map_err(|_unknown| not_found())
}

fn not_found() -> GatewayError {
    let message = "there is no such answer: it was never kept, was deleted or has expired";
    GatewayError::new(ErrorKind::NotFound, message)
}
