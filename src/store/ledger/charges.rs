//! What call records are charged to, summed by slice.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_actors::protocol::{CallRecord, Excess, InstanceId, Scope};

use super::rows::{LeaseKey, PeriodKey};

/// A record that was stored just now.
#[derive(Debug)]
pub(in crate::store) struct Posted {
    pub(in crate::store) record: Arc<CallRecord>,
    /// What the record of the same attempt that it replaced had cost, if it replaced one.
    pub(in crate::store) before: Option<i64>,
}

/// What is posted to one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Charge {
    pub(in crate::store) key: PeriodKey,
    pub(in crate::store) lease: LeaseKey,
    /// What new records cost, and how many they are.
    pub(in crate::store) cost: i64,
    pub(in crate::store) calls: i64,
    /// By how much more those cost that replaced others, and how many they are.
    pub(in crate::store) more: i64,
    pub(in crate::store) replaced: i64,
    /// Of the calls that were more than their requests allowed, the first of each kind.
    pub(in crate::store) above_allowed: Vec<CallAboveAllowed>,
}

/// A call whose provider billed what the request did not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct CallAboveAllowed {
    pub(in crate::store) excess: Excess,
    pub(in crate::store) attempt: String,
    pub(in crate::store) model: String,
    pub(in crate::store) held: i64,
    pub(in crate::store) cost: i64,
    pub(in crate::store) output_cap: Option<u64>,
    pub(in crate::store) output: u64,
}

impl Charge {
    /// Keeps the call if it was more than its request allowed: operators are told of one, not of each.
    fn watch(&mut self, record: &CallRecord) {
        let Some(excess) = record.excess() else {
            return;
        };
        if self.above_allowed.iter().any(|call| call.excess == excess) {
            return;
        }
        let sent = &record.dispatch;
        self.above_allowed.push(CallAboveAllowed {
            excess,
            attempt: sent.attempt.to_string(),
            model: sent.model.to_string(),
            held: sent.held.0,
            cost: record.cost.0,
            output_cap: sent.output_cap,
            output: record.usage.output,
        });
    }
}

/// A slice as a record names it: nothing need be written out to find its sum.
type NamedSlice<'a> = (&'a Scope, &'a str, InstanceId, u32);

/// What these records are charged to, each slice once, in the order of the slices.
pub(in crate::store) fn charges_of(posted: &[Posted]) -> Vec<Charge> {
    let mut sums: HashMap<NamedSlice<'_>, Charge> = HashMap::new();
    for Posted { record, before } in posted {
        let Some(charges) = record.dispatch.charges.as_deref() else {
            continue;
        };
        for (scope, period) in &charges.to {
            let slice = (scope, &**period, record.dispatch.instance, charges.epoch);
            let nothing = || Charge {
                key: PeriodKey {
                    scope: scope.to_string().into(),
                    period: Arc::clone(period),
                },
                lease: LeaseKey {
                    instance: record.dispatch.instance.to_string().into(),
                    epoch: charges.epoch.into(),
                },
                cost: 0,
                calls: 0,
                more: 0,
                replaced: 0,
                above_allowed: Vec::new(),
            };
            let sum = sums.entry(slice).or_insert_with(nothing);
            sum.watch(record);
            match before {
                None => {
                    sum.cost = sum.cost.saturating_add(record.cost.0);
                    sum.calls += 1;
                }
                Some(before) => {
                    sum.more = sum.more.saturating_add(record.cost.0.saturating_sub(*before));
                    sum.replaced += 1;
                }
            }
        }
    }
    let mut charges: Vec<Charge> = sums.into_values().collect();
    charges.sort_unstable_by(|one, other| (&one.key, &one.lease).cmp(&(&other.key, &other.lease)));
    charges
}
