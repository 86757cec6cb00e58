//! The account of a task: of all its calls together.

use crate::dispatch::account::Account;
use crate::protocol::{
    AnswerEnd, AttemptTrace, CheckStatus, EscalationNeed, LegRole, LegTrace, NanoUsd, RoutingStory, Served, UsageSource,
};

/// What was told of the calls so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    served: Option<Served>,
    legs: Vec<LegTrace>,
    /// The sums of calls that were made for answers which did not come.
    lost: Account,
    /// Whether one of them was told as such, so that they are worth telling.
    are_told: bool,
}

impl Told {
    /// Adds the account of an answer that was made for this.
    pub(super) fn add(&mut self, role: LegRole, mut served: Served) {
        relabel(&mut served.attempts, role);
        let story = served.routing.as_mut();
        let legs = story.map(|story| std::mem::take(&mut story.legs)).unwrap_or_default();
        self.add_legs(role, legs, &served.attempts);
        self.served = Some(match self.served.take() {
            Some(before) => after(before, served),
            None => served,
        });
    }

    /// Adds the account of what was asked for this, and did not come.
    pub(super) fn add_lost(&mut self, role: LegRole, legs: Vec<LegTrace>, mut account: Account) {
        if account.attempts.is_empty() && legs.is_empty() {
            return;
        }
        relabel(&mut account.attempts, role);
        self.add_legs(role, legs, &account.attempts);
        self.lost.attempts.append(&mut account.attempts);
        self.lost.sum(account.usage, account.source, account.cost);
    }

    fn add_legs(&mut self, role: LegRole, mut legs: Vec<LegTrace>, attempts: &[AttemptTrace]) {
        self.are_told |= !legs.is_empty();
        if legs.is_empty() {
            legs.push(LegTrace {
                role,
                attempts: attempts.to_vec(),
                held: None,
            });
        }
        for leg in &mut legs {
            if leg.role.is_answer() {
                leg.role = role;
            }
            relabel(&mut leg.attempts, role);
        }
        self.legs.append(&mut legs);
    }

    /// Whether a better answer would want leave.
    pub(super) fn has_offer(&self) -> bool {
        let story = self.served.as_ref().and_then(|served| served.routing.as_ref());
        story.is_some_and(|story| story.escalation.is_some())
    }

    /// All of it; nothing where nobody answered. An offer is for the whole task, which takes so many calls at most.
    pub(super) fn served(self, calls: usize) -> Option<Served> {
        let mut served = self.served?;
        let mut sums = self.lost;
        served.attempts.append(&mut sums.attempts);
        served.attempts.sort_by_key(|attempt| attempt.ordinal);
        sums.sum(served.usage, served.usage_source, served.cost);
        (served.usage, served.usage_source, served.cost) = (sums.usage, sums.source, sums.cost);
        if let Some(need) = served.routing.as_mut().and_then(|story| story.escalation.as_mut()) {
            let calls = i64::try_from(calls).unwrap_or(i64::MAX);
            let whole = |NanoUsd(cost)| NanoUsd(cost.saturating_mul(calls));
            need.estimated_cost = need.estimated_cost.map(whole);
        }
        // Of a single answer the attempts tell it all.
        if let Some(story) = &mut served.routing
            && (self.are_told || self.legs.len() > 1)
        {
            story.legs = self.legs;
        }
        Some(served)
    }
}

/// The attempts of an answer that was made for something are made for it too.
fn relabel(attempts: &mut [AttemptTrace], role: LegRole) {
    for attempt in attempts {
        if attempt.role.is_answer() {
            attempt.role = role;
        }
    }
}

/// The account of an answer after those before. The model is the newest one's.
fn after(before: Served, mut served: Served) -> Served {
    served.attempts.splice(0..0, before.attempts);
    served.usage += before.usage;
    served.cost += before.cost;
    served.usage_source = match (before.usage_source, served.usage_source) {
        (UsageSource::Estimated, _) | (_, UsageSource::Estimated) => UsageSource::Estimated,
        (UsageSource::Reported, _) | (_, UsageSource::Reported) => UsageSource::Reported,
        (UsageSource::None, UsageSource::None) => UsageSource::None,
    };
    for field in before.dropped {
        if !served.dropped.contains(&field) {
            served.dropped.push(field);
        }
    }
    served.end = before
        .end
        .filter(|end| *end != AnswerEnd::Stop)
        .or(served.end)
        .or(before.end);
    served.routing = match (before.routing, served.routing) {
        (Some(before), Some(story)) => Some(Box::new(story_after(*before, *story))),
        (before, story) => story.or(before),
    };
    served
}

fn is_dearer(one: &EscalationNeed, other: &EscalationNeed) -> bool {
    (one.suggested, one.estimated_cost) > (other.suggested, other.estimated_cost)
}

/// Of several checks the one that says most against the answers is told, and of several offers the dearest one of the
/// dearest layer.
fn story_after(before: RoutingStory, mut story: RoutingStory) -> RoutingStory {
    if concern(before.check) > concern(story.check) {
        (story.check, story.check_reason, story.votes) = (before.check, before.check_reason, before.votes);
    }
    for checker in before.checkers {
        if !story.checkers.contains(&checker) {
            story.checkers.push(checker);
        }
    }
    // Every step is told the same note.
    story.note = before.note.or(story.note);
    story.rises.splice(0..0, before.rises);
    story.confidence = match (before.confidence, story.confidence) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    story.escalation = match (before.escalation, story.escalation) {
        (Some(one), Some(other)) if is_dearer(&other, &one) => Some(other),
        (one, other) => one.or(other),
    };
    story
}

/// How much a check says against an answer.
fn concern(check: CheckStatus) -> u8 {
    match check {
        CheckStatus::Off => 0,
        CheckStatus::Agreed => 1,
        CheckStatus::Accepted => 2,
        CheckStatus::Arbitrated => 3,
        CheckStatus::Unavailable => 4,
        CheckStatus::Disagreed => 5,
        CheckStatus::Rejected => 6,
    }
}
