//! Row E15: periods by the database's clock, which here is a test's.

use std::thread;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, SOON, Scene, TOKENS, assert_exhausted, paid};
use crate::support::{Behaviour, PostgresDatabase, wait_for};

/// A clock that gateways find before the server's own, a minute before midnight.
const CLOCK: &str = "
    CREATE SCHEMA clock;
    CREATE TABLE clock.setting (ahead interval);
    INSERT INTO clock.setting SELECT date_trunc('day', now(), 'UTC') + interval '1 day' - interval '1 minute' - now();
    CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.clock_timestamp() + ahead FROM clock.setting';";
const PAST_MIDNIGHT: &str = "UPDATE clock.setting SET ahead = ahead + interval '2 minutes'";

#[test]
fn e15_a_call_is_posted_to_the_day_that_admitted_it_and_the_new_day_begins_with_nothing() {
    let database = PostgresDatabase::create();
    database.execute(CLOCK);
    let name = database.texts("SELECT current_database()::text").remove(0);
    database.execute(&format!(
        "ALTER DATABASE {name} SET search_path = public, clock, pg_catalog"
    ));
    let scene = Scene::over(Some(database), |setup, _| setup.toml("[budget]\nlease_ms = 3600000"));
    scene.set("global", &json!({ "limitNanoUsd": 2 * COST, "window": "daily" }));
    let first = scene.budget("global")["period"].clone();
    assert_eq!(scene.ask().status, 200);
    scene.paid.set(Behaviour::Held);
    thread::scope(|scope| {
        let client = scene.admin();
        let under_way = scope.spawn(move || client.post(COMPLETIONS, &paid(TOKENS)));
        wait_for("the call", SOON, || scene.paid.running() == 1);
        assert_exhausted(&scene.ask());
        scene.database.as_ref().unwrap().execute(PAST_MIDNIGHT);
        let budget = scene.budget("global");
        assert_ne!(budget["period"], first);
        assert_eq!(
            (&budget["spentNanoUsd"], &budget["heldNanoUsd"]),
            (&json!(0), &json!(0))
        );
        scene.paid.set(Behaviour::Answer);
        assert_eq!(under_way.join().unwrap().status, 200);
    });
    let posted = |period: &str| {
        let query = format!("SELECT sum(posted) AS n FROM budget_periods WHERE period = '{period}'");
        scene.books().number(&query)
    };
    let first = first.as_str().unwrap();
    wait_for("the call to be posted", SOON, || posted(first) == 2 * COST);
    for _ in 0..2 {
        assert_eq!(scene.ask().status, 200);
    }
    assert_exhausted(&scene.ask());
    assert_eq!(scene.spent_at_rest("global"), 2 * COST);
    assert_eq!(posted(first), 2 * COST);
    scene.finish();
}
