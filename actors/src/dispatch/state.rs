//! Opaque state on its way: signatures and encrypted reasoning that do not say who made them, and that another provider
//! than their maker may refuse.
//!
//! One provider of each request is given it. That is who answered in the conversation last, where it is known, and the
//! first that is asked otherwise. A provider that refuses a request with such state is asked once more without it.

use std::rc::Rc;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::client::{Client, gone};
use super::failure::told;
use super::run::{Begun, Run, Tried, client_left};
use crate::protocol::{Candidate, ErrorKind, GatewayError, Model, Outgoing, OutgoingRequest, UpstreamFailure};

impl Run {
    /// The request as this model's provider may be given it.
    pub(super) fn request_for(&self, model: &Model) -> Rc<dyn OutgoingRequest> {
        let request = &self.call.outgoing;
        let may_have_state = self.call.plan.wish.state.may_be(&model.provider);
        if !may_have_state
            && is_native(&**request, model)
            && let Some(without) = request.without_state(Some(model))
        {
            return without;
        }
        Rc::clone(request)
    }

    /// Writes it. The first provider for which that can be done, and to which state goes as it came, is the one.
    pub(super) fn write(&mut self, request: &dyn OutgoingRequest, model: &Model) -> Result<Outgoing, GatewayError> {
        self.payment
            .look_again(&self.cell, &self.call.context, self.conversation.as_ref());
        self.payment.allows(model)?;
        // What a budget pays for must have a worst case.
        let bounds = self.payment.is_budgeted(model).then_some(&self.cell.bounds);
        let outgoing = request.write_for(model, bounds)?;
        if is_native(request, model) {
            self.call.plan.wish.state.is(&model.provider);
        }
        Ok(outgoing)
    }

    /// Asks a provider once more, without the opaque state of the request that it has refused: it may be why. A call that
    /// was refused costs nothing. If it comes to nothing, the first refusal is what the client is told.
    pub(super) async fn without_state(
        &mut self,
        candidate: Candidate,
        request: &dyn OutgoingRequest,
        refusal: &UpstreamFailure,
        client: &mut dyn Client,
    ) -> Result<Begun, GatewayError> {
        let may_try = self.account.attempts.len() <= usize::from(self.cell.settings.extra_attempts)
            && is_native(request, &candidate.model)
            && Instant::now() < self.call.context.deadline;
        let without = may_try.then(|| request.without_state(None)).flatten();
        let Some(outgoing) = without.and_then(|without| self.write(&*without, &candidate.model).ok()) else {
            return Err(told(refusal));
        };
        let Ok(lease) = self.acquire(&candidate, false).await else {
            return Err(told(refusal));
        };
        if gone(client).now_or_never().is_some() {
            return Err(client_left());
        }
        match self.attempt(candidate, lease, outgoing, client).await {
            Ok(Tried::Begun(begun)) => Ok(*begun),
            Err(error) if error.kind == ErrorKind::ClientClosed => Err(error),
            _ => Err(told(refusal)),
        }
    }
}

/// Whether opaque state goes to this model as it came.
fn is_native(request: &dyn OutgoingRequest, model: &Model) -> bool {
    request.state_dialect() == Some(model.dialect)
}
