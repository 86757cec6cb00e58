//! Proving the books, and repricing records: on both databases.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ai_mcp_gateway::store::{Audit, Repriced, Repricing};
use gateway_actors::protocol::{
    BudgetRule, CallRecord, Charges, GiveBack, Grant, GrantRequest, InstanceId, LeaseId, LongContext, NanoUsd,
    OnExhausted, Outcome, PicoUsdPerToken, Price, Scope, TokenUsage, UsageSource, Window,
};

use crate::database::{TestStore, on_each_database};
use crate::reports::{call_at, insert};

on_each_database! {
    books_that_balance_have_no_difference,
    an_audit_notices_whatever_is_damaged,
    a_repricing_applies_the_present_price_once_and_corrects_the_budgets,
    a_dry_run_says_the_same_and_changes_nothing,
    holds_of_calls_nobody_knows_the_usage_of_are_kept,
    a_repricing_goes_through_many_batches,
    a_repricing_tells_of_what_it_brings_to_its_limit,
    the_books_balance_whatever_the_ledger_did_to_them,
}

/// 2026-11-29, a Sunday.
const SUNDAY: i64 = 1_795_910_400_000_000;
const PERIOD: &str = "2026-11";

fn audit(test: &TestStore) -> Audit {
    test.store.block_on(test.store.audit()).unwrap()
}

fn checks(test: &TestStore) -> Vec<&'static str> {
    let mut checks: Vec<_> = audit(test).differences.iter().map(|found| found.check).collect();
    checks.dedup();
    checks
}

/// A call that is charged to the global budget of this month, stored without the ledger's doing.
fn charged(number: u64, cost: i64) -> CallRecord {
    let mut record = call_at(SUNDAY + i64::try_from(number).unwrap(), number);
    record.cost = NanoUsd(cost);
    record
}

/// Stores records, and charges them to budgets beside the store.
fn store_charged(test: &TestStore, records: &[CallRecord]) {
    insert(test, records);
    let charges = Charges {
        epoch: 1,
        to: vec![
            (Scope::Global, PERIOD.into()),
            (Scope::Project("a'b".into()), "total".into()),
        ],
    };
    let charges = serde_json::to_string(&charges).unwrap().replace('\'', "''");
    test.execute(&format!("UPDATE llm_calls SET charges = '{charges}'"));
}

/// Books of two budgets, which what these records cost is posted to: a live lease holds 300 of each, and one that ran out
/// has 40 in its pool.
fn keep_books(test: &TestStore, recorded: i64) {
    let live = InstanceId::generate();
    let far = 9_000_000_000_000_000_i64;
    let mut statements = format!(
        "INSERT INTO budget_leases (instance_id, epoch, opened_at, expires_at, state)
            VALUES ('{live}', 1, 1, {far}, 'live'), ('{live}', 2, 1, {far}, 'ended'), ('dead', 1, 1, 2, 'expired');"
    );
    for (scope, period) in [("global", PERIOD), ("project:a''b", "total")] {
        let (posted, granted) = (1_000 + recorded + 40, 500 + recorded);
        statements.push_str(&format!(
            "INSERT INTO budget_periods (scope, period, posted, held, created_at)
                VALUES ('{scope}', '{period}', {posted}, 300, 1);
             INSERT INTO budget_slices (scope, period, instance_id, epoch, granted, returned, posted, held, expired, seq,
                seq_amount)
                VALUES ('{scope}', '{period}', '{live}', 1, {granted}, 200, {recorded}, 300, 0, 1, 1),
                    ('{scope}', '{period}', '{live}', 2, 50, 50, 0, 0, 0, 1, 1),
                    ('{scope}', '{period}', 'dead', 1, 40, 0, 0, 0, 40, 1, 1);
             INSERT INTO budget_ledger (id, scope, period, kind, posted_delta, held_delta, created_at)
                VALUES ('{scope}1', '{scope}', '{period}', 'opening', 1000, 0, 1),
                    ('{scope}2', '{scope}', '{period}', 'grant', 0, {granted}, 1),
                    ('{scope}3', '{scope}', '{period}', 'return', 0, -200, 1),
                    ('{scope}4', '{scope}', '{period}', 'post', {recorded}, -{recorded}, 1),
                    ('{scope}5', '{scope}', '{period}', 'grant', 0, 40, 1),
                    ('{scope}6', '{scope}', '{period}', 'expire', 40, -40, 1);"
        ));
    }
    test.execute(&statements);
}

fn books_that_balance_have_no_difference(test: &TestStore) {
    assert_eq!(audit(test), Audit::default());
    store_charged(test, &[charged(1, 30), charged(2, 70)]);
    keep_books(test, 100);
    let audit = audit(test);
    assert_eq!(audit.differences, []);
    assert_eq!((audit.accounts, audit.records, audit.recorded), (2, 2, NanoUsd(100)));
}

fn an_audit_notices_whatever_is_damaged(test: &TestStore) {
    store_charged(test, &[charged(1, 30), charged(2, 70)]);
    keep_books(test, 100);
    let columns = "request_id, ordinal, instance_id, cell, endpoint, model_id, api_model, provider, layer, task,
        input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, usage_source, cost_nano_usd, held_nano_usd,
        estimated, streamed, outcome, success, duration_us, started_at, created_at";
    let copy = format!(
        "INSERT INTO llm_calls (attempt_id, {columns}) SELECT 'copy', {columns} FROM llm_calls WHERE cost_nano_usd = 30"
    );
    let damages: Vec<(&str, &str, &[&str])> = vec![
        (
            "UPDATE budget_ledger SET posted_delta = posted_delta + 1 WHERE id = 'global4'",
            "UPDATE budget_ledger SET posted_delta = posted_delta - 1 WHERE id = 'global4'",
            &["ledger_posted"],
        ),
        (
            "UPDATE budget_ledger SET held_delta = held_delta - 1 WHERE id = 'global3'",
            "UPDATE budget_ledger SET held_delta = held_delta + 1 WHERE id = 'global3'",
            &["ledger_held"],
        ),
        (
            "UPDATE budget_periods SET held = held + 1 WHERE scope = 'global'",
            "UPDATE budget_periods SET held = held - 1 WHERE scope = 'global'",
            &["ledger_held", "slices_held"],
        ),
        (
            "UPDATE budget_periods SET posted = posted - 1 WHERE scope = 'global'",
            "UPDATE budget_periods SET posted = posted + 1 WHERE scope = 'global'",
            &["ledger_posted", "records_posted"],
        ),
        (
            "UPDATE llm_calls SET cost_nano_usd = 69 WHERE cost_nano_usd = 70",
            "UPDATE llm_calls SET cost_nano_usd = 70 WHERE cost_nano_usd = 69",
            &["records_posted"],
        ),
        (
            "UPDATE budget_slices SET expired = 41 WHERE instance_id = 'dead' AND scope = 'global'",
            "UPDATE budget_slices SET expired = 40 WHERE instance_id = 'dead' AND scope = 'global'",
            &["records_posted"],
        ),
        (
            "UPDATE budget_slices SET held = 301 WHERE held = 300 AND scope = 'global'",
            "UPDATE budget_slices SET held = 300 WHERE held = 301",
            &["slices_held", "slice_sum"],
        ),
        (
            "UPDATE budget_slices SET held = 10 WHERE epoch = 2 AND scope = 'global'",
            "UPDATE budget_slices SET held = 0 WHERE epoch = 2",
            &["slices_held", "slice_of_ended_lease"],
        ),
        (
            "UPDATE budget_leases SET expires_at = 5 WHERE state = 'live'",
            "UPDATE budget_leases SET expires_at = 9000000000000000 WHERE state = 'live'",
            &["lease_ran_out"],
        ),
        (
            "INSERT INTO budget_ledger (id, scope, period, kind, posted_delta, held_delta, created_at)
                VALUES ('x', 'user:u', 'total', 'adjust', 7, 0, 1)",
            "DELETE FROM budget_ledger WHERE id = 'x'",
            &["ledger_posted", "no_period"],
        ),
        (
            &copy,
            "DELETE FROM llm_calls WHERE attempt_id = 'copy'",
            &["record_twice"],
        ),
        (
            "UPDATE llm_calls SET charges = '{' WHERE cost_nano_usd = 30",
            "UPDATE llm_calls SET charges = (SELECT charges FROM llm_calls WHERE cost_nano_usd = 70)",
            &["unreadable_charges", "records_posted"],
        ),
        (
            "UPDATE llm_calls SET cost_nano_usd = cost_nano_usd - 31 WHERE cost_nano_usd = 30",
            "UPDATE llm_calls SET cost_nano_usd = 30 WHERE cost_nano_usd = -1",
            &["records_posted", "negative_cost"],
        ),
    ];
    for (damage, repair, expected) in damages {
        assert_eq!(checks(test), [""; 0], "before {damage}");
        test.execute(damage);
        assert_eq!(checks(test), expected, "{damage}");
        test.execute(repair);
    }
    assert_eq!(checks(test), [""; 0]);
}

fn dearer() -> Price {
    let mut price = Price::plain(
        PicoUsdPerToken(1_000_000),
        PicoUsdPerToken(500_000),
        PicoUsdPerToken(2_000_000),
    );
    price.long_context = Some(LongContext {
        above: 1_000_000,
        rates: price.rates,
    });
    price
}

fn repricing(price: Price) -> Repricing {
    Repricing {
        since: SUNDAY,
        until: None,
        prices: Arc::new(HashMap::from([("alpha-small".to_owned(), price)])),
        dry_run: false,
    }
}

/// Records, each costing what its usage costs at its price, and one of another model.
fn priced() -> Vec<CallRecord> {
    let mut records: Vec<_> = (0..5).map(|number| charged(number, 0)).collect();
    for record in &mut records {
        record.cost = record.dispatch.price.unwrap().cost(&record.usage);
    }
    records[3].dispatch.started_at = SUNDAY - 1;
    records[4].dispatch.model = "other".into();
    records
}

fn costs(records: &[CallRecord]) -> i64 {
    records.iter().map(|record| record.cost.0).sum()
}

fn a_repricing_applies_the_present_price_once_and_corrects_the_budgets(test: &TestStore) {
    let records = priced();
    store_charged(test, &records);
    keep_books(test, costs(&records));
    let price = dearer();
    let after = price.cost(&records[0].usage).0;
    let (before, by) = (records[0].cost.0, 3 * (after - records[0].cost.0));
    let done = test.store.reprice(&repricing(price)).unwrap();
    let expected = Repriced {
        looked_at: 4,
        repriced: 3,
        before: NanoUsd(3 * before),
        after: NanoUsd(3 * after),
        unpriced: ["other".to_owned()].into(),
        budgets: vec![
            ("global".to_owned(), PERIOD.to_owned(), NanoUsd(by)),
            ("project:a'b".to_owned(), "total".to_owned(), NanoUsd(by)),
        ],
        ..Repriced::default()
    };
    assert_eq!(done, expected);
    assert_eq!(checks(test), [""; 0]);
    let adjusted = "SELECT scope || ' ' || posted_delta || ' ' || held_delta || ' ' || calls FROM budget_ledger
         WHERE kind = 'adjust' ORDER BY scope";
    assert_eq!(
        test.texts(adjusted),
        [format!("global {by} 0 3"), format!("project:a'b {by} 0 3")]
    );
    let stored = test.texts(&format!("SELECT price FROM llm_calls WHERE cost_nano_usd = {after}"));
    assert_eq!(serde_json::from_str::<Price>(&stored[0]).unwrap(), price);

    let again = test.store.reprice(&repricing(price)).unwrap();
    assert_eq!((again.looked_at, again.repriced, again.budgets), (4, 0, Vec::new()));
    // Back to the old price, which three columns say all of.
    let back = test
        .store
        .reprice(&repricing(records[0].dispatch.price.unwrap()))
        .unwrap();
    assert_eq!((back.repriced, back.after.0), (3, 3 * before));
    assert_eq!(checks(test), [""; 0]);
    assert_eq!(
        test.texts("SELECT price FROM llm_calls WHERE price IS NOT NULL"),
        [""; 0]
    );
}

fn a_dry_run_says_the_same_and_changes_nothing(test: &TestStore) {
    let records = priced();
    store_charged(test, &records);
    keep_books(test, costs(&records));
    let all = "SELECT attempt_id || cost_nano_usd || coalesce(price, '') || input_price_pico_usd FROM llm_calls
         UNION ALL SELECT id || posted_delta FROM budget_ledger
         UNION ALL SELECT scope || posted FROM budget_periods ORDER BY 1";
    let before = test.texts(all);
    let dry = Repricing {
        dry_run: true,
        ..repricing(dearer())
    };
    let said = test.store.reprice(&dry).unwrap();
    assert_eq!(test.texts(all), before);
    assert_eq!(test.store.reprice(&repricing(dearer())).unwrap(), said);
    assert_ne!(test.texts(all), before);
}

fn holds_of_calls_nobody_knows_the_usage_of_are_kept(test: &TestStore) {
    let mut records = priced();
    let interrupted = CallRecord::interrupted(records[0].dispatch.clone());
    records[0] = interrupted;
    // The whole answer came without usage: the bounds are what was used.
    (records[1].estimated, records[1].usage_source) = (true, UsageSource::Estimated);
    (records[2].usage, records[2].usage_source) = (TokenUsage::default(), UsageSource::None);
    (records[2].outcome, records[2].cost) = (Outcome::Refused, NanoUsd::ZERO);
    store_charged(test, &records);
    keep_books(test, costs(&records));
    let done = test.store.reprice(&repricing(dearer())).unwrap();
    assert_eq!((done.repriced, done.kept), (2, 1));
    let attempt = records[0].dispatch.attempt;
    let kept = test.texts(&format!(
        "SELECT CAST(cost_nano_usd AS TEXT) FROM llm_calls WHERE attempt_id = '{attempt}'"
    ));
    assert_eq!(kept, [records[0].dispatch.held.0.to_string()]);
    assert_eq!(checks(test), [""; 0]);
}

fn a_repricing_goes_through_many_batches(test: &TestStore) {
    let mut records: Vec<_> = (0..1_201).map(|number| charged(number, 0)).collect();
    for record in &mut records {
        record.cost = record.dispatch.price.unwrap().cost(&record.usage);
    }
    store_charged(test, &records);
    keep_books(test, costs(&records));
    let done = test.store.reprice(&repricing(dearer())).unwrap();
    assert_eq!((done.looked_at, done.repriced, done.budgets.len()), (1_201, 1_201, 2));
    assert_eq!(
        test.texts("SELECT id FROM budget_ledger WHERE kind = 'adjust'").len(),
        6
    );
    assert_eq!(checks(test), [""; 0]);
}

/// A call of today under this lease, which the global budget pays for.
fn paid(number: u64, lease: LeaseId, period: &Arc<str>, today: i64) -> CallRecord {
    let mut record = call_at(today + i64::try_from(number).unwrap(), number);
    let sent = &mut record.dispatch;
    sent.instance = lease.instance;
    sent.charges = Some(Arc::new(Charges {
        epoch: lease.epoch,
        to: vec![(Scope::Global, Arc::clone(period))],
    }));
    record.cost = sent.price.unwrap().cost(&record.usage);
    record
}

fn a_repricing_tells_of_what_it_brings_to_its_limit(test: &TestStore) {
    let (store, ledger) = (&test.store, test.store.ledger());
    let (today, _) = store.block_on(store.events().spent_today()).unwrap();
    let lease = store.block_on(ledger.open_lease(InstanceId::generate(), Duration::from_secs(60)));
    let record = |period| paid(1, lease.as_ref().copied().unwrap(), period, today.starts_at);
    let limit = dearer().cost(&record(&today.id).usage);
    let rule = BudgetRule {
        limit,
        window: Window::Total,
        on_exhausted: OnExhausted::Refuse,
        max_layer: None,
        alert_percents: vec![100],
    };
    let period = store
        .block_on(ledger.set_budget(Scope::Global, rule))
        .unwrap()
        .period
        .id;
    let record = record(&period);
    assert!(record.cost < limit);
    insert(test, &[record]);
    let told = || test.texts("SELECT once FROM events WHERE kind = 'budget_threshold'");
    assert_eq!(told(), [""; 0]);
    let repriced = store.reprice(&Repricing {
        since: today.starts_at,
        ..repricing(dearer())
    });
    assert_eq!(repriced.unwrap().repriced, 1);
    assert_eq!(told(), [format!("budget_threshold|global|total|100|{}", limit.0)]);
    assert_eq!(checks(test), [""; 0]);
}

fn the_books_balance_whatever_the_ledger_did_to_them(test: &TestStore) {
    let (store, ledger) = (&test.store, test.store.ledger());
    let (today, _) = store.block_on(store.events().spent_today()).unwrap();
    let today = today.starts_at;
    // What was spent before there was a budget.
    insert(test, &[call_at(today, 100), call_at(today, 101)]);
    let rule = BudgetRule {
        limit: NanoUsd(1_000_000),
        window: Window::Daily,
        on_exhausted: OnExhausted::Refuse,
        max_layer: None,
        alert_percents: vec![50],
    };
    let status = store.block_on(ledger.set_budget(Scope::Global, rule)).unwrap();
    assert_eq!(status.posted, NanoUsd(2 * 1_234));
    let period = Arc::clone(&status.period.id);
    let granted = |lease: LeaseId| {
        let wanted = GrantRequest {
            scope: Scope::Global,
            seq: 1,
            least: NanoUsd(50_000),
            wish: NanoUsd(100_000),
        };
        match store.block_on(ledger.grant(lease, vec![wanted])).unwrap().remove(0) {
            Grant::Granted { amount, .. } => amount,
            refused => panic!("{refused:?}"),
        }
    };
    let lasting = store
        .block_on(ledger.open_lease(InstanceId::generate(), Duration::from_secs(60)))
        .unwrap();
    let short = store
        .block_on(ledger.open_lease(InstanceId::generate(), Duration::from_secs(60)))
        .unwrap();
    let amount = granted(lasting);
    assert_eq!(checks(test), [""; 0]);
    insert(
        test,
        &[paid(1, lasting, &period, today), paid(2, lasting, &period, today)],
    );
    assert_eq!(checks(test), [""; 0]);
    let back = GiveBack {
        scope: Scope::Global,
        period: Arc::clone(&period),
        returned: NanoUsd(amount.0 / 2),
        recall: 0,
    };
    store.block_on(ledger.give_back(lasting, vec![back])).unwrap();
    assert_eq!(checks(test), [""; 0]);

    // A lease that ends while calls of it are in a journal: first an interrupted one, then what really became of it.
    granted(short);
    assert!(store.block_on(ledger.renew_lease(short, Duration::ZERO)).unwrap());
    let expired = store.block_on(ledger.expire_leases(Duration::ZERO)).unwrap();
    assert_eq!(expired.len(), 1, "{expired:?}");
    assert_eq!(checks(test), [""; 0]);
    let late = paid(3, short, &period, today);
    insert(test, &[CallRecord::interrupted(late.dispatch.clone())]);
    assert_eq!(checks(test), [""; 0]);
    insert(test, &[late]);
    assert_eq!(checks(test), [""; 0]);

    let done = store.reprice(&Repricing {
        since: today,
        ..repricing(dearer())
    });
    assert_eq!(done.unwrap().repriced, 5);
    assert_eq!(checks(test), [""; 0]);
    store
        .block_on(ledger.end_leases_of(vec![lasting.instance, short.instance]))
        .unwrap();
    let audit = audit(test);
    assert_eq!((audit.differences, audit.records), (Vec::new(), 5));
    let status = store.block_on(ledger.budget(Scope::Global)).unwrap().unwrap();
    let price = dearer();
    let recorded: i64 = 3 * price.cost(&paid(9, lasting, &period, today).usage).0;
    assert_eq!(
        (status.posted, status.held),
        (NanoUsd(2 * 1_234 + recorded), NanoUsd::ZERO)
    );
}
