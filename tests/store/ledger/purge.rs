//! What goes of leases that have ended and of periods that are over, and what stays.

use gateway_actors::protocol::PURGE_BATCH;

use super::*;
use crate::database::{TestStore, on_each_database};
use crate::support::wait_for;

on_each_database! {
    leases_that_ended_go_with_their_slices_and_the_books_say_the_same,
    slices_of_periods_that_are_over_go_if_they_hold_nothing,
    a_store_removes_however_many_there_are_by_itself,
}

const NAMES_OF_SLICES: &str = "SELECT instance_id || ' ' || scope || ' ' || period FROM budget_slices ORDER BY 1";
const LEASES: &str = "SELECT instance_id || ' ' || state FROM budget_leases ORDER BY 1";

fn purge(test: &TestStore, kept: Duration) -> usize {
    test.store.block_on(test.store.purge_leases(kept)).unwrap()
}

#[track_caller]
fn assert_proven(test: &TestStore) {
    assert_books_balance(test);
    let audit = test.store.block_on(test.store.audit()).unwrap();
    assert_eq!(audit.differences, []);
}

/// Opens a lease that has run out already: what ends it does not wait for the clock.
fn overdue_lease(store: &Store) -> LeaseId {
    let lease = lease(store);
    let renewed = store.ledger().renew_lease(lease, Duration::ZERO);
    assert!(store.block_on(renewed).unwrap());
    lease
}

fn leases_that_ended_go_with_their_slices_and_the_books_say_the_same(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(10_000, Window::Total));
    // In this order: what is overdue is expired together.
    let lost = overdue_lease(store);
    let period = granted(store, lost, &scope, 1, 300);
    insert(store, [call(lost, &[(&scope, &period)], 100)]);
    store.block_on(store.ledger().expire_leases(Duration::ZERO)).unwrap();
    let ended = overdue_lease(store);
    granted(store, ended, &scope, 1, 50);
    insert(store, [call(ended, &[(&scope, &period)], 40)]);
    end(store, ended);
    let just_ended = lease(store);
    granted(store, just_ended, &scope, 1, 5);
    end(store, just_ended);
    let live = lease(store);
    granted(store, live, &scope, 1, 7);
    assert_eq!(sums(store, &scope), (340, 7));

    assert_eq!(purge(test, HOUR), 0);
    assert_eq!(test.texts(NAMES_OF_SLICES).len(), 4);
    assert_eq!(purge(test, Duration::ZERO), 2);
    assert_eq!(purge(test, Duration::ZERO), 0);
    let mut left: Vec<_> = [(lost, "expired"), (just_ended, "ended"), (live, "live")]
        .map(|(lease, state)| format!("{} {state}", lease.instance))
        .to_vec();
    left.sort();
    assert_eq!(test.texts(LEASES), left);
    assert_eq!(test.texts(NAMES_OF_SLICES).len(), 3);
    assert_eq!(sums(store, &scope), (340, 7));
    assert_proven(test);

    // A record that comes late is booked, as it would have been.
    insert(store, [call(ended, &[(&scope, &period)], 3)]);
    assert_eq!(sums(store, &scope), (343, 7));
    assert_eq!(ask(store, ended, &scope, 2, 1), Grant::LeaseLost);
    end(store, ended);
    assert_proven(test);

    // What a lost process left is corrected when its journal is read, and goes then.
    insert(store, [call(lost, &[(&scope, &period)], 20)]);
    end(store, lost);
    assert_eq!(sums(store, &scope), (163, 7));
    assert_eq!(purge(test, Duration::ZERO), 2);
    assert_eq!(sums(store, &scope), (163, 7));
    granted(store, live, &scope, 2, 1);
    assert_proven(test);
}

fn slices_of_periods_that_are_over_go_if_they_hold_nothing(test: &TestStore) {
    let (store, lease) = (&test.store, lease(&test.store));
    let (given_back, holding, endless) = (user("given back"), user("holding"), user("endless"));
    let daily = rule(1_000, Window::Daily);
    for (scope, rule) in [
        (&given_back, daily.clone()),
        (&holding, daily),
        (&endless, rule(1_000, Window::Total)),
    ] {
        set(store, scope, rule);
        let period = granted(store, lease, scope, 1, 100);
        if *scope != holding {
            give_back(store, lease, scope, &period, 100, 0);
        }
    }
    assert_eq!(purge(test, Duration::ZERO), 0);
    // As if it had been the day after another.
    for table in ["budget_periods", "budget_slices", "budget_ledger"] {
        test.execute(&format!(
            "UPDATE {table} SET period = '2020-02-29' WHERE period <> 'total'"
        ));
    }
    assert_proven(test);
    assert_eq!(purge(test, Duration::ZERO), 1);
    assert_eq!(purge(test, Duration::ZERO), 0);
    let mut left = ["user:endless total", "user:holding 2020-02-29"].map(|name| format!("{} {name}", lease.instance));
    left.sort();
    assert_eq!(test.texts(NAMES_OF_SLICES), left);
    assert_eq!(test.texts(LEASES).len(), 1);
    assert_proven(test);

    // A call that was admitted that day, and a question of today.
    let that_day = Period::of_id("2020-02-29").unwrap();
    insert(store, [call(lease, &[(&given_back, &that_day)], 30)]);
    let today = granted(store, lease, &given_back, 2, 10);
    assert_ne!(today.id, that_day.id);
    assert_eq!(sums(store, &given_back), (0, 10));
    assert_proven(test);
}

fn a_store_removes_however_many_there_are_by_itself(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(1_000_000, Window::Total));
    for _ in 0..PURGE_BATCH + 7 {
        let lease = overdue_lease(store);
        granted(store, lease, &scope, 1, 10);
        end(store, lease);
    }
    let before = sums(store, &scope);
    // Longer ago than they are kept.
    test.execute("UPDATE budget_leases SET expires_at = 1");
    let purging = store.keep_purging();
    wait_for("all of them to be gone", HOUR, || {
        test.texts(LEASES).is_empty() && test.texts(NAMES_OF_SLICES).is_empty()
    });
    drop(purging);
    assert_eq!(sums(store, &scope), before);
    assert_proven(test);
}
