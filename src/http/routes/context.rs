//! `GET /v1/context/{id}`: a page of a stored conversation, in ascending order; and `DELETE`, which removes it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{ConversationId, ConversationPage, ErrorKind, GatewayError, TodoList};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::timeout_at;

use crate::http::error::Failure;
use crate::http::extract::{Query, deadline};
use crate::http::middleware::{Asker, Incoming};
use crate::http::respond::{json, micros_text};
use crate::http::shared::Edge;

const DEFAULT_LIMIT: u32 = 50;
const LARGEST_LIMIT: i64 = 5_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    conversation_id: &'a ConversationId,
    summary: Option<&'a str>,
    messages: Vec<Message<'a>>,
    todos: Vec<Box<RawValue>>,
    next_before: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    seq: i64,
    role: &'static str,
    content: &'a str,
    status: &'static str,
    created_at: String,
}

pub(super) async fn get(
    request: HttpRequest,
    id: web::Path<String>,
    edge: Edge,
    incoming: Incoming,
    Asker(caller): Asker,
) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let id: ConversationId = id.parse()?;
    let query = Query::parse(request.query_string(), &["limit", "before"])?;
    let limit = query.number("limit", 1..=LARGEST_LIMIT)?;
    let limit = limit
        .and_then(|limit| u32::try_from(limit).ok())
        .unwrap_or(DEFAULT_LIMIT);
    let before = query.number("before", 1..=i64::MAX)?;
    let deadline = deadline(&request, incoming.arrived, shared.settings.default_deadline)?;
    let stored = id.within(caller.tenant().as_deref());
    let page = timeout_at(deadline, shared.conversations.page(stored, limit, before)).await;
    let page = page.map_err(|_elapsed| too_late())??.ok_or_else(unknown)?;
    json(&rendered(&id, &page))
}

/// A turn that runs is not waited for: it finds its conversation gone when it ends.
pub(super) async fn delete(
    request: HttpRequest,
    id: web::Path<String>,
    edge: Edge,
    incoming: Incoming,
    Asker(caller): Asker,
) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let id: ConversationId = id.parse()?;
    Query::parse(request.query_string(), &[])?;
    let deadline = deadline(&request, incoming.arrived, shared.settings.default_deadline)?;
    let stored = id.within(caller.tenant().as_deref());
    let deleted = timeout_at(deadline, shared.conversations.delete_conversation(stored)).await;
    if !deleted.map_err(|_elapsed| too_late())?? {
        return Err(unknown().into());
    }
    Ok(HttpResponse::build(StatusCode::NO_CONTENT).finish())
}

fn rendered<'a>(id: &'a ConversationId, page: &'a ConversationPage) -> Page<'a> {
    let messages = page.messages.iter().map(|message| Message {
        seq: message.seq,
        role: message.role.as_str(),
        content: &message.content,
        status: message.status.as_str(),
        created_at: micros_text(message.created_at),
    });
    Page {
        conversation_id: id,
        summary: page.summary.as_deref(),
        messages: messages.collect(),
        todos: page.todos.iter().filter_map(|todo| shown(todo)).collect(),
        next_before: page.next_before,
    }
}

/// A list as it is told: what came of its steps is in the answers.
fn shown(todo: &str) -> Option<Box<RawValue>> {
    let list = serde_json::from_str::<TodoList>(todo);
    let told = list.and_then(|list| to_raw_value(&list.without_results()));
    told.or_else(|_no_list| RawValue::from_string(todo.to_owned())).ok()
}

fn unknown() -> GatewayError {
    GatewayError::new(ErrorKind::NotFound, "there is no conversation of this id")
}

fn too_late() -> GatewayError {
    GatewayError::new(
        ErrorKind::DeadlineExceeded,
        "the database did not answer before the request's deadline; try again or allow more time",
    )
}
