//! A process that dies at chosen points of a paid call, and what its successor on the same folder makes of the books.

use std::fs;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::{ADMIN_KEY, COST, On, SOON, Scene, TOKENS, on_each_database, paid, paid_stream};
use crate::support::{Behaviour, Client, wait_for};

on_each_database![
    j7_dead_between_the_hold_and_the_call_it_frees_what_was_not_sent_and_books_the_rest,
    j8_dead_between_the_answer_and_the_settlement_it_books_what_was_billed,
    k9_dead_at_any_stage_of_a_paid_call_it_leaves_books_that_balance,
    k9_dead_while_it_takes_or_gives_back_a_part_of_a_budget_it_leaves_nothing_held,
    what_a_machine_that_crashed_may_have_forgotten_counts_as_spent,
];

/// A provider that behaves so while somebody dies there.
type Stage = (&'static str, Behaviour);

fn j7_dead_between_the_hold_and_the_call_it_frees_what_was_not_sent_and_books_the_rest(on: On) {
    die_at(
        on,
        &["held", "begun", "sending"].map(|point| (point, Behaviour::Answer)),
    );
}

fn j8_dead_between_the_answer_and_the_settlement_it_books_what_was_billed(on: On) {
    die_at(
        on,
        &["answered", "ended", "committing", "committed"].map(|point| (point, Behaviour::Answer)),
    );
}

fn k9_dead_at_any_stage_of_a_paid_call_it_leaves_books_that_balance(on: On) {
    die_at(
        on,
        &[
            (SENT, Behaviour::StallBeforeHead),
            ("first-byte", Behaviour::Answer),
            ("mid-stream", Behaviour::Answer),
            (SENT, Behaviour::StallMidStream),
        ],
    );
}

fn k9_dead_while_it_takes_or_gives_back_a_part_of_a_budget_it_leaves_nothing_held(on: On) {
    die_at(
        on,
        &["granted", "giving-back", "given-back"].map(|point| (point, Behaviour::Answer)),
    );
}

/// What was written to the journal last is lost with the memory of the machine, and the call is on the bill.
fn what_a_machine_that_crashed_may_have_forgotten_counts_as_spent(on: On) {
    let mut scene = Scene::with(on, |setup, _| setup.toml("[budget]\nlease_ms = 2000"));
    scene.limit("global", CALLS * COST);
    assert_eq!(scene.ask().status, 200);
    die(&scene, "ended", &paid(TOKENS));
    scene.gateway.kill_9();
    crash_the_machine(&scene);
    scene.gateway.restart();
    wait_for("nothing to be held", SOON, || {
        scene.books().number("SELECT sum(held) AS n FROM budget_periods") == 0
    });
    let (books, billed) = (scene.books(), scene.bill());
    let (recorded, posted) = (books.recorded(), books.posted("global"));
    assert_eq!(billed, 2 * COST);
    assert!(recorded < billed, "{recorded} recorded: nothing was lost");
    assert!(
        billed <= posted && posted <= CALLS * COST,
        "{billed} billed, {posted} posted"
    );
    books.assert_balanced();
    for _ in 0..(CALLS - posted / COST) {
        assert_eq!(scene.ask().status, 200);
    }
    assert_eq!(scene.ask().status, 402);
    assert!(scene.bill() <= CALLS * COST);
    scene.finish();
}

/// What a process that is dead wrote to its journal is gone, and the machine has another boot id.
fn crash_the_machine(scene: &Scene) {
    let (mut journals, mut locks) = (0, 0);
    let mut folders = vec![scene.gateway.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let is_of_journal = path.components().any(|part| part.as_os_str() == "journal");
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("log") if is_of_journal => {
                    journals += 1;
                    fs::write(&path, "").unwrap();
                }
                Some("lock") if is_of_journal => {
                    locks += 1;
                    fs::write(&path, "boot of before\n").unwrap();
                }
                _ => {}
            }
        }
    }
    assert!(journals > 0 && locks == 1, "{journals} journals, {locks} locks");
}

/// Killed from outside, once the provider has the request.
const SENT: &str = "sent";
const CALLS: i64 = 40;

fn die_at(on: On, stages: &[Stage]) {
    let mut scene = Scene::with(on, |setup, _| setup.toml("[budget]\nlease_ms = 3600000"));
    scene.limit("global", CALLS * COST);
    for (point, behaviour) in stages {
        for body in [paid(TOKENS), paid_stream(TOKENS)] {
            let is_stream = body["stream"] == true;
            if *point == "mid-stream" && !is_stream {
                // A whole answer has no parts.
                continue;
            }
            scene.paid.set(behaviour.clone());
            let (asked, before) = (scene.paid.requests(), scene.books().recorded());
            die(&scene, point, &body);
            scene.gateway.kill_9();
            let billed = scene.bill();
            scene.paid.set(Behaviour::Answer);
            scene.gateway.restart();

            let at = format!("{point}, stream {is_stream}");
            wait_for(&format!("nothing to be held after {at}"), SOON, || {
                scene.books().number("SELECT sum(held) AS n FROM budget_periods") == 0
            });
            let books = scene.books();
            let recorded = books.recorded();
            assert!(
                billed <= recorded && recorded <= CALLS * COST,
                "{at}: {billed} billed, {recorded} recorded"
            );
            assert_eq!(books.posted("global"), recorded, "{at}");
            books.assert_balanced();
            // What was never sent is free only if that is certain; what was is never.
            let once = recorded - before;
            assert!((0..=COST).contains(&once), "{at}: {once}");
            if *point == "held" || *point == "granted" {
                assert_eq!((once, scene.paid.requests() - asked), (0, 0), "{at}");
            } else {
                assert_eq!(once, COST, "{at}");
            }
            assert_eq!(
                books.number("SELECT count(*) AS n FROM budget_leases WHERE state = 'expired'"),
                0
            );
        }
    }
    // The rest is there for whoever comes next.
    let left = CALLS - scene.books().posted("global") / COST;
    for _ in 0..left {
        assert_eq!(scene.ask().status, 200);
    }
    assert_eq!(scene.ask().status, 402);
    scene.finish();
}

/// Has the gateway die there while it serves this request.
fn die(scene: &Scene, point: &str, body: &Value) {
    let authorization = format!("Bearer {ADMIN_KEY}");
    let client = Client::unchecked(&format!("http://{}", scene.gateway.address()));
    let client = client.with_header("authorization", &authorization);
    let asked = scene.paid.requests();
    std::thread::scope(|scope| {
        if point != SENT {
            let armed = client
                .try_post(&format!("/v1/faults/abort-at-{point}"), &json!({}))
                .unwrap();
            assert_eq!(armed.status, 202, "{point}");
        }
        let asking = &client;
        // It may be answered before: what keeps the books comes later.
        scope.spawn(move || asking.try_post(COMPLETIONS, body).ok());
        if point == SENT {
            wait_for("the request", SOON, || scene.paid.requests() > asked);
            scene.gateway.signal(rustix::process::Signal::KILL);
        }
        wait_for(&format!("the end at {point}"), SOON, || scene.gateway.is_dead());
    });
}
