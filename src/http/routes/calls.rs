//! What the routes that call a model have in common: whose call it is, and the offers that are made for its answer and
//! redeemed with its request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use bytes::Bytes;
use gateway_actors::protocol::{
    CallContext, Caller, ConversationId, ErrorKind, EscalationDecision, EscalationNeed, GatewayError, NewEscalation,
    RequestId, Served,
};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use crate::auth::{Owner, owner};
use crate::escalation::{Draft, Offered, Refusal, RequestDigest};
use crate::http::error::Failure;
use crate::http::rates;
use crate::http::shared::Edge;

/// An answer that is there may wait this long for its offer to be kept, whatever the deadline is.
const OFFER_WITHIN: Duration = Duration::from_secs(1);

/// A call of this request's, which nobody watches yet.
///
/// # Errors
/// `forbidden` when somebody is named whom the caller's key does not belong to.
pub(super) fn call_context(
    request: &HttpRequest,
    endpoint: Arc<str>,
    caller: Caller,
    named: Owner,
    deadline: Instant,
) -> Result<CallContext, GatewayError> {
    let owner = owner(&caller, named)?;
    Ok(CallContext {
        endpoint,
        caller,
        user_id: owner.user,
        project_id: owner.project,
        deadline,
        watcher: None,
        meter: rates::meter(request),
        place: rates::place(request),
    })
}

/// Makes sure that a token is one for this request, ended or not: what was answered before under an idempotency key is
/// told again to nobody but whom the offer was made to.
pub(super) async fn recognise(
    edge: &Edge,
    context: &CallContext,
    token: &str,
    digest: &RequestDigest,
) -> Result<(), GatewayError> {
    let known = edge.shared().offers.known(token, &context.caller, Some(digest));
    in_time(context.deadline, known).await?;
    Ok(())
}

/// Approves the offer whose token came with this request. Who is refused has asked nobody anything.
pub(super) async fn redeem(
    edge: &Edge,
    context: &CallContext,
    token: &str,
    digest: &RequestDigest,
) -> Result<NewEscalation, GatewayError> {
    let offers = &edge.shared().offers;
    let admitted = offers.admit(token, &context.caller, Some(digest));
    let ticket = in_time(context.deadline, admitted).await?;
    in_time(context.deadline, offers.decide(&ticket, EscalationDecision::Approve)).await
}

/// What the offers say before the request's deadline.
pub(super) async fn in_time<T>(
    deadline: Instant,
    told: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, GatewayError> {
    match timeout_at(deadline, told).await {
        Ok(told) => told.map_err(Into::into),
        Err(_elapsed) => Err(GatewayError::new(
            ErrorKind::DeadlineExceeded,
            "the database did not answer before the request's deadline; try again or allow more time",
        )),
    }
}

/// Why a better answer might be had, if one might that wants leave.
pub(super) fn need(served: Option<&Served>) -> Option<&EscalationNeed> {
    let story = served.and_then(|served| served.routing.as_deref());
    story.and_then(|story| story.escalation.as_ref())
}

/// An answer that a better one is offered for.
pub(super) struct Offering<'a> {
    pub(super) request: RequestId,
    pub(super) context: &'a CallContext,
    /// The request's body as it came.
    pub(super) body: &'a Bytes,
    /// Whether a header beside it said that the answer is to tell why.
    pub(super) explain: bool,
    pub(super) digest: RequestDigest,
    /// The conversation as it is stored.
    pub(super) conversation: Option<ConversationId>,
    /// The place of the user's message in it.
    pub(super) user_seq: Option<i64>,
}

impl Offering<'_> {
    /// Keeps the offer, and says what the caller is told of it.
    pub(super) async fn make(self, need: &EscalationNeed, edge: &Edge) -> Result<Offered, Failure> {
        let draft = Draft {
            caller: &self.context.caller,
            endpoint: &self.context.endpoint,
            request: self.request,
            conversation: self.conversation,
            user_seq: self.user_seq,
            body: offered_body(self.body, self.explain)?,
            digest: self.digest,
            answer: None,
        };
        let until = self.context.deadline.max(Instant::now() + OFFER_WITHIN);
        let offered = edge.shared().offers.offer(need, draft, until).await;
        offered.map_err(|_no_json| Failure::internal())
    }
}

/// A request's body as it is kept with an offer: it says itself what a header said beside it, since an approval comes
/// without that header.
fn offered_body(body: &[u8], explain: bool) -> Result<Arc<str>, Failure> {
    if !explain {
        let body = std::str::from_utf8(body).map_err(|_no_json| Failure::internal())?;
        return Ok(body.into());
    }
    let fields = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body);
    let mut fields = fields.map_err(|_no_json| Failure::internal())?;
    fields.insert("explain".to_owned(), RawValue::TRUE);
    let body = serde_json::to_string(&fields).map_err(|_no_json| Failure::internal())?;
    Ok(body.into())
}
