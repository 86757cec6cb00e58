//! What the ledger in memory knows, and how it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::protocol::{
    AttemptId, BudgetRule, BudgetStatus, CallRecord, Excess, ExpiredSlice, GiveBack, Grant, GrantRequest, LeaseId,
    NanoUsd, Outcome, Period, Scope, Window,
};

/// Everything that is known.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) now: i64,
    pub(super) budgets: BTreeMap<Scope, Set>,
    pub(super) periods: BTreeMap<PeriodKey, PeriodState>,
    pub(super) leases: BTreeMap<LeaseId, LeaseState>,
    pub(super) slices: BTreeMap<(PeriodKey, LeaseId), Slice>,
    pub(super) calls: HashMap<AttemptId, Arc<CallRecord>>,
    /// What operators were told of.
    pub(super) told: BTreeSet<String>,
}

/// A scope and the name of a period.
pub(super) type PeriodKey = (Scope, Arc<str>);

/// A budget that was set, and perhaps deleted afterwards.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) rule: BudgetRule,
    pub(super) changed: i64,
    pub(super) deleted: bool,
}

/// A budget in a period. What is held is what the slices hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PeriodState {
    pub(super) posted: i64,
    pub(super) recall: i64,
}

/// A lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseState {
    pub(super) expires_at: i64,
    pub(super) standing: Standing,
}

/// How far a lease has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Live,
    Expired,
    Ended,
}

/// A slice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slice {
    pub(super) granted: i64,
    pub(super) returned: i64,
    pub(super) posted: i64,
    /// What was posted when the lease ran out, and no record has explained yet.
    pub(super) pool: i64,
    pub(super) seq: u64,
    pub(super) seq_amount: i64,
    /// The recall that the last question waits for; none when it was granted.
    pub(super) waits_for: Option<i64>,
    /// The last recall that was answered.
    pub(super) answered: i64,
}

impl Slice {
    /// What is held while the lease lives.
    pub(super) fn held(&self) -> i64 {
        (self.granted - self.returned).saturating_sub(self.posted).max(0)
    }
}

impl Slice {
    /// What was posted beyond what was granted.
    fn owed(&self) -> i64 {
        self.posted.saturating_sub(self.granted - self.returned).max(0)
    }
}

impl State {
    pub(super) fn posted(&self, key: &PeriodKey) -> i64 {
        self.periods.get(key).map_or(0, |period| period.posted)
    }

    pub(super) fn is_live(&self, lease: LeaseId) -> bool {
        self.standing(lease) == Some(Standing::Live)
    }

    pub(super) fn standing(&self, lease: LeaseId) -> Option<Standing> {
        self.leases.get(&lease).map(|lease| lease.standing)
    }

    /// What the slices of living leases hold, each with its lease.
    pub(super) fn holders<'a>(&'a self, key: &'a PeriodKey) -> impl Iterator<Item = (LeaseId, &'a Slice)> {
        let of_period = self.slices.iter().filter(move |((period, _), _)| period == key);
        let live = of_period.filter(|((_, lease), slice)| self.is_live(*lease) && slice.held() > 0);
        live.map(|((_, lease), slice)| (*lease, slice))
    }

    pub(super) fn held(&self, key: &PeriodKey) -> i64 {
        self.holders(key).map(|(_, slice)| slice.held()).sum()
    }

    pub(super) fn rule(&self, scope: &Scope) -> Option<&BudgetRule> {
        let set = self.budgets.get(scope).filter(|set| !set.deleted)?;
        Some(&set.rule)
    }

    /// Changes what was posted, and tells what has to be told of it.
    pub(super) fn post(&mut self, key: &PeriodKey, amount: i64) {
        let period = self.periods.entry(key.clone()).or_default();
        let before = period.posted;
        period.posted = before.saturating_add(amount).max(0);
        self.tell(key, Some(before));
    }

    pub(super) fn tell(&mut self, key: &PeriodKey, before: Option<i64>) {
        let after = self.posted(key);
        let Some(rule) = self.rule(&key.0) else { return };
        if Period::window_of(&key.1) != Some(rule.window) {
            return;
        }
        let limit = rule.limit.0;
        let (scope, period) = key;
        let reaches = |posted: i64, percent: u8| i128::from(posted) * 100 >= i128::from(limit) * i128::from(percent);
        let crossed = rule.alert_percents.iter().filter(|&&percent| {
            limit > 0 && reaches(after, percent) && !before.is_some_and(|before| reaches(before, percent))
        });
        let crossed = crossed.map(|percent| format!("budget_threshold|{scope}|{period}|{percent}|{limit}"));
        let mut told: Vec<_> = crossed.collect();
        if after > limit && before.is_none_or(|before| before <= limit) {
            told.push(format!("budget_overrun|{scope}|{period}|{limit}"));
        }
        self.told.extend(told);
    }

    pub(super) fn insert(&mut self, record: &Arc<CallRecord>) {
        let there = self.calls.get(&record.dispatch.attempt);
        let replaced = match there {
            None => None,
            Some(there) if there.outcome == Outcome::Interrupted && record.outcome != Outcome::Interrupted => {
                Some(there.cost.0)
            }
            Some(_) => return,
        };
        self.calls.insert(record.dispatch.attempt, Arc::clone(record));
        let Some(charges) = record.dispatch.charges.clone() else {
            return;
        };
        let lease = LeaseId {
            instance: record.dispatch.instance,
            epoch: charges.epoch,
        };
        for key in &charges.to {
            let kind = match record.excess() {
                None => None,
                Some(Excess::Cost) => Some("cost_above_hold"),
                Some(Excess::Output) => Some("output_above_cap"),
            };
            self.told.extend(kind.map(|kind| format!("{kind}|{}|{}", key.0, key.1)));
            match replaced {
                // Whose slice it was has counted the attempt at what was posted first, and hears of no difference.
                Some(before) => self.post(key, record.cost.0 - before),
                None => self.post_of(key, lease, record.cost.0),
            }
        }
    }

    /// Posts what a new record costs.
    pub(super) fn post_of(&mut self, key: &PeriodKey, lease: LeaseId, cost: i64) {
        let standing = self.standing(lease);
        let mut explained = 0;
        if let Some(slice) = self.slices.get_mut(&(key.clone(), lease)) {
            slice.posted = slice.posted.saturating_add(cost);
            if standing == Some(Standing::Expired) {
                explained = cost.min(slice.pool);
                slice.pool -= explained;
            }
        }
        self.post(key, cost - explained);
    }

    pub(super) fn grant(&mut self, lease: LeaseId, wanted: &GrantRequest) -> Grant {
        let own = || {
            let all = self.slices.iter();
            all.filter(|((key, of), _)| *of == lease && key.0 == wanted.scope)
        };
        let repeated = own().find(|(_, slice)| slice.seq == wanted.seq && slice.waits_for.is_none());
        if let Some((((_, period), _), slice)) = repeated {
            return Grant::Granted {
                period: Period::of_id(period).unwrap_or_else(|| Window::Total.period_at(0)),
                amount: NanoUsd(slice.seq_amount),
                granted: NanoUsd(slice.granted),
                now: self.now,
            };
        }
        let is_stale = own().any(|(_, slice)| slice.seq > wanted.seq);
        let Some(rule) = self.rule(&wanted.scope) else {
            return Grant::NoBudget;
        };
        let period = rule.window.period_at(self.now);
        let key = (wanted.scope.clone(), Arc::clone(&period.id));
        let own = self.slices.get(&(key.clone(), lease)).copied().unwrap_or_default();
        // What a call cost beyond its hold is in `posted` already: to make up for it takes nothing more.
        let free = rule
            .limit
            .0
            .saturating_sub(self.posted(&key))
            .saturating_sub(self.held(&key));
        // What was granted in all must be a number too.
        let left = free.saturating_add(own.owed()).min(i64::MAX - own.granted);
        let least = wanted.least.0.max(0);
        if is_stale || left < least {
            return Grant::Short {
                period,
                left: NanoUsd(left.max(0)),
                recalling: !is_stale && self.recall(lease, wanted.seq, key),
                now: self.now,
            };
        }
        let more = (wanted.wish.0 - least).clamp(0, (left - least) / 4);
        let amount = least + more;
        self.periods.entry(key.clone()).or_default();
        let slice = self.slices.entry((key, lease)).or_default();
        slice.granted += amount;
        slice.seq = wanted.seq;
        slice.seq_amount = amount;
        slice.waits_for = None;
        Grant::Granted {
            period,
            amount: NanoUsd(amount),
            granted: NanoUsd(slice.granted),
            now: self.now,
        }
    }

    /// Asks the other holders to give back what they can, once for each question; whether some have not heard of it.
    pub(super) fn recall(&mut self, lease: LeaseId, seq: u64, key: PeriodKey) -> bool {
        if self.holders(&key).all(|(holder, _)| holder == lease) {
            return false;
        }
        let own = self.slices.get(&(key.clone(), lease)).copied().unwrap_or_default();
        let number = match own.waits_for.filter(|_| own.seq == seq) {
            Some(number) => number,
            None => {
                let period = self.periods.entry(key.clone()).or_default();
                period.recall += 1;
                let number = period.recall;
                let slice = self.slices.entry((key.clone(), lease)).or_default();
                slice.seq = seq;
                slice.seq_amount = 0;
                slice.waits_for = Some(number);
                // Nobody answers to itself, unless it owes others an answer too.
                if slice.answered == number - 1 {
                    slice.answered = number;
                }
                number
            }
        };
        let mut others = self.holders(&key).filter(|(holder, _)| *holder != lease);
        others.any(|(_, slice)| slice.answered < number)
    }

    pub(super) fn give_back(&mut self, lease: LeaseId, part: &GiveBack) {
        let key = (part.scope.clone(), Arc::clone(&part.period));
        if let Some(slice) = self.slices.get_mut(&(key, lease)) {
            slice.returned = slice.returned.max(part.returned.0.min(slice.granted));
            slice.answered = slice.answered.max(part.recall);
        }
    }

    /// The place of the next change of a budget, behind all others whatever the clock says.
    pub(super) fn next_stamp(&self) -> i64 {
        let newest = self.budgets.values().map(|set| set.changed).max();
        self.now.max(newest.unwrap_or(0).saturating_add(1))
    }

    pub(super) fn set_budget(&mut self, scope: &Scope, rule: &BudgetRule) -> BudgetStatus {
        let is_new = self.rule(scope).is_none_or(|before| before.window != rule.window);
        let set = Set {
            rule: rule.clone(),
            changed: self.next_stamp(),
            deleted: false,
        };
        self.budgets.insert(scope.clone(), set);
        let period = rule.window.period_at(self.now);
        let key = (scope.clone(), Arc::clone(&period.id));
        if is_new {
            self.open(scope, &key, &period);
        }
        self.periods.entry(key.clone()).or_default();
        self.tell(&key, None);
        self.status(rule.clone(), key, period)
    }

    /// Posts what the records of a period show beyond what is posted.
    pub(super) fn open(&mut self, scope: &Scope, key: &PeriodKey, period: &Period) {
        self.periods.entry(key.clone()).or_default();
        let in_period = |call: &&Arc<CallRecord>| {
            let started_at = call.dispatch.started_at;
            started_at >= period.starts_at && period.ends_at.is_none_or(|end| started_at < end)
        };
        let of_scope = self.calls.values().filter(|call| is_of(scope, call));
        let spent: NanoUsd = of_scope.filter(in_period).map(|call| call.cost).sum();
        // What ran out with a lease and no record has explained yet is none of what was spent.
        let of_period = self.slices.iter().filter(|((period, _), _)| period == key);
        let unexplained: i64 = of_period.map(|(_, slice)| slice.pool).sum();
        let missing = (spent.0 - (self.posted(key) - unexplained)).max(0);
        self.post(key, missing);
    }

    pub(super) fn status(&self, rule: BudgetRule, key: PeriodKey, period: Period) -> BudgetStatus {
        BudgetStatus {
            rule,
            posted: NanoUsd(self.posted(&key)),
            held: NanoUsd(self.held(&key)),
            period,
        }
    }

    pub(super) fn expire(&mut self, before: i64) -> Vec<ExpiredSlice> {
        let mut over = BTreeSet::new();
        for (id, lease) in &mut self.leases {
            if lease.standing == Standing::Live && lease.expires_at <= before {
                lease.standing = Standing::Expired;
                over.insert(*id);
            }
        }
        let mut expired = Vec::new();
        for ((key, lease), slice) in &mut self.slices {
            let held = slice.held();
            if over.contains(lease) && held > 0 {
                slice.pool = held;
                expired.push(ExpiredSlice {
                    lease: *lease,
                    scope: key.0.clone(),
                    period: Arc::clone(&key.1),
                    posted: NanoUsd(held),
                });
            }
        }
        for slice in &expired {
            self.post(&(slice.scope.clone(), Arc::clone(&slice.period)), slice.posted.0);
        }
        expired
    }

    pub(super) fn end(&mut self, is_ended: impl Fn(&LeaseId) -> bool) {
        let mut taken_back = Vec::new();
        for ((key, lease), slice) in &mut self.slices {
            if is_ended(lease) {
                taken_back.push((key.clone(), std::mem::take(&mut slice.pool)));
            }
        }
        for (key, pool) in taken_back {
            self.post(&key, -pool);
        }
        let all = self.leases.iter_mut();
        for (_, lease) in all.filter(|(id, _)| is_ended(id)) {
            lease.standing = Standing::Ended;
        }
    }
}

fn is_of(scope: &Scope, call: &CallRecord) -> bool {
    let sent = &call.dispatch;
    match scope {
        Scope::Global => true,
        Scope::Project(id) => sent.project_id.as_ref() == Some(id),
        Scope::User(id) => sent.user_id.as_ref() == Some(id),
        Scope::Key(id) => sent.key_id.as_ref() == Some(id),
        Scope::Conversation(id) => sent.conversation.as_ref().is_some_and(|of| id.covers(of)),
    }
}
