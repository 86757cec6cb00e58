//! `POST /v1/route` and `POST /v1/chat`: the gateway's own way of asking, one message at a time.
//!
//! With a conversation id, and always for `/v1/chat`, the message is a turn of a stored conversation. `/v1/route`
//! without one stores nothing; the fresh id in its answer is an offer to begin a conversation under.

mod answer;
mod request;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use gateway_actors::protocol::{
    CallContext, Caller, ChatCall, ConversationId, ErrorKind, GatewayError, NewEscalation, PlanRequest, Served,
    TaskType, TurnCall, TurnDialect,
};
use tokio::time::Instant;

use self::answer::{AskAnswer, answer};
use self::request::AskRequest;
use super::calls::{Offering, call_context, need, recognise, redeem};
use super::escalations::Approval;
use crate::auth::Owner;
use crate::dialects::openai_chat::PlainText;
use crate::escalation::Offered;
use crate::http::error::{ErrorShape, Failure};
use crate::http::extract::{deadline, read_json};
use crate::http::idempotency::{self, Asking};
use crate::http::middleware::{Asker, Incoming};
use crate::http::shared::Edge;

static X_GATEWAY_EXPLAIN: HeaderName = HeaderName::from_static("x-gateway-explain");

pub(super) async fn post_route(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.route);
    let asked = read(&request, payload, &edge, incoming, endpoint).await?;
    once(request, asked, edge).await
}

pub(super) async fn post_chat(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.chat);
    let asked = read(&request, payload, &edge, incoming, endpoint).await?;
    once(request, asked, edge).await
}

/// Goes on with what was offered, and approved: the request as it was asked, with leave for the layer.
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
    let mut ask = AskRequest::parse(&body).map_err(|_changed| Failure::internal())?;
    ask.explain |= explain;
    let mut asked = Asked::new(
        &request,
        ask,
        body,
        incoming,
        Arc::clone(&offer.endpoint),
        caller,
        deadline,
    )?;
    asked.context.watcher = watcher;
    asked.leave = Some(offer);
    asked.answered(edge).await
}

/// A request that was read.
pub(super) struct Asked {
    incoming: Incoming,
    body: Bytes,
    ask: AskRequest,
    pub(super) context: CallContext,
    /// The offer that was approved.
    leave: Option<NewEscalation>,
}

/// Has it answered; once, if it has a key that says so.
async fn once(request: HttpRequest, asked: Asked, edge: Edge) -> Result<HttpResponse, Failure> {
    let Some(key) = idempotency::key(request.headers())? else {
        return asked.redeemed(edge).await;
    };
    if let Some(token) = &asked.ask.token {
        let digest = asked.ask.digest(&asked.context.endpoint);
        recognise(&edge, &asked.context, token, &digest).await?;
    }
    let asking = Asking {
        request,
        edge: edge.clone(),
        id: asked.incoming.id,
        endpoint: Arc::clone(&asked.context.endpoint),
        body: asked.body.clone(),
        deadline: asked.context.deadline,
        shape: ErrorShape::Native,
    };
    idempotency::once(asking, key, move |once| {
        let mut asked = asked;
        asked.context.watcher = Some(once.watcher());
        asked.redeemed(edge)
    })
    .await
}

/// Reads a request.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    edge: &Edge,
    incoming: Incoming,
    endpoint: Arc<str>,
) -> Result<Asked, Failure> {
    let shared = edge.shared();
    let settings = &shared.settings;
    let deadline = deadline(request, incoming.arrived, settings.default_deadline)?;
    let explain = is_to_be_explained(request.headers())?;
    let limit = settings.native_body_bytes;
    let body = read_json(request, payload, limit, settings, &shared.bodies).await?;
    let mut ask = AskRequest::parse(&body)?;
    ask.explain |= explain;
    let Asker(caller) = Asker::of(request)?;
    Asked::new(request, ask, body, incoming, endpoint, caller, deadline)
}

/// Whether a header says that the answer is to tell why.
pub(super) fn is_to_be_explained(headers: &HeaderMap) -> Result<bool, GatewayError> {
    let mut values = headers.get_all(&X_GATEWAY_EXPLAIN);
    match (values.next().map(|value| value.as_bytes()), values.next()) {
        (None, _) | (Some(b"false"), None) => Ok(false),
        (Some(b"true"), None) => Ok(true),
        _ => {
            let message = "`x-gateway-explain` must be true or false, once";
            Err(GatewayError::new(ErrorKind::InvalidHeader, message).with_param("x-gateway-explain"))
        }
    }
}

impl Asked {
    fn new(
        request: &HttpRequest,
        ask: AskRequest,
        body: Bytes,
        incoming: Incoming,
        endpoint: Arc<str>,
        caller: Caller,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let named = Owner {
            user: ask.user_id.clone(),
            project: ask.project_id.clone(),
        };
        Ok(Self {
            incoming,
            body,
            ask,
            context: call_context(request, endpoint, caller, named, deadline)?,
            leave: None,
        })
    }

    /// Redeems the token that came with it, if one did, and has it answered. Who is refused has asked nobody anything.
    async fn redeemed(mut self, edge: Edge) -> Result<HttpResponse, Failure> {
        if let Some(token) = &self.ask.token {
            let digest = self.ask.digest(&self.context.endpoint);
            self.leave = Some(redeem(&edge, &self.context, token, &digest).await?);
        }
        self.answered(edge).await
    }

    async fn answered(self, edge: Edge) -> Result<HttpResponse, Failure> {
        match self.conversation(&edge) {
            Some(conversation) => self.in_conversation(conversation, &edge).await,
            None => self.stateless(&edge).await,
        }
    }

    /// The conversation that it is a turn of, by the client's name for it.
    fn conversation(&self, edge: &Edge) -> Option<ConversationId> {
        let offered = self.leave.as_ref().and_then(|offer| offer.conversation.as_ref());
        let offered = offered.and_then(|conversation| conversation.client_text().parse().ok());
        let named = offered.or_else(|| self.ask.conversation.clone());
        let is_chat = self.context.endpoint == edge.shared().endpoints.chat;
        named.or_else(|| is_chat.then(ConversationId::generate))
    }

    /// Whether the token of an offer came with it.
    pub(super) fn has_token(&self) -> bool {
        self.ask.token.is_some()
    }

    /// The conversation that it names, as it is stored.
    pub(super) fn stored_conversation(&self) -> Option<ConversationId> {
        let tenant = self.context.caller.tenant();
        let named = self.ask.conversation.as_ref();
        named.map(|named| named.within(tenant.as_deref()))
    }

    /// How its message is written for a provider.
    pub(super) fn dialect(&self) -> PlainText {
        self.ask.dialect()
    }

    /// What to plan for.
    pub(super) fn plan(&self, edge: &Edge, conversation: Option<&ConversationId>) -> PlanRequest {
        let is_chat = self.context.endpoint == edge.shared().endpoints.chat;
        let task = if is_chat { TaskType::Chat } else { TaskType::General };
        let mut plan = self.ask.plan(self.incoming.id, task).of(&self.context.caller);
        let wish = &mut plan.wish;
        wish.unit_conversation = conversation.map(|conversation| conversation.as_str().into());
        wish.unit_user.clone_from(&self.context.user_id);
        if let Some(offer) = &self.leave {
            wish.redeem(offer);
        }
        plan
    }

    async fn stateless(self, edge: &Edge) -> Result<HttpResponse, Failure> {
        let dialect = self.ask.dialect();
        let (outgoing, needs) = dialect.request(&[]);
        let mut plan = self.plan(edge, None);
        plan.needs = needs;
        let call = ChatCall {
            plan,
            outgoing,
            context: self.context.clone(),
        };
        let mut given = edge.pipeline().complete(call).await?;
        let text = dialect.answer_text(&given.completion);
        let end = &mut given.served.end;
        *end = end.or_else(|| dialect.answer_end(&given.completion));
        let escalation = self.offer(edge, Some(&given.served), None, None).await?;
        let text = match (text, &escalation) {
            // Nothing, or a refusal: that is what the offer is about.
            (Err(_), Some(_)) => String::new(),
            (text, _) => text?,
        };
        answer(&AskAnswer {
            text: &text,
            served: Some(&given.served),
            conversation: &ConversationId::generate(),
            stored: true,
            escalation,
            explain: self.ask.explain,
            incoming: self.incoming,
        })
    }

    async fn in_conversation(self, conversation: ConversationId, edge: &Edge) -> Result<HttpResponse, Failure> {
        let stored = conversation.within(self.context.caller.tenant().as_deref());
        // Its answer so far was stored, and is replaced by the better one.
        let amend = self.leave.as_ref().and_then(NewEscalation::amend);
        let call = TurnCall {
            conversation: stored.clone(),
            client_message_id: self.ask.client_message_id.clone(),
            message: Arc::clone(&self.ask.message),
            plan: self.plan(edge, Some(&stored)),
            dialect: Rc::new(self.ask.dialect()),
            context: self.context.clone(),
            amend,
        };
        let given = edge.pipeline().turn(call).await?;
        let user_seq = given.user_seq.or(amend.map(|place| place.user_seq));
        let escalation = self.offer(edge, given.served.as_ref(), Some(stored), user_seq).await?;
        answer(&AskAnswer {
            text: &given.text,
            served: given.served.as_ref(),
            conversation: &conversation,
            stored: given.stored,
            escalation,
            explain: self.ask.explain,
            incoming: self.incoming,
        })
    }

    /// Offers a better answer, if there might be one.
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
            explain: self.ask.explain,
            digest: self.ask.digest(&self.context.endpoint),
            conversation,
            user_seq,
        };
        offering.make(need, edge).await.map(Some)
    }
}
