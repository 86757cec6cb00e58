use futures_util::FutureExt;

use super::*;
use crate::protocol::{Charges, OnExhausted, Outcome, Window};
use crate::testkit::samples;

const NOON: i64 = 1_795_953_600_000_000;
const MINUTE: Duration = Duration::from_secs(60);

fn now<T>(answer: StoreFuture<T>) -> T {
    answer.now_or_never().unwrap().unwrap()
}

/// A ledger with a budget of this much a day for everything.
fn ledger(limit: i64) -> MemoryLedger {
    let ledger = MemoryLedger::at(NOON);
    let rule = BudgetRule {
        limit: NanoUsd(limit),
        window: Window::Daily,
        on_exhausted: OnExhausted::Refuse,
        max_layer: None,
        alert_percents: vec![50, 100],
    };
    now(ledger.set_budget(Scope::Global, rule));
    ledger
}

fn lease(ledger: &MemoryLedger) -> LeaseId {
    now(ledger.open_lease(InstanceId::generate(), MINUTE))
}

fn ask(ledger: &MemoryLedger, lease: LeaseId, seq: u64, least: i64, wish: i64) -> Grant {
    let wanted = GrantRequest {
        scope: Scope::Global,
        seq,
        least: NanoUsd(least),
        wish: NanoUsd(wish),
    };
    now(ledger.grant(lease, vec![wanted])).remove(0)
}

fn amount(grant: Grant) -> i64 {
    match grant {
        Grant::Granted { amount, .. } => amount.0,
        other => panic!("{other:?}"),
    }
}

/// Whether others are asked to give back, when there is not enough left.
fn is_recalling(grant: Grant) -> bool {
    match grant {
        Grant::Short { recalling, .. } => recalling,
        other => panic!("{other:?}"),
    }
}

fn give_back(ledger: &MemoryLedger, lease: LeaseId, returned: i64, recall: i64) {
    let part = GiveBack {
        scope: Scope::Global,
        period: "2026-11-29".into(),
        returned: NanoUsd(returned),
        recall,
    };
    now(ledger.give_back(lease, vec![part]));
}

fn call(lease: LeaseId, cost: i64) -> Arc<CallRecord> {
    let mut sent = samples::dispatch();
    sent.instance = lease.instance;
    sent.charges = Some(Arc::new(Charges {
        epoch: lease.epoch,
        to: vec![(Scope::Global, "2026-11-29".into())],
    }));
    let mut record = samples::finished(&sent);
    record.cost = NanoUsd(cost);
    Arc::new(record)
}

/// What is posted and held.
fn sums(ledger: &MemoryLedger) -> (i64, i64) {
    let sums = ledger.periods().into_values().next().unwrap_or_default();
    (sums.posted.0, sums.held.0)
}

#[test]
fn a_question_asked_again_gets_the_same_answer_and_the_next_one_another() {
    let ledger = ledger(100);
    let lease = lease(&ledger);
    assert_eq!(amount(ask(&ledger, lease, 1, 20, 60)), 40);
    assert_eq!(amount(ask(&ledger, lease, 1, 20, 60)), 40);
    assert_eq!(amount(ask(&ledger, lease, 2, 60, 60)), 60);
    assert!(!is_recalling(ask(&ledger, lease, 3, 1, 1)));
    assert!(!is_recalling(ask(&ledger, lease, 1, 1, 1)), "a question of the past");
    assert_eq!(sums(&ledger), (0, 100));
}

#[test]
fn who_holds_something_is_asked_once_for_each_question_that_there_is_not_enough_for() {
    let ledger = ledger(100);
    let (holder, asker) = (lease(&ledger), lease(&ledger));
    assert_eq!(amount(ask(&ledger, holder, 1, 100, 100)), 100);
    assert!(is_recalling(ask(&ledger, asker, 1, 50, 50)));
    assert!(is_recalling(ask(&ledger, asker, 1, 50, 50)));
    assert_eq!(now(ledger.recalls(holder))[0].number, 1);
    give_back(&ledger, holder, 30, 1);
    assert!(now(ledger.recalls(holder)).is_empty());
    assert!(!is_recalling(ask(&ledger, asker, 1, 50, 50)));
    give_back(&ledger, holder, 50, 1);
    assert_eq!(amount(ask(&ledger, asker, 1, 50, 50)), 50);
    assert!(is_recalling(ask(&ledger, asker, 2, 50, 50)));
    assert_eq!(now(ledger.recalls(holder))[0].number, 2);
}

#[test]
fn two_that_ask_each_other_both_get_an_answer() {
    let ledger = ledger(100);
    let (one, other) = (lease(&ledger), lease(&ledger));
    assert_eq!(amount(ask(&ledger, one, 1, 50, 50)), 50);
    assert_eq!(amount(ask(&ledger, other, 1, 50, 50)), 50);
    assert!(is_recalling(ask(&ledger, one, 2, 10, 10)));
    assert!(is_recalling(ask(&ledger, other, 2, 10, 10)));
    for lease in [one, other] {
        for recall in now(ledger.recalls(lease)) {
            give_back(&ledger, lease, 0, recall.number);
        }
    }
    assert!(!is_recalling(ask(&ledger, one, 2, 10, 10)));
    assert!(!is_recalling(ask(&ledger, other, 2, 10, 10)));
}

#[test]
fn what_a_lease_that_ran_out_held_is_posted_and_taken_back_when_its_records_are_all_there() {
    let ledger = ledger(100);
    let lease = lease(&ledger);
    assert_eq!(amount(ask(&ledger, lease, 1, 40, 40)), 40);
    let before = call(lease, 5);
    ledger.post(&[Arc::clone(&before), before]);
    assert_eq!(sums(&ledger), (5, 35));
    ledger.advance(MINUTE);
    assert_eq!(now(ledger.expire_leases(MINUTE)), []);
    let expired = now(ledger.expire_leases(Duration::ZERO));
    assert_eq!((expired.len(), sums(&ledger)), (1, (40, 0)));
    assert!(!now(ledger.renew_lease(lease, MINUTE)));
    assert_eq!(ask(&ledger, lease, 2, 1, 1), Grant::LeaseLost);
    ledger.post(&[call(lease, 7)]);
    assert_eq!(sums(&ledger), (40, 0));
    now(ledger.end_leases_of(vec![lease.instance]));
    assert_eq!(sums(&ledger), (12, 0));
    assert!(ledger.told().is_empty());
    ledger.post(&[call(lease, 89)]);
    assert_eq!((sums(&ledger), ledger.told().len()), ((101, 0), 3));
}

#[test]
fn a_finished_record_that_replaces_an_interrupted_one_posts_the_difference() {
    let ledger = ledger(100);
    let lease = lease(&ledger);
    ask(&ledger, lease, 1, 60, 60);
    let ended = call(lease, 12);
    let mut sent = ended.dispatch.clone();
    sent.held = NanoUsd(50);
    let interrupted = CallRecord::interrupted(sent);
    assert_eq!(interrupted.outcome, Outcome::Interrupted);
    ledger.post(&[Arc::new(interrupted)]);
    assert_eq!(sums(&ledger), (50, 10));
    ledger.post(&[ended]);
    assert_eq!(sums(&ledger), (12, 10));
}

#[test]
fn a_new_budget_opens_with_what_the_records_of_its_period_show() {
    let ledger = MemoryLedger::at(NOON);
    let mut today = CallRecord::clone(&call(lease(&ledger), 30));
    today.dispatch.charges = None;
    today.dispatch.started_at = NOON;
    let mut yesterday = CallRecord::clone(&today);
    yesterday.dispatch.attempt.ordinal = 2;
    yesterday.dispatch.started_at -= 86_400_000_000;
    ledger.post(&[Arc::new(today), Arc::new(yesterday)]);
    let mut rule = BudgetRule {
        limit: NanoUsd(20),
        window: Window::Daily,
        on_exhausted: OnExhausted::Refuse,
        max_layer: None,
        alert_percents: Vec::new(),
    };
    let status = now(ledger.set_budget(Scope::Global, rule.clone()));
    assert_eq!((status.posted, &*status.period.id), (NanoUsd(30), "2026-11-29"));
    rule.window = Window::Monthly;
    assert_eq!(now(ledger.set_budget(Scope::Global, rule)).posted, NanoUsd(60));
    assert_eq!(ledger.told().len(), 2);
}
