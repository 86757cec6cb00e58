//! Going on after somebody has decided about an offer: within the call, or in one that comes after it.
//!
//! What was answered before is not lost for anything that happens then: it is told again where it was told nowhere else.

use std::sync::Arc;

use gateway_actors::protocol::{ErrorKind, EscalationDecision, GatewayError, NewEscalation, RequestId};
use rmcp::model::CallToolResponse;
use tokio::time::Instant;

use super::account::add_account;
use super::output::{Decided, Escalation, Kept};
use super::{Agent, Done, ENDPOINT, named, not_written};
use crate::agent::{Accepts, AgentRequest};
use crate::auth::owner;
use crate::escalation::{Refusal, Ticket};
use crate::mcp::error::ToolFailure;

/// What came of asking within the call.
pub(super) enum Settled {
    /// There is a better answer.
    Better(Done, Escalation),
    /// The answer so far stays.
    Stays(Done, Escalation),
}

impl Agent<'_> {
    /// Goes on after the person that the client asked within the call has decided.
    pub(super) async fn settled(
        &mut self,
        wanted: &AgentRequest,
        before: Done,
        token: &str,
        decision: EscalationDecision,
    ) -> Settled {
        let first = before.request;
        if decision == EscalationDecision::Reject {
            // The answer is there whether or not the offer can be closed.
            if let Err(refusal) = self.closed(wanted, token).await {
                tracing::info!(request = %first, %refusal, "an offer was not closed");
            }
            return Settled::Stays(before, decided("rejected", None, first));
        }
        let ticket = match self.admitted_again(wanted, token).await {
            Ok(ticket) => ticket,
            // What was answered before is not lost for it.
            Err(failure) => {
                tracing::info!(request = %first, kind = failure.kind(), "an offer was approved in vain");
                return Settled::Stays(before, decided("rejected", Some(failure.kind()), first));
            }
        };
        // The person's time is not the call's.
        self.arrived = Instant::now();
        match self.run(wanted, RequestId::generate(), Some(ticket)).await {
            Ok(mut done) => {
                add_account(&mut done.answer, before.answer);
                Settled::Better(done, decided("approved", None, first))
            }
            Err(failure) => {
                tracing::info!(request = %first, kind = failure.kind(), "a dearer layer did not answer either");
                Settled::Stays(before, decided("approved", Some(failure.kind()), first))
            }
        }
    }

    /// A call that comes with what somebody decided.
    pub(super) async fn decided(
        mut self,
        wanted: AgentRequest,
        token: &str,
        decision: EscalationDecision,
    ) -> Result<CallToolResponse, ToolFailure> {
        let request = self.given.request;
        let offers = &self.shared.offers;
        let digest = (!wanted.is_bare()).then(|| wanted.digest());
        let known = offers.known(token, &self.caller, digest.as_ref()).await;
        let ticket = known.map_err(|refusal| self.failure(refusal, request))?;
        let admitted = offers.admit(token, &self.caller, digest.as_ref()).await;
        if self.given.state.is_none()
            && let Err(refusal) = admitted
        {
            return Err(self.failure(refusal, request));
        }
        let offer = self.pending(&ticket).await?;
        let before = offer.request;
        if let Err(refusal) = admitted {
            return self.not_taken(refusal, offer).await;
        }
        if decision == EscalationDecision::Reject {
            return match offers.decide(&ticket, decision).await {
                Ok(offer) => self.tell_kept(&offer, decided("rejected", None, before)).await,
                Err(refusal) => self.not_taken(refusal, offer).await,
            };
        }
        // Where a call brings nothing but its token, the request is the one that the offer was made for.
        let wanted = if wanted.is_bare() {
            AgentRequest::parse(offer.body.as_bytes(), Accepts::Mcp, ENDPOINT)?
        } else {
            wanted
        };
        let done = match self.run(&wanted, request, Some(ticket)).await {
            Ok(done) => done,
            Err(failure) if self.is_to_be_told(&failure) => {
                tracing::info!(%request, kind = failure.kind(), "a dearer layer did not answer either");
                let failed = decided("approved", Some(failure.kind()), before);
                return self.tell_kept(&offer, failed).await;
            }
            Err(failure) => return Err(failure),
        };
        let approved = decided("approved", None, before);
        self.offered(wanted, done, Arc::clone(&offer.body), Some(approved))
            .await
    }

    /// What was offered with this ticket, if nobody has decided about it.
    async fn pending(&self, ticket: &Ticket) -> Result<NewEscalation, ToolFailure> {
        let request = self.given.request;
        let offer = self.shared.offers.find(ticket).await;
        let offer = offer.map_err(|refusal| self.failure(refusal, request))?;
        if offer.endpoint != self.endpoint {
            return Err(self.failure(Refusal::Invalid, request));
        }
        if offer.body.is_empty() {
            return Err(self.failure(Refusal::Used, request));
        }
        Ok(offer)
    }

    /// An offer that has ended. A client that was asked with its answer has been given that answer nowhere else.
    async fn not_taken(self, refusal: Refusal, offer: NewEscalation) -> Result<CallToolResponse, ToolFailure> {
        let has_ended = matches!(refusal, Refusal::Expired);
        let failure = self.failure(refusal, self.given.request);
        if !has_ended || self.given.state.is_none() {
            return Err(failure);
        }
        let ended = decided("rejected", Some(failure.kind()), offer.request);
        self.tell_kept(&offer, ended).await
    }

    /// Whether the answer so far is told in the place of a failure: where it was told nowhere else, and where the offer
    /// cannot be taken once more. Whoever decided before has been told.
    fn is_to_be_told(&self, failure: &ToolFailure) -> bool {
        let was_decided = failure.kind() == ErrorKind::EscalationUsed.as_str();
        self.is_taken || (self.given.state.is_some() && !was_decided)
    }

    /// Tells the answer that was kept with an offer.
    async fn tell_kept(
        mut self,
        offer: &NewEscalation,
        escalation: Escalation,
    ) -> Result<CallToolResponse, ToolFailure> {
        let request = self.given.request;
        let Some(kept) = offer.answer.as_deref().and_then(Kept::read) else {
            tracing::error!(%request, "the answer that was kept with an offer cannot be read");
            return Err(ToolFailure::internal().of(request));
        };
        let rendered = kept.render(Some(&escalation));
        let rendered = rendered.map_err(|error| not_written(&error).of(request))?;
        self.progress.tell("answered".to_owned()).await;
        Ok(rendered.into())
    }

    /// Ends an offer that somebody said no to.
    async fn closed(&self, wanted: &AgentRequest, token: &str) -> Result<(), Refusal> {
        let offers = &self.shared.offers;
        let ticket = offers.admit(token, &self.caller, Some(&wanted.digest())).await?;
        offers
            .decide(&ticket, EscalationDecision::Reject)
            .await
            .map(|_closed| ())
    }

    /// The ticket of an offer after a person's time: who may spend, and what, is read again.
    async fn admitted_again(&mut self, wanted: &AgentRequest, token: &str) -> Result<Ticket, ToolFailure> {
        self.caller = self.shared.identity.caller().await?;
        self.owner = owner(&self.caller, named(&self.caller))?;
        let ticket = self
            .shared
            .offers
            .admit(token, &self.caller, Some(&wanted.digest()))
            .await;
        Ok(ticket.map_err(GatewayError::from)?)
    }
}

fn decided(decision: &'static str, error: Option<&'static str>, request_id: RequestId) -> Escalation {
    Escalation::Decided(Decided {
        required: false,
        decision,
        error,
        request_id,
    })
}
