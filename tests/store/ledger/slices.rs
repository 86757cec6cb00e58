//! Slices and leases: granting, posting, giving back, running out.

use super::*;
use crate::database::{TestStore, on_each_database};

on_each_database! {
    e18_a_lease_that_is_renewed_does_not_run_out,
    e19_the_largest_amounts_neither_wrap_round_nor_stop_the_books,
    e22_leases_that_ask_for_the_same_budgets_in_other_orders_all_get_an_answer,
    j9_what_is_asked_or_stored_twice_happens_once,
    a_lease_that_ran_out_is_posted_in_full_and_corrected_by_its_records,
    who_holds_what_another_wants_hears_of_it,
    a_record_beyond_what_is_held_is_booked_in_full,
    a_record_of_a_lease_that_nobody_knows_is_booked_in_full,
}

fn e18_a_lease_that_is_renewed_does_not_run_out(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Total));
    let ledger = store.ledger();
    let renewed = lease(store);
    let late = lease(store);
    granted(store, renewed, &scope, 1, 30);
    granted(store, late, &scope, 1, 20);
    let renew = |lease, ttl| store.block_on(ledger.renew_lease(lease, ttl)).unwrap();
    assert!(renew(late, Duration::ZERO));
    assert!(renew(renewed, Duration::ZERO));
    assert!(renew(renewed, HOUR));
    let expire = |grace| store.block_on(ledger.expire_leases(grace)).unwrap();
    assert_eq!(expire(HOUR), []);
    let expired = expire(Duration::ZERO);
    assert_eq!(expired.len(), 1);
    assert_eq!((expired[0].lease, expired[0].posted), (late, NanoUsd(20)));
    assert_eq!(expire(Duration::ZERO), []);
    assert_eq!(sums(store, &scope), (20, 30));
    assert!(!renew(late, HOUR));
    assert_eq!(ask(store, late, &scope, 2, 1), Grant::LeaseLost);
    let next = store.block_on(ledger.open_lease(late.instance, HOUR)).unwrap();
    assert_eq!(next.epoch, late.epoch + 1);
    granted(store, next, &scope, 1, 50);
    assert_books_balance(test);
}

fn e19_the_largest_amounts_neither_wrap_round_nor_stop_the_books(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(i64::MAX, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, i64::MAX);
    let spend = |cost| insert(store, [call(lease, &[(&scope, &period)], cost)]);
    spend(i64::MAX - 5);
    assert_eq!(sums(store, &scope), (i64::MAX - 5, 5));
    spend(i64::MAX);
    spend(i64::MAX);
    assert_eq!(sums(store, &scope), (i64::MAX, 0));
    assert!(matches!(ask(store, lease, &scope, 2, 1), Grant::Short { .. }));
    give_back(store, lease, &scope, &period, i64::MAX, 0);
    end(store, lease);
    assert_eq!(sums(store, &scope), (i64::MAX, 0));
    let other = set(store, &user("user-1"), rule(1, Window::Total));
    assert_eq!(other.posted.0, i64::MAX);
    assert_books_balance(test);
}

fn e22_leases_that_ask_for_the_same_budgets_in_other_orders_all_get_an_answer(test: &TestStore) {
    const ROUNDS: u64 = 12;
    let scopes = [user("a"), user("b"), user("c")];
    for scope in &scopes {
        set(&test.store, scope, rule(1_000_000, Window::Total));
    }
    std::thread::scope(|threads| {
        for number in 0..3 {
            let scopes = &scopes;
            threads.spawn(move || {
                let store = test.patient_neighbour();
                let work = (0..2).map(|_| {
                    let (ledger, calls) = (store.ledger(), store.calls());
                    async move {
                        let lease = ledger.open_lease(InstanceId::generate(), HOUR).await.unwrap();
                        for seq in 1..=ROUNDS {
                            let mut wanted: Vec<_> = scopes.iter().map(|scope| question(scope, seq, 10, 10)).collect();
                            wanted.rotate_left(number);
                            if number == 2 {
                                wanted.reverse();
                            }
                            let grants = ledger.grant(lease, wanted).await.unwrap();
                            let Grant::Granted { period, .. } = &grants[0] else {
                                panic!("{grants:?}");
                            };
                            let mut to: Vec<_> = scopes.iter().map(|scope| (scope, period)).collect();
                            to.rotate_right(number);
                            let part = |scope: &Scope| GiveBack {
                                scope: scope.clone(),
                                period: Arc::clone(&period.id),
                                returned: NanoUsd(i64::try_from(seq).unwrap() * 3),
                                recall: 0,
                            };
                            let parts = scopes.iter().rev().map(part).collect();
                            let spent = vec![Arc::new(call(lease, &to, 7))];
                            let (stored, given) =
                                tokio::join!(calls.insert_calls(spent), ledger.give_back(lease, parts));
                            stored.unwrap();
                            given.unwrap();
                        }
                        ledger.expire_leases(HOUR).await.unwrap();
                    }
                });
                store.block_on(futures_util::future::join_all(work));
            });
        }
    });
    for scope in &scopes {
        assert_eq!(sums(&test.store, scope), (6 * 12 * 7, 0));
    }
    assert_books_balance(test);
}

fn j9_what_is_asked_or_stored_twice_happens_once(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Daily));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 40);
    granted(store, lease, &scope, 1, 40);
    let record = call(lease, &[(&scope, &period)], 15);
    insert(store, [record.clone(), record.clone()]);
    insert(store, [record.clone()]);
    assert_eq!(sums(store, &scope), (15, 25));
    for returned in [10, 10, 4] {
        give_back(store, lease, &scope, &period, returned, 0);
    }
    assert_eq!(sums(store, &scope), (15, 15));
    // The end of an attempt that was found interrupted: the difference alone.
    let mut left = record.dispatch;
    left.attempt.ordinal = 2;
    left.held = NanoUsd(9);
    insert(store, [CallRecord::interrupted(left.clone())]);
    assert_eq!(sums(store, &scope), (24, 6));
    let mut ended = finished(&left);
    ended.cost = NanoUsd(4);
    insert(store, [ended.clone()]);
    insert(store, [ended, CallRecord::interrupted(left)]);
    assert_eq!(sums(store, &scope), (19, 6));
    end(store, lease);
    end(store, lease);
    assert_eq!(sums(store, &scope), (19, 0));
    let entries = test.texts("SELECT kind || ' ' || posted_delta || ' ' || held_delta FROM budget_ledger ORDER BY id");
    let expected = [
        "grant 0 40",
        "post 15 -15",
        "return 0 -10",
        "post 9 -9",
        "adjust -5 0",
        "release 0 -6",
    ];
    assert_eq!(entries, expected);
    assert_books_balance(test);
}

fn a_lease_that_ran_out_is_posted_in_full_and_corrected_by_its_records(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    let ledger = store.ledger();
    set(store, &scope, rule(100, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 70);
    insert(store, [call(lease, &[(&scope, &period)], 10)]);
    store.block_on(ledger.renew_lease(lease, Duration::ZERO)).unwrap();
    store.block_on(ledger.expire_leases(Duration::ZERO)).unwrap();
    assert_eq!(sums(store, &scope), (70, 0));
    // Too late.
    give_back(store, lease, &scope, &period, 60, 0);
    insert(store, [call(lease, &[(&scope, &period)], 25)]);
    assert_eq!(sums(store, &scope), (70, 0));
    end(store, lease);
    assert_eq!(sums(store, &scope), (35, 0));
    insert(store, [call(lease, &[(&scope, &period)], 1)]);
    assert_eq!(sums(store, &scope), (36, 0));
    assert_books_balance(test);
}

fn who_holds_what_another_wants_hears_of_it(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Total));
    let (holder, asker) = (lease(store), lease(store));
    let period = granted(store, holder, &scope, 1, 100);
    let recalls = |lease| store.block_on(store.ledger().recalls(lease)).unwrap();
    assert_eq!(recalls(holder), []);
    let short = |recalling| Grant::Short {
        period: period.clone(),
        left: NanoUsd(0),
        recalling,
        now: 0,
    };
    for _ in 0..3 {
        assert_eq!(ask(store, asker, &scope, 1, 50), short(true));
    }
    let heard = Recall {
        scope: scope.clone(),
        period: Arc::clone(&period.id),
        number: 1,
    };
    assert_eq!(recalls(holder), [heard]);
    assert_eq!(recalls(asker), []);
    give_back(store, holder, &scope, &period, 0, 1);
    assert_eq!(recalls(holder), []);
    assert_eq!(ask(store, asker, &scope, 1, 50), short(false));
    give_back(store, holder, &scope, &period, 60, 1);
    granted(store, asker, &scope, 1, 50);
    // The next question that there is not enough for is a new reason to give back.
    assert!(matches!(
        ask(store, asker, &scope, 2, 50),
        Grant::Short { recalling: true, .. }
    ));
    assert_eq!(recalls(holder)[0].number, 2);
    assert_books_balance(test);
}

fn a_record_beyond_what_is_held_is_booked_in_full(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Total));
    let (dear, other) = (lease(store), lease(store));
    let period = granted(store, dear, &scope, 1, 10);
    granted(store, other, &scope, 1, 50);
    insert(store, [call(dear, &[(&scope, &period)], 70)]);
    assert_eq!(sums(store, &scope), (70, 50));
    // 60 more than it was granted: to make up for a part of that gives it nothing to spend, and takes nothing.
    granted(store, dear, &scope, 2, 40);
    assert_eq!(sums(store, &scope), (70, 50));
    assert!(matches!(ask(store, dear, &scope, 3, 21), Grant::Short { .. }));
    assert_books_balance(test);
}

fn a_record_of_a_lease_that_nobody_knows_is_booked_in_full(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    let nobody = LeaseId {
        instance: InstanceId::generate(),
        epoch: 3,
    };
    let period = Period::of_id("2020-02-29").unwrap();
    let records = (0..40).map(|_| call(nobody, &[(&scope, &period), (&Scope::Global, &period)], 2));
    insert(store, records);
    let rows =
        test.texts("SELECT scope || ' ' || period || ' ' || posted || ' ' || held FROM budget_periods ORDER BY scope");
    assert_eq!(rows, ["global 2020-02-29 80 0", "user:a 2020-02-29 80 0"]);
    let calls = test.texts("SELECT CAST(sum(calls) AS TEXT) FROM budget_ledger");
    assert_eq!(calls, ["80"]);
    assert_books_balance(test);
    let late = store.block_on(store.ledger().renew_lease(nobody, HOUR));
    assert!(matches!(late, Ok(false)), "{late:?}");
    let refused = store.block_on(store.ledger().grant(nobody, vec![question(&scope, 1, 1, 1)]));
    assert!(matches!(refused.as_deref(), Ok([Grant::LeaseLost])), "{refused:?}");
    assert!(!matches!(refused, Err(StoreError::Failed { .. })));
}
