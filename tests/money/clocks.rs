//! Row G26, as far as it is about money: the machine's clock jumps while calls are paid for.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, On, SOON, Scene, TOKENS, assert_exhausted, on_each_database, paid, paid_stream};
use crate::support::{Behaviour, Clock, wait_for};

const HOUR: Duration = Duration::from_secs(3_600);
/// Where a clock stands that can jump either way.
const NOON: Duration = Duration::from_secs(12 * 3_600);

on_each_database! {
    g26_a_clock_that_jumps_neither_frees_nor_spends_money,
}

fn g26_a_clock_that_jumps_neither_frees_nor_spends_money(on: On) {
    let clock = Clock::ahead(NOON);
    let scene = Scene::with(on, |setup, _| clock.of(setup));
    let (_, client) = scene.key(&json!({ "name": "k", "budget": { "limitUsd": "1.00", "window": "total" } }));
    let mut spent = 0;
    // Each jump is longer than any lease, and finds two calls under way.
    for ahead in [NOON + 2 * HOUR, NOON - 2 * HOUR, NOON + 5 * HOUR, NOON] {
        // What is left is what these two may cost.
        scene.limit("global", spent + 2 * COST);
        scene.paid.set(Behaviour::Held);
        thread::scope(|scope| {
            let requests = [paid(TOKENS), paid_stream(TOKENS)];
            let asking = requests.map(|request| {
                let client = client.clone();
                scope.spawn(move || client.post(COMPLETIONS, &request))
            });
            wait_for("both calls", SOON, || scene.paid.running() == 2);
            clock.set_ahead(ahead);
            assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
            scene.paid.set(Behaviour::Answer);
            for asking in asking {
                assert_eq!(asking.join().unwrap().status, 200);
            }
        });
        spent += 2 * COST;
        assert_eq!(scene.bill(), spent, "a call was sent that there was no money for");
        assert_eq!(scene.spent_at_rest("global"), spent);
        assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
    }
    // The rest can be spent, to the last call.
    scene.limit("global", spent + 3 * COST);
    for _ in 0..3 {
        assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
    }
    assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
    assert_eq!(scene.spent_at_rest("global"), scene.bill());
    scene.assert_audited();
    scene.finish();
}
