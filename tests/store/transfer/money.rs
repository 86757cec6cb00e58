//! What is moved of keys, budgets and the books.

use std::sync::Arc;
use std::time::Duration;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    BudgetRule, Charges, Grant, GrantRequest, InstanceId, NanoUsd, OnExhausted, Scope, Window,
};

use super::{Databases, uncharged_call};
use crate::database::TestDatabase;

/// Tables, what of them is compared, and by what their rows are ordered.
pub(super) const COLUMNS: &[(&str, &str, &str)] = &[
    ("secrets", "name || value", "name"),
    (
        "api_keys",
        "id || hash || prefix || name || role || coalesce(rpm, -1) || updated_at",
        "id",
    ),
    (
        "rate_limits",
        "scope || coalesce(rpm, -1) || coalesce(tpm, -1) || updated_at",
        "scope",
    ),
    (
        "budgets",
        "scope || limit_nano_usd || period_kind || on_exhausted || alert_percents || created_at || updated_at",
        "scope",
    ),
    (
        "budget_periods",
        "scope || ' ' || period || ' ' || posted || ' ' || held || recall",
        "scope, period",
    ),
    (
        "budget_leases",
        "instance_id || epoch || opened_at || expires_at || state",
        "instance_id",
    ),
    (
        "budget_slices",
        "scope || period || instance_id || epoch || granted || returned || posted || held || expired || seq",
        "scope",
    ),
    (
        "budget_ledger",
        "id || scope || period || kind || posted_delta || held_delta || coalesce(epoch, 0) || calls",
        "id",
    ),
    (
        "events",
        "id || once || kind || detail || created_at || attempts || next_attempt_at",
        "id",
    ),
];

/// Puts rows into each of these tables.
pub(super) fn fill(source: &TestDatabase, store: &Store) {
    spend_and_hold(store);
    source.execute(
        "INSERT INTO secrets (name, value) VALUES ('key_hash', 'ab');
         INSERT INTO api_keys (id, hash, prefix, name, role, rpm, created_at, updated_at)
         VALUES ('key_1', 'aa', 'gwk_1', 'Ann''s', 'user', 5, 1, 1), ('key_2', 'bb', 'gwk_2', 'old', 'admin', NULL, 1, 2);
         INSERT INTO rate_limits (scope, tpm, updated_at) VALUES ('project:a', 7, 1)",
    );
}

/// Two budgets, and a lease whose process died with slices of both: 100 are held of each, and half is spent of one.
fn spend_and_hold(store: &Store) {
    let ledger = store.ledger();
    let scopes = [Scope::Global, Scope::Project("a \"b\"".into())];
    let instance = InstanceId::generate();
    let lease = store.block_on(ledger.open_lease(instance, Duration::from_secs(3_600)));
    let lease = lease.unwrap();
    for scope in &scopes {
        let rule = BudgetRule {
            limit: NanoUsd(10_000_000),
            window: Window::Total,
            on_exhausted: OnExhausted::Refuse,
            max_layer: None,
            alert_percents: vec![1],
        };
        store.block_on(ledger.set_budget(scope.clone(), rule)).unwrap();
    }
    let wanted = scopes.clone().map(|scope| GrantRequest {
        scope,
        seq: 1,
        least: NanoUsd(100),
        wish: NanoUsd(100),
    });
    let grants = store.block_on(ledger.grant(lease, wanted.to_vec())).unwrap();
    assert!(
        grants.iter().all(|grant| matches!(grant, Grant::Granted { .. })),
        "{grants:?}"
    );
    let mut spent = uncharged_call();
    spent.dispatch.instance = instance;
    spent.cost = NanoUsd(50);
    let [_, project] = scopes;
    spent.dispatch.charges = Some(Arc::new(Charges {
        epoch: lease.epoch,
        to: vec![(project, "total".into())],
    }));
    store
        .block_on(store.calls().insert_calls(vec![Arc::new(spent)]))
        .unwrap();
}

#[test]
fn nothing_stays_held_of_what_was_moved_and_records_that_come_later_correct_it() {
    let databases = Databases::new();
    let sums = |database: &TestDatabase| {
        database.texts(
            "SELECT scope || ' ' || posted || ' ' || held FROM budget_periods WHERE period = 'total' ORDER BY scope",
        )
    };
    let held = sums(&databases.source);
    assert_eq!(held.iter().filter(|row| row.ends_with(" 0")).count(), 1, "{held:?}");
    databases.transfer().unwrap();
    let target = databases.target.open();
    let posted: i64 = sums(&databases.target)
        .iter()
        .map(|row| {
            assert!(row.ends_with(" 0"), "{row}");
            let numbers: Vec<&str> = row.rsplit(' ').collect();
            numbers[1].parse::<i64>().unwrap()
        })
        .sum();
    let instance = databases
        .target
        .texts("SELECT instance_id FROM budget_leases")
        .remove(0);
    let ended = target.ledger().end_leases_of(vec![instance.parse().unwrap()]);
    target.block_on(ended).unwrap();
    let after = databases
        .target
        .texts("SELECT CAST(sum(posted) AS TEXT) FROM budget_periods WHERE period = 'total'");
    // 100 of the one, and what was not spent of the other.
    assert_eq!(after, [(posted - 150).to_string()]);
}
