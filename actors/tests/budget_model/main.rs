//! Budgets as a state machine: processes that hold, spend, crash and come back, over one ledger, in random order and with
//! answers that are late or lost. After each step the books must be at least what the provider has on its bill, and no
//! more than what may be spent.
//!
//! `GATEWAY_MODEL_SEED` replays one run, `GATEWAY_MODEL_RUNS` sets how many there are.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its seeds"
)]

mod again;
mod chance;
mod process;
mod rest;
mod tally;
mod world;

use self::world::{Chaos, World};

/// Runs of each test, every one another interleaving.
const RUNS: u64 = 3_400;
/// Steps of one run.
const STEPS: usize = 120;

fn runs() -> impl Iterator<Item = u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("GATEWAY_MODEL_SEED");
    let runs = number("GATEWAY_MODEL_RUNS").unwrap_or(RUNS);
    let first = seed.unwrap_or(20_261_129);
    let runs = if seed.is_some() { 1 } else { runs };
    println!("seeds {first} to {}", first + runs - 1);
    first..first + runs
}

fn run(chaos: Chaos) {
    let mut tally = tally::Tally::default();
    for seed in runs() {
        let mut world = World::new(seed, chaos);
        for _ in 0..STEPS {
            world.step();
            world.check();
        }
        tally += world.end();
    }
    println!("{tally:?}");
    tally.assert_something_happened(chaos);
}

#[test]
fn with_every_answer_in_time_no_budget_is_overspent_and_all_of_it_can_be_spent() {
    run(Chaos::Calm);
}

#[test]
fn with_crashes_lost_answers_and_expiries_no_budget_is_overspent_and_the_books_balance_in_the_end() {
    run(Chaos::Storm);
}

#[test]
fn a_provider_that_bills_more_than_was_held_is_booked_in_full_and_stops_the_budget() {
    run(Chaos::Overruns);
}
