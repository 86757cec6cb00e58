//! Deciding about an offer.

use gateway_actors::protocol::{Caller, Decided, EscalationDecision, NewEscalation};
use gateway_actors::runtime::unix_micros;

use super::error::Refusal;
use super::token::Ticket;
use super::{Offers, RequestDigest};

impl Offers {
    /// What a token says that this caller shows, with this request if it comes with one. That nobody has decided yet is
    /// found out by deciding.
    ///
    /// # Errors
    /// In this order: `Invalid` for what is no token, another caller's, or for another request; `Expired`. `Store` when the
    /// database has not told yet what tokens are signed with.
    pub(crate) async fn admit(
        &self,
        token: &str,
        caller: &Caller,
        request: Option<&RequestDigest>,
    ) -> Result<Ticket, Refusal> {
        let ticket = self.known(token, caller, request).await?;
        if ticket.has_ended(unix_micros()) {
            return Err(Refusal::Expired);
        }
        Ok(ticket)
    }

    /// The same whether or not the offer has ended: what was answered before is its caller's all the same.
    ///
    /// # Errors
    /// As `admit`, save for `Expired`.
    pub(crate) async fn known(
        &self,
        token: &str,
        caller: &Caller,
        request: Option<&RequestDigest>,
    ) -> Result<Ticket, Refusal> {
        let signer = self.signer().await?;
        let ticket = signer.read(token).ok_or(Refusal::Invalid)?;
        if !ticket.is_of(&signer.caller(caller)) || request.is_some_and(|request| !ticket.is_for(request)) {
            return Err(Refusal::Invalid);
        }
        Ok(ticket)
    }

    /// What was offered, whether or not it is decided by now. Of a decided one body and note are empty.
    ///
    /// # Errors
    /// `Invalid` when there is no such offer in this database, `Store`.
    pub(crate) async fn find(&self, ticket: &Ticket) -> Result<NewEscalation, Refusal> {
        let stored = self.store.find(ticket.id).await?.ok_or(Refusal::Invalid)?;
        genuine(stored.new, ticket)
    }

    /// Decides, once. Whoever is told `Ok` is the only one.
    ///
    /// # Errors
    /// `Used`, `Expired` by the database's clock, `Invalid` when there is no such offer in this database, `Store`.
    pub(crate) async fn decide(&self, ticket: &Ticket, decision: EscalationDecision) -> Result<NewEscalation, Refusal> {
        match self.store.decide(ticket.id, decision).await? {
            Decided::Done(offer) => genuine(offer.new, ticket),
            Decided::Used => Err(Refusal::Used),
            Decided::Expired => Err(Refusal::Expired),
            Decided::Unknown => Err(Refusal::Invalid),
        }
    }
}

/// The offer, if it says what its token says: it does, unless somebody changed the row.
fn genuine(offer: NewEscalation, ticket: &Ticket) -> Result<NewEscalation, Refusal> {
    let is_the_same =
        ticket.is_of(&offer.caller) && ticket.is_for(&RequestDigest(offer.request_digest)) && offer.to == ticket.layer;
    is_the_same.then_some(offer).ok_or(Refusal::Invalid)
}
