//! A ledger in memory: what the ports promise, said as simply as it can be, to compare the databases with.

mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Semaphore;

use self::state::{LeaseState, PeriodKey, Set, Standing, State};
use crate::protocol::{
    Budget, BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, CallRecord, CallStore, ExpiredSlice,
    GiveBack, Grant, GrantRequest, InstanceId, LeaseId, LedgerStore, NanoUsd, Recall, Scope, StoreError, StoreFuture,
};

#[expect(clippy::disallowed_types, reason = "a fake for tests, which no request waits for")]
type Mutex<T> = std::sync::Mutex<T>;

/// A ledger in memory. Its clock stands still until it is set.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    state: Mutex<State>,
    away: ArcSwap<bool>,
    grants: ArcSwapOption<Semaphore>,
}

/// How a scope stands in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodSums {
    /// What was posted.
    pub posted: NanoUsd,
    /// What slices hold.
    pub held: NanoUsd,
}

impl MemoryLedger {
    /// A ledger without budgets whose clock shows this time, in microseconds since 1970.
    #[must_use]
    pub fn at(now_us: i64) -> Self {
        let ledger = Self::default();
        ledger.set_now(now_us);
        ledger
    }

    /// Sets the clock, in microseconds since 1970.
    pub fn set_now(&self, now_us: i64) {
        self.state().now = now_us;
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.state().now += micros(by);
    }

    /// Makes the ledger unreachable, or reachable again.
    pub fn set_away(&self, away: bool) {
        self.away.store(Arc::new(away));
    }

    /// Lets no answer to a wish for more arrive until this is closed.
    pub fn hold_grants(&self) -> Arc<Semaphore> {
        let closed_later = Arc::new(Semaphore::new(0));
        self.grants.store(Some(Arc::clone(&closed_later)));
        closed_later
    }

    /// Stores call records and posts what they cost, each once.
    pub fn post(&self, records: &[Arc<CallRecord>]) {
        let mut state = self.state();
        records.iter().for_each(|record| state.insert(record));
    }

    /// How every scope stands in every period that anything was posted to or granted in.
    #[must_use]
    pub fn periods(&self) -> BTreeMap<(Scope, Arc<str>), PeriodSums> {
        let state = self.state();
        let sums = |key: &PeriodKey| PeriodSums {
            posted: NanoUsd(state.posted(key)),
            held: NanoUsd(state.held(key)),
        };
        state.periods.keys().map(|key| (key.clone(), sums(key))).collect()
    }

    /// What operators were told of: a kind, a scope, a period and where there is one a percentage, between bars.
    #[must_use]
    pub fn told(&self) -> BTreeSet<String> {
        self.state().told.clone()
    }

    /// The records that were stored.
    #[must_use]
    pub fn calls(&self) -> Vec<Arc<CallRecord>> {
        self.state().calls.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&mut State) -> T) -> StoreFuture<T> {
        let result = match **self.away.load() {
            true => Err(StoreError::Unavailable { source: None }),
            false => Ok(work(&mut self.state())),
        };
        Box::pin(std::future::ready(result))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl CallStore for MemoryLedger {
    fn insert_calls(&self, records: Vec<Arc<CallRecord>>) -> StoreFuture<()> {
        self.answer(|state| records.iter().for_each(|record| state.insert(record)))
    }
}

impl BudgetStore for MemoryLedger {
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges> {
        self.answer(|state| {
            let is_told = |set: &Set| set.changed > from.0 && !(set.deleted && from == BudgetCursor::default());
            let changed: Vec<_> = state.budgets.iter().filter(|(_, set)| is_told(set)).collect();
            let newest = changed.iter().map(|(_, set)| BudgetCursor(set.changed)).max();
            BudgetChanges {
                budgets: changed
                    .into_iter()
                    .map(|(scope, set)| Budget {
                        scope: scope.clone(),
                        rule: (!set.deleted).then(|| set.rule.clone()),
                    })
                    .collect(),
                next: newest.unwrap_or(from).max(from),
                complete: from == BudgetCursor::default(),
            }
        })
    }

    fn set_budget(&self, scope: Scope, rule: BudgetRule) -> StoreFuture<BudgetStatus> {
        self.answer(|state| state.set_budget(&scope, &rule))
    }

    fn recount(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        self.answer(|state| {
            let rule = state.rule(&scope)?.clone();
            let period = rule.window.period_at(state.now);
            let key = (scope.clone(), Arc::clone(&period.id));
            state.open(&scope, &key, &period);
            Some(state.status(rule, key, period))
        })
    }

    fn delete_budget(&self, scope: Scope) -> StoreFuture<bool> {
        self.answer(|state| {
            let stamp = state.next_stamp();
            let there = state.budgets.get_mut(&scope).filter(|set| !set.deleted);
            there.is_some_and(|set| {
                set.deleted = true;
                set.changed = stamp;
                true
            })
        })
    }

    fn budget(&self, scope: Scope) -> StoreFuture<Option<BudgetStatus>> {
        self.answer(|state| {
            let rule = state.rule(&scope)?.clone();
            let period = rule.window.period_at(state.now);
            let key = (scope.clone(), Arc::clone(&period.id));
            Some(state.status(rule, key, period))
        })
    }
}

impl LedgerStore for MemoryLedger {
    fn open_lease(&self, instance: InstanceId, ttl: Duration) -> StoreFuture<LeaseId> {
        self.answer(|state| {
            let of_instance = state.leases.keys().filter(|lease| lease.instance == instance);
            let last = of_instance.map(|lease| lease.epoch).max().unwrap_or(0);
            let lease = LeaseId {
                instance,
                epoch: last + 1,
            };
            let opened = LeaseState {
                expires_at: state.now.saturating_add(micros(ttl)),
                standing: Standing::Live,
            };
            state.leases.insert(lease, opened);
            lease
        })
    }

    fn renew_lease(&self, lease: LeaseId, ttl: Duration) -> StoreFuture<bool> {
        self.answer(|state| {
            let expires_at = state.now.saturating_add(micros(ttl));
            let there = state.leases.get_mut(&lease);
            let live = there.filter(|lease| lease.standing == Standing::Live);
            live.map(|lease| lease.expires_at = expires_at).is_some()
        })
    }

    fn expire_leases(&self, grace: Duration) -> StoreFuture<Vec<ExpiredSlice>> {
        self.answer(|state| state.expire(state.now.saturating_sub(micros(grace))))
    }

    fn end_leases_of(&self, instances: Vec<InstanceId>) -> StoreFuture<()> {
        self.answer(|state| state.end(|lease| instances.contains(&lease.instance)))
    }

    fn end_lease(&self, lease: LeaseId) -> StoreFuture<()> {
        self.answer(|state| state.end(|of| *of == lease))
    }

    fn grant(&self, lease: LeaseId, wanted: Vec<GrantRequest>) -> StoreFuture<Vec<Grant>> {
        let held = self.grants.load_full();
        let granted = self.answer(move |state| {
            let is_live = state.is_live(lease);
            let one = |wanted| match is_live {
                true => state.grant(lease, wanted),
                false => Grant::LeaseLost,
            };
            wanted.iter().map(one).collect()
        });
        Box::pin(async move {
            if let Some(held) = held {
                // It has no permits: this ends when it is closed.
                let _closed = held.acquire().await;
            }
            granted.await
        })
    }

    fn give_back(&self, lease: LeaseId, parts: Vec<GiveBack>) -> StoreFuture<()> {
        self.answer(|state| {
            if state.is_live(lease) {
                parts.iter().for_each(|part| state.give_back(lease, part));
            }
        })
    }

    fn recalls(&self, lease: LeaseId) -> StoreFuture<Vec<Recall>> {
        self.answer(|state| {
            let is_live = state.is_live(lease);
            let own = state.slices.iter().filter(|((_, of), _)| is_live && *of == lease);
            let unanswered = own.filter_map(|((key, _), slice)| {
                let number = state.periods.get(key)?.recall;
                (slice.held() > 0 && slice.answered < number).then(|| Recall {
                    scope: key.0.clone(),
                    period: Arc::clone(&key.1),
                    number,
                })
            });
            unanswered.collect()
        })
    }
}

#[cfg(test)]
mod tests;
