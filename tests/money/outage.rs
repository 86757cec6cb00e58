//! The database, or the disk, is away: what a budget pays for waits, what is free goes on, and the books balance after.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, On, SOON, Scene, TOKENS, for_model, paid, paid_stream};
use crate::support::{Gateway, PostgresDatabase, PostgresServer, wait_for};

/// How long recovery may take once the server is there again.
const RECOVERY: Duration = Duration::from_secs(5);
const CLIENTS: usize = 6;

#[test]
fn j2_while_the_database_is_away_what_a_budget_pays_for_waits_and_free_models_answer() {
    let mut server = PostgresServer::start(None);
    let scene = Scene::over(Some(PostgresDatabase::create_on(server.url())), |setup, _| setup);
    let budget = json!({ "limitUsd": "100", "window": "total" });
    let (_, client) = scene.key(&json!({ "name": "k", "budget": budget }));
    scene.set("global", &budget);
    let is_over = AtomicBool::new(false);
    let (answered, refused, free) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (client, is_over, answered, refused, free) = (client.clone(), &is_over, &answered, &refused, &free);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    if number % 3 == 0 {
                        let reply = client.post(COMPLETIONS, &for_model("free"));
                        assert_eq!(reply.status, 200, "{}", reply.text());
                        free.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let body = if number % 3 == 1 {
                        paid(TOKENS)
                    } else {
                        paid_stream(TOKENS)
                    };
                    let reply = client.post(COMPLETIONS, &body);
                    if reply.status == 200 {
                        answered.fetch_add(1, Ordering::Relaxed);
                    } else {
                        let error = reply.error(503);
                        assert_eq!(error["code"], "ledger_unavailable", "{error}");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let more = |count: &AtomicUsize, by: usize| {
            let from = count.load(Ordering::Relaxed);
            wait_for("more answers", SOON, || count.load(Ordering::Relaxed) >= from + by);
        };
        more(&answered, 30);
        server.stop();
        more(&refused, 10);
        more(&free, 20);
        let from = answered.load(Ordering::Relaxed);
        server.start_again();
        wait_for("paid calls to be answered again", RECOVERY, || {
            answered.load(Ordering::Relaxed) >= from + 10
        });
        more(&answered, 30);
        is_over.store(true, Ordering::Relaxed);
    });
    let spent = scene.spent_at_rest("global");
    let answered = i64::try_from(answered.into_inner()).unwrap();
    assert_eq!(spent, scene.books().recorded());
    assert_eq!((spent, scene.bill()), (answered * COST, answered * COST));
    scene.finish();
    drop(server);
}

#[test]
fn j11_without_a_journal_what_a_budget_pays_for_is_not_sent_and_holds_nothing() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 100 * COST);
    assert_eq!(scene.ask().status, 200);
    limit_files(&scene.gateway, Some(0));
    let asked = scene.paid.requests();
    for _ in 0..10 {
        let reply = scene.ask();
        assert!(matches!(reply.status, 503 | 507), "{}", reply.text());
    }
    assert_eq!(scene.admin().post(COMPLETIONS, &for_model("free")).status, 200);
    assert_eq!(scene.paid.requests(), asked);
    limit_files(&scene.gateway, None);
    wait_for("paid calls to be made again", SOON, || scene.ask().status == 200);
    assert_eq!(scene.spent_at_rest("global"), 2 * COST);
    assert_eq!(scene.bill(), 2 * COST);
    scene.finish();
}

/// Lets no file of the process grow beyond this many bytes, which fails a write as a full disk does; or lifts that again.
fn limit_files(gateway: &Gateway, current: Option<u64>) {
    prlimit(Some(gateway.pid()), Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
}

#[test]
fn e21_while_another_program_holds_the_ledger_paid_calls_are_refused_in_time_and_not_sent() {
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml("[store]\nlock_timeout_ms = 300"));
    scene.limit("global", 100 * COST);
    // A slice must be asked for, and its row cannot be had.
    let database = scene.database.as_ref().unwrap();
    let blocker = database.begin("LOCK TABLE budget_periods IN ACCESS EXCLUSIVE MODE");
    let error = scene.ask().error(503);
    assert_eq!(error["code"], "ledger_unavailable", "{error}");
    assert_eq!(scene.paid.requests(), 0);
    assert_eq!(scene.admin().post(COMPLETIONS, &for_model("free")).status, 200);
    blocker.roll_back();
    wait_for("paid calls to be made again", SOON, || scene.ask().status == 200);
    assert_eq!(scene.spent_at_rest("global"), COST);
    scene.finish();
}

#[test]
fn e21_a_request_whose_deadline_passes_while_the_ledger_is_asked_is_told_of_its_deadline() {
    let scene = Scene::with(On::Postgres, |setup, _| setup.toml("[store]\nlock_timeout_ms = 10000"));
    scene.limit("global", 100 * COST);
    let database = scene.database.as_ref().unwrap();
    let blocker = database.begin("LOCK TABLE budget_periods IN ACCESS EXCLUSIVE MODE");
    let hurried = scene.admin().with_header("x-request-timeout-ms", "400");
    let error = hurried.post(COMPLETIONS, &paid(TOKENS)).error(504);
    assert_eq!(error["code"], "deadline_exceeded", "{error}");
    assert_eq!(scene.paid.requests(), 0);
    blocker.roll_back();
    wait_for("paid calls to be made again", SOON, || scene.ask().status == 200);
    assert_eq!(scene.spent_at_rest("global"), COST);
    scene.finish();
}
