//! What a request's attempts come to.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::attempt::Finished;
use crate::protocol::{
    AttemptTrace, Candidate, LegRole, LegTrace, Model, NanoUsd, Outcome, Served, TokenUsage, UsageSource,
};

/// The attempts of a request, or of one of its legs, and their sums.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) attempts: Vec<AttemptTrace>,
    pub(super) usage: TokenUsage,
    pub(super) source: UsageSource,
    pub(super) cost: NanoUsd,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            attempts: Vec::new(),
            usage: TokenUsage::default(),
            source: UsageSource::None,
            cost: NanoUsd::ZERO,
        }
    }
}

impl Account {
    /// Adds a finished attempt.
    pub(super) fn add(&mut self, role: LegRole, candidate: &Candidate, finished: Finished) {
        self.attempts.push(AttemptTrace {
            ordinal: finished.ordinal,
            role,
            model: Arc::clone(&candidate.model),
            reason: candidate.reason,
            outcome: finished.outcome,
            cost: finished.cost,
        });
        self.sum(finished.usage, finished.source, finished.cost);
        debug_assert!(
            !matches!(finished.outcome, Outcome::Cut | Outcome::Interrupted),
            "only a dropped attempt is cut or interrupted"
        );
    }

    /// Adds the sums of a leg.
    pub(super) fn sum(&mut self, usage: TokenUsage, source: UsageSource, cost: NanoUsd) {
        self.usage += usage;
        self.cost += cost;
        self.source = match (self.source, source) {
            (UsageSource::Estimated, _) | (_, UsageSource::Estimated) => UsageSource::Estimated,
            (UsageSource::Reported, _) | (_, UsageSource::Reported) => UsageSource::Reported,
            (UsageSource::None, UsageSource::None) => UsageSource::None,
        };
    }

    /// The account of an answer.
    pub(super) fn served(self, model: Arc<Model>, dropped: Vec<Cow<'static, str>>) -> Served {
        Served {
            model,
            attempts: self.attempts,
            usage: self.usage,
            usage_source: self.source,
            cost: self.cost,
            dropped,
            routing: None,
            end: None,
        }
    }
}

/// The calls of an answer, and what they come to.
type Calls = (Vec<LegTrace>, Account);

/// The calls that were made for an answer that did not come, for whoever tells of more than that one answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost(Rc<RefCell<Option<Calls>>>);

impl Lost {
    /// These were made for it.
    pub(super) fn put(&self, legs: Vec<LegTrace>, account: Account) {
        *self.0.borrow_mut() = Some((legs, account));
    }

    /// What was made for it; nothing where it came, or nothing was sent.
    pub(super) fn take(&self) -> Option<Calls> {
        self.0.borrow_mut().take()
    }
}
