//! Two hundred clients at two processes on one database, which die by chance and at every chosen point: what the
//! provider has on its bill is in the books at every moment, and never beyond the limit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use tokio::sync::watch;

use crate::bill::{
    CHEAP_NANO, CHEAP_PRICE, INPUT_PRICE, LEAST, LIMIT, PRICE, TIMEOUTS, assert_within, charged, load, spend_the_rest,
};
use crate::books::Books;
use crate::observer::{End, observe};
use crate::replicas::{LONG_LEASE, finish};
use crate::scene::{ADMIN_KEY, On, SOON, Scene, on_each_database};
use crate::support::{Behaviour, Client, Draw, Gateway, Model, Provider, Setup, wait_for};
use crate::till::{Till, rounds, seed, spend, ways};

const CLIENTS: u64 = 200;
/// So often somebody is killed while a dollar is spent.
const KILLS: u64 = 4;
/// Where a process dies by itself.
const POINTS: [&str; 12] = [
    "held",
    "begun",
    "sending",
    "first-byte",
    "mid-stream",
    "answered",
    "ended",
    "committing",
    "committed",
    "granted",
    "giving-back",
    "given-back",
];

on_each_database![
    k9_of_two_processes_at_which_a_crowd_spends_a_dollar_either_is_killed_again_and_again,
    k9_of_two_processes_at_which_a_crowd_spends_one_dies_at_every_point_of_a_paid_call,
];

fn k9_of_two_processes_at_which_a_crowd_spends_a_dollar_either_is_killed_again_and_again(on: On) {
    let first = seed();
    for seed in first..first + rounds() {
        println!("round of GATEWAY_MONEY_SEED={seed}");
        let mut stage = Stage::set(on, "dear", seed);
        stage.play(seed, |stage| {
            for _ in 0..KILLS {
                let by = 40 + stage.draw.below(400);
                stage.wait_for_requests(by);
                let victim = stage.draw.below(2);
                println!("kill of {victim} after {} requests", load(&stage.till.asked));
                stage.kill(victim);
                stage.bring_back(victim);
            }
        });
        stage.end(&[("dear", 8), ("dear", 1)], LEAST);
    }
}

fn k9_of_two_processes_at_which_a_crowd_spends_one_dies_at_every_point_of_a_paid_call(on: On) {
    let seed = seed();
    let mut stage = Stage::set(on, "cheap", seed);
    stage.play(seed, |stage| {
        let mut points = POINTS.to_vec();
        while !points.is_empty() {
            let point = points.swap_remove(stage.draw.below(points.len()));
            let by = 40 + stage.draw.below(100);
            stage.wait_for_requests(by);
            stage.have_die_at(point);
            println!("dead at {point} after {} requests", load(&stage.till.asked));
            stage.bring_back(1);
        }
        assert_eq!(load(&stage.till.refused), 0, "the dollar was spent before all had died");
        stage.till.is_over.store(true, Ordering::Relaxed);
    });
    stage.end(
        &[("dear", 4_000), ("dear", 60), ("dear", 1), ("cheap", 8), ("cheap", 1)],
        CHEAP_NANO,
    );
}

/// Two processes, and what is around them.
struct Stage {
    scene: Scene,
    crowd: Provider,
    /// The second process; the first is the scene's.
    other: Gateway,
    till: Till,
    places: watch::Sender<Vec<std::net::SocketAddr>>,
    draw: Draw,
}

impl Stage {
    fn set(on: On, model: &'static str, seed: u64) -> Self {
        let crowd = Provider::start("crowd");
        let more = |setup: Setup| {
            setup
                .toml(LONG_LEASE)
                .provider_with(&crowd, TIMEOUTS)
                .model(&Model::free("dear", &crowd).priced(INPUT_PRICE, PRICE))
                .model(&Model::free("cheap", &crowd).priced("0", CHEAP_PRICE))
        };
        let scene = Scene::with(on, |setup, _| more(setup));
        crowd.only_count_requests();
        crowd.set(ways(seed));
        scene.limit("global", LIMIT);
        let file = scene.gateway.folder().join("gateway.db");
        let other = scene.replica(|setup| match on {
            On::Postgres => more(setup),
            On::Sqlite => more(setup).env("DATABASE_URL", &format!("sqlite:{}", file.display())),
        });
        let till = Till {
            model: Some(model),
            ..Till::default()
        };
        let places = watch::Sender::new(vec![scene.gateway.address(), other.address()]);
        Self {
            scene,
            crowd,
            other,
            till,
            places,
            draw: Draw::new(seed),
        }
    }

    /// Lets the crowd spend while somebody looks at the books and this happens.
    fn play(&mut self, seed: u64, plot: impl FnOnce(&mut Plot<'_>)) {
        let is_over = AtomicBool::new(false);
        let Scene { gateway, database, .. } = &mut self.scene;
        let books = match database {
            Some(database) => Books::of_postgres(database),
            None => Books::of_sqlite(gateway.folder()),
        };
        let (crowd, till, places) = (&self.crowd, &self.till, &self.places);
        let mut plot_of = Plot {
            processes: [gateway, &mut self.other],
            till,
            places,
            draw: &mut self.draw,
        };
        thread::scope(|scope| {
            let all_is_over = End(&is_over);
            let observer = scope.spawn(|| observe(&books, || crowd.billed(charged), LIMIT, &is_over));
            thread::scope(|scope| {
                // However it ends, nobody waits for those who go on.
                let _end = End(&till.is_over);
                for client in 0..CLIENTS {
                    scope.spawn(move || spend(till, seed * 1_000 + client, places, 3));
                }
                plot(&mut plot_of);
                wait_for("the crowd to have spent all", SOON * 6, || {
                    till.is_over.load(Ordering::Relaxed) || load(&till.refused) > 100
                });
            });
            drop(all_is_over);
            println!("{} looks at the books", observer.join().unwrap());
        });
        println!("{} asked, {} answered", load(&till.asked), load(&till.answered));
    }

    /// All comes to rest, and what is left can be spent.
    fn end(self, rest: &[(&str, i64)], least: i64) {
        let Self {
            scene,
            crowd,
            other,
            till,
            ..
        } = self;
        crowd.set(Behaviour::Answer);
        let spent = scene.spent_at_rest("global");
        assert_within(&scene, &crowd.bill(), &till, spent);
        scene.assert_audited();
        let spent = spend_the_rest(&scene, rest, least);
        assert_within(&scene, &crowd.bill(), &till, spent);
        finish(other);
        scene.assert_audited();
        scene.finish();
    }
}

/// What may be done to the processes while the crowd spends.
struct Plot<'a> {
    processes: [&'a mut Gateway; 2],
    till: &'a Till,
    places: &'a watch::Sender<Vec<std::net::SocketAddr>>,
    draw: &'a mut Draw,
}

impl Plot<'_> {
    fn wait_for_requests(&self, more: usize) {
        let asked = load(&self.till.asked) + more;
        wait_for("more requests", SOON, || {
            load(&self.till.asked) >= asked || load(&self.till.refused) > 100
        });
    }

    /// Nobody new asks there.
    fn close(&self, which: usize) {
        let address = self.processes[which].address();
        self.places
            .send_modify(|places| places.retain(|place| *place != address));
    }

    fn kill(&mut self, which: usize) {
        self.processes[which].kill_9();
        self.close(which);
    }

    /// Has the second process die by itself, under the eyes of the crowd.
    fn have_die_at(&mut self, point: &str) {
        let victim = &self.processes[1];
        let authorization = format!("Bearer {ADMIN_KEY}");
        let client = Client::unchecked(&format!("http://{}", victim.address()));
        let client = client.with_header("authorization", &authorization);
        // It may be dead before it can say so.
        if let Ok(armed) = client.try_post(&format!("/v1/faults/abort-at-{point}"), &json!({})) {
            assert_eq!(armed.status, 202, "{point}: {}", armed.text());
        }
        // What is asked for without a pause is not given back.
        if point.starts_with("giv") {
            self.close(1);
        }
        wait_for(&format!("the end at {point}"), SOON, || victim.is_dead());
        self.kill(1);
    }

    /// Starts it again on its folder: what its predecessor left is in the books before it serves anybody.
    fn bring_back(&mut self, which: usize) {
        self.processes[which].restart();
        let address = self.processes[which].address();
        self.places.send_modify(|places| places.push(address));
    }
}
