//! A panic in any actor hurts at most the requests that it hits; too many of them end the process in good order.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::stats::assert_stats_agree_with_records;
use crate::support::{Behaviour, Client, Gateway, Model, Provider, Reply, Setup, chat, streamed_chat, wait_for};

const ACTORS: [&str; 6] = ["supervisor", "router", "provider", "budget", "cost", "context"];
const REQUESTS: usize = 100;
const SOON: Duration = Duration::from_secs(10);
/// Long enough for the requests to be under way together, short enough for a quick test.
const PACE: Duration = Duration::from_millis(150);

fn start(provider: &Provider) -> Gateway {
    let setup = Setup::new()
        .provider(provider)
        .model(&Model::free("alpha-small", provider).priced("0.15", "0.60"));
    let mut gateway = Gateway::start(setup);
    gateway.expect_panics();
    gateway
}

/// Makes an actor panic at its next message.
fn inject(client: &Client, actor: &str) {
    let reply = client.post(&format!("/v1/faults/{actor}"), &json!({}));
    assert_eq!(
        reply.status,
        202,
        "tests need a binary with --all-features: {}",
        reply.text()
    );
}

/// A third each: whole answers, streams, and turns of conversations.
fn send_mixed(client: &Client, number: usize) -> Reply {
    match number % 3 {
        0 => client.post(COMPLETIONS, &chat("hello")),
        1 => client.post(COMPLETIONS, &streamed_chat("hello")),
        _ => client.post(
            "/v1/chat",
            &json!({ "conversationId": format!("c-{number}"), "message": "hello" }),
        ),
    }
}

/// Answered in whole, or told in so many words that the gateway is at fault.
#[track_caller]
fn assert_answered(reply: &Reply) {
    if reply.status != 200 {
        assert!(
            (500..=503).contains(&reply.status),
            "{}: {}",
            reply.status,
            reply.text()
        );
        assert!(reply.json()["error"]["message"].is_string(), "{}", reply.text());
        return;
    }
    assert!(!reply.cut, "cut without a word: {}", reply.text());
    if reply
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/event-stream"))
    {
        let events = reply.events();
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap_or_default();
        assert!(
            reply.is_done() || last["error"].is_object(),
            "neither end nor error: {events:#?}"
        );
    }
}

fn panic_while_requests_run(actor: &str) {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    alpha.set(Behaviour::Slow(PACE));

    let replies: Vec<Reply> = thread::scope(|scope| {
        let client = &client;
        let requests: Vec<_> = (0..REQUESTS)
            .map(|number| scope.spawn(move || send_mixed(client, number)))
            .collect();
        wait_for("the requests to be under way", SOON, || alpha.running() >= REQUESTS / 4);
        inject(client, actor);
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });

    for reply in &replies {
        assert_answered(reply);
    }
    let unharmed = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(
        unharmed >= REQUESTS / 2,
        "one panic in the {actor} actor failed {} requests",
        REQUESTS - unharmed
    );

    alpha.set(Behaviour::Answer);
    for number in 0..3 {
        wait_for("good requests to be served again", SOON, || {
            send_mixed(&client, number).status == 200
        });
    }
    let panics = gateway.log().iter().filter(|line| line.contains("panicked")).count();
    assert!(panics > 0, "no panic was injected into the {actor} actor");
    gateway.wait_until_settled();
    assert_stats_agree_with_records(&gateway);
    gateway.finish();
}

#[test]
fn k2_a_panic_in_the_router_actor_hangs_no_request_and_loses_no_count() {
    panic_while_requests_run("router");
}

#[test]
fn k2_a_panic_in_a_provider_actor_hangs_no_request_and_loses_no_count() {
    panic_while_requests_run("provider");
}

#[test]
fn k2_a_panic_in_the_budget_actor_hangs_no_request_and_loses_no_count() {
    panic_while_requests_run("budget");
}

#[test]
fn k2_a_panic_in_the_cost_tracker_hangs_no_request_and_loses_no_count() {
    panic_while_requests_run("cost");
}

#[test]
fn k2_a_panic_in_the_context_actor_hangs_no_request_and_loses_no_count() {
    panic_while_requests_run("context");
}

#[test]
fn k2_a_panic_in_the_supervisor_hangs_no_request_and_loses_no_count() {
    panic_while_requests_run("supervisor");
}

#[test]
fn an_actor_that_is_not_there_cannot_be_made_to_panic() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    assert_eq!(gateway.client().post("/v1/faults/nobody", &json!({})).status, 404);
    gateway.finish();
}

#[test]
fn k4_the_sixth_panic_in_half_a_minute_drains_and_exits_70() {
    let alpha = Provider::start("alpha");
    let mut gateway = start(&alpha);
    let client = gateway.client();
    for actor in &ACTORS[..5] {
        inject(&client, actor);
    }
    wait_for("the fifth panic to be over", SOON, || {
        send_mixed(&client, 0).status == 200
    });
    assert_eq!(client.get("/health/ready").status, 200, "five panics are survived");

    alpha.set_tokens(20);
    alpha.set(Behaviour::Slow(PACE));
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    inject(&client, ACTORS[5]);

    wait_for("readiness to go", SOON, || client.get("/health/ready").status == 503);
    let reply = stream.finish();
    assert!(
        reply.is_done(),
        "the stream under way was not let finish: {}",
        reply.text()
    );
    assert_eq!(gateway.wait_exit(Duration::from_secs(60)), 70);
    alpha.set(Behaviour::Answer);
    gateway.restart();
    gateway.finish();
}
