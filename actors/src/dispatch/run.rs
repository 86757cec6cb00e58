//! One request's way through its candidates, up to an answer or a stream that has begun.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::attempt::Attempt;
use super::cell::CellParts;
use super::client::{Client, gone, superseded};
use super::failure::{Blocked, told};
use super::payment::{NotPaid, Payment};
use crate::protocol::{
    Answer, AnswerFault, AttemptId, Billing, CallContext, CallStep, Candidate, ChatCall, Completion, ConversationId,
    DispatchRecord, ErrorKind, FailureKind, GatewayError, Hold, Lease, LegRole, Model, NanoUsd, Ordinals, Outgoing,
    Plan, PlanRequest, Price, RouteError, TokenBound, UpstreamCall, UpstreamFailure, UpstreamReply,
};
use crate::runtime::{AbortPoint, Seldom, pass, unix_micros};

/// A request on its way, or one leg of one.
pub(super) struct Run {
    pub(super) cell: Rc<CellParts>,
    pub(super) call: ChatCall,
    pub(super) conversation: Option<ConversationId>,
    pub(super) payment: Payment,
    stream: bool,
    /// What its calls are made for.
    role: LegRole,
    /// Where its attempts get their places.
    ordinals: Ordinals,
    pub(super) account: Account,
}

/// An attempt that a provider has begun to answer.
pub(super) struct Begun {
    pub(super) attempt: Attempt,
    pub(super) candidate: Candidate,
    pub(super) reply: UpstreamReply,
    /// What the model was not told.
    pub(super) dropped: Vec<Cow<'static, str>>,
}

/// An attempt that was answered to the end.
struct Whole {
    completion: Completion,
    candidate: Candidate,
    dropped: Vec<Cow<'static, str>>,
    /// What is wrong with an answer that is of no use.
    failure: Option<UpstreamFailure>,
}

/// What came of trying a candidate.
pub(super) enum Tried {
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
            role: LegRole::Answer,
            ordinals: Ordinals::default(),
            account: Account::default(),
        }
    }

    /// The same as one of a request's legs, which share the places of their attempts.
    pub(super) fn into_leg(mut self, role: LegRole, ordinals: &Ordinals) -> Self {
        self.role = role;
        self.ordinals = ordinals.clone();
        self
    }

    /// Gets a whole answer.
    pub(super) async fn complete(&mut self, client: &mut dyn Client) -> Result<Answer, GatewayError> {
        let plan = plan(&self.cell, &self.call.plan).await?;
        routed(&self.cell, &self.call.context, &plan.candidates);
        self.complete_with(plan.candidates, client).await
    }

    /// Gets a whole answer of one of these models. One that is of no use is kept while others are asked, as after a call
    /// that failed, and given where none of them answers: whoever asked may know what to do about it.
    pub(super) async fn complete_with(
        &mut self,
        candidates: Vec<Candidate>,
        client: &mut dyn Client,
    ) -> Result<Answer, GatewayError> {
        let mut queue: VecDeque<Candidate> = candidates.into();
        let mut last = None;
        let mut kept: Option<Whole> = None;
        loop {
            let whole = match self.begin_after(&mut queue, last.take(), client).await {
                Ok(begun) => self.ended(begun)?,
                Err(error) => match kept {
                    Some(whole) if error.kind != ErrorKind::ClientClosed => return Ok(self.answer(whole)),
                    _ => return Err(error),
                },
            };
            let Some(failure) = &whole.failure else {
                return Ok(self.answer(whole));
            };
            if failure.kind == FailureKind::Empty {
                // A dearer layer is for whoever judges answers to enter, which may want leave.
                let layer = whole.candidate.model.layer;
                queue.retain(|candidate| candidate.model.layer <= layer);
            }
            last = Some((whole.candidate.clone(), failure.clone()));
            kept = Some(whole);
        }
    }

    fn answer(&mut self, whole: Whole) -> Answer {
        Answer {
            completion: whole.completion,
            served: std::mem::take(&mut self.account).served(whole.candidate.model, whole.dropped),
        }
    }

    fn ended(&mut self, begun: Begun) -> Result<Whole, GatewayError> {
        let Begun {
            mut attempt,
            candidate,
            reply,
            dropped,
        } = begun;
        let UpstreamReply::Complete(completion) = reply else {
            let failure = UpstreamFailure::new(FailureKind::Malformed, Billing::Ambiguous, "a stream nobody asked for");
            let finished = attempt.failed(&failure);
            self.account.add(self.role, &candidate, finished);
            return Err(told(&failure));
        };
        let bytes = u64::try_from(completion.body.len()).unwrap_or(u64::MAX);
        attempt.meter(bytes, Some(completion.usage));
        let fault = self.call.outgoing.fault_of(&completion);
        let failure = fault.map(|fault| {
            let (kind, detail) = match fault {
                AnswerFault::Unusable => (
                    FailureKind::Malformed,
                    "an answer that cannot be read, or a call of a tool that nobody offered",
                ),
                AnswerFault::Empty => (FailureKind::Empty, "an answer with nothing in it"),
            };
            UpstreamFailure::new(kind, Billing::Ambiguous, detail)
        });
        let finished = match &failure {
            None => attempt.completed(),
            Some(failure) => {
                tracing::info!(
                    request = %self.call.plan.request,
                    model = %candidate.model.id,
                    %failure,
                    "a whole answer is of no use"
                );
                attempt.unusable(failure)
            }
        };
        self.account.add(self.role, &candidate, finished);
        Ok(Whole {
            completion,
            candidate,
            dropped,
            failure,
        })
    }

    /// Plans, and tries candidates until one begins to answer.
    pub(super) async fn begin(&mut self, client: &mut dyn Client) -> Result<Begun, GatewayError> {
        let plan = plan(&self.cell, &self.call.plan).await?;
        routed(&self.cell, &self.call.context, &plan.candidates);
        self.begin_with(plan.candidates, client).await
    }

    /// Tries candidates until one begins to answer.
    pub(super) async fn begin_with(
        &mut self,
        candidates: Vec<Candidate>,
        client: &mut dyn Client,
    ) -> Result<Begun, GatewayError> {
        self.begin_after(&mut candidates.into(), None, client).await
    }

    /// Tries candidates after one that failed like this, if one did, until one begins to answer. Those that were not tried
    /// are left.
    async fn begin_after(
        &mut self,
        queue: &mut VecDeque<Candidate>,
        mut last: Option<(Candidate, UpstreamFailure)>,
        client: &mut dyn Client,
    ) -> Result<Begun, GatewayError> {
        let mut blocked = Blocked::default();
        let mut untold: Option<GatewayError> = None;
        loop {
            let Some((candidate, lease)) = self.next(queue, &mut blocked, last.as_ref()).await? else {
                return Err(match (last, untold) {
                    (Some((_, failure)), _) => told(&failure),
                    (None, Some(error)) => self.payment.ran_dry().unwrap_or(error),
                    (None, None) => blocked.told(),
                });
            };
            // Nobody would see the answer, and it may cost money.
            if gone(client).now_or_never().is_some() {
                return Err(client_left());
            }
            let request = self.request_for(&candidate.model);
            let outgoing = match self.write(&*request, &candidate.model) {
                Ok(outgoing) => outgoing,
                Err(error) if queue.is_empty() && last.is_none() => {
                    return Err(self.payment.ran_dry().or(untold).unwrap_or(error));
                }
                // Another model may speak a dialect that has a word for it, or be one that the budgets pay for.
                Err(error) => {
                    untold.get_or_insert(error);
                    continue;
                }
            };
            let again = candidate.clone();
            match self.attempt(candidate, lease, outgoing, client).await? {
                Tried::Begun(begun) => return Ok(*begun),
                Tried::Failed(failure) if failure.kind == FailureKind::Rejected => {
                    return self.without_state(again, &*request, &failure, client).await;
                }
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

    pub(super) async fn attempt(
        &mut self,
        candidate: Candidate,
        lease: Lease,
        outgoing: Outgoing,
        client: &mut dyn Client,
    ) -> Result<Tried, GatewayError> {
        let bound = outgoing.bound;
        let dropped = outgoing.dropped.clone();
        let ordinal = self
            .ordinals
            .next(self.account.attempts.len())
            .ok_or_else(too_many_attempts)?;
        let attempt = AttemptId {
            request: self.call.plan.request,
            ordinal,
        };
        let held = Self::to_hold(&candidate.model, bound);
        let deadline = self.call.context.deadline;
        let hold = match self.payment.hold(&self.cell, attempt, held, deadline).await {
            Ok(hold) => hold,
            Err(NotPaid::OnlyFree) => return Ok(Tried::NotPaid),
            Err(NotPaid::Refused(error)) => return Err(error),
        };
        // Whoever wanted it may have left while the budgets were asked: the hold goes back, and nothing is sent.
        if gone(client).now_or_never().is_some() {
            return Err(client_left());
        }
        pass(AbortPoint::Held);
        let record = self.dispatch_record(attempt, &candidate, &hold, bound);
        let long_writes =
            record.price.is_some_and(|price| price.long_writes_are_dearer()) && outgoing.body.may_ask_for_long_writes();
        let other_tier = record.price.is_some_and(|price| !price.is_free()) && outgoing.body.asks_for_another_tier();
        let call = UpstreamCall {
            attempt: record.attempt,
            model: candidate.model.clone(),
            operation: self.call.outgoing.operation_for(&candidate.model),
            outgoing,
            stream: self.stream,
            deadline,
        };
        client.sending(ordinal, record.held);
        let sent = Attempt::dispatch(Rc::clone(&self.cell), record, lease, hold, bound.input);
        let attempt = sent.map_err(|error| not_journalled(&error))?;
        let attempt = attempt.with_long_writes(long_writes).in_other_tier(other_tier);
        let mut attempt = attempt.counted_by(self.call.context.meter.as_ref());
        if let Some(watcher) = &self.call.context.watcher {
            watcher.tell(CallStep::Attempt {
                ordinal,
                model: Arc::clone(&candidate.model),
            });
        }
        let linger = self.cell.settings.linger;
        let is_free = candidate.model.is_free();
        // What is on its way is being generated, and will be billed. When nobody waits for it any more it is waited for only to
        // learn what it costs: not at all, if it was asked for beside others and costs nothing.
        let abandoned = async {
            gone(client).await;
            let is_superseded = superseded(client).now_or_never().is_some();
            if !(is_superseded && is_free) {
                sleep(linger).await;
            }
            is_superseded
        };
        pass(AbortPoint::Sending);
        let result = tokio::select! {
            biased;
            result = self.cell.upstream.call(call) => result,
            is_superseded = abandoned => {
                let finished = if is_superseded { attempt.superseded() } else { attempt.client_left() };
                self.account.add(self.role, &candidate, finished);
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
                self.account.add(self.role, &candidate, finished);
                Ok(Tried::Failed(failure))
            }
        }
    }

    /// What is held for an attempt, which is what it may cost at most; nothing where no price is known.
    fn to_hold(model: &Model, bound: TokenBound) -> NanoUsd {
        let of_price = |price: Price| price.to_hold(bound.input, bound.output);
        model.price.map_or(NanoUsd::ZERO, of_price)
    }

    fn dispatch_record(
        &self,
        attempt: AttemptId,
        candidate: &Candidate,
        hold: &Hold,
        bound: TokenBound,
    ) -> DispatchRecord {
        let (plan, context, model) = (&self.call.plan, &self.call.context, &candidate.model);
        let charges = hold.charges().map(Arc::new);
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
            // Where no budget pays, nothing is sent that the client did not say, and a model may give more than is known.
            output_cap: charges.is_some().then_some(bound.output),
            charges,
            purpose: self.role,
            streamed: self.stream,
            started_at: unix_micros(),
        }
    }

    /// Whether a budget ran dry that goes on with models that cost nothing.
    pub(super) fn pays_only_free(&self) -> bool {
        self.payment.is_dry()
    }
}

/// Tells that the router has answered, and counts the request.
pub(super) fn routed(cell: &CellParts, context: &CallContext, candidates: &[Candidate]) {
    if let (Some(watcher), Some(first)) = (&context.watcher, candidates.first()) {
        watcher.tell(CallStep::Routed {
            candidates: candidates.len(),
            first: Arc::clone(&first.model),
        });
    }
    cell.retries.borrow_mut().request(Instant::now());
}

/// Asks the cell's router; once more when it was just being rebuilt.
pub(super) async fn plan(cell: &CellParts, request: &PlanRequest) -> Result<Plan, GatewayError> {
    #[cfg(feature = "testkit")]
    if let Some(plan) = cell.planned(request) {
        return plan.map_err(GatewayError::from);
    }
    for _ in 0..2 {
        match cell.router.ask(request.clone()).await {
            Ok(Err(RouteError::Restarting)) | Err(_) => {}
            Ok(plan) => return plan.map_err(GatewayError::from),
        }
    }
    Err(RouteError::Restarting.into())
}

pub(super) fn client_left() -> GatewayError {
    GatewayError::new(ErrorKind::ClientClosed, "the client left")
}

fn too_many_attempts() -> GatewayError {
    GatewayError::new(ErrorKind::Internal, "this request has made as many attempts as one may")
}

fn not_journalled(error: &crate::protocol::JournalError) -> GatewayError {
    static SELDOM: Seldom = Seldom::new();
    if let Some(left_out) = SELDOM.now() {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(error = %error, cause, left_out, "a call was not made, since it could not be journalled");
    }
    GatewayError::new(
        ErrorKind::InsufficientStorage,
        "the gateway cannot write its journal, so no paid call can be made; its operator must free disk space",
    )
}
