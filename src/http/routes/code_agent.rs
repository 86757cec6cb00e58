//! `POST /v1/code-agent`: a programming task, done in steps where it is not small.
//!
//! With a conversation id it is a turn of a stored conversation; without one nothing is stored, and the to-do list is in
//! the answer alone.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use gateway_actors::protocol::{
    AgentAnswer, AgentCall, AgentStatus, CallContext, Caller, ConversationId, NewEscalation, PlanRequest, RequestId,
    Served,
};
use serde::Serialize;
use tokio::time::Instant;

use super::ask::is_to_be_explained;
use super::calls::{Offering, call_context, need, recognise, redeem};
use super::escalations::Approval;
use crate::agent::{Accepts, AgentRequest, Quality, Todo};
use crate::answer::{Answerer, Performance, Routing, finish_reason};
use crate::auth::Owner;
use crate::escalation::Offered;
use crate::http::error::{ErrorShape, Failure};
use crate::http::extract::{deadline, read_json};
use crate::http::idempotency::{self, Asking};
use crate::http::middleware::{Asker, Incoming};
use crate::http::respond::json;
use crate::http::shared::Edge;

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
    Asker(caller): Asker,
) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let settings = &shared.settings;
    let deadline = deadline(&request, incoming.arrived, settings.default_deadline)?;
    let body = read_json(&request, payload, settings.native_body_bytes, settings, &shared.bodies).await?;
    let endpoint = Arc::clone(&shared.endpoints.code_agent);
    let mut wanted = AgentRequest::parse(&body, Accepts::Http, &endpoint)?;
    wanted.explain |= is_to_be_explained(request.headers())?;
    let task = Task::new(&request, wanted, body, incoming, endpoint, caller, deadline)?;
    let Some(key) = idempotency::key(request.headers())? else {
        return task.redeemed(edge).await;
    };
    if let Some(token) = &task.wanted.token {
        recognise(&edge, &task.context, token, &task.wanted.digest()).await?;
    }
    let asking = Asking {
        request,
        edge: edge.clone(),
        id: incoming.id,
        endpoint: Arc::clone(&task.context.endpoint),
        body: task.body.clone(),
        deadline,
        shape: ErrorShape::Native,
    };
    idempotency::once(asking, key, move |once| {
        let mut task = task;
        task.context.watcher = Some(once.watcher());
        task.redeemed(edge)
    })
    .await
}

/// Goes on with what was offered, and approved: the task as it was asked, with leave for the layer.
pub(super) async fn approved(approval: Approval) -> Result<HttpResponse, Failure> {
    let Approval {
        request,
        edge,
        incoming,
        caller,
        deadline,
        watcher,
        explain,
        offer,
    } = approval;
    // It was read before.
    let body = Bytes::copy_from_slice(offer.body.as_bytes());
    let mut wanted =
        AgentRequest::parse(&body, Accepts::Http, &offer.endpoint).map_err(|_changed| Failure::internal())?;
    wanted.explain |= explain;
    let endpoint = Arc::clone(&offer.endpoint);
    let mut task = Task::new(&request, wanted, body, incoming, endpoint, caller, deadline)?;
    task.context.watcher = watcher;
    task.leave = Some(offer);
    task.done(edge).await
}

/// A task that was read.
struct Task {
    incoming: Incoming,
    body: Bytes,
    wanted: AgentRequest,
    context: CallContext,
    /// The offer that was approved.
    leave: Option<NewEscalation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    result: ResultPart<'a>,
    routing: Routing<'a>,
    todo: Option<Todo<'a>>,
    status: AgentStatus,
    quality: Quality<'a>,
    performance: Performance,
    context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    escalation: Option<&'a Offered>,
    request_id: RequestId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultPart<'a> {
    response: &'a str,
    #[serde(flatten)]
    by: Answerer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    conversation_id: Option<&'a ConversationId>,
    /// Told only where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

impl Task {
    fn new(
        request: &HttpRequest,
        wanted: AgentRequest,
        body: Bytes,
        incoming: Incoming,
        endpoint: Arc<str>,
        caller: Caller,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let named = Owner {
            user: wanted.user_id.clone(),
            project: wanted.project_id.clone(),
        };
        Ok(Self {
            incoming,
            body,
            wanted,
            context: call_context(request, endpoint, caller, named, deadline)?,
            leave: None,
        })
    }

    /// Redeems the token that came with it, if one did, and does it. Who is refused has asked nobody anything.
    async fn redeemed(mut self, edge: Edge) -> Result<HttpResponse, Failure> {
        if let Some(token) = &self.wanted.token {
            let digest = self.wanted.digest();
            self.leave = Some(redeem(&edge, &self.context, token, &digest).await?);
        }
        self.done(edge).await
    }

    async fn done(self, edge: Edge) -> Result<HttpResponse, Failure> {
        let tenant = self.context.caller.tenant();
        let named = self.wanted.conversation.as_ref();
        let conversation = named.map(|conversation| conversation.within(tenant.as_deref()));
        // Its answer so far was stored, and is replaced by the better one.
        let amend = self.leave.as_ref().and_then(NewEscalation::amend);
        let dialect = self.wanted.dialect()?;
        let given = edge.pipeline().agent(AgentCall {
            turn: conversation
                .clone()
                .map(|conversation| (conversation, self.wanted.client_message_id.clone())),
            instructions: dialect.instructions(),
            message: dialect.message(),
            plan: self.plan(),
            context: self.context.clone(),
            dialect: Rc::new(dialect),
            is_trivial: self.wanted.is_small(),
            amend,
        });
        let given = given.await?;
        let user_seq = given.user_seq.or(amend.map(|place| place.user_seq));
        let escalation = self.offer(&edge, given.served.as_ref(), conversation, user_seq).await?;
        self.answer(&given, escalation.as_ref())
    }

    /// What to plan for.
    fn plan(&self) -> PlanRequest {
        let mut plan = self.wanted.plan(self.incoming.id, self.context.user_id.clone());
        if let Some(offer) = &self.leave {
            plan.wish.redeem(offer);
        }
        plan.of(&self.context.caller)
    }

    /// Offers a better answer, if there might be one that wants leave.
    async fn offer(
        &self,
        edge: &Edge,
        served: Option<&Served>,
        conversation: Option<ConversationId>,
        user_seq: Option<i64>,
    ) -> Result<Option<Offered>, Failure> {
        let Some(need) = need(served) else {
            return Ok(None);
        };
        let offering = Offering {
            request: self.incoming.id,
            context: &self.context,
            body: &self.body,
            explain: self.wanted.explain,
            digest: self.wanted.digest(),
            conversation,
            user_seq,
        };
        offering.make(need, edge).await.map(Some)
    }

    fn answer(&self, given: &AgentAnswer, escalation: Option<&Offered>) -> Result<HttpResponse, Failure> {
        let served = given.served.as_ref();
        let performance = Performance::new(served, self.incoming.arrived.elapsed());
        json(&Body {
            result: ResultPart {
                response: &given.text,
                by: Answerer::of(served),
                finish_reason: finish_reason(served),
            },
            routing: Routing::of(served, self.wanted.explain),
            todo: given.todo.as_ref().map(Todo::of),
            status: given.status,
            quality: Quality::of(self.wanted.quality, served),
            performance: performance.map_err(|_not_json| Failure::internal())?,
            context: Context {
                conversation_id: self.wanted.conversation.as_ref(),
                stored: (!given.stored).then_some(false),
            },
            escalation,
            request_id: self.incoming.id,
        })
    }
}

#[cfg(test)]
#[path = "code_agent_tests.rs"]
mod tests;
