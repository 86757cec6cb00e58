//! SIGTERM: readiness goes first, then new work is refused, what is under way ends or is told that it will not, and
//! everything is on record when the process ends with 0.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::Scene;
use crate::support::{Behaviour, Gateway, Model, Provider, Setup, chat, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(10);
/// What a test waits for at most that sets limits of a second or less.
const EXIT_LIMIT: Duration = Duration::from_secs(20);

/// Ends a scene whose process has been asked to end: it exits with 0 and has recorded this many calls.
#[track_caller]
fn ends_well(mut scene: Scene, calls: usize) {
    assert_eq!(scene.gateway.wait_exit(EXIT_LIMIT), 0);
    let recorded = scene.gateway.calls();
    assert_eq!(
        (recorded.len(), scene.alpha.requests()),
        (calls, calls),
        "{recorded:#?}"
    );
    let log = scene.gateway.log();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    starts_in_order(&mut scene);
    serves_again(scene);
}

/// Nothing of an orderly end is an error, and the next start finds nothing to take over.
#[track_caller]
fn starts_in_order(scene: &mut Scene) {
    scene.gateway.restart();
    let log = scene.gateway.log();
    for word in [" ERROR ", "took over", "left in this process's journal"] {
        assert!(!log.iter().any(|line| line.contains(word)), "{word}: {log:#?}");
    }
}

/// With the provider well again, the process that followed serves.
#[track_caller]
fn serves_again(scene: Scene) {
    scene.alpha.set(Behaviour::Answer);
    scene.alpha.set_tokens(5);
    scene.gateway.finish();
}

#[test]
fn drain_readiness_goes_before_anything_is_refused() {
    let scene = Scene::with("[drain]\nreadiness_ms = 1500\n");
    let client = scene.client();
    scene.gateway.sigterm();
    wait_for("readiness to go", SOON, || client.get("/health/ready").status == 503);
    let ready = client.get("/health/ready").json();
    assert_eq!(
        ready,
        json!({ "ready": false, "reasons": ["the gateway is shutting down"] })
    );
    assert_eq!(client.get("/health").json()["status"], "draining");
    assert_eq!(
        client.post(COMPLETIONS, &chat("hello")).status,
        200,
        "refused while readiness was still going"
    );
    ends_well(scene, 1);
}

#[test]
fn drain_new_work_is_refused_while_old_work_ends() {
    let scene = Scene::new();
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(100)));
    scene.alpha.set_tokens(30);
    let client = scene.client();
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    scene.gateway.sigterm();
    wait_for("new work to be refused", SOON, || {
        client.post("/v1/chat", &json!({})).status == 503
    });
    let before = scene.alpha.requests();
    for (path, body) in [
        (COMPLETIONS, chat("hello")),
        ("/v1/route", json!({ "message": "hello" })),
    ] {
        let reply = client.post(path, &body);
        let error = reply.error(503);
        assert!(error.to_string().contains("\"draining\""), "{error}");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.header("connection"), Some("close"));
    }
    assert_eq!(client.get("/health/live").status, 200);
    assert_eq!(scene.alpha.requests(), before);
    let reply = stream.finish();
    assert!(reply.is_done() && !reply.cut, "{}", reply.text());
    ends_well(scene, 1);
}

/// Whether the gateway has this many requests under way.
fn has_in_flight(scene: &Scene, count: usize) -> bool {
    scene.gateway.stats()["gateway"]["inFlight"] == count
}

#[test]
fn drain_requests_whose_bodies_are_still_coming_are_served() {
    let scene = Scene::new();
    let requests = [
        ("/v1/route", json!({ "message": "hello" })),
        ("/v1/chat", json!({ "message": "hello" })),
        (COMPLETIONS, chat("hello")),
        (COMPLETIONS, streamed_chat("hello")),
    ];
    let halves = requests.map(|(path, body)| {
        let body = body.to_string();
        let (first, second) = body.split_at(body.len() / 2);
        let length = body.len();
        let client = scene.send(format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{first}"
        ));
        (client, second.to_owned())
    });
    wait_for("the requests to be under way", SOON, || {
        has_in_flight(&scene, halves.len())
    });
    scene.gateway.sigterm();
    let client = scene.client();
    wait_for("new work to be refused", SOON, || {
        client.post("/v1/chat", &json!({})).status == 503
    });
    for (mut client, rest) in halves {
        client.send(rest);
        let reply = client.read_reply();
        assert!(reply.status == 200 && !reply.cut, "{}", reply.text());
    }
    ends_well(scene, 4);
}

#[test]
fn drain_a_request_that_waits_for_its_providers_place_is_served() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(
        Setup::new()
            .env("CHAT_MODELS", "alpha-small")
            .provider_with(&alpha, "max_in_flight = 1")
            .model(&Model::free("alpha-small", &alpha)),
    );
    alpha.set(Behaviour::Slow(Duration::from_millis(100)));
    alpha.set_tokens(20);
    let client = gateway.client();
    let mut first = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    first.next_event();
    let scene = Scene::of(alpha, gateway);
    thread::scope(|threads| {
        let second = threads.spawn(|| client.post(COMPLETIONS, &chat("hello")));
        wait_for("the second request", SOON, || has_in_flight(&scene, 2));
        scene.gateway.sigterm();
        let reply = first.finish();
        assert!(reply.is_done() && !reply.cut, "{}", reply.text());
        let reply = second.join().unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    });
    ends_well(scene, 2);
}

#[test]
fn drain_a_stream_beyond_the_limit_ends_with_an_error_in_the_stream() {
    let scene = Scene::with("[drain]\nin_flight_ms = 100\nstreams_ms = 500\n");
    scene.alpha.set(Behaviour::StallMidStream);
    let mut stream = scene.client().open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    scene.gateway.sigterm();
    let reply = stream.finish();
    assert!(!reply.cut, "the transfer was cut: {}", reply.text());
    let last: Value = serde_json::from_str(reply.events().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "draining", "{}", reply.text());
    ends_well(scene, 1);
}

#[test]
fn drain_a_whole_answer_beyond_the_limit_is_given_up_with_a_status_while_streams_have_theirs() {
    let scene = Scene::with("[drain]\nin_flight_ms = 500\n");
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(100)));
    scene.alpha.set_tokens(40);
    let client = scene.client();
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    scene.alpha.set(Behaviour::StallBeforeHead);
    let replies = thread::scope(|threads| {
        let openai = threads.spawn(|| client.post(COMPLETIONS, &chat("hello")));
        let native = threads.spawn(|| client.post("/v1/chat", &json!({ "message": "hello" })));
        wait_for("both calls", SOON, || scene.alpha.requests() == 3);
        scene.gateway.sigterm();
        [openai, native].map(|reply| reply.join().unwrap())
    });
    for reply in replies {
        let error = reply.error(503);
        assert!(error.to_string().contains("\"draining\""), "{error}");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    assert!(
        !scene.alpha.bill()[0].whole,
        "whole answers were given up only when streams were"
    );
    let reply = stream.finish();
    assert!(reply.is_done() && !reply.cut, "{}", reply.text());
    ends_well(scene, 3);
}

#[test]
fn drain_a_second_signal_ends_at_once_and_keeps_the_records() {
    let mut scene = Scene::new();
    scene.alpha.set(Behaviour::StallMidStream);
    let client = scene.client();
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    scene.gateway.sigterm();
    wait_for("readiness to go", SOON, || client.get("/health/ready").status == 503);
    scene.gateway.sigterm();
    scene.gateway.wait_exit(SOON);
    assert!(!stream.finish().is_done());
    let calls = scene.gateway.calls();
    assert!(calls.len() == 1 && calls[0].estimated, "{calls:#?}");
    assert_eq!(calls[0].outcome, "cut");
    starts_in_order(&mut scene);
    serves_again(scene);
}

#[test]
fn k7_two_signals_at_once_settle_whole_answers_turns_and_streams() {
    let mut scene = Scene::new();
    let client = scene.client();
    scene.alpha.set(Behaviour::StallMidStream);
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    scene.alpha.set(Behaviour::StallBeforeHead);
    thread::scope(|threads| {
        // What they are told depends on how soon the second signal is noticed.
        let whole = threads.spawn(|| client.try_post(COMPLETIONS, &chat("hello")));
        let turn = threads.spawn(|| client.try_post("/v1/chat", &json!({ "message": "hello", "conversationId": "c" })));
        wait_for("all calls", SOON, || scene.alpha.requests() == 3);
        scene.gateway.sigterm();
        // Two that come before either is looked at are one.
        let is_draining = || scene.gateway.log().iter().any(|line| line.contains("draining"));
        wait_for("the drain to begin", SOON, is_draining);
        scene.gateway.sigterm();
        let _ = (whole.join().unwrap(), turn.join().unwrap());
    });
    assert_eq!(scene.gateway.wait_exit(SOON), 0);
    let calls = scene.gateway.calls();
    let outcomes: Vec<&str> = calls.iter().map(|call| call.outcome.as_str()).collect();
    assert_eq!(outcomes, ["cut"; 3], "{calls:#?}");
    starts_in_order(&mut scene);
    let history = scene.client().get("/v1/context/c").json();
    assert_eq!(history["messages"][1]["status"], "failed", "{history}");
    serves_again(scene);
}

#[test]
fn k7_whole_calls_cut_at_the_limit_are_settled_before_the_books_are_closed() {
    let mut scene = Scene::with("[drain]\nin_flight_ms = 200\n");
    scene.alpha.set(Behaviour::StallBeforeHead);
    let client = scene.client();
    thread::scope(|threads| {
        let calls = [
            threads.spawn(|| client.post(COMPLETIONS, &chat("hello"))),
            threads.spawn(|| client.post("/v1/chat", &json!({ "message": "hello", "conversationId": "c" }))),
        ];
        wait_for("both calls", SOON, || scene.alpha.requests() == 2);
        scene.gateway.sigterm();
        for call in calls {
            call.join().unwrap().error(503);
        }
    });
    assert_eq!(scene.gateway.wait_exit(EXIT_LIMIT), 0);
    for call in scene.gateway.calls() {
        assert!(call.outcome == "cut" && call.estimated && !call.success, "{call:?}");
    }
    ends_well(scene, 2);
}

#[test]
fn drain_clients_that_hang_on_do_not_hold_up_the_end() {
    let scene = Scene::with("[drain]\nin_flight_ms = 500\nstreams_ms = 500\n");
    scene.alpha.set_tokens(60_000);
    let mut stuck = scene.connect();
    stuck.post(COMPLETIONS, &streamed_chat("an answer that nobody reads"));
    assert_eq!(stuck.read_status(), 200);
    let _idle = scene.connect();
    let _half_a_head = scene.send("POST /v1/chat HTTP/1.1\r\nhost: lo");
    let _half_a_body = scene.send(
        "POST /v1/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    );
    scene.gateway.sigterm();
    ends_well(scene, 1);
}

#[test]
fn drain_what_was_answered_is_on_record() {
    let scene = Scene::new();
    let client = scene.client();
    for _ in 0..20 {
        assert_eq!(client.post(COMPLETIONS, &chat("hello")).status, 200);
        assert!(client.post(COMPLETIONS, &streamed_chat("hello")).is_done());
    }
    scene.gateway.sigterm();
    ends_well(scene, 40);
}
