//! Row G26, as far as it is about money: the machine's clock, or the database server's, jumps.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::replicas::{LONG_LEASE, finish};
use crate::scene::{COST, On, SOON, Scene, TOKENS, assert_exhausted, on_each_database, paid, paid_stream, path};
use crate::support::{Behaviour, Client, Clock, Gateway, wait_for};

const HOUR: Duration = Duration::from_secs(3_600);
/// Where a clock stands that can jump either way.
const NOON: Duration = Duration::from_secs(12 * 3_600);

on_each_database! {
    g26_a_clock_that_jumps_neither_frees_nor_spends_money,
    g26_a_budget_that_is_set_after_the_clock_went_back_holds_everywhere_from_its_answer_on,
    g26_a_key_and_its_rates_change_at_once_after_the_clock_went_back,
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

/// Two processes on one database whose clock goes back.
struct Pair {
    scene: Scene,
    other: Gateway,
    clock: Clock,
}

impl Pair {
    fn new(on: On) -> Self {
        let clock = Clock::ahead(NOON);
        let scene = Scene::with(on, |setup, _| clock.of(setup.toml(LONG_LEASE)));
        let file = scene.gateway.folder().join("gateway.db");
        let other = scene.replica(|setup| {
            let setup = clock.of(setup.toml(LONG_LEASE));
            match on {
                On::Sqlite => setup.env("DATABASE_URL", &format!("sqlite:{}", file.display())),
                On::Postgres => setup,
            }
        });
        Self { scene, other, clock }
    }

    /// From now on the database's clock is behind by so much: what was written, is of later. Both processes have read it.
    fn go_back(&self, by: Duration) {
        self.scene.limit("user:before", COST);
        match &self.scene.database {
            None => self.clock.set_ahead(NOON - by),
            // That clock is the server's, and other tests' too.
            Some(database) => {
                for table in ["budgets", "api_keys", "rate_limits"] {
                    let later = by.as_micros();
                    database.execute(&format!("UPDATE {table} SET updated_at = updated_at + {later}"));
                }
            }
        }
        // Answered when both have looked for what changed.
        self.scene.limit("user:meanwhile", COST);
    }

    /// A key of this project, for each of the processes.
    fn key(&self, project: &str) -> (String, [Client; 2]) {
        let made = self
            .scene
            .admin()
            .post("/v1/admin/keys", &json!({ "name": "k", "projectId": project }));
        let made = made.json();
        let key = format!("Bearer {}", made["key"].as_str().unwrap());
        let clients = [&self.scene.gateway, &self.other].map(|gateway| {
            let client = gateway.anonymous().with_header("authorization", &key);
            assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
            client
        });
        (made["id"].as_str().unwrap().to_owned(), clients)
    }

    fn finish(self) {
        finish(self.other);
        self.scene.finish();
    }
}

fn g26_a_budget_that_is_set_after_the_clock_went_back_holds_everywhere_from_its_answer_on(on: On) {
    let mut pair = Pair::new(on);
    for seconds in [15, 3_600] {
        let project = format!("behind-{seconds}");
        let (_, clients) = pair.key(&project);
        pair.go_back(Duration::from_secs(seconds));
        let scope = format!("project:{project}");
        pair.scene.limit(&scope, 0);
        for client in &clients {
            assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
        }
        // What lets go of it is heard of, too, and that it is set once more.
        assert_eq!(pair.scene.admin().request("DELETE", &path(&scope)).status, 204);
        for client in &clients {
            wait_for("the budget to be gone", SOON, || {
                client.post(COMPLETIONS, &paid(TOKENS)).status == 200
            });
        }
        pair.scene.limit(&scope, 0);
        for client in &clients {
            assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
        }
    }
    // A process that starts now reads what was written at a later time.
    let (_, [_, client]) = pair.key("restarted");
    pair.scene.gateway.sigterm();
    assert_eq!(pair.scene.gateway.wait_exit(SOON), 0);
    pair.scene.gateway.restart();
    pair.scene.limit("project:restarted", 0);
    assert_exhausted(&client.post(COMPLETIONS, &paid(TOKENS)));
    let (_, [here, _]) = pair.key("restarted-too");
    pair.scene.limit("project:restarted-too", 0);
    assert_exhausted(&here.post(COMPLETIONS, &paid(TOKENS)));
    pair.finish();
}

fn g26_a_key_and_its_rates_change_at_once_after_the_clock_went_back(on: On) {
    let pair = Pair::new(on);
    for seconds in [15, 3_600] {
        let project = format!("behind-{seconds}");
        let (id, [here, there]) = pair.key(&project);
        let rates = format!("/v1/admin/limits/project:{project}");
        let admin = pair.scene.admin();
        let set = |rpm: u32| {
            let reply = admin.send_json("PUT", &rates, &json!({ "rpm": rpm }));
            assert_eq!(reply.status, 200, "{}", reply.text());
        };
        set(1_000);
        pair.go_back(Duration::from_secs(seconds));
        set(0);
        assert_eq!(here.post(COMPLETIONS, &paid(TOKENS)).status, 429);
        wait_for("the rates to be heard of", SOON, || {
            there.post(COMPLETIONS, &paid(TOKENS)).status == 429
        });
        assert_eq!(admin.request("DELETE", &rates).status, 204);
        assert_eq!(here.post(COMPLETIONS, &paid(TOKENS)).status, 200);
        let revoked = admin.request("DELETE", &format!("/v1/admin/keys/{id}"));
        assert_eq!(revoked.status, 200, "{}", revoked.text());
        assert_eq!(here.post(COMPLETIONS, &paid(TOKENS)).status, 401);
        wait_for("the revocation to be heard of", SOON, || {
            there.post(COMPLETIONS, &paid(TOKENS)).status == 401
        });
    }
    pair.finish();
}
