//! The port `LedgerStore`: what both databases promise.

mod budgets;
mod purge;
mod random;
mod slices;
mod together;

use std::sync::Arc;
use std::time::Duration;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    BudgetCursor, BudgetRule, BudgetStatus, CallRecord, Charges, GiveBack, Grant, GrantRequest, InstanceId, Layer,
    LeaseId, NanoUsd, OnExhausted, Period, Recall, Scope, StoreError, Window,
};

use crate::database::TestStore;
use crate::samples::{dispatch, finished};

pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// What must hold of the books whatever was done: the ledger's sums are the periods', and the slices hold what is held.
pub(super) const WRONG_SUMS: &str = "
    SELECT p.scope || ' ' || p.period || ': ' || p.posted || ' ' || p.held FROM budget_periods p
    WHERE p.posted <> (SELECT coalesce(sum(posted_delta), 0) FROM budget_ledger l WHERE l.scope = p.scope AND l.period = p.period)
        OR p.held <> (SELECT coalesce(sum(held_delta), 0) FROM budget_ledger l WHERE l.scope = p.scope AND l.period = p.period)
        OR p.held <> (SELECT coalesce(sum(held), 0) FROM budget_slices s WHERE s.scope = p.scope AND s.period = p.period)";

pub(super) fn rule(limit: i64, window: Window) -> BudgetRule {
    BudgetRule {
        limit: NanoUsd(limit),
        window,
        on_exhausted: OnExhausted::Refuse,
        max_layer: None,
        alert_percents: vec![50, 80, 100],
    }
}

pub(super) fn set(store: &Store, scope: &Scope, rule: BudgetRule) -> BudgetStatus {
    store.block_on(store.ledger().set_budget(scope.clone(), rule)).unwrap()
}

pub(super) fn status(store: &Store, scope: &Scope) -> BudgetStatus {
    store.block_on(store.ledger().budget(scope.clone())).unwrap().unwrap()
}

/// What is posted and held now.
pub(super) fn sums(store: &Store, scope: &Scope) -> (i64, i64) {
    let status = status(store, scope);
    (status.posted.0, status.held.0)
}

pub(super) fn lease(store: &Store) -> LeaseId {
    store
        .block_on(store.ledger().open_lease(InstanceId::generate(), HOUR))
        .unwrap()
}

pub(super) fn question(scope: &Scope, seq: u64, least: i64, wish: i64) -> GrantRequest {
    GrantRequest {
        scope: scope.clone(),
        seq,
        least: NanoUsd(least),
        wish: NanoUsd(wish),
    }
}

pub(super) fn ask(store: &Store, lease: LeaseId, scope: &Scope, seq: u64, least: i64) -> Grant {
    let wanted = vec![question(scope, seq, least, least)];
    let grant = store.block_on(store.ledger().grant(lease, wanted)).unwrap().remove(0);
    at_no_time(grant)
}

/// An answer whose time is left out: it is the database's, and differs each time.
pub(super) fn at_no_time(mut grant: Grant) -> Grant {
    if let Grant::Granted { now, .. } | Grant::Short { now, .. } = &mut grant {
        assert!(*now > 0, "the database's time is told");
        *now = 0;
    }
    grant
}

/// Asks for what must be granted; its period.
#[track_caller]
pub(super) fn granted(store: &Store, lease: LeaseId, scope: &Scope, seq: u64, amount: i64) -> Period {
    match ask(store, lease, scope, seq, amount) {
        Grant::Granted {
            period, amount: given, ..
        } => {
            assert_eq!(given, NanoUsd(amount));
            period
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn give_back(store: &Store, lease: LeaseId, scope: &Scope, period: &Period, returned: i64, recall: i64) {
    let part = GiveBack {
        scope: scope.clone(),
        period: Arc::clone(&period.id),
        returned: NanoUsd(returned),
        recall,
    };
    store.block_on(store.ledger().give_back(lease, vec![part])).unwrap();
}

pub(super) fn end(store: &Store, lease: LeaseId) {
    store
        .block_on(store.ledger().end_leases_of(vec![lease.instance]))
        .unwrap();
}

/// A finished call of this lease, charged to these budgets.
pub(super) fn call(lease: LeaseId, to: &[(&Scope, &Period)], cost: i64) -> CallRecord {
    let mut sent = dispatch();
    sent.instance = lease.instance;
    sent.charges = Some(Arc::new(Charges {
        epoch: lease.epoch,
        to: to
            .iter()
            .map(|(scope, period)| (Scope::clone(scope), Arc::clone(&period.id)))
            .collect(),
    }));
    let mut record = finished(&sent);
    record.cost = NanoUsd(cost);
    record
}

pub(super) fn insert(store: &Store, records: impl IntoIterator<Item = CallRecord>) {
    let records = records.into_iter().map(Arc::new).collect();
    store.block_on(store.calls().insert_calls(records)).unwrap();
}

#[track_caller]
pub(super) fn assert_books_balance(test: &TestStore) {
    assert_eq!(test.texts(WRONG_SUMS), [""; 0]);
}

pub(super) fn user(id: &str) -> Scope {
    Scope::User(id.into())
}
