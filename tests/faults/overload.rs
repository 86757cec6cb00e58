//! More requests than there are places for.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::Scene;
use crate::support::{Behaviour, chat, in_parallel, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn overload_requests_beyond_the_places_are_told_when_to_come_back() {
    let scene = Scene::with("[http]\nmax_in_flight = 1\nqueue = 0\n");
    scene.alpha.set(Behaviour::StallMidStream);
    scene.expect_calls(1);
    let mut stream = scene
        .client()
        .open_stream(COMPLETIONS, &streamed_chat("takes the only place"));
    stream.next_event();
    let client = scene.client();
    for (path, body) in [
        (COMPLETIONS, chat("hello")),
        ("/v1/chat", json!({ "message": "hello" })),
        ("/v1/route", json!({ "message": "hello" })),
    ] {
        let reply = client.post(path, &body);
        let error = reply.error(503);
        assert!(error.to_string().contains("\"overloaded\""), "{error}");
        assert_eq!(reply.header("retry-after"), Some("1"), "{path}");
    }
    assert_eq!(client.get("/v1/models").status, 503);
    for path in ["/health", "/health/live", "/health/ready", "/v1/server-stats", "/"] {
        assert_eq!(client.get(path).status, 200, "{path} under overload");
    }
    assert_eq!(scene.gateway.stats()["gateway"]["inFlight"], 1);
    scene.alpha.set(Behaviour::Answer);
    drop(stream);
    wait_for("the place to be free", SOON, || {
        scene.gateway.stats()["gateway"]["inFlight"] == 0
    });
    scene.finish();
}

#[test]
fn overload_those_who_wait_for_a_place_are_counted() {
    let scene = Scene::with("[http]\nmax_in_flight = 1\nqueue = 2\nqueue_wait_ms = 60000\n");
    scene.alpha.set(Behaviour::Held);
    scene.expect_calls(3);
    let waiting = || scene.gateway.stats()["gateway"]["waiting"].as_u64();
    assert_eq!(waiting(), Some(0));
    let client = scene.client();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200));
        }
        wait_for("two to wait behind the first", SOON, || waiting() == Some(2));
        scene.alpha.set(Behaviour::Answer);
    });
    assert_eq!(waiting(), Some(0));
    scene.finish();
}

#[test]
fn overload_a_flood_is_served_or_refused_and_leaves_nothing() {
    let scene = Scene::with("[http]\nmax_in_flight = 8\nqueue = 4\nqueue_wait_ms = 50\n");
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(20)));
    let client = scene.client();
    let replies = in_parallel(400, 64, |_| client.post(COMPLETIONS, &chat("hello")));
    let served = replies.iter().filter(|reply| reply.status == 200).count();
    for reply in &replies {
        assert!(
            reply.status == 200 || reply.error(503)["code"] == "overloaded",
            "{}",
            reply.text()
        );
        assert_eq!(reply.header("retry-after").is_some(), reply.status == 503);
    }
    assert!((8..400).contains(&served), "{served} of 400 served");
    scene.expect_calls(served);
    scene.alpha.set(Behaviour::Answer);
    scene.finish();
}
