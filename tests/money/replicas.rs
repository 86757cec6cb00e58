//! Several processes, one database: together they spend what there is and never more, whatever becomes of one of them.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, On, SOON, Scene, TOKENS, assert_exhausted, for_model, paid, path};
use crate::support::{Behaviour, Gateway, Reply, in_parallel, wait_for};

/// So long that no lease runs out while a test lasts.
pub(crate) const LONG_LEASE: &str = "[budget]\nlease_ms = 3600000";
const SHORT_LEASE: &str = "[budget]\nlease_ms = 2000";

fn ask(gateway: &Gateway) -> Reply {
    gateway.client().post(COMPLETIONS, &paid(TOKENS))
}

/// Lets go of a replica in good order.
pub(crate) fn finish(replica: Gateway) {
    replica.finish_after(&for_model("free"));
}

#[test]
fn e5_of_many_at_three_replicas_as_many_are_answered_as_fit() {
    const ALL: usize = 120;
    const FIT: usize = 7;
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml(LONG_LEASE));
    let replicas = [(); 2].map(|()| scene.replica(|setup| setup.toml(LONG_LEASE)));
    // One alone is told of it.
    scene.limit("global", 7 * COST);
    let statuses = in_parallel(ALL, ALL, |number| match number % 3 {
        0 => scene.ask().status,
        place => ask(&replicas[place - 1]).status,
    });
    let of = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((of(200), of(402)), (FIT, ALL - FIT), "{statuses:?}");
    assert_eq!(scene.paid.requests(), FIT);
    assert_eq!(scene.bill(), 7 * COST);
    wait_for("everything to be posted", SOON, || {
        scene.books().posted("global") == 7 * COST
    });
    replicas.into_iter().for_each(finish);
    scene.finish();
}

#[test]
fn e17_a_budget_holds_at_every_replica_and_has_their_calls_when_it_is_answered() {
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml(LONG_LEASE));
    let other = scene.replica(|setup| setup.toml(LONG_LEASE));
    for round in 0..3 {
        let project = format!("project-{round}");
        let made = scene
            .admin()
            .post("/v1/admin/keys", &json!({ "name": "k", "projectId": project }));
        let key = format!("Bearer {}", made.json()["key"].as_str().unwrap());
        let [here, there] =
            [&scene.gateway, &other].map(|gateway| gateway.anonymous().with_header("authorization", &key));
        for client in [&there, &here, &there] {
            assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
        }
        let scope = format!("project:{project}");
        let budget = json!({ "limitNanoUsd": 3 * COST, "window": "total" });
        let reply = scene.admin().send_json("PUT", &path(&scope), &budget);
        assert_eq!((reply.status, &reply.json()["spentNanoUsd"]), (200, &json!(3 * COST)));
        for client in [&there, &here] {
            assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
        }
    }
    assert_eq!(scene.paid.requests(), 9);
    scene.assert_audited();
    finish(other);
    scene.finish();
}

#[test]
fn e17_a_budget_that_is_set_from_the_command_line_holds_when_the_command_has_ended() {
    let scene = Scene::new(On::Sqlite);
    assert_eq!(scene.ask().status, 200);
    let set = scene.gateway.run("budgets set global 0");
    assert!(set.status.success(), "{set:?}");
    assert_exhausted(&scene.ask());
    assert_eq!(scene.spent_at_rest("global"), COST);
    scene.finish();
}

#[test]
fn e5_what_one_replica_has_in_stock_is_there_for_another_before_anybody_is_refused() {
    const CALLS: i64 = 20;
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml(LONG_LEASE));
    scene.limit("global", CALLS * COST);
    let other = scene.replica(|setup| setup.toml(LONG_LEASE));
    for round in 0..3 {
        assert_eq!(scene.ask().status, 200, "round {round}");
    }
    let hold = "SELECT count(*) AS n FROM budget_slices WHERE held > 0";
    assert_eq!(scene.books().number(hold), 1, "the first has something in stock");
    for call in 3..CALLS {
        let reply = ask(&other);
        assert_eq!(reply.status, 200, "call {call}: {}", reply.text());
    }
    for gateway in [&scene.gateway, &other] {
        assert_eq!(ask(gateway).status, 402);
    }
    assert_eq!((scene.paid.requests(), scene.bill()), (20, CALLS * COST));
    wait_for("everything to be posted", SOON, || {
        scene.books().posted("global") == CALLS * COST
    });
    finish(other);
    scene.finish();
}

#[test]
fn k9_what_a_replica_that_never_returns_held_is_posted_in_full_and_corrected_when_its_journal_is_read() {
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml(SHORT_LEASE));
    scene.limit("global", 100 * COST);
    let mut lost = scene.replica(|setup| setup.toml(SHORT_LEASE));
    assert_eq!(ask(&lost).status, 200);
    wait_for("the record", SOON, || scene.books().recorded() == COST);
    scene.paid.set(Behaviour::Held);
    thread::scope(|scope| {
        let lost = &lost;
        let client = lost.client();
        scope.spawn(move || client.try_post(COMPLETIONS, &paid(TOKENS)).ok());
        wait_for("the call", SOON, || scene.paid.running() == 1);
        lost.signal(rustix::process::Signal::KILL);
    });
    lost.kill_9();
    let books = scene.books();
    let held = books.number("SELECT sum(held) AS n FROM budget_periods");
    assert!(held >= COST, "{held} is held");
    wait_for("the lease to run out", SOON + Duration::from_secs(5), || {
        books.entries("global", "expire") == 1
    });
    assert_eq!(books.posted_by("global", "expire"), held);
    assert_eq!(books.posted("global"), COST + held, "all that it held counts as spent");
    books.assert_balanced();

    scene.paid.set(Behaviour::Answer);
    lost.restart();
    wait_for("its journal to be read", SOON, || books.posted("global") == 2 * COST);
    assert_eq!((books.recorded(), books.estimated()), (2 * COST, COST));
    assert_eq!(books.posted_by("global", "adjust"), -held);
    assert!(scene.bill() <= 2 * COST);
    finish(lost);
    scene.finish();
}

#[test]
fn k9_a_process_that_stood_still_beyond_its_lease_corrects_what_was_posted_for_it_and_goes_on() {
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml(SHORT_LEASE));
    scene.limit("global", 10 * COST);
    let stopped = scene.replica(|setup| setup.toml(SHORT_LEASE));
    assert_eq!(ask(&stopped).status, 200);
    wait_for("the record", SOON, || scene.books().recorded() == COST);
    scene.paid.set(Behaviour::Held);
    let books = scene.books();
    let held = thread::scope(|threads| {
        let client = stopped.client();
        let under_way = threads.spawn(move || client.post(COMPLETIONS, &paid(TOKENS)).status);
        wait_for("the call", SOON, || scene.paid.running() == 1);
        stopped.signal(rustix::process::Signal::STOP);
        let held = books.number("SELECT sum(held) AS n FROM budget_periods");
        assert!(held >= COST, "{held} is held");
        wait_for("the lease to run out", SOON + Duration::from_secs(5), || {
            books.entries("global", "expire") == 1
        });
        assert_eq!(books.posted("global"), COST + held, "all that it held counts as spent");
        stopped.signal(rustix::process::Signal::CONT);
        // While the call is under way what it may cost stays posted.
        wait_for("the process to have noticed", SOON, || {
            stopped
                .log()
                .iter()
                .any(|line| line.contains("was lost; it asks for a new one"))
        });
        assert_eq!(books.posted("global"), COST + held);
        scene.paid.set(Behaviour::Answer);
        assert_eq!(under_way.join().unwrap(), 200);
        held
    });
    wait_for("what was posted without need to be taken back", SOON, || {
        books.posted("global") == 2 * COST
    });
    assert_eq!(books.posted_by("global", "adjust"), -held);
    assert_eq!((books.recorded(), books.estimated()), (2 * COST, 0));
    books.assert_balanced();
    // All that is left can be spent, by the process itself too.
    for call in 0..8 {
        let reply = ask(&stopped);
        assert_eq!(reply.status, 200, "call {call}: {}", reply.text());
    }
    assert_eq!((ask(&stopped).status, ask(&scene.gateway).status), (402, 402));
    assert_eq!(scene.bill(), 10 * COST);
    finish(stopped);
    scene.finish();
}

#[test]
fn two_processes_on_one_file_share_a_budget() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 10 * COST);
    let file = scene.gateway.folder().join("gateway.db");
    let other = scene.replica(|setup| setup.env("DATABASE_URL", &format!("sqlite:{}", file.display())));
    let statuses = in_parallel(40, 20, |number| match number % 2 {
        0 => scene.ask().status,
        _ => ask(&other).status,
    });
    let of = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((of(200), of(402)), (10, 30), "{statuses:?}");
    assert_eq!((scene.paid.requests(), scene.bill()), (10, 10 * COST));
    wait_for("everything to be posted", SOON, || {
        scene.books().posted("global") == 10 * COST
    });
    finish(other);
    scene.finish();
}
