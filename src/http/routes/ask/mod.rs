//! `POST /v1/route` and `POST /v1/chat`: the gateway's own way of asking, one message at a time.
//!
//! With a conversation id, and always for `/v1/chat`, the message is a turn of a stored conversation. `/v1/route`
//! without one stores nothing; the fresh id in its answer is an offer to begin a conversation under.

mod answer;
mod request;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use gateway_actors::protocol::{
    CallContext, ChatCall, ConversationId, PlanRequest, RequestId, TaskType, TurnCall, TurnDialect,
};

use self::answer::{AskAnswer, answer};
use self::request::AskRequest;
use crate::auth::{Owner, owner};
use crate::http::error::{ErrorShape, Failure};
use crate::http::extract::{deadline, read_json};
use crate::http::idempotency::{self, Asking};
use crate::http::middleware::{Asker, Incoming};
use crate::http::rates;
use crate::http::shared::Edge;

pub(super) async fn post_route(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.route);
    let read = read(&request, payload, &edge, incoming, endpoint).await?;
    once(request, read, edge, async move |ask, context, edge| {
        match ask.conversation.clone() {
            Some(conversation) => in_conversation(ask, conversation, context, &edge, incoming, TaskType::General).await,
            None => stateless(ask, context, &edge, incoming).await,
        }
    })
    .await
}

pub(super) async fn post_chat(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.chat);
    let read = read(&request, payload, &edge, incoming, endpoint).await?;
    once(request, read, edge, async move |ask, context, edge| {
        let conversation = ask.conversation.clone().unwrap_or_else(ConversationId::generate);
        in_conversation(ask, conversation, context, &edge, incoming, TaskType::Chat).await
    })
    .await
}

/// A request that was read.
struct Read {
    id: RequestId,
    body: Bytes,
    ask: AskRequest,
    context: CallContext,
}

/// Has it answered; once, if it has a key that says so.
async fn once<F>(
    request: HttpRequest,
    read: Read,
    edge: Edge,
    answered: impl FnOnce(AskRequest, CallContext, Edge) -> F + 'static,
) -> Result<HttpResponse, Failure>
where
    F: Future<Output = Result<HttpResponse, Failure>> + 'static,
{
    let Read { id, body, ask, context } = read;
    let Some(key) = idempotency::key(request.headers())? else {
        return answered(ask, context, edge).await;
    };
    let asking = Asking {
        request,
        edge: edge.clone(),
        id,
        endpoint: Arc::clone(&context.endpoint),
        body,
        deadline: context.deadline,
        shape: ErrorShape::Native,
    };
    idempotency::once(asking, key, move |once| {
        let context = CallContext {
            watcher: Some(once.watcher()),
            ..context
        };
        answered(ask, context, edge)
    })
    .await
}

async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    edge: &Edge,
    incoming: Incoming,
    endpoint: Arc<str>,
) -> Result<Read, Failure> {
    let shared = edge.shared();
    let settings = &shared.settings;
    let deadline = deadline(request, incoming.arrived, settings.default_deadline)?;
    let limit = settings.native_body_bytes;
    let body = read_json(request, payload, limit, settings, &shared.bodies).await?;
    let ask = AskRequest::parse(&body)?;
    let Asker(caller) = Asker::of(request)?;
    let named = Owner {
        user: ask.user_id.clone(),
        project: ask.project_id.clone(),
    };
    let owner = owner(&caller, named)?;
    let context = CallContext {
        endpoint,
        caller,
        user_id: owner.user,
        project_id: owner.project,
        deadline,
        watcher: None,
        meter: rates::meter(request),
        place: rates::place(request),
    };
    Ok(Read {
        id: incoming.id,
        body,
        ask,
        context,
    })
}

async fn stateless(
    ask: AskRequest,
    context: CallContext,
    edge: &Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let dialect = ask.dialect();
    let (outgoing, needs) = dialect.request(&[]);
    let plan = PlanRequest {
        needs,
        ..ask.plan(incoming.id, TaskType::General).of(&context.caller)
    };
    let call = ChatCall {
        plan,
        outgoing,
        context,
    };
    let given = edge.pipeline().complete(call).await?;
    let text = dialect.answer_text(&given.completion)?;
    answer(&AskAnswer {
        text: &text,
        served: Some(&given.served),
        conversation: &ConversationId::generate(),
        incoming,
    })
}

async fn in_conversation(
    ask: AskRequest,
    conversation: ConversationId,
    context: CallContext,
    edge: &Edge,
    incoming: Incoming,
    default_task: TaskType,
) -> Result<HttpResponse, Failure> {
    let call = TurnCall {
        conversation: conversation.within(context.caller.tenant().as_deref()),
        client_message_id: ask.client_message_id.clone(),
        message: Arc::clone(&ask.message),
        plan: ask.plan(incoming.id, default_task).of(&context.caller),
        dialect: Rc::new(ask.dialect()),
        context,
    };
    let given = edge.pipeline().turn(call).await?;
    answer(&AskAnswer {
        text: &given.text,
        served: given.served.as_ref(),
        conversation: &conversation,
        incoming,
    })
}
