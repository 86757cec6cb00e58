//! `POST /v1/escalations/{token}/approve` and `…/reject`: deciding about an offer to go on with a dearer layer.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use gateway_actors::protocol::{
    CallWatcher, Caller, EscalationDecision, EscalationId, GatewayError, NewEscalation, RequestId,
};
use serde::Serialize;
use tokio::time::Instant;

use super::calls::in_time;
use super::{ask, code_agent};
use crate::escalation::{Refusal, Ticket};
use crate::http::error::{ErrorShape, Failure};
use crate::http::extract::{Fields, deadline, read_any_json};
use crate::http::idempotency::{self, Asking};
use crate::http::middleware::{Asker, Incoming};
use crate::http::respond::json;
use crate::http::shared::Edge;

/// The name under which idempotency keys are kept: tokens are in paths, and paths are no names.
const APPROVE: &str = "/v1/escalations/approve";

/// An offer that was approved, for the endpoint that made it.
pub(super) struct Approval {
    pub(super) request: HttpRequest,
    pub(super) edge: Edge,
    pub(super) incoming: Incoming,
    pub(super) caller: Caller,
    pub(super) deadline: Instant,
    /// Is to be told of the request's steps.
    pub(super) watcher: Option<CallWatcher>,
    /// Whether its header says that the answer is to tell why.
    pub(super) explain: bool,
    /// What was offered: nobody else can have it any more.
    pub(super) offer: NewEscalation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RejectedOffer {
    id: EscalationId,
    status: &'static str,
    request_id: RequestId,
}

pub(super) async fn approve(
    request: HttpRequest,
    payload: web::Payload,
    token: web::Path<String>,
    edge: Edge,
    incoming: Incoming,
    Asker(caller): Asker,
) -> Result<HttpResponse, Failure> {
    let explain = ask::is_to_be_explained(request.headers())?;
    let deadline = read_nothing(&request, payload, &edge, incoming).await?;
    let work = Work {
        request: request.clone(),
        edge: edge.clone(),
        incoming,
        caller,
        deadline,
        explain,
        token: token.into_inner(),
    };
    let Some(key) = idempotency::key(request.headers())? else {
        return work.done(None).await;
    };
    // What was answered before is told again to nobody but whom the offer was made to.
    let known = edge.shared().offers.known(&work.token, &work.caller, None);
    in_time(deadline, known).await?;
    let asking = Asking {
        request,
        edge,
        id: incoming.id,
        endpoint: APPROVE.into(),
        body: Bytes::copy_from_slice(work.token.as_bytes()),
        deadline,
        shape: ErrorShape::Native,
    };
    idempotency::once(asking, key, move |once| {
        let watcher = once.watcher();
        work.done(Some(watcher))
    })
    .await
}

pub(super) async fn reject(
    request: HttpRequest,
    payload: web::Payload,
    token: web::Path<String>,
    edge: Edge,
    incoming: Incoming,
    Asker(caller): Asker,
) -> Result<HttpResponse, Failure> {
    let deadline = read_nothing(&request, payload, &edge, incoming).await?;
    let offers = &edge.shared().offers;
    let ticket = in_time(deadline, offers.admit(&token, &caller, None)).await?;
    made_here(&edge, &ticket, deadline).await?;
    in_time(deadline, offers.decide(&ticket, EscalationDecision::Reject)).await?;
    json(&RejectedOffer {
        id: ticket.id,
        status: "rejected",
        request_id: incoming.id,
    })
}

/// An approval that is to be made.
struct Work {
    request: HttpRequest,
    edge: Edge,
    incoming: Incoming,
    caller: Caller,
    deadline: Instant,
    explain: bool,
    token: String,
}

impl Work {
    async fn done(self, watcher: Option<CallWatcher>) -> Result<HttpResponse, Failure> {
        let offers = &self.edge.shared().offers;
        let ticket: Ticket = in_time(self.deadline, offers.admit(&self.token, &self.caller, None)).await?;
        let endpoint = made_here(&self.edge, &ticket, self.deadline).await?;
        let is_of_an_agent = endpoint == self.edge.shared().endpoints.code_agent;
        let offer = in_time(self.deadline, offers.decide(&ticket, EscalationDecision::Approve)).await?;
        let approval = Approval {
            request: self.request,
            edge: self.edge,
            incoming: self.incoming,
            caller: self.caller,
            deadline: self.deadline,
            watcher,
            explain: self.explain,
            offer,
        };
        if is_of_an_agent {
            code_agent::approved(approval).await
        } else {
            ask::approved(approval).await
        }
    }
}

/// The endpoint that made an offer. One of another edge, which alone can go on with it, is no offer here.
async fn made_here(edge: &Edge, ticket: &Ticket, deadline: Instant) -> Result<Arc<str>, Failure> {
    let shared = edge.shared();
    let endpoint = in_time(deadline, shared.offers.find(ticket)).await?.endpoint;
    let endpoints = &shared.endpoints;
    let own = [&endpoints.code_agent, &endpoints.route, &endpoints.chat];
    match own.contains(&&endpoint) {
        true => Ok(endpoint),
        false => Err(GatewayError::from(Refusal::Invalid).into()),
    }
}

/// Reads a request that has nothing to say besides its path: no body, or an empty object. When its answer must be there.
async fn read_nothing(
    request: &HttpRequest,
    payload: web::Payload,
    edge: &Edge,
    incoming: Incoming,
) -> Result<Instant, Failure> {
    let shared = edge.shared();
    let settings = &shared.settings;
    let deadline = deadline(request, incoming.arrived, settings.default_deadline)?;
    let body = read_any_json(request, payload, settings.native_body_bytes, settings, &shared.bodies).await?;
    if !body.is_empty() {
        Fields::parse(&body, &[])?;
    }
    Ok(deadline)
}

#[cfg(test)]
#[path = "escalations_tests.rs"]
mod tests;
