//! What call records are charged to, summed by slice.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_actors::protocol::CallRecord;

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
}

/// What these records are charged to, each slice once, in the order of the slices.
pub(in crate::store) fn charges_of(posted: &[Posted]) -> Vec<Charge> {
    let mut sums: BTreeMap<(PeriodKey, LeaseKey), Charge> = BTreeMap::new();
    for Posted { record, before } in posted {
        let Some(charges) = record.dispatch.charges.as_deref() else {
            continue;
        };
        let lease = LeaseKey {
            instance: record.dispatch.instance.to_string().into(),
            epoch: charges.epoch.into(),
        };
        for (scope, period) in &charges.to {
            let key = PeriodKey {
                scope: scope.to_string().into(),
                period: Arc::clone(period),
            };
            let nothing = || Charge {
                key: key.clone(),
                lease: lease.clone(),
                cost: 0,
                calls: 0,
                more: 0,
                replaced: 0,
            };
            let sum = sums.entry((key.clone(), lease.clone())).or_insert_with(nothing);
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
    sums.into_values().collect()
}
