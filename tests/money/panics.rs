//! Row K2, as far as it is about money: the actor that asks the ledger dies while it does, and is built anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, On, SOON, Scene, TOKENS, assert_exhausted, on_each_database, paid, paid_stream};
use crate::support::{in_parallel, wait_for};

on_each_database![k2_a_budget_director_that_panics_again_and_again_under_load_grants_nothing_twice_and_keeps_nothing,];

const DIRECTOR: &str = "budget-director";

/// Makes it panic at its next message, and waits until it has been built anew.
#[track_caller]
fn crash(scene: &Scene, times: usize) {
    let armed = scene.admin().post(&format!("/v1/faults/{DIRECTOR}"), &json!({}));
    assert_eq!(armed.status, 202, "{}", armed.text());
    wait_for("the panic to be counted", SOON, || {
        let health = scene.admin().get("/health").json();
        health["actors"] == json!([{ "name": DIRECTOR, "restarts": times }])
    });
}

#[test]
fn k2_a_budget_director_that_panics_while_the_ledger_grants_asks_again_and_is_granted_once() {
    let mut scene = Scene::new(On::Postgres);
    scene.gateway.expect_panics();
    scene.limit("global", 3 * COST);
    // What is asked for now is granted after its asker's end.
    let blocker = scene
        .database
        .as_ref()
        .unwrap()
        .begin("SELECT 1 FROM budget_periods FOR UPDATE");
    thread::scope(|scope| {
        let asking = scope.spawn(|| scene.ask());
        wait_for("the question to wait for the ledger", SOON, || {
            let waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                AND datname = current_database()";
            scene.books().number(waiting) > 0
        });
        crash(&scene, 1);
        blocker.roll_back();
        assert_eq!(asking.join().unwrap().status, 200);
    });
    assert_eq!(scene.spent_at_rest("global"), COST);
    // All of the rest is there.
    for _ in 0..2 {
        assert_eq!(scene.ask().status, 200);
    }
    assert_exhausted(&scene.ask());
    assert_eq!((scene.paid.requests(), scene.bill()), (3, 3 * COST));
    assert_eq!(scene.spent_at_rest("global"), 3 * COST);
    scene.assert_audited();
    scene.finish();
}

fn k2_a_budget_director_that_panics_again_and_again_under_load_grants_nothing_twice_and_keeps_nothing(on: On) {
    const ALL: usize = 240;
    const FIT: i64 = 150;
    let mut scene = Scene::new(on);
    scene.gateway.expect_panics();
    scene.limit("global", FIT * COST);
    let asked = AtomicUsize::new(0);
    let statuses = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            in_parallel(ALL, 40, |number| {
                asked.fetch_add(1, Ordering::Relaxed);
                let body = if number % 2 == 0 {
                    paid(TOKENS)
                } else {
                    paid_stream(TOKENS)
                };
                scene.admin().post(COMPLETIONS, &body).status
            })
        });
        for times in 1..=4 {
            wait_for("more requests", SOON, || asked.load(Ordering::Relaxed) >= times * 40);
            crash(&scene, times);
        }
        asking.join().unwrap()
    });
    let of = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!(of(200) + of(402) + of(503), ALL, "{statuses:?}");
    let answered = i64::try_from(of(200)).unwrap();
    assert_eq!(scene.spent_at_rest("global"), answered * COST);
    assert_eq!(scene.bill(), answered * COST);
    assert!(answered <= FIT, "{answered} answered");
    // What was refused or hurt has cost nothing: all the rest is there.
    for _ in answered..FIT {
        assert_eq!(scene.ask().status, 200);
    }
    assert_exhausted(&scene.ask());
    scene.assert_audited();
    scene.finish();
}
