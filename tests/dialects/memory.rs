//! What the bodies of requests take of the gateway's memory: one copy each while nothing has to be translated.
//!
//! Many requests wait at a provider that has read them and says nothing. What the process then has in use more than with
//! as many small requests, over the bytes of the bodies, is how often it holds them. It is a count and no measure of speed:
//! a second copy would double it, whatever the machine. The allocator, which is the gateway's own in every build, is told to
//! give back at once what is freed: what it keeps for a second is held by nobody.

use std::thread;
use std::time::Duration;

use crate::scene::{KEY, Kind};
use crate::support::{Behaviour, Client, Gateway, Model, Provider, Setup, in_parallel, wait_for};
use crate::tongue::Tongue;

const REQUESTS: usize = 32;
const MIB: usize = 1024 * 1024;
const SOON: Duration = Duration::from_secs(30);

/// How many copies of the bodies the process holds: at most at any moment, and while all of them wait.
#[derive(Debug, Clone, Copy)]
struct Copies {
    peak: f64,
    waiting: f64,
}

/// A gateway before one provider, on two threads whatever the machine, with room for so many large bodies.
fn start(alpha: &Provider, kind: Kind) -> Gateway {
    let lines = format!("api_key_env = \"PROVIDER_KEY\"\nmax_in_flight = {REQUESTS}");
    let setup = Setup::new()
        .env("PROVIDER_KEY", KEY)
        .env("GATEWAY_WORKERS", "2")
        .env("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
        .provider_kind(alpha, kind.word(), &lines)
        .model(&Model::free("one", alpha).window(100_000_000));
    Gateway::start(setup)
}

/// A request of exactly this many bytes.
fn request(tongue: Tongue, bytes: usize) -> Vec<u8> {
    let short = tongue.ask("one", "", true).to_string().len();
    let body = tongue.ask("one", &"x".repeat(bytes - short), true).to_string();
    assert_eq!(body.len(), bytes);
    body.into_bytes()
}

/// Sends as many requests at once, waits until the provider has read them all, looks, and lets them be answered.
fn while_held<T>(gateway: &Gateway, alpha: &Provider, tongue: Tongue, body: &[u8], look: impl FnOnce() -> T) -> T {
    let client: Client = gateway.client();
    alpha.set(Behaviour::Held);
    let seen = thread::scope(|scope| {
        let all = scope.spawn(|| in_parallel(REQUESTS, REQUESTS, |_| client.post_bytes(tongue.path(), body)));
        wait_for("all requests to be at the provider", SOON, || {
            alpha.running() == REQUESTS
        });
        let seen = look();
        alpha.set(Behaviour::Answer);
        for reply in all.join().unwrap() {
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        seen
    });
    gateway.wait_until_settled();
    seen
}

/// Counts the copies of bodies of this many bytes.
fn copies(kind: Kind, tongue: Tongue, bytes: usize) -> Copies {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha, kind);
    // Connections, threads and all that is there once: a request of its own has that too.
    while_held(&gateway, &alpha, tongue, &request(tongue, 1024), || {});
    gateway.forget_peak_of_memory();
    let (before, _) = gateway.memory();
    let (now, peak) = while_held(&gateway, &alpha, tongue, &request(tongue, bytes), || gateway.memory());
    for received in alpha.received().iter().rev().take(REQUESTS) {
        assert!(received.body.len() > bytes - 1024, "{} bytes", received.body.len());
    }
    gateway.finish();
    let of_bodies = |memory: u64| memory.saturating_sub(before) as f64 / (REQUESTS * bytes) as f64;
    Copies {
        peak: of_bodies(peak),
        waiting: of_bodies(now),
    }
}

#[test]
fn a_body_that_is_passed_on_is_held_once() {
    for (kind, tongue) in [(Kind::Chat, Tongue::Chat), (Kind::Anthropic, Tongue::Messages)] {
        for bytes in [MIB, MIB + MIB / 2 + 1000] {
            let copies = copies(kind, tongue, bytes);
            println!("{tongue:?} before {kind:?}, {bytes} bytes: {copies:.2?}");
            assert!(copies.waiting >= 0.9, "fewer than were sent: {copies:?}");
            assert!(copies.peak <= 1.25, "{copies:?}");
        }
    }
}

#[test]
fn a_body_that_is_translated_is_held_twice() {
    let copies = copies(Kind::Chat, Tongue::Messages, MIB);
    println!("Messages before Chat: {copies:.2?}");
    // What came, for the next provider if this one fails, and what was written for this one.
    assert!(copies.peak <= 3.0, "{copies:?}");
}
