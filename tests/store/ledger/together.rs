//! Many processes that spend from one budget at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use gateway_actors::protocol::StoreFuture;

use super::*;
use crate::database::{TestStore, on_each_database, postgres_config};
use crate::support::{Draw, PostgresDatabase};

on_each_database! {
    e5_two_hundred_that_spend_at_once_over_three_stores_never_get_more_than_the_limit,
    all_of_a_budget_can_be_spent_by_many_that_hold_parts_of_it,
}

const TASKS: usize = 200;
const STORES: usize = 3;
const LIMIT: i64 = 20_000;

/// Does something until the database has time for it: each may be done again, done or not.
async fn patiently<T>(work: impl Fn() -> StoreFuture<T>) -> T {
    loop {
        match work().await {
            Ok(answer) => return answer,
            Err(StoreError::Unavailable { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Spends as a process does, until there is nothing left; what it spent.
async fn spend(store: &Store, scope: &Scope, mut draw: Draw) -> i64 {
    let (ledger, calls) = (store.ledger(), store.calls());
    let instance = InstanceId::generate();
    let lease = patiently(|| ledger.open_lease(instance, HOUR)).await;
    let (mut spent, mut returned) = (0, 0);
    for seq in 1.. {
        let least = i64::try_from(20 + draw.below(60)).unwrap();
        let wanted = vec![question(scope, seq, least, least * 3)];
        let grant = patiently(|| ledger.grant(lease, wanted.clone())).await.remove(0);
        let Grant::Granted { period, amount, .. } = grant else {
            assert!(matches!(grant, Grant::Short { .. }), "{grant:?}");
            break;
        };
        assert!(amount.0 >= least);
        let cost = i64::try_from(draw.below(usize::try_from(amount.0).unwrap() + 1)).unwrap();
        spent += cost;
        let record = Arc::new(call(lease, &[(scope, &period)], cost));
        patiently(|| calls.insert_calls(vec![Arc::clone(&record); 2])).await;
        if draw.below(2) == 0 {
            returned += amount.0 - cost;
            let part = GiveBack {
                scope: scope.clone(),
                period: Arc::clone(&period.id),
                returned: NanoUsd(returned),
                recall: 0,
            };
            patiently(|| ledger.give_back(lease, vec![part.clone()])).await;
        }
    }
    spent
}

fn e5_two_hundred_that_spend_at_once_over_three_stores_never_get_more_than_the_limit(test: &TestStore) {
    let scope = user("a");
    set(&test.store, &scope, rule(LIMIT, Window::Daily));
    let spent = AtomicI64::new(0);
    let done = AtomicBool::new(false);
    // Opened before anybody spends: opening one waits for those that write, and all might be over before the first look.
    let observer = test.patient_neighbour();
    let looks = std::thread::scope(|threads| {
        let observer = threads.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Acquire) {
                let (posted, held) = sums(&observer, &scope);
                assert!(posted + held <= LIMIT, "{posted} posted, {held} held");
                looks += 1;
            }
            looks
        });
        let spenders: Vec<_> = (0..STORES)
            .map(|number| {
                let (scope, spent) = (&scope, &spent);
                threads.spawn(move || {
                    let store = test.patient_neighbour();
                    let tasks = (number..TASKS).step_by(STORES);
                    let work = tasks.map(|task| spend(&store, scope, Draw::new(u64::try_from(task).unwrap())));
                    let of_all = store.block_on(futures_util::future::join_all(work));
                    spent.fetch_add(of_all.iter().sum(), Ordering::AcqRel);
                })
            })
            .collect();
        let ended: Vec<_> = spenders.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Release);
        let looks = observer.join().unwrap();
        ended.into_iter().for_each(Result::unwrap);
        looks
    });
    assert!(looks > 0);
    let (posted, held) = sums(&test.store, &scope);
    assert_eq!(posted, spent.load(Ordering::Acquire));
    assert!(
        posted + held <= LIMIT && posted > LIMIT / 2,
        "{posted} posted, {held} held"
    );
    assert_books_balance(test);
}

fn all_of_a_budget_can_be_spent_by_many_that_hold_parts_of_it(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(1_000, Window::Total));
    let ledger = store.ledger();
    let holders: Vec<_> = (0..8).map(|_| lease(store)).collect();
    let mut granted = HashMap::new();
    for &holder in &holders {
        let wanted = vec![question(&scope, 1, 1, 1_000)];
        if let Grant::Granted { amount, .. } = store.block_on(ledger.grant(holder, wanted)).unwrap().remove(0) {
            granted.insert(holder, amount.0);
        }
    }
    let asker = lease(store);
    let mut answers = 0;
    let period = loop {
        match ask(store, asker, &scope, 1, 1_000) {
            Grant::Granted { period, .. } => break period,
            Grant::Short { recalling, .. } => assert!(recalling, "refused while others held what they did not need"),
            other => panic!("{other:?}"),
        }
        for &holder in &holders {
            for recall in store.block_on(ledger.recalls(holder)).unwrap() {
                answers += 1;
                let part = GiveBack {
                    scope: recall.scope,
                    period: recall.period,
                    returned: NanoUsd(granted[&holder]),
                    recall: recall.number,
                };
                store.block_on(ledger.give_back(holder, vec![part])).unwrap();
            }
        }
    };
    assert_eq!(answers, granted.len());
    insert(store, [call(asker, &[(&scope, &period)], 1_000)]);
    assert_eq!(sums(store, &scope), (1_000, 0));
    assert_books_balance(test);
}

#[test]
fn e21_books_that_another_program_locks_are_waited_for_no_longer_than_the_limit() {
    let database = PostgresDatabase::create();
    let mut config = postgres_config(&database.url());
    config.limits.lock_timeout = Duration::from_millis(100);
    let store = Store::open(config.into()).unwrap();
    let scope = user("a");
    set(&store, &scope, rule(100, Window::Total));
    let lease = lease(&store);
    let period = granted(&store, lease, &scope, 1, 10);
    let blocker = database.begin("SELECT * FROM budget_periods FOR UPDATE");
    let wanted = || vec![question(&scope, 2, 10, 10)];
    let refused = store.block_on(store.ledger().grant(lease, wanted()));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let record = Arc::new(call(lease, &[(&scope, &period)], 7));
    let refused = store.block_on(store.calls().insert_calls(vec![Arc::clone(&record)]));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    // Records and books change together or not at all.
    assert_eq!(database.texts("SELECT attempt_id FROM llm_calls"), [""; 0]);
    blocker.roll_back();
    assert_eq!(sums(&store, &scope), (0, 10));
    store.block_on(store.calls().insert_calls(vec![record])).unwrap();
    granted(&store, lease, &scope, 2, 10);
    assert_eq!(sums(&store, &scope), (7, 13));
    assert_eq!(database.texts(WRONG_SUMS), [""; 0]);
}
