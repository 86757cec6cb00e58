//! The port `EventStore`: what both databases promise.

use std::time::Duration;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{NanoUsd, PURGE_BATCH, Window};

use crate::database::{TestStore, on_each_database};
use crate::reports::{call_at, insert};

on_each_database! {
    an_event_is_raised_once_however_many_processes_raise_it,
    events_of_present_periods_are_told_the_newest_first,
    an_event_is_one_process_s_until_its_time_is_over,
    a_delivered_event_is_not_delivered_again_and_an_old_one_not_at_all,
    an_event_that_was_raised_before_the_clock_went_back_is_delivered_now,
    what_today_s_calls_cost_is_their_sum,
    old_events_go_save_those_of_budgets_that_never_end,
}

const DAY: Duration = Duration::from_secs(86_400);
const HOLD: Duration = Duration::from_secs(60);

fn raise(store: &Store, once: &str) -> bool {
    let raised = store
        .events()
        .raise("cost_alert", once.to_owned(), "{\"a\":1}".to_owned());
    store.block_on(raised).unwrap()
}

fn claim(store: &Store, hold: Duration) -> Vec<(String, u32)> {
    let claimed = store.block_on(store.events().claim(10, hold)).unwrap();
    claimed
        .into_iter()
        .map(|claimed| (claimed.event.id, claimed.attempts))
        .collect()
}

fn an_event_is_raised_once_however_many_processes_raise_it(test: &TestStore) {
    let neighbour = test.neighbour();
    let raised: Vec<bool> = [&test.store, &neighbour, &test.store]
        .map(|store| raise(store, "cost_alert|total"))
        .to_vec();
    assert_eq!(raised, [true, false, false]);
    assert!(raise(&neighbour, "cost_alert|other"));
    assert_eq!(test.texts("SELECT once FROM events ORDER BY once").len(), 2);
    neighbour.shutdown(Duration::from_secs(5));
}

fn events_of_present_periods_are_told_the_newest_first(test: &TestStore) {
    let (today, _) = test.store.block_on(test.store.events().spent_today()).unwrap();
    let month = Window::Monthly.period_at(today.starts_at);
    for once in [
        "budget_threshold|user:a|2001-01|50".to_owned(),
        format!("budget_threshold|user:a|{}|50", month.id),
        format!("cost_alert|{}", today.id),
        "budget_overrun|global|total".to_owned(),
        "cost_alert|2001-01-01".to_owned(),
    ] {
        assert!(raise(&test.store, &once));
    }
    let present = |limit| {
        let events = test.store.block_on(test.store.events().present(limit)).unwrap();
        let ids: Vec<String> = events.into_iter().map(|event| event.id).collect();
        ids
    };
    let expected = |once: &str| {
        test.texts(&format!("SELECT id FROM events WHERE once LIKE '{once}%'"))
            .remove(0)
    };
    let all = present(20);
    assert_eq!(all.len(), 3);
    assert_eq!(all[0], expected("budget_overrun"));
    assert_eq!(all[1], expected(&format!("cost_alert|{}", today.id)));
    assert_eq!(present(1), all[..1]);
}

fn an_event_is_one_process_s_until_its_time_is_over(test: &TestStore) {
    let neighbour = test.neighbour();
    assert!(raise(&test.store, "a"));
    let claimed = claim(&test.store, HOLD);
    assert_eq!(claimed.len(), 1);
    assert_eq!(claim(&neighbour, HOLD), []);
    let id = claimed[0].0.clone();
    // It could not be delivered, and may be tried at once.
    test.store
        .block_on(test.store.events().put_off(id.clone(), Duration::ZERO))
        .unwrap();
    assert_eq!(claim(&neighbour, Duration::ZERO), [(id.clone(), 2)]);
    // Whoever had it died; its time is over.
    assert_eq!(claim(&test.store, HOLD), [(id, 3)]);
    neighbour.shutdown(Duration::from_secs(5));
}

fn a_delivered_event_is_not_delivered_again_and_an_old_one_not_at_all(test: &TestStore) {
    assert!(raise(&test.store, "a"));
    let (id, _) = claim(&test.store, Duration::ZERO).remove(0);
    test.store.block_on(test.store.events().delivered(id.clone())).unwrap();
    test.store
        .block_on(test.store.events().put_off(id, Duration::ZERO))
        .unwrap();
    assert_eq!(claim(&test.store, HOLD), []);
    test.execute(
        "INSERT INTO events (id, once, kind, detail, created_at, next_attempt_at) VALUES ('x', 'b', 'k', '{}', 1, 1)",
    );
    assert_eq!(claim(&test.store, HOLD), []);
}

fn an_event_that_was_raised_before_the_clock_went_back_is_delivered_now(test: &TestStore) {
    assert!(raise(&test.store, "a"));
    // An hour.
    test.execute("UPDATE events SET created_at = created_at + 3600000000, next_attempt_at = created_at + 3600000000");
    assert_eq!(claim(&test.store, HOLD).len(), 1);
    assert_eq!(claim(&test.store, HOLD), []);
}

fn what_today_s_calls_cost_is_their_sum(test: &TestStore) {
    let spent = || test.store.block_on(test.store.events().spent_today()).unwrap();
    let (today, nothing) = spent();
    assert_eq!(nothing, NanoUsd::ZERO);
    let moments = [
        today.starts_at - 1,
        today.starts_at,
        today.ends_at.unwrap() - 1,
        today.ends_at.unwrap(),
    ];
    let records: Vec<_> = moments
        .iter()
        .zip(0..)
        .map(|(at, number)| call_at(*at, number))
        .collect();
    insert(test, &records);
    assert_eq!(spent().1, records[0].cost + records[1].cost);
}

fn old_events_go_save_those_of_budgets_that_never_end(test: &TestStore) {
    let store = &test.store;
    for number in 0..PURGE_BATCH + 3 {
        assert!(raise(store, &format!("budget_threshold|user:{number}|2020-02|50")));
    }
    assert!(raise(store, "budget_threshold|user:total|2020-02-29|80"));
    let endless = ["budget_overrun|global|total", "budget_threshold|user:a|total|50"];
    for once in endless {
        assert!(raise(store, once));
    }
    // 91 days.
    test.execute("UPDATE events SET created_at = created_at - 7862400000000");
    assert!(raise(store, "cost_alert|2020-02-28"));
    let purge = |kept| store.block_on(store.purge_events(kept)).unwrap();
    assert_eq!(purge(92 * DAY), 0);
    assert_eq!(purge(90 * DAY), PURGE_BATCH);
    assert_eq!(purge(90 * DAY), 4);
    assert_eq!(purge(90 * DAY), 0);
    let left = test.texts("SELECT once FROM events ORDER BY once");
    assert_eq!(left, [endless[0], endless[1], "cost_alert|2020-02-28"]);
    // Told already: not again.
    assert!(!raise(store, endless[0]));
}
