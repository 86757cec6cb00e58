//! One request's way through its candidates, up to an answer or a stream that has begun.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};

use super::attempt::{Attempt, Finished};
use super::cell::CellParts;
use super::client::{Client, gone};
use super::failure::{Blocked, told};
use super::payment::{NotPaid, Payment};
use super::settings::AmbiguousFailover;
use crate::protocol::{
    Acquire, Answer, AttemptId, AttemptTrace, Billing, CallStep, Candidate, ChatCall, ConversationId, DispatchRecord,
    ErrorKind, FailureKind, GatewayError, HealthNote, Hold, Lease, Model, NanoUsd, Outcome, Outgoing, Plan, Price,
    RouteError, Served, TokenBound, TokenUsage, Unavailable, UpstreamCall, UpstreamFailure, UpstreamReply, UsageSource,
};
use crate::runtime::{AbortPoint, pass, unix_micros};

/// A request on its way.
pub(super) struct Run {
    cell: Rc<CellParts>,
    call: ChatCall,
    conversation: Option<ConversationId>,
    payment: Payment,
    stream: bool,
    attempts: Vec<AttemptTrace>,
    usage: TokenUsage,
    source: UsageSource,
    cost: NanoUsd,
}

/// An attempt that a provider has begun to answer.
pub(super) struct Begun {
    pub(super) attempt: Attempt,
    pub(super) candidate: Candidate,
    pub(super) reply: UpstreamReply,
    /// What the model was not told.
    pub(super) dropped: Vec<Cow<'static, str>>,
}

/// What came of trying a candidate.
enum Tried {
    Begun(Box<Begun>),
    Failed(UpstreamFailure),
    /// The budgets do not pay for it, and go on with models that cost nothing.
    NotPaid,
}

impl Run {
    pub(super) fn new(cell: Rc<CellParts>, call: ChatCall, conversation: Option<ConversationId>, stream: bool) -> Self {
        let payment = Payment::of(&cell, &call.context, conversation.as_ref());
        Self {
            cell,
            call,
            conversation,
            payment,
            stream,
            attempts: Vec::new(),
            usage: TokenUsage::default(),
            source: UsageSource::None,
            cost: NanoUsd::ZERO,
        }
    }

    /// Gets a whole answer.
    pub(super) async fn complete(&mut self, client: &mut dyn Client) -> Result<Answer, GatewayError> {
        let Begun {
            mut attempt,
            candidate,
            reply,
            dropped,
        } = self.begin(client).await?;
        let UpstreamReply::Complete(completion) = reply else {
            let failure = UpstreamFailure::new(FailureKind::Malformed, Billing::Ambiguous, "a stream nobody asked for");
            let finished = attempt.failed(&failure);
            self.account(&candidate, finished);
            return Err(told(&failure));
        };
        let bytes = u64::try_from(completion.body.len()).unwrap_or(u64::MAX);
        attempt.meter(bytes, Some(completion.usage));
        let finished = attempt.completed();
        self.account(&candidate, finished);
        Ok(Answer {
            completion,
            served: Served {
                model: candidate.model,
                attempts: std::mem::take(&mut self.attempts),
                usage: self.usage,
                usage_source: self.source,
                cost: self.cost,
                dropped,
            },
        })
    }

    /// Tries candidates until one begins to answer.
    pub(super) async fn begin(&mut self, client: &mut dyn Client) -> Result<Begun, GatewayError> {
        let plan = self.plan().await?;
        if let (Some(watcher), Some(first)) = (&self.call.context.watcher, plan.candidates.first()) {
            watcher.tell(CallStep::Routed {
                candidates: plan.candidates.len(),
                first: Arc::clone(&first.model),
            });
        }
        self.cell.retries.borrow_mut().request(Instant::now());
        let mut queue: VecDeque<Candidate> = plan.candidates.into();
        let mut blocked = Blocked::default();
        let mut last: Option<(Candidate, UpstreamFailure)> = None;
        let mut untold: Option<GatewayError> = None;
        loop {
            let Some((candidate, lease)) = self.next(&mut queue, &mut blocked, last.as_ref()).await? else {
                return Err(match (last, untold) {
                    (Some((_, failure)), _) => told(&failure),
                    (None, Some(error)) => error,
                    (None, None) => blocked.told(),
                });
            };
            // Nobody would see the answer, and it may cost money.
            if gone(client).now_or_never().is_some() {
                return Err(client_left());
            }
            let allowed = self.payment.allows(&candidate.model);
            // What a budget pays for must have a worst case.
            let bounds = self.payment.is_budgeted(&candidate.model).then_some(&self.cell.bounds);
            let outgoing = match allowed.and_then(|()| self.call.outgoing.write_for(&candidate.model, bounds)) {
                Ok(outgoing) => outgoing,
                Err(error) if queue.is_empty() && last.is_none() => return Err(untold.unwrap_or(error)),
                // Another model may speak a dialect that has a word for it, or be one that the budgets pay for.
                Err(error) => {
                    untold.get_or_insert(error);
                    continue;
                }
            };
            let again = candidate.clone();
            match self.attempt(candidate, lease, outgoing, client).await? {
                Tried::Begun(begun) => return Ok(*begun),
                Tried::Failed(failure) if failure.kind == FailureKind::Rejected => return Err(told(&failure)),
                Tried::Failed(failure) => last = Some((again, failure)),
                Tried::NotPaid if queue.is_empty() && last.is_none() => {
                    return Err(self
                        .payment
                        .allows(&again.model)
                        .err()
                        .unwrap_or_else(|| blocked.told()));
                }
                Tried::NotPaid => {}
            }
        }
    }

    async fn plan(&self) -> Result<Plan, GatewayError> {
        for _ in 0..2 {
            match self.cell.router.ask(self.call.plan.clone()).await {
                Ok(Err(RouteError::Restarting)) | Err(_) => {}
                Ok(plan) => return plan.map_err(GatewayError::from),
            }
        }
        Err(RouteError::Restarting.into())
    }

    /// The next candidate that may be tried, with its lease.
    async fn next(
        &self,
        queue: &mut VecDeque<Candidate>,
        blocked: &mut Blocked,
        last: Option<&(Candidate, UpstreamFailure)>,
    ) -> Result<Option<(Candidate, Lease)>, GatewayError> {
        let now = Instant::now();
        if now >= self.call.context.deadline {
            return Err(GatewayError::new(
                ErrorKind::DeadlineExceeded,
                "the request's deadline passed before a provider had answered",
            ));
        }
        while let Some(candidate) = queue.pop_front() {
            if !self.may_try(&candidate, last, now) {
                continue;
            }
            match self.acquire(&candidate, false).await {
                Ok(lease) => return Ok(Some((candidate, lease))),
                Err(why) => blocked.note(candidate, why),
            }
        }
        match last {
            None => self.when_all_are_blocked(blocked).await,
            Some((candidate, failure)) => self.once_more(candidate, failure, now).await,
        }
    }

    /// Whether a candidate may be tried after the failures so far. One that is known to work always may, within the
    /// number of attempts; others are paid for out of the retry budget.
    fn may_try(&self, candidate: &Candidate, last: Option<&(Candidate, UpstreamFailure)>, now: Instant) -> bool {
        let Some((failed, failure)) = last else {
            return true;
        };
        if self.attempts.len() > usize::from(self.cell.settings.extra_attempts) {
            return false;
        }
        let model = &candidate.model;
        // Another entry of the catalogue for what has just failed is no alternative.
        let is_same =
            |tried: &AttemptTrace| tried.model.provider == model.provider && tried.model.api_model == model.api_model;
        if self.attempts.iter().any(is_same) {
            return false;
        }
        if failure.kind == FailureKind::ContextTooLong && model.context_window <= failed.model.context_window {
            return false;
        }
        let may_be_billed_twice = failure.billing == Billing::Ambiguous && !model.is_free();
        if may_be_billed_twice && self.cell.settings.ambiguous == AmbiguousFailover::FreeOnly {
            return false;
        }
        candidate.reason.health == HealthNote::Healthy || self.cell.retries.borrow_mut().try_retry(now)
    }

    /// The same candidate a second time, when there was no other: only for a call that cannot be billed twice.
    async fn once_more(
        &self,
        candidate: &Candidate,
        failure: &UpstreamFailure,
        now: Instant,
    ) -> Result<Option<(Candidate, Lease)>, GatewayError> {
        let safe = match failure.kind {
            FailureKind::Connect => true,
            FailureKind::Reset => candidate.model.is_free(),
            _ => false,
        };
        let allowed = self.cell.settings.extra_attempts > 0;
        if self.attempts.len() != 1 || !safe || !allowed || !self.cell.retries.borrow_mut().try_retry(now) {
            return Ok(None);
        }
        let lease = self.acquire(candidate, false).await.ok();
        Ok(lease.map(|lease| (candidate.clone(), lease)))
    }

    /// Nothing could be tried: waits for a place, or lets one call a second through an open gate.
    async fn when_all_are_blocked(&self, blocked: &Blocked) -> Result<Option<(Candidate, Lease)>, GatewayError> {
        if let Some(candidate) = &blocked.full {
            return Ok(self
                .wait_for_place(candidate)
                .await
                .map(|lease| (candidate.clone(), lease)));
        }
        if let Some(candidate) = &blocked.open
            && self.cell.last_resort.try_pass(Instant::now())
        {
            let lease = self.acquire(candidate, true).await.ok();
            return Ok(lease.map(|lease| (candidate.clone(), lease)));
        }
        Ok(None)
    }

    async fn wait_for_place(&self, candidate: &Candidate) -> Option<Lease> {
        let provider = self.cell.provider(&candidate.model.provider)?;
        let left = self.call.context.deadline.saturating_duration_since(Instant::now());
        let patience = self.cell.settings.capacity_wait.min(left);
        let waiting = async {
            loop {
                let freed = provider.in_flight.freed();
                match self.acquire(candidate, false).await {
                    Err(Unavailable::AtCapacity) => freed.await,
                    result => return result.ok(),
                }
            }
        };
        timeout(patience, waiting).await.ok().flatten()
    }

    async fn acquire(&self, candidate: &Candidate, force: bool) -> Result<Lease, Unavailable> {
        let provider = self
            .cell
            .provider(&candidate.model.provider)
            .ok_or(Unavailable::Restarting)?;
        for _ in 0..2 {
            let wanted = Acquire {
                model: candidate.model.id.clone(),
                force,
                now: Instant::now(),
            };
            match provider.actor.ask(wanted).await {
                Ok(Err(Unavailable::Restarting)) | Err(_) => {}
                Ok(lease) => return lease,
            }
        }
        Err(Unavailable::Restarting)
    }

    async fn attempt(
        &mut self,
        candidate: Candidate,
        lease: Lease,
        outgoing: Outgoing,
        client: &mut dyn Client,
    ) -> Result<Tried, GatewayError> {
        let bound = outgoing.bound;
        let dropped = outgoing.dropped.clone();
        let attempt = AttemptId {
            request: self.call.plan.request,
            ordinal: u8::try_from(self.attempts.len() + 1).unwrap_or(u8::MAX),
        };
        let held = Self::worst_case(&candidate.model, bound);
        let deadline = self.call.context.deadline;
        let hold = match self.payment.hold(&self.cell, attempt, held, deadline).await {
            Ok(hold) => hold,
            Err(NotPaid::OnlyFree) => return Ok(Tried::NotPaid),
            Err(NotPaid::Refused(error)) => return Err(error),
        };
        pass(AbortPoint::Held);
        let record = self.dispatch_record(attempt, &candidate, &hold);
        let call = UpstreamCall {
            attempt: record.attempt,
            model: candidate.model.clone(),
            operation: self.call.outgoing.operation_for(&candidate.model),
            outgoing,
            stream: self.stream,
            deadline,
        };
        let ordinal = record.attempt.ordinal;
        let sent = Attempt::dispatch(Rc::clone(&self.cell), record, lease, hold, bound.input);
        let attempt = sent.map_err(|error| not_journalled(&error))?;
        let mut attempt = attempt.counted_by(self.call.context.meter.as_ref());
        if let Some(watcher) = &self.call.context.watcher {
            watcher.tell(CallStep::Attempt {
                ordinal,
                model: Arc::clone(&candidate.model),
            });
        }
        let linger = self.cell.settings.linger;
        // A whole answer is waited for even when nobody reads it: it is being generated, and will be billed.
        let only_streams = self.stream;
        let abandoned = async {
            if !only_streams {
                std::future::pending::<()>().await;
            }
            gone(client).await;
            sleep(linger).await;
        };
        pass(AbortPoint::Sending);
        let result = tokio::select! {
            biased;
            result = self.cell.upstream.call(call) => result,
            () = abandoned => {
                let finished = attempt.client_left();
                self.account(&candidate, finished);
                return Err(client_left());
            }
        };
        match result {
            Ok(reply) => {
                pass(AbortPoint::FirstByte);
                attempt.answered(match &reply {
                    UpstreamReply::Complete(completion) => completion.status,
                    UpstreamReply::Stream(stream) => stream.status,
                });
                Ok(Tried::Begun(Box::new(Begun {
                    attempt,
                    candidate,
                    reply,
                    dropped,
                })))
            }
            Err(failure) => {
                tracing::info!(
                    request = %self.call.plan.request,
                    provider = %candidate.model.provider,
                    model = %candidate.model.id,
                    failure = %failure,
                    status = failure.status,
                    "an attempt failed"
                );
                let finished = attempt.failed(&failure);
                self.account(&candidate, finished);
                Ok(Tried::Failed(failure))
            }
        }
    }

    /// What an attempt may cost at most; nothing where no price is known.
    fn worst_case(model: &Model, bound: TokenBound) -> NanoUsd {
        let of_price = |price: Price| price.worst_case(bound.input, bound.output);
        model.price.map_or(NanoUsd::ZERO, of_price)
    }

    fn dispatch_record(&self, attempt: AttemptId, candidate: &Candidate, hold: &Hold) -> DispatchRecord {
        let (plan, context, model) = (&self.call.plan, &self.call.context, &candidate.model);
        DispatchRecord {
            attempt,
            instance: self.cell.instance,
            cell: self.cell.cell,
            conversation: self.conversation.clone(),
            key_id: context.caller.key().map(|key| key.id.clone()),
            user_id: context.user_id.clone(),
            project_id: context.project_id.clone(),
            endpoint: context.endpoint.clone(),
            model: model.id.clone(),
            api_model: model.api_model.clone(),
            provider: model.provider.clone(),
            layer: model.layer,
            task: plan.task,
            price: model.price,
            held: hold.amount(),
            charges: hold.charges().map(Arc::new),
            streamed: self.stream,
            started_at: unix_micros(),
        }
    }

    /// Adds a finished attempt to the request's account.
    pub(super) fn account(&mut self, candidate: &Candidate, finished: Finished) {
        self.attempts.push(AttemptTrace {
            model: candidate.model.clone(),
            reason: candidate.reason,
            outcome: finished.outcome,
            cost: finished.cost,
        });
        self.usage += finished.usage;
        self.cost += finished.cost;
        self.source = match (self.source, finished.source) {
            (UsageSource::Estimated, _) | (_, UsageSource::Estimated) => UsageSource::Estimated,
            (UsageSource::Reported, _) | (_, UsageSource::Reported) => UsageSource::Reported,
            (UsageSource::None, UsageSource::None) => UsageSource::None,
        };
        debug_assert!(
            !matches!(finished.outcome, Outcome::Cut | Outcome::Interrupted),
            "only a dropped attempt is cut or interrupted"
        );
    }
}

pub(super) fn client_left() -> GatewayError {
    GatewayError::new(ErrorKind::ClientClosed, "the client left")
}

fn not_journalled(error: &crate::protocol::JournalError) -> GatewayError {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(error = %error, cause, "a call was not made, since it could not be journalled");
    GatewayError::new(
        ErrorKind::InsufficientStorage,
        "the gateway cannot write its journal, so no paid call can be made; its operator must free disk space",
    )
}
