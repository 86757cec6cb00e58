//! A request that the gateway may answer in several calls, under way: it begins its legs and keeps what they say.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::cell::CellParts;
use super::super::client::Client;
use super::super::run::{Run, client_left, routed};
use super::leg::{self, Heard, Leg, LegEnd, LegSpec, hear};
use super::prepare::Prepared;
use super::story::{Planned, Story};
use super::{Part, rise};
use crate::protocol::{
    Answer, AnswerFault, AnswerRead, CallStep, Candidate, ChatCall, Completion, ConversationId, ErrorKind, Evidence,
    GatewayError, LegRole, Model, OutgoingRequest, Question,
};

/// Legs that one request may have.
const MOST_LEGS: usize = 8;

/// A request under way.
pub(super) struct Errand {
    pub(super) cell: Rc<CellParts>,
    /// Its plan has a question.
    pub(super) call: ChatCall,
    /// The request as whoever answers first is sent it.
    pub(super) opening: Rc<dyn OutgoingRequest>,
    pub(super) question: Arc<Question>,
    pub(super) conversation: Option<ConversationId>,
    pub(super) part: Part,
    pub(super) planned: Planned,
    pub(super) story: Story,
    pub(super) legs_begun: usize,
    /// A budget did not pay for a leg: none is begun any more that costs something.
    pub(super) is_unpaid: bool,
    /// That budget goes on with models that cost nothing.
    pub(super) is_only_free: bool,
    /// What reviewers say is wrong with the answers so far.
    pub(super) issues: Vec<String>,
    /// The answers that were given up for others, and what speaks against them, the oldest first.
    pub(super) earlier: Vec<(Given, Evidence)>,
}

/// An answer of a leg.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) completion: Completion,
    pub(super) model: Arc<Model>,
    pub(super) dropped: Vec<Cow<'static, str>>,
    /// What it says, where it can be read.
    pub(super) read: Option<AnswerRead>,
    /// What speaks against it.
    pub(super) evidence: Option<Evidence>,
}

impl Given {
    /// Its text.
    pub(super) fn text(&self) -> &str {
        self.read.as_ref().map_or("", |read| read.text.as_str())
    }

    /// Whether there is anything in it: with nothing in hand the last hope is not given up.
    pub(super) fn is_an_answer(&self) -> bool {
        self.evidence != Some(Evidence::Empty) && !self.is_unusable()
    }

    /// Whether nobody can make anything of it: what speaks against it is not read from its text.
    fn is_unusable(&self) -> bool {
        self.read.is_none() && self.evidence.is_some()
    }

    /// How much it is worth.
    pub(super) fn worth(&self) -> u8 {
        match self.is_unusable() {
            true => rise::worth(Some(Evidence::Empty)),
            false => rise::worth(self.evidence),
        }
    }
}

/// What a leg is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// An answer to the request.
    Answer,
    /// A word about the request, or about an answer to it.
    Opinion,
}

/// What a leg is begun with.
pub(super) struct LegWish {
    pub(super) role: LegRole,
    pub(super) aim: Aim,
    pub(super) candidates: Vec<Candidate>,
    pub(super) outgoing: Rc<dyn OutgoingRequest>,
    pub(super) deadline: Instant,
}

impl Errand {
    pub(super) fn new(
        cell: Rc<CellParts>,
        call: ChatCall,
        conversation: Option<ConversationId>,
        part: Part,
        planned: Planned,
        prepared: Prepared,
    ) -> Self {
        let Prepared { question, note, .. } = prepared;
        Self {
            cell,
            opening: Rc::clone(&call.outgoing),
            call,
            question,
            conversation,
            part,
            planned,
            story: Story::new(note),
            legs_begun: 0,
            is_unpaid: false,
            is_only_free: false,
            issues: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// A leg that answers the request itself.
    pub(super) fn answering(&self, role: LegRole, candidates: Vec<Candidate>) -> LegWish {
        LegWish {
            role,
            aim: Aim::Answer,
            candidates,
            outgoing: Rc::clone(&self.opening),
            deadline: self.call.context.deadline,
        }
    }

    /// Has a leg answer the request. What it says is read and judged.
    pub(super) async fn ask(&mut self, what: LegWish, client: &mut dyn Client) -> Result<Given, GatewayError> {
        let answer = Box::pin(self.run(what, client)).await?;
        Ok(self.given(answer))
    }

    /// Runs a leg and waits for it: in the request's own task where it is to answer the request. Any other runs in a task of
    /// its own, so that whatever becomes of it, and be it a panic, takes nothing of what was paid for along.
    pub(super) async fn run(&mut self, what: LegWish, client: &mut dyn Client) -> Result<Answer, GatewayError> {
        let (role, aim) = (what.role, what.aim);
        if role != self.part.role {
            self.tell(role, what.candidates.iter().take(1));
            let mut leg = [Some(self.begin(what)?)];
            return match Box::pin(hear(&mut leg, client, None)).await {
                Heard::Ended(_, end) => self.took(role, aim, *end),
                // Dropped, the leg sends nothing more, and reads what was sent to its end.
                Heard::Left | Heard::Late => Err(client_left()),
            };
        }
        let spec = self.spec(what)?;
        let mut run =
            Run::new(Rc::clone(&self.cell), spec.call, spec.conversation, false).into_leg(role, &spec.ordinals);
        let result = run.complete_with(spec.candidates, client).await;
        self.took(role, aim, LegEnd::of(run, result))
    }

    /// Begins a leg in a task of its own.
    pub(super) fn begin(&mut self, what: LegWish) -> Result<Leg, GatewayError> {
        let spec = self.spec(what)?;
        Ok(leg::begin(&self.cell, spec))
    }

    /// Takes the account of a leg that was asked for an answer, and has ended.
    pub(super) fn ended(&mut self, role: LegRole, end: LegEnd) -> Result<Answer, GatewayError> {
        self.took(role, Aim::Answer, end)
    }

    fn took(&mut self, role: LegRole, aim: Aim, mut end: LegEnd) -> Result<Answer, GatewayError> {
        self.story.ended(role, aim, &mut end.account);
        self.is_only_free |= end.only_free;
        if end.only_free || matches!(&end.result, Err(error) if is_unpaid(error)) {
            self.is_unpaid = true;
        }
        end.result
    }

    /// An answer to the request, read and judged.
    pub(super) fn given(&self, answer: Answer) -> Given {
        let outgoing = &self.call.outgoing;
        let read = outgoing.read_answer(&answer.completion);
        let may_be_unusable = read.as_ref().is_none_or(|read| read.calls_tools);
        let (read, evidence) =
            match may_be_unusable && outgoing.fault_of(&answer.completion) == Some(AnswerFault::Unusable) {
                true => (None, Some(Evidence::InvalidOutput)),
                false => {
                    let evidence = read.as_ref().and_then(|read| rise::judge(read, &self.question));
                    (read, evidence)
                }
            };
        Given {
            completion: answer.completion,
            model: answer.served.model,
            dropped: answer.served.dropped,
            read,
            evidence,
        }
    }

    /// Gives up an answer for another, if something in it speaks against it. Whoever is asked to do better is told of it.
    pub(super) fn tried(&mut self, given: Given) {
        if let Some(evidence) = given.evidence {
            self.earlier.push((given, evidence));
        }
    }

    /// Tells that the router has answered, and counts the request: once, however many legs it has.
    pub(super) fn routed(&self) {
        routed(&self.cell, &self.call.context, &self.planned.candidates);
    }

    /// Tells whoever watches that calls are begun.
    pub(super) fn tell<'a>(&self, role: LegRole, candidates: impl Iterator<Item = &'a Candidate>) {
        if let Some(watcher) = &self.call.context.watcher {
            watcher.tell(CallStep::Leg {
                role,
                models: candidates.map(|candidate| Arc::clone(&candidate.model)).collect(),
            });
        }
    }

    /// Whether a call of this candidate may be begun: nothing that costs something once a budget has not paid.
    pub(super) fn may_pay(&self, candidate: &Candidate) -> bool {
        !self.is_unpaid || candidate.model.is_free()
    }

    fn spec(&mut self, what: LegWish) -> Result<LegSpec, GatewayError> {
        if self.legs_begun >= MOST_LEGS || self.part.ordinals.are_spent() || what.candidates.is_empty() {
            return Err(GatewayError::new(
                ErrorKind::Internal,
                "this request has made as many calls as one may",
            ));
        }
        self.legs_begun += 1;
        let mut context = self.call.context.clone();
        context.deadline = what.deadline;
        Ok(LegSpec {
            role: what.role,
            candidates: what.candidates,
            call: ChatCall {
                plan: self.call.plan.clone(),
                outgoing: what.outgoing,
                context,
            },
            conversation: self.conversation.clone(),
            ordinals: self.part.ordinals.clone(),
        })
    }
}

/// Whether no budget pays for a call.
pub(super) fn is_unpaid(error: &GatewayError) -> bool {
    matches!(
        error.kind,
        ErrorKind::BudgetExceeded | ErrorKind::ModelUnpriced | ErrorKind::CostUnbounded
    )
}

/// Whether the client left, so that nothing is to be done any more.
pub(super) fn is_left(error: &GatewayError) -> bool {
    error.kind == ErrorKind::ClientClosed
}

/// Why a call for a check came to nothing, as it is told.
pub(super) fn reason_of(error: &GatewayError) -> &'static str {
    match error.kind {
        _ if is_unpaid(error) => "budget",
        ErrorKind::DeadlineExceeded | ErrorKind::UpstreamTimeout => "timeout",
        _ => "provider",
    }
}
