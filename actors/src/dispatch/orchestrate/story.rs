//! The story of a request under way: its legs, what they came to, and what was found out about the answer.

use std::sync::Arc;

use gateway_routing::maker;

use super::super::account::Account;
use super::errand::Aim;
use super::leg::Leg;
use crate::protocol::{
    ArmChosen, AttemptTrace, Candidate, CheckStatus, Decision, EscalationNeed, Evidence, HandOff, HandOffNote, LegRole,
    LegTrace, Model, ModelId, NanoUsd, Outcome, Rejected, RoutingStory,
};

/// What was planned for a request that the gateway chooses the model for.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) decision: Decision,
    pub(super) candidates: Vec<Candidate>,
    pub(super) rejected: Vec<Rejected>,
}

/// A request's story so far.
#[derive(Debug)]
pub(super) struct Story {
    legs: Vec<LegTrace>,
    /// The models that were asked for an answer: they gave one, or failed to.
    writers: Vec<Arc<Model>>,
    account: Account,
    pub(super) check: CheckStatus,
    pub(super) check_reason: Option<&'static str>,
    pub(super) checkers: Vec<ModelId>,
    pub(super) votes: Option<(u8, u8)>,
    pub(super) confidence: Option<f64>,
    /// What the first models were told of an answer before: by an offer that was approved, or of the client's tests.
    pub(super) note: Option<HandOffNote>,
    pub(super) tests: Option<Arc<HandOff>>,
    pub(super) rises: Vec<Arc<HandOff>>,
    pub(super) escalation: Option<EscalationNeed>,
    /// What speaks against the answer that is given, where it is nothing that the answer shows by itself.
    pub(super) evidence: Option<Evidence>,
    /// Whether a better model's answer was taken.
    pub(super) has_risen: bool,
    /// The first model whose answer was replaced because something spoke against it.
    pub(super) replaced: Option<ModelId>,
}

impl Story {
    pub(super) fn new(note: Option<HandOffNote>) -> Self {
        Self {
            legs: Vec::new(),
            writers: Vec::new(),
            account: Account::default(),
            check: CheckStatus::Off,
            check_reason: None,
            checkers: Vec::new(),
            votes: None,
            confidence: None,
            note,
            tests: None,
            rises: Vec::new(),
            escalation: None,
            evidence: None,
            has_risen: false,
            replaced: None,
        }
    }

    /// Adds a leg that has ended. One that has sent nothing is not told of.
    pub(super) fn ended(&mut self, role: LegRole, aim: Aim, account: &mut Account) {
        let account = std::mem::take(account);
        if aim == Aim::Answer {
            let asked = account.attempts.iter().map(|attempt| Arc::clone(&attempt.model));
            self.writers.extend(asked);
        }
        self.account.sum(account.usage, account.source, account.cost);
        if !account.attempts.is_empty() {
            self.legs.push(LegTrace {
                role,
                attempts: account.attempts,
                held: None,
            });
        }
    }

    /// Adds a leg that was asked for an answer, and goes on without being waited for.
    pub(super) fn left_running(&mut self, leg: &Leg) {
        let Some(running) = leg.running() else { return };
        let asked = running.attempts.iter().map(|attempt| Arc::clone(&attempt.model));
        self.writers.extend(asked);
        self.legs.push(running);
    }

    /// The check could not be made, for this reason. The first one counts.
    pub(super) fn unavailable(&mut self, reason: &'static str) {
        self.check = CheckStatus::Unavailable;
        self.check_reason.get_or_insert(reason);
    }

    /// A model took part in the check.
    pub(super) fn checked_by(&mut self, model: &Model) {
        if !self.checkers.contains(&model.id) {
            self.checkers.push(model.id.clone());
        }
    }

    /// Whether a model was asked for an answer already, as far as it is known.
    pub(super) fn has_written(&self, model: &Model) -> bool {
        self.writers.iter().any(|asked| is_same_endpoint(asked, model))
    }

    /// Whether a model was asked for anything already, as far as it is known.
    pub(super) fn has_tried(&self, model: &Model) -> bool {
        let is_same = |tried: &AttemptTrace| is_same_endpoint(&tried.model, model);
        self.legs.iter().flat_map(|leg| &leg.attempts).any(is_same)
    }

    /// Whether a model of this maker took part in the check.
    pub(super) fn has_checked(&self, by: &str) -> bool {
        let attempts = self.legs.iter().flat_map(|leg| &leg.attempts);
        let mut checkers = attempts.filter(|attempt| self.checkers.contains(&attempt.model.id));
        checkers.any(|attempt| maker(&attempt.model.api_model) == by)
    }

    /// Whether another model than the arm's own answered because these failed, now or before. One whose answer was given up
    /// for a better one has answered.
    pub(super) fn has_failed(&self, arm: &ArmChosen, answering: &Model) -> bool {
        if arm.means(answering) != Some(false) {
            return false;
        }
        let is_no_answer = |role| matches!(role, LegRole::Review | LegRole::Rating | LegRole::Plan);
        let answers = self.legs.iter().filter(|leg| !is_no_answer(leg.role));
        let attempts = answers.flat_map(|leg| &leg.attempts);
        let mut own = attempts
            .filter(|attempt| arm.means(&attempt.model) == Some(true))
            .peekable();
        match own.peek() {
            None => arm.is_shut,
            Some(_) => own.all(|attempt| is_failure(attempt.outcome)),
        }
    }

    /// What it cost so far. A leg that goes on without being waited for counts with what is held for its newest call, an
    /// upper bound of what that will cost.
    pub(super) fn cost(&self) -> NanoUsd {
        let held: NanoUsd = self.legs.iter().filter_map(|leg| leg.held).sum();
        self.account.cost + held
    }

    /// A better model's answer was taken for that of this one, against which something spoke. Nothing is known against the
    /// new one but what it shows by itself.
    pub(super) fn rose_above(&mut self, model: &Model) {
        self.has_risen = true;
        self.evidence = None;
        self.replaced.get_or_insert_with(|| model.id.clone());
    }

    /// The whole story, and what the request's attempts come to: those that have ended, in the order of their places.
    pub(super) fn told(self, planned: Planned) -> (RoutingStory, Account) {
        let mut account = self.account;
        let ended = self.legs.iter().filter(|leg| leg.held.is_none());
        account.attempts = ended.flat_map(|leg| leg.attempts.iter().cloned()).collect();
        account.attempts.sort_by_key(|attempt| attempt.ordinal);
        let mut legs = self.legs;
        legs.sort_by_key(|leg| leg.attempts.first().map(|attempt| attempt.ordinal));
        let story = RoutingStory {
            decision: planned.decision,
            check: self.check,
            check_reason: self.check_reason,
            checkers: self.checkers,
            votes: self.votes,
            legs,
            note: self.note,
            rises: self.tests.into_iter().chain(self.rises).collect(),
            confidence: self.confidence,
            escalation: self.escalation,
            candidates: planned.candidates,
            rejected: planned.rejected,
        };
        (story, account)
    }
}

/// Whether a model that was asked failed, and not whoever asked.
const fn is_failure(outcome: Outcome) -> bool {
    match outcome {
        Outcome::ConnectFailed | Outcome::TimedOut | Outcome::Broken | Outcome::Refused | Outcome::Malformed => true,
        Outcome::Completed | Outcome::ClientLeft | Outcome::Superseded | Outcome::Cut | Outcome::Interrupted => false,
    }
}

/// Whether two entries of the catalogue are the same model of the same provider.
pub(super) fn is_same_endpoint(one: &Model, other: &Model) -> bool {
    one.provider == other.provider && one.api_model == other.api_model
}
