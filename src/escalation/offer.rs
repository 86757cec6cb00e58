//! Making an offer, and what the caller is told of it.

use std::fmt;
use std::sync::Arc;

use gateway_actors::protocol::{
    Caller, ConversationId, EscalationId, EscalationNeed, Evidence, Layer, NanoUsd, NewEscalation, RequestId,
    StoreError,
};
use gateway_actors::runtime::unix_micros;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::token::Ticket;
use super::{Offers, RequestDigest};
use crate::moment::micros_text;
use crate::status::usd_number;

/// Bytes of an answer that are kept for whoever decides.
pub(crate) const MOST_ANSWER: usize = 256 * 1024;

/// What an offer is made of.
pub(crate) struct Draft<'a> {
    /// Whom it is made to.
    pub(crate) caller: &'a Caller,
    /// The endpoint that was asked; it must know how to answer the body again.
    pub(crate) endpoint: &'a Arc<str>,
    /// The request that was answered.
    pub(crate) request: RequestId,
    /// The conversation as it is stored.
    pub(crate) conversation: Option<ConversationId>,
    /// The place of the user's message in it.
    pub(crate) user_seq: Option<i64>,
    /// The request's body as it came.
    pub(crate) body: Arc<str>,
    /// What it meant.
    pub(crate) digest: RequestDigest,
    /// The answer so far, in a form of the edge's own, where whoever decides may still want it.
    pub(crate) answer: Option<Arc<str>>,
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("endpoint", &self.endpoint)
            .field("request", &self.request)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An offer as its caller is told of it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Offered {
    required: bool,
    pub(crate) current_layer: Layer,
    pub(crate) suggested_layer: Layer,
    pub(crate) reason: Evidence,
    /// Null where no price is known.
    estimated_cost: Option<Box<RawValue>>,
    estimated_cost_nano_usd: Option<NanoUsd>,
    /// What the better model would be told.
    optimized_prompt: Arc<str>,
    /// What the offer is redeemed with; nothing where it could not be kept.
    pub(crate) token: Option<String>,
    expires_at: Option<String>,
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offered")
            .field("current_layer", &self.current_layer)
            .field("suggested_layer", &self.suggested_layer)
            .field("reason", &self.reason)
            .field("has_token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

impl Offered {
    /// What it may cost, in words.
    pub(crate) fn price(&self) -> String {
        let unknown = || "at a price that is not known".to_owned();
        let about = |cost: &RawValue| format!("for about {} USD", cost.get());
        self.estimated_cost.as_deref().map_or_else(unknown, about)
    }
}

impl Offers {
    /// Offers a better answer. One that cannot be kept until then has no token: the answer so far is told all the same.
    ///
    /// # Errors
    /// Never: an amount's decimal text is a JSON number.
    pub(crate) async fn offer(
        &self,
        need: &EscalationNeed,
        draft: Draft<'_>,
        until: Instant,
    ) -> Result<Offered, serde_json::Error> {
        let note: Arc<str> = need.package.text().into();
        let request = draft.request;
        let kept = match timeout_at(until, self.keep(need, draft, &note)).await {
            Ok(Ok(kept)) => Some(kept),
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%request, %error, cause, "an offer could not be kept, so that it has no token");
                None
            }
            Err(_late) => {
                tracing::warn!(%request, "an offer was not kept before the request's deadline, so that it has no token");
                None
            }
        };
        let (token, expires_at) = kept.unzip();
        Ok(Offered {
            required: true,
            current_layer: need.current,
            suggested_layer: need.suggested,
            reason: need.evidence,
            estimated_cost: need.estimated_cost.map(usd_number).transpose()?,
            estimated_cost_nano_usd: need.estimated_cost,
            optimized_prompt: note,
            token,
            expires_at: expires_at.map(micros_text),
        })
    }

    /// Keeps an offer. Its token, and when it ends in microseconds since 1970.
    async fn keep(
        &self,
        need: &EscalationNeed,
        draft: Draft<'_>,
        note: &Arc<str>,
    ) -> Result<(String, i64), StoreError> {
        let signer = self.signer().await?;
        let ttl = i64::try_from(self.ttl.as_micros()).unwrap_or(i64::MAX);
        // The token knows whole seconds, and both say the same.
        let ends_at = u64::try_from(unix_micros().saturating_add(ttl)).unwrap_or_default();
        let ends_at = ends_at.div_ceil(1_000_000);
        let ticket = Ticket {
            id: EscalationId::generate(),
            caller: signer.caller(draft.caller),
            request: draft.digest.0,
            layer: need.suggested,
            ends_at,
        };
        let expires_at = i64::try_from(ends_at.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let offer = NewEscalation {
            id: ticket.id,
            caller: ticket.caller,
            endpoint: Arc::clone(draft.endpoint),
            request: draft.request,
            conversation: draft.conversation,
            user_seq: draft.user_seq,
            body: draft.body,
            request_digest: ticket.request,
            from: need.current,
            to: need.suggested,
            reason: need.evidence,
            estimated: need.estimated_cost.unwrap_or_default(),
            note: Arc::clone(note),
            answer: draft.answer.filter(|answer| answer.len() <= MOST_ANSWER),
            expires_at,
        };
        self.store.offer(offer).await?;
        Ok((signer.token(&ticket), expires_at))
    }
}
