//! What is moved of keys, budgets and the books.

use std::sync::Arc;
use std::time::Duration;

use ai_mcp_gateway::store::Store;
use bytes::Bytes;
use gateway_actors::protocol::{
    BudgetRule, Charges, Claimed, Grant, GrantRequest, IdempotencyClaim, IdempotencyName, InstanceId, KeptAnswer,
    NanoUsd, OnExhausted, RequestId, Scope, Window,
};

use super::{Databases, uncharged_call};
use crate::database::TestDatabase;

const DAY: Duration = Duration::from_secs(86_400);

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
    (
        "idempotency",
        "owner || idempotency_key || body_hash || request_id || instance_id || coalesce(status, -1)
            || coalesce(headers, '-') || coalesce(length(body), -1) || created_at || expires_at",
        "owner, idempotency_key",
    ),
];

/// Puts rows into each of these tables.
pub(super) fn fill(source: &TestDatabase, store: &Store) {
    spend_and_hold(store);
    keep_answers(store);
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

/// A claim of the work under this key of `owner`, for a body with this digest.
fn claim(owner: &str, key: &str, body_hash: &str) -> IdempotencyClaim {
    IdempotencyClaim {
        name: IdempotencyName {
            owner: owner.into(),
            key: key.into(),
        },
        body_hash: body_hash.into(),
        request: RequestId::generate(),
        instance: InstanceId::generate(),
        running_for: DAY,
    }
}

/// Answers under two keys of one owner and one of another, the last without its body, and work that is under way.
fn keep_answers(store: &Store) {
    let answers = store.idempotency();
    let every_byte: Vec<u8> = (0..=255).collect();
    for (owner, key, body) in [
        ("ünïcode|/v1/chat", "a key", Some(every_byte)),
        ("ünïcode|/v1/chat", "another", Some(Vec::new())),
        ("|/v1/chat", "a key", None),
    ] {
        let claim = claim(owner, key, "ab");
        let (name, request) = (claim.name.clone(), claim.request);
        assert_eq!(store.block_on(answers.claim(claim)).unwrap(), Claimed::Run);
        let answer = KeptAnswer {
            status: 502,
            headers: r#"[["x-gateway-error","it's"]]"#.into(),
            body: body.map(Bytes::from),
        };
        store.block_on(answers.keep(name, request, answer, DAY)).unwrap();
    }
    let under_way = claim("|/v1/chat", "under way", "ab");
    assert_eq!(store.block_on(answers.claim(under_way)).unwrap(), Claimed::Run);
}

#[test]
fn a_request_that_was_answered_before_the_move_is_answered_the_same_after_it() {
    let databases = Databases::new();
    databases.transfer().unwrap();
    let target = databases.target.open();
    let ask = |owner: &str, key: &str, body_hash: &str| {
        target
            .block_on(target.idempotency().claim(claim(owner, key, body_hash)))
            .unwrap()
    };
    let answered = |body: Option<Vec<u8>>| {
        Claimed::Answered(KeptAnswer {
            status: 502,
            headers: r#"[["x-gateway-error","it's"]]"#.into(),
            body: body.map(Bytes::from),
        })
    };
    let every_byte = (0..=255).collect();
    assert_eq!(ask("ünïcode|/v1/chat", "a key", "ab"), answered(Some(every_byte)));
    assert_eq!(ask("ünïcode|/v1/chat", "another", "ab"), answered(Some(Vec::new())));
    assert_eq!(ask("|/v1/chat", "a key", "ab"), answered(None));
    assert_eq!(ask("|/v1/chat", "under way", "ab"), Claimed::Running);
    assert_eq!(ask("ünïcode|/v1/chat", "a key", "cd"), Claimed::OtherBody);
    assert_eq!(ask("|/v1/chat", "another", "ab"), Claimed::Run);
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
