//! Granting parts of a budget, and asking for those that are not needed.

use gateway_actors::protocol::{BudgetRule, Grant, GrantRequest, NanoUsd, Period, Window};

use super::book::Book;
use super::rows::{LeaseKey, PeriodKey};

impl Book {
    /// The answer that this question of the lease got before, if it was granted something.
    pub(in crate::store) fn granted_before(
        &self,
        lease: &LeaseKey,
        wanted: &GrantRequest,
        scope: &str,
    ) -> Option<Grant> {
        let seq = seq_of(wanted);
        let own = self
            .slices()
            .filter(|((key, of), _)| of == lease && *key.scope == *scope);
        let mut answered = own.filter(|(_, slice)| slice.row.seq == seq && slice.row.seq_recall.is_none());
        answered.next().map(|((key, _), slice)| Grant::Granted {
            period: Period::of_id(&key.period).unwrap_or_else(|| Window::Total.period_at(0)),
            amount: NanoUsd(slice.row.seq_amount),
            granted: NanoUsd(slice.row.granted),
            now: self.now(),
        })
    }

    /// Grants more of a budget whose rule this is, if there is enough left in its period, which is locked.
    pub(in crate::store) fn grant(
        &mut self,
        lease: &LeaseKey,
        wanted: &GrantRequest,
        rule: &BudgetRule,
        period: Period,
        key: &PeriodKey,
    ) -> Grant {
        let own = self.slice(key, lease).map(|slice| &slice.row);
        let (granted, owed) = own.map_or((0, 0), |own| (own.granted, own.owed()));
        let (posted, held) = self.sums(key);
        let free = rule.limit.0.saturating_sub(posted).saturating_sub(held);
        // What a call cost beyond its hold is in `posted` already: to make up for it takes nothing more. What was granted
        // in all must fit its column too.
        let left = free.saturating_add(owed).min(i64::MAX - granted);
        let least = wanted.least.0.max(0);
        let is_stale = self.is_stale(lease, wanted, key);
        if is_stale || left < least {
            return Grant::Short {
                period,
                left: NanoUsd(left.max(0)),
                recalling: !is_stale && self.recall(lease, wanted, key),
                now: self.now(),
            };
        }
        let more = wanted.wish.0.saturating_sub(least).clamp(0, (left - least) / 4);
        let amount = least + more;
        let slice = self.live_slice(key, lease);
        slice.granted += amount;
        slice.seq = seq_of(wanted);
        slice.seq_amount = amount;
        slice.seq_recall = None;
        let granted = slice.granted;
        self.recount(key, lease, "grant");
        Grant::Granted {
            period,
            amount: NanoUsd(amount),
            granted: NanoUsd(granted),
            now: self.now(),
        }
    }

    /// Whether the lease has asked a later question about this scope.
    fn is_stale(&self, lease: &LeaseKey, wanted: &GrantRequest, key: &PeriodKey) -> bool {
        let mut own = self
            .slices()
            .filter(|((of_period, of), _)| of == lease && of_period.scope == key.scope);
        own.any(|(_, slice)| slice.row.seq > seq_of(wanted))
    }

    /// Whether others hold something of the period and have not heard yet that it is wanted. They are asked when a
    /// question cannot be granted for the first time; asked again, it waits for the same answers, so that questions
    /// which are repeated do not make the others answer without end.
    fn recall(&mut self, lease: &LeaseKey, wanted: &GrantRequest, key: &PeriodKey) -> bool {
        if self.others_answered(lease, key).next().is_none() {
            return false;
        }
        let seq = seq_of(wanted);
        let own = self.slice(key, lease).map(|slice| &slice.row);
        let waited_for = own.filter(|own| own.seq == seq).and_then(|own| own.seq_recall);
        let number = match waited_for {
            Some(number) => number,
            None => {
                let number = self.raise_recall(key);
                let slice = self.live_slice(key, lease);
                slice.seq = seq;
                slice.seq_amount = 0;
                slice.seq_recall = Some(number);
                // Nobody answers to itself, unless it owes others an answer too.
                if slice.recall == number - 1 {
                    slice.recall = number;
                }
                number
            }
        };
        self.others_answered(lease, key).any(|answered| answered < number)
    }

    /// The recalls that the other slices of a period have answered, as far as they hold something.
    fn others_answered<'a>(&'a self, lease: &'a LeaseKey, key: &'a PeriodKey) -> impl Iterator<Item = i64> + 'a {
        let others = self
            .slices()
            .filter(move |((of_period, of), _)| of_period == key && of != lease);
        others
            .filter(|(_, slice)| slice.row.held > 0)
            .map(|(_, slice)| slice.row.recall)
    }
}

fn seq_of(wanted: &GrantRequest) -> i64 {
    i64::try_from(wanted.seq).unwrap_or(i64::MAX)
}
