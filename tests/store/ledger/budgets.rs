//! Budgets: setting, reading, opening, telling of them.

use super::*;
use crate::database::{TestStore, on_each_database};

on_each_database! {
    e6_a_period_that_many_ask_for_first_is_made_once,
    e15_a_call_is_posted_to_the_period_that_its_money_came_from,
    e16_a_limit_below_what_is_spent_stops_grants_and_takes_nothing_back,
    e17_what_was_held_of_a_budget_that_was_deleted_is_still_posted,
    a_budget_is_read_back_as_it_was_set,
    changes_of_budgets_are_heard_of_and_deletions_by_those_who_knew_them,
    a_new_budget_opens_with_what_was_spent_in_its_period_by_what_it_is_for,
    a_budget_that_is_set_again_takes_nothing_that_ran_out_with_a_lease_for_what_was_spent_without_it,
    operators_are_told_of_each_part_of_a_limit_once,
    what_records_show_after_a_budget_was_set_is_counted_once,
    a_call_above_its_hold_is_told_of_once_in_a_period,
    an_answer_longer_than_its_cap_is_told_of_within_its_hold_and_once_in_a_period,
}

fn e6_a_period_that_many_ask_for_first_is_made_once(test: &TestStore) {
    let scopes = [user("a"), user("b"), Scope::Global];
    for scope in &scopes {
        set(&test.store, scope, rule(1_000, Window::Daily));
    }
    test.execute("DELETE FROM budget_periods");
    let neighbours: Vec<Store> = (0..3).map(|_| test.patient_neighbour()).collect();
    std::thread::scope(|threads| {
        for (number, store) in neighbours.iter().enumerate() {
            let scopes = &scopes;
            threads.spawn(move || {
                let leases: Vec<_> = (0..4).map(|_| lease(store)).collect();
                let asked = leases.into_iter().enumerate().map(|(place, lease)| {
                    let mut wanted: Vec<_> = scopes.iter().map(|scope| question(scope, 1, 10, 10)).collect();
                    wanted.rotate_left((number + place) % 3);
                    store.ledger().grant(lease, wanted)
                });
                let answers = store.block_on(futures_util::future::join_all(asked));
                for grant in answers.into_iter().flat_map(Result::unwrap) {
                    assert!(matches!(grant, Grant::Granted { .. }), "{grant:?}");
                }
            });
        }
    });
    for scope in &scopes {
        assert_eq!(sums(&test.store, scope), (0, 120));
    }
    assert_books_balance(test);
}

fn e15_a_call_is_posted_to_the_period_that_its_money_came_from(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Daily));
    let lease = lease(store);
    let day = granted(store, lease, &scope, 1, 60);
    // As at midnight: from now on another period is the one that is now.
    set(store, &scope, rule(100, Window::Monthly));
    let month = granted(store, lease, &scope, 2, 100);
    assert_ne!(day.id, month.id);
    insert(
        store,
        [call(lease, &[(&scope, &day)], 50), call(lease, &[(&scope, &month)], 7)],
    );
    assert_eq!(sums(store, &scope), (7, 93));
    let of_day = format!(
        "SELECT posted || ' ' || held FROM budget_periods WHERE period = '{}'",
        day.id
    );
    assert_eq!(test.texts(&of_day), ["50 10"]);
    // A question of the period that is over is still answered as before.
    assert_eq!(granted(store, lease, &scope, 2, 100).id, month.id);
    give_back(store, lease, &scope, &day, 10, 0);
    assert_eq!(test.texts(&of_day), ["50 0"]);
    assert_books_balance(test);
}

fn e16_a_limit_below_what_is_spent_stops_grants_and_takes_nothing_back(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 80);
    let status = set(store, &scope, rule(50, Window::Total));
    assert_eq!((status.posted.0, status.held.0), (0, 80));
    let refused = ask(store, lease, &scope, 2, 1);
    let nothing_left = Grant::Short {
        period: period.clone(),
        left: NanoUsd(0),
        recalling: false,
        now: 0,
    };
    assert_eq!(refused, nothing_left);
    insert(store, [call(lease, &[(&scope, &period)], 80)]);
    assert_eq!(sums(store, &scope), (80, 0));
    set(store, &scope, rule(90, Window::Total));
    granted(store, lease, &scope, 3, 10);
    assert_books_balance(test);
}

fn e17_what_was_held_of_a_budget_that_was_deleted_is_still_posted(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 60);
    let delete = || store.block_on(store.ledger().delete_budget(scope.clone())).unwrap();
    assert!(delete());
    assert!(!delete());
    assert_eq!(store.block_on(store.ledger().budget(scope.clone())).unwrap(), None);
    assert_eq!(ask(store, lease, &scope, 2, 1), Grant::NoBudget);
    granted(store, lease, &scope, 1, 60);
    insert(store, [call(lease, &[(&scope, &period)], 40)]);
    set(store, &scope, rule(200, Window::Total));
    assert_eq!(sums(store, &scope), (40, 20));
    end(store, lease);
    assert_eq!(sums(store, &scope), (40, 0));
    assert_books_balance(test);
}

fn a_budget_is_read_back_as_it_was_set(test: &TestStore) {
    let key = gateway_actors::protocol::KeyId::generate();
    let scopes = [
        Scope::Global,
        Scope::Project("it's \"quoted\" ünïcode".into()),
        user("user:1"),
        Scope::Key(key),
        Scope::Conversation("conv-1".parse().unwrap()),
    ];
    for (scope, &window) in scopes.iter().zip(Window::ALL.iter().cycle()) {
        let mut rule = rule(5, window);
        rule.on_exhausted = OnExhausted::FreeOnly;
        rule.max_layer = Some(Layer::L2);
        rule.alert_percents = vec![1, 99];
        let set = set(&test.store, scope, rule.clone());
        assert_eq!((&set.rule, set.posted, set.held), (&rule, NanoUsd(0), NanoUsd(0)));
        assert_eq!(status(&test.store, scope), set);
        assert_eq!(Period::window_of(&set.period.id), Some(window));
    }

    let mut plain = rule(7, Window::Total);
    plain.alert_percents.clear();
    assert_eq!(set(&test.store, &Scope::Global, plain.clone()).rule, plain);
}

fn changes_of_budgets_are_heard_of_and_deletions_by_those_who_knew_them(test: &TestStore) {
    let store = &test.store;
    let changes = |from| store.block_on(store.ledger().budget_changes(from)).unwrap();
    let nothing = changes(BudgetCursor::default());
    assert_eq!((nothing.budgets.len(), nothing.next), (0, BudgetCursor::default()));
    set(store, &user("a"), rule(1, Window::Total));
    set(store, &user("b"), rule(2, Window::Total));
    let first = changes(BudgetCursor::default());
    let names = |budgets: &[gateway_actors::protocol::Budget]| -> Vec<String> {
        let name = |budget: &gateway_actors::protocol::Budget| {
            format!(
                "{} {}",
                budget.scope,
                budget.rule.as_ref().map_or(-1, |rule| rule.limit.0)
            )
        };
        budgets.iter().map(name).collect()
    };
    assert_eq!(names(&first.budgets), ["user:a 1", "user:b 2"]);
    store.block_on(store.ledger().delete_budget(user("a"))).unwrap();
    let later = changes(first.next);
    assert!(later.next > first.next);
    assert_eq!(names(&later.budgets), ["user:a -1"]);
    assert_eq!(names(&changes(BudgetCursor::default()).budgets), ["user:b 2"]);
    assert_eq!(names(&changes(later.next).budgets), [""; 0]);
    // Written when the clock was an hour ahead.
    test.execute("UPDATE budgets SET updated_at = updated_at + 3600000000");
    let ahead = changes(later.next);
    assert_eq!(ahead.budgets.len(), 2);
    set(store, &user("c"), rule(3, Window::Total));
    store.block_on(store.ledger().delete_budget(user("b"))).unwrap();
    let behind = changes(ahead.next);
    assert_eq!(names(&behind.budgets), ["user:c 3", "user:b -1"]);
    assert_eq!(names(&changes(behind.next).budgets), [""; 0]);
}

fn a_new_budget_opens_with_what_was_spent_in_its_period_by_what_it_is_for(test: &TestStore) {
    let store = &test.store;
    let now = i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000).unwrap();
    let key = gateway_actors::protocol::KeyId::generate();
    let mut calls = Vec::new();
    for (started_at, cost) in [(now, 10), (1_700_000_000_000_000, 200)] {
        let mut sent = dispatch();
        sent.charges = None;
        sent.started_at = started_at;
        sent.key_id = Some(key.clone());
        let mut record = finished(&sent);
        record.cost = NanoUsd(cost);
        let mut of_nobody = record.clone();
        of_nobody.dispatch.attempt.ordinal = 2;
        of_nobody.dispatch.key_id = None;
        of_nobody.dispatch.user_id = None;
        of_nobody.dispatch.project_id = None;
        of_nobody.dispatch.conversation = None;
        of_nobody.cost = NanoUsd(cost * 3);
        calls.extend([record, of_nobody]);
    }
    insert(store, calls);
    let scopes = [
        Scope::Key(key),
        user("user-1"),
        Scope::Project("project \"one\"".into()),
        Scope::Conversation("conv-1".parse().unwrap()),
    ];
    for scope in scopes {
        assert_eq!(set(store, &scope, rule(1, Window::Daily)).posted.0, 10, "{scope}");
        assert_eq!(set(store, &scope, rule(2, Window::Daily)).posted.0, 10, "{scope}");
        assert_eq!(set(store, &scope, rule(2, Window::Total)).posted.0, 210, "{scope}");
    }
    assert_eq!(set(store, &Scope::Global, rule(1, Window::Monthly)).posted.0, 40);
    assert_eq!(set(store, &user("other"), rule(1, Window::Total)).posted.0, 0);
    // What was posted meanwhile is not counted again by one that is set anew.
    let lease = lease(store);
    let total = Period::of_id("total").unwrap();
    let mut charged = call(lease, &[(&user("user-1"), &total)], 5);
    charged.dispatch.started_at = now;
    insert(store, [charged]);
    assert_eq!(set(store, &user("user-1"), rule(3, Window::Total)).posted.0, 215);
    store.block_on(store.ledger().delete_budget(user("user-1"))).unwrap();
    assert_eq!(set(store, &user("user-1"), rule(3, Window::Total)).posted.0, 215);
    assert_books_balance(test);
}

fn a_budget_that_is_set_again_takes_nothing_that_ran_out_with_a_lease_for_what_was_spent_without_it(test: &TestStore) {
    let (store, scope) = (&test.store, Scope::Global);
    let ledger = store.ledger();
    set(store, &scope, rule(100, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 20);
    store.block_on(ledger.renew_lease(lease, Duration::ZERO)).unwrap();
    store.block_on(ledger.expire_leases(Duration::ZERO)).unwrap();
    assert_eq!(sums(store, &scope), (20, 0));
    store.block_on(ledger.delete_budget(scope.clone())).unwrap();
    // Nothing has to pay for this one.
    let mut free = call(lease, &[], 50);
    free.dispatch.charges = None;
    insert(store, [free]);
    assert_eq!(set(store, &scope, rule(100, Window::Total)).posted.0, 70);
    // Of what ran out, a part was spent.
    insert(store, [call(lease, &[(&scope, &period)], 15)]);
    assert_eq!(sums(store, &scope), (70, 0));
    end(store, lease);
    assert_eq!(sums(store, &scope), (65, 0));
    assert_books_balance(test);
}

fn operators_are_told_of_each_part_of_a_limit_once(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(100, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 100);
    let told = || test.texts("SELECT once || ' ' || detail FROM events ORDER BY created_at, id");
    let spend = |cost| insert(store, [call(lease, &[(&scope, &period)], cost)]);
    spend(49);
    assert_eq!(told().len(), 0);
    spend(2);
    spend(9);
    let detail = r#"{"scope":"user:a","period":"total","percent":50,"limitNanoUsd":100,"spentNanoUsd":51}"#;
    assert_eq!(told(), [format!("budget_threshold|user:a|total|50|100 {detail}")]);
    spend(40);
    assert_eq!(told().len(), 3);
    spend(1);
    spend(1);
    let told = told();
    assert_eq!(told.len(), 4);
    let detail = r#"{"scope":"user:a","period":"total","limitNanoUsd":100,"spentNanoUsd":101}"#;
    assert_eq!(told[3], format!("budget_overrun|user:a|total|100 {detail}"));
    // One whose limit is lowered below what is spent is told of at once.
    set(store, &user("b"), rule(100, Window::Total));
    insert(store, [call(lease, &[(&user("b"), &period)], 10)]);
    set(store, &user("b"), rule(10, Window::Total));
    let waiting = test.texts("SELECT once FROM events WHERE once LIKE '%user:b%' AND next_attempt_at = created_at");
    assert_eq!(waiting.len(), 3, "{waiting:?}");
}

fn what_records_show_after_a_budget_was_set_is_counted_once(test: &TestStore) {
    let (store, scope) = (&test.store, Scope::Global);
    let recount = || store.block_on(store.ledger().recount(scope.clone())).unwrap();
    assert_eq!(recount(), None);
    let lease = lease(store);
    let unpaid = |cost| {
        let mut record = call(lease, &[], cost);
        record.dispatch.charges = None;
        record
    };
    insert(store, [unpaid(7)]);
    assert_eq!(set(store, &scope, rule(1_000, Window::Total)).posted.0, 7);
    let period = granted(store, lease, &scope, 1, 100);
    insert(store, [call(lease, &[(&scope, &period)], 40), unpaid(5)]);
    assert_eq!(sums(store, &scope), (47, 60));
    for _ in 0..2 {
        assert_eq!(recount().unwrap().posted.0, 52);
    }
    insert(store, [call(lease, &[(&scope, &period)], 1)]);
    assert_eq!(recount().unwrap().posted.0, 53);
    assert_eq!(sums(store, &scope), (53, 59));
    assert_books_balance(test);
    let audit = store.block_on(store.audit()).unwrap();
    assert_eq!(audit.differences, Vec::new());
}

fn a_call_above_its_hold_is_told_of_once_in_a_period(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(1_000_000, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 100);
    let of = |held: i64, cost: i64| {
        let mut record = call(lease, &[(&scope, &period)], cost);
        record.dispatch.held = NanoUsd(held);
        record
    };
    insert(store, [of(10, 10)]);
    let told = || test.texts("SELECT once || ' ' || detail FROM events");
    assert_eq!(told(), [""; 0]);
    let above = of(10, 11);
    let attempt = above.dispatch.attempt;
    insert(store, [of(10, 9), above]);
    insert(store, [of(10, 12)]);
    let told = told();
    assert_eq!(told.len(), 1, "{told:?}");
    let begins = format!(r#"cost_above_hold|user:a|total {{"scope":"user:a","period":"total","attempt":"{attempt}","#);
    assert!(told[0].starts_with(&begins), "{told:?}");
    assert!(
        told[0].ends_with(r#""heldNanoUsd":10,"costNanoUsd":11,"outputCapTokens":100,"outputTokens":20}"#),
        "{told:?}"
    );
}

fn an_answer_longer_than_its_cap_is_told_of_within_its_hold_and_once_in_a_period(test: &TestStore) {
    let (store, scope) = (&test.store, user("a"));
    set(store, &scope, rule(1_000_000, Window::Total));
    let lease = lease(store);
    let period = granted(store, lease, &scope, 1, 100);
    let of = |cap: Option<u64>, output: u64, cost: i64| {
        let mut record = call(lease, &[(&scope, &period)], cost);
        (record.dispatch.held, record.dispatch.output_cap, record.usage.output) = (NanoUsd(10), cap, output);
        record
    };
    insert(store, [of(Some(5), 5, 9), of(None, 6, 9)]);
    let told = || test.texts("SELECT once || ' ' || detail FROM events ORDER BY once");
    assert_eq!(told(), [""; 0]);
    insert(store, [of(Some(5), 6, 9), of(Some(5), 7, 9)]);
    insert(store, [of(Some(5), 8, 9), of(Some(5), 9, 11)]);
    let told = told();
    let kinds: Vec<_> = told.iter().map(|event| event.split_once(' ').unwrap().0).collect();
    assert_eq!(kinds, ["cost_above_hold|user:a|total", "output_above_cap|user:a|total"]);
    let sizes = r#""heldNanoUsd":10,"costNanoUsd":9,"outputCapTokens":5,"outputTokens":6}"#;
    assert!(told[1].ends_with(sizes), "{told:?}");
}
