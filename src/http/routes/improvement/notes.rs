//! `/v1/improvement/heuristics` and `…/bugs`: notes that people make, one kind like the other.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{ErrorKind, GatewayError, Improvement, ImprovementId, ImprovementKind};
use gateway_actors::runtime::unix_micros;
use serde::Serialize;

use super::draft::Draft;
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::{json, json_with, micros_text};
use crate::http::routes::admin::body;
use crate::http::shared::Edge;

/// A note as people are told of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownNote {
    id: ImprovementId,
    title: Arc<str>,
    /// The members of its own kind.
    #[serde(flatten)]
    data: serde_json::Map<String, serde_json::Value>,
    enabled: bool,
    created_at: String,
    updated_at: String,
}

impl ShownNote {
    pub(super) fn of(note: Improvement) -> Result<Self, Failure> {
        Ok(Self {
            id: note.id,
            title: note.title,
            data: serde_json::from_str(&note.data).map_err(|_changed| Failure::internal())?,
            enabled: note.enabled,
            created_at: micros_text(note.created_at),
            updated_at: micros_text(note.updated_at),
        })
    }
}

/// `GET /v1/improvement/heuristics`.
pub(in crate::http::routes) async fn heuristics(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    list(ImprovementKind::Heuristic, &request, &edge).await
}

/// `GET /v1/improvement/bugs`.
pub(in crate::http::routes) async fn bugs(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    list(ImprovementKind::Bug, &request, &edge).await
}

/// `POST /v1/improvement/heuristics`: it applies within seconds.
pub(in crate::http::routes) async fn create_heuristic(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    create(ImprovementKind::Heuristic, &request, payload, &edge).await
}

/// `POST /v1/improvement/bugs`.
pub(in crate::http::routes) async fn create_bug(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    create(ImprovementKind::Bug, &request, payload, &edge).await
}

/// `GET /v1/improvement/heuristics/{id}`.
pub(in crate::http::routes) async fn heuristic(id: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    json(&ShownNote::of(find(ImprovementKind::Heuristic, &id, &edge).await?)?)
}

/// `GET /v1/improvement/bugs/{id}`.
pub(in crate::http::routes) async fn bug(id: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    json(&ShownNote::of(find(ImprovementKind::Bug, &id, &edge).await?)?)
}

/// `PATCH /v1/improvement/heuristics/{id}`.
pub(in crate::http::routes) async fn update_heuristic(
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    update(ImprovementKind::Heuristic, &request, payload, &id, &edge).await
}

/// `PATCH /v1/improvement/bugs/{id}`.
pub(in crate::http::routes) async fn update_bug(
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    update(ImprovementKind::Bug, &request, payload, &id, &edge).await
}

/// `DELETE /v1/improvement/heuristics/{id}`.
pub(in crate::http::routes) async fn delete_heuristic(
    id: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    delete(ImprovementKind::Heuristic, &id, &edge).await
}

/// `DELETE /v1/improvement/bugs/{id}`.
pub(in crate::http::routes) async fn delete_bug(id: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    delete(ImprovementKind::Bug, &id, &edge).await
}

#[derive(Serialize)]
struct Heuristics {
    heuristics: Vec<ShownNote>,
}

#[derive(Serialize)]
struct Bugs {
    bugs: Vec<ShownNote>,
}

async fn list(kind: ImprovementKind, request: &HttpRequest, edge: &Edge) -> Result<HttpResponse, Failure> {
    Query::parse(request.query_string(), &[])?;
    let notes = edge.shared().notebook.improvements(kind).await?;
    let notes = notes.into_iter().map(ShownNote::of).collect::<Result<_, _>>()?;
    match kind {
        ImprovementKind::Heuristic => json(&Heuristics { heuristics: notes }),
        ImprovementKind::Bug => json(&Bugs { bugs: notes }),
    }
}

async fn create(
    kind: ImprovementKind,
    request: &HttpRequest,
    payload: web::Payload,
    edge: &Edge,
) -> Result<HttpResponse, Failure> {
    let body = body(request, payload, edge).await?;
    let shared = edge.shared();
    let Draft { title, data, enabled } = Draft::read(kind, &body, None, &shared.catalogue.load())?;
    let now = unix_micros();
    let note = Improvement {
        id: ImprovementId::generate(),
        kind,
        title,
        data,
        enabled,
        created_at: now,
        updated_at: now,
    };
    shared.notebook.put_improvement(note.clone()).await?;
    json_with(StatusCode::CREATED, &ShownNote::of(note)?)
}

async fn update(
    kind: ImprovementKind,
    request: &HttpRequest,
    payload: web::Payload,
    id: &str,
    edge: &Edge,
) -> Result<HttpResponse, Failure> {
    let body = body(request, payload, edge).await?;
    let note = find(kind, id, edge).await?;
    let before = Draft {
        title: Arc::clone(&note.title),
        data: Arc::clone(&note.data),
        enabled: note.enabled,
    };
    let shared = edge.shared();
    let Draft { title, data, enabled } = Draft::read(kind, &body, Some(before), &shared.catalogue.load())?;
    let note = Improvement {
        title,
        data,
        enabled,
        updated_at: unix_micros(),
        ..note
    };
    if !shared.notebook.put_improvement(note.clone()).await? {
        // It was deleted meanwhile.
        return Err(unknown().into());
    }
    json(&ShownNote::of(note)?)
}

async fn delete(kind: ImprovementKind, id: &str, edge: &Edge) -> Result<HttpResponse, Failure> {
    // One of the other kind is not here.
    let note = find(kind, id, edge).await?;
    if !edge.shared().notebook.delete_improvement(note.id).await? {
        return Err(unknown().into());
    }
    Ok(HttpResponse::build(StatusCode::NO_CONTENT).finish())
}

async fn find(kind: ImprovementKind, id: &str, edge: &Edge) -> Result<Improvement, Failure> {
    let id: ImprovementId = id.parse().map_err(|_unknown| unknown())?;
    let notes = edge.shared().notebook.improvements(kind).await?;
    Ok(notes.into_iter().find(|note| note.id == id).ok_or_else(unknown)?)
}

fn unknown() -> GatewayError {
    GatewayError::new(ErrorKind::NotFound, "there is no note of this id")
}
