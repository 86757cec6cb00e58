//! The soak: clients of every dialect ask, leave and ask badly, providers of every dialect answer, fail and hang, for as
//! long as `GATEWAY_SOAK_SECONDS` says, and then nothing of it is left: no memory, file, lease, hold or turn.
//!
//! `GATEWAY_SOAK_SEED` decides what clients and providers do, `GATEWAY_SOAK_CLIENTS` how many clients there are. `make
//! soak` runs it for ten minutes. It is row K14 of the fault matrix.

#![cfg(test)]

mod books;
mod readings;
mod requests;
mod scene;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod visitor;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::books::assert_bills_are_booked;
use crate::readings::{Reading, Slope};
use crate::requests::TURN;
use crate::scene::{MODELS, PLACES, Scene, TEXTS, VECTORS};
use crate::support::{Behaviour, Client, Provider, in_parallel, look_for, wait_for};
use crate::visitor::{BUDGETED, Common, Visitor};

const SOON: Duration = Duration::from_secs(30);
/// Two more connections to read the database, which are made when they are needed: the file and its log.
const DATABASE_FILES: usize = 4;
/// Between two readings.
const STEP: Duration = Duration::from_secs(1);
/// Between two lines.
const LINE: Duration = Duration::from_secs(60);
/// A run of at least this many seconds has a second half without warming up, long enough for a slope.
const LONG: u64 = 540;
/// How much memory may grow in the second half of a long run, per minute. The allocator takes and gives back up to 300 KiB
/// within such a time, which makes a slope of some 50, and its free pieces are not all there before the 16th minute; about
/// 4,000 requests a minute that kept 100 bytes each would make one of 400.
const MOST_KIB_PER_MINUTE: f64 = 200.0;

#[test]
fn k14_a_mixed_load_for_a_long_time_leaves_nothing_behind_and_every_call_is_booked() {
    let (seconds, seed) = (variable("GATEWAY_SOAK_SECONDS", 15), variable("GATEWAY_SOAK_SEED", 1));
    let clients = variable("GATEWAY_SOAK_CLIENTS", 10);
    println!("{seconds} seconds, seed {seed}, {clients} clients");
    let mut scene = Scene::new();
    let idle_files = warm_up(&scene);
    scene.misbehave(seed);

    let common = Common::default();
    let readings = run(&scene, &common, Duration::from_secs(seconds), (seed, clients));
    let slope = report(&readings, &common);

    scene.all(&Behaviour::Answer);
    scene.gateway.wait_until_settled();
    wait_for("every provider to be idle", SOON, || {
        scene.providers.iter().all(|provider| provider.running() == 0)
    });
    assert_every_place_is_free(&scene);
    assert_every_conversation_goes_on(&scene, &common);
    scene.gateway.wait_until_settled();
    let stats = scene.gateway.stats();
    println!("in the end: {}", stats["gateway"]);
    assert_eq!(stats["gateway"]["unwrittenRecords"], 0);
    assert_the_budget_has_paid(&scene);
    cut_connections(&scene.providers);
    wait_for("the files to be as few as before", SOON, || {
        scene.gateway.open_files() <= idle_files + DATABASE_FILES
    });

    let calls = scene.gateway.calls();
    assert_eq!(stats["llm"]["totalCalls"], json!(calls.len()));
    let booked: i64 = calls.iter().map(|call| call.cost_nano_usd).sum();
    assert_eq!(stats["llm"]["cost"]["totalNanoUsd"], json!(booked));
    assert_bills_are_booked(&scene, &calls);

    scene.gateway.sigterm();
    assert_eq!(scene.gateway.wait_exit(SOON), 0);
    assert_eq!(journals(scene.gateway.folder()), [""; 0], "a journal is left");
    let audit = scene.gateway.run("audit");
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    scene.gateway.restart();
    assert_eq!(scene.gateway.calls().len(), calls.len());
    scene.gateway.finish();
    if seconds >= LONG {
        assert!(slope.kib_per_minute <= MOST_KIB_PER_MINUTE, "{slope:?}");
    }
}

/// A number from the environment.
fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Everything is asked once. Returns how many files are open when that is over.
fn warm_up(scene: &Scene) -> usize {
    let client = scene.gateway.client();
    assert_everybody_answers(&client);
    scene.gateway.wait_until_settled();
    cut_connections(&scene.providers);
    let mut files = Vec::new();
    wait_for("as many files for a while", SOON, || {
        files.push(scene.gateway.open_files());
        let last = files.iter().rev().take(600);
        files.len() > 600 && last.clone().max() == last.min()
    });
    println!("{} files are open before the load", files[files.len() - 1]);
    files[files.len() - 1]
}

/// Waits until every model answers, whatever it was before.
fn assert_everybody_answers(client: &Client) {
    let ask = |path: &str, body: serde_json::Value| {
        wait_for("an answer", SOON, || client.post(path, &body).status == 200);
    };
    for model in &MODELS[1..] {
        let turn = json!({ "role": "user", "content": "hello" });
        ask(
            "/v1/messages",
            json!({ "model": model, "messages": [turn], "max_tokens": 16 }),
        );
    }
    for model in VECTORS {
        ask("/v1/embeddings", json!({ "model": model, "input": "hello" }));
    }
    for model in TEXTS {
        ask(
            "/v1/completions",
            json!({ "model": model, "prompt": "hello", "max_tokens": 16 }),
        );
    }
}

/// Ends the connections that the gateway keeps to each provider.
fn cut_connections(providers: &[Provider]) {
    for provider in providers {
        provider.kill();
        provider.revive();
    }
}

/// Comes true for clients when the load is over, also when it ends badly.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The load itself.
fn run(scene: &Scene, common: &Common, time: Duration, (seed, clients): (u64, u64)) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    let frail = scene.frail();
    let mut is_alive = true;
    thread::scope(|scope| {
        let _over = Over(&common.is_over);
        let visitors: Vec<_> = (0..clients)
            .map(|number| {
                let visitor = Visitor::new(scene, seed, number, common);
                scope.spawn(move || visitor.stay())
            })
            .collect();
        look_for(time, |gone| {
            assert!(!visitors.iter().any(|visitor| visitor.is_finished()), "a client failed");
            // Dead for one second of ten.
            let should_live = gone.as_secs() % 10 != 6;
            if is_alive != should_live {
                if should_live {
                    frail.revive()
                } else {
                    frail.kill()
                }
                is_alive = should_live;
            }
            let last = readings.last().map_or(Duration::ZERO, |reading| reading.at);
            if readings.is_empty() || gone >= last + STEP {
                let reading = Reading::take(&scene.gateway, gone, common.tallies.asked.sum());
                if gone.as_secs() / LINE.as_secs() > last.as_secs() / LINE.as_secs() {
                    tell(&reading, common);
                }
                readings.push(reading);
            }
        });
    });
    if !is_alive {
        frail.revive();
    }
    readings
}

/// One line of how it goes.
fn tell(reading: &Reading, common: &Common) {
    let tallies = &common.tallies;
    println!(
        "{:>4} s: {} requests; RSS {} KiB, {} files, {} threads; {}; left {}",
        reading.at.as_secs(),
        reading.requests,
        reading.rss_kib,
        reading.files,
        reading.threads,
        tallies.ended,
        tallies.left
    );
}

/// All of it, and how memory went. Only a long run says anything of that.
fn report(readings: &[Reading], common: &Common) -> Slope {
    let (first, last) = (&readings[0], &readings[readings.len() - 1]);
    tell(last, common);
    println!("asked for: {}", common.tallies.asked);
    println!("{} conversations", common.conversations.borrow().len());
    let slope = Slope::of_second_half(readings);
    println!(
        "RSS from {} to {} KiB; in the second half {:+.1} KiB a minute, {:+.1} bytes a request",
        first.rss_kib, last.rss_kib, slope.kib_per_minute, slope.bytes_per_request
    );
    for kind in ["200", "200 stream", "200 broken stream"] {
        assert!(common.tallies.ended.of(kind) > 0, "nothing ended with {kind}");
    }
    slope
}

/// As many calls as each provider has places for can be under way at once.
fn assert_every_place_is_free(scene: &Scene) {
    let client = scene.gateway.client();
    assert_everybody_answers(&client);
    for provider in &scene.providers {
        provider.set(Behaviour::Held);
        thread::scope(|scope| {
            for _ in 0..PLACES {
                let (client, model) = (&client, provider.name());
                scope.spawn(move || {
                    let turn = json!({ "role": "user", "content": "hello" });
                    let body = json!({ "model": model, "messages": [turn], "max_tokens": 16 });
                    assert_eq!(client.post("/v1/chat/completions", &body).status, 200);
                });
            }
            wait_for("every place to be taken", Duration::from_millis(700), || {
                provider.running() == PLACES
            });
            provider.set(Behaviour::Answer);
        });
    }
}

/// The next turn of each conversation is answered at once.
fn assert_every_conversation_goes_on(scene: &Scene, common: &Common) {
    let conversations: Vec<String> = common.conversations.borrow().iter().cloned().collect();
    let [client, budgeted] =
        [scene.gateway.client(), scene.budgeted()].map(|client| client.with_header("x-request-timeout-ms", "3000"));
    in_parallel(conversations.len(), 4, |number| {
        let is_budgeted = conversations[number].starts_with(BUDGETED);
        let client = if is_budgeted { &budgeted } else { &client };
        let body = json!({ "conversationId": conversations[number], "message": "the last one", "maxTokens": 16 });
        let reply = client.post(TURN, &body);
        assert_eq!(reply.status, 200, "{}: {}", conversations[number], reply.text());
    });
}

/// A part of the calls was paid for out of a budget, and nothing of it is held any more.
fn assert_the_budget_has_paid(scene: &Scene) {
    wait_for("nothing of the budget to be held", SOON, || {
        scene.budget()["heldNanoUsd"] == 0
    });
    let budget = scene.budget();
    println!("the budget in the end: {budget}");
    assert!(budget["spentNanoUsd"].as_i64().unwrap() > 0, "{budget}");
}

/// The files of journals below a folder.
fn journals(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(journals(&path));
        } else if path.extension().is_some_and(|end| end == "log" || end == "bad") {
            found.push(path.display().to_string());
        }
    }
    found
}
