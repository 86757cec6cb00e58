//! The calls that wait for money.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::action::{Action, WaiterId};
use crate::protocol::{BudgetEntry, BudgetError, NanoUsd, Refill, Reserved, Scope, Shortage};

/// Those who wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    all: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    id: WaiterId,
    wanted: Refill,
    since: Instant,
}

/// How much is to be asked for.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) entry: Arc<BudgetEntry>,
    /// What the most modest needs.
    pub(super) least: NanoUsd,
    /// What all of them need.
    pub(super) total: NanoUsd,
}

impl Waiters {
    pub(super) fn add(&mut self, id: WaiterId, wanted: Refill, now: Instant) {
        self.all.push(Waiter { id, wanted, since: now });
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn contains(&self, id: WaiterId) -> bool {
        self.all.iter().any(|waiter| waiter.id == id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Gives what there is, and tells what is missing.
    pub(super) fn serve(&mut self, actions: &mut Vec<Action>, now: Instant) -> BTreeMap<Scope, Want> {
        let mut wants = BTreeMap::new();
        self.each(actions, now, |_, shortages| {
            shortages.into_iter().for_each(|short| add(&mut wants, short));
            None
        });
        wants
    }

    /// Refuses each for the first shortage that there is a reason for. The reason is also told since when it waits.
    pub(super) fn refuse(
        &mut self,
        actions: &mut Vec<Action>,
        now: Instant,
        mut reason: impl FnMut(&Shortage, Instant) -> Option<BudgetError>,
    ) {
        self.each(actions, now, |since, shortages| {
            shortages.iter().find_map(|short| reason(short, since))
        });
    }

    /// Refuses all: the ledger cannot be asked.
    pub(super) fn refuse_all(&mut self) -> Vec<Action> {
        let unavailable = |waiter: Waiter| Action::Answer(waiter.id, Err(BudgetError::LedgerUnavailable));
        self.all.drain(..).map(unavailable).collect()
    }

    /// Serves each, or hears whether it is to be refused.
    fn each(
        &mut self,
        actions: &mut Vec<Action>,
        now: Instant,
        mut otherwise: impl FnMut(Instant, Vec<Shortage>) -> Option<BudgetError>,
    ) {
        self.all.retain(|waiter| {
            let answer = match Reserved::take(&waiter.wanted.path, waiter.wanted.amount, now) {
                Ok(reserved) => Some(Ok(reserved)),
                Err(shortages) => otherwise(waiter.since, shortages).map(Err),
            };
            let is_answered = answer.is_some();
            actions.extend(answer.map(|answer| Action::Answer(waiter.id, answer)));
            !is_answered
        });
    }
}

fn add(wants: &mut BTreeMap<Scope, Want>, short: Shortage) {
    let Shortage { entry, missing } = short;
    let want = wants.entry(entry.scope.clone()).or_insert(Want {
        entry,
        least: missing,
        total: NanoUsd::ZERO,
    });
    want.least = want.least.min(missing);
    want.total += missing;
}
