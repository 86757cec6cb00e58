//! Rows H7 to H10: clients that leave in the middle of their answer, panics, and the end of the process.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::Scene;
use crate::support::{Behaviour, Gateway, Model, Provider, RawClient, Setup, chat, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(30);
const TOKENS: usize = 20;

fn priced(alpha: &Provider, workers: usize) -> Gateway {
    let model = Model::free("alpha-small", alpha).priced("1", "2");
    let setup = Setup::new().provider(alpha).model(&model);
    Gateway::start(setup.env("GATEWAY_WORKERS", &workers.to_string()))
}

#[test]
fn h7_a_client_may_leave_at_any_point_of_its_stream_and_each_call_is_booked_once() {
    let alpha = Provider::start("alpha");
    let gateway = priced(&alpha, 2);
    alpha.set_tokens(TOKENS);
    alpha.set(Behaviour::Slow(Duration::from_millis(5)));
    let mut sent = 0;
    for leave in [RawClient::reset, RawClient::leave] {
        for point in 0..10 {
            let mut client = RawClient::connect(gateway.address());
            client.post(COMPLETIONS, &streamed_chat("hello"));
            sent += 1;
            wait_for("the call", SOON, || alpha.requests() == sent);
            match point {
                0 => {}
                1 => assert_eq!(client.read_status(), 200),
                9 => assert!(client.read_until("[DONE]")),
                point => assert!(client.read_until(&format!("alpha-{} ", point * 2))),
            }
            leave(client);
        }
    }
    gateway.wait_until_settled();
    let calls = gateway.wait_for_calls(sent);
    let (bill, booked) = (alpha.bill(), calls.iter().map(|call| call.cost_nano_usd).sum::<i64>());
    let due: u64 = bill
        .iter()
        .map(|charge| charge.input_tokens * 1_000 + charge.output_tokens * 2_000)
        .sum();
    assert!(booked >= i64::try_from(due).unwrap(), "{booked} booked for {due}");
    gateway.finish();
}

#[test]
fn h8_no_more_than_so_many_abandoned_streams_are_read_on() {
    const MOST: usize = 32;
    let alpha = Provider::start("alpha");
    let gateway = priced(&alpha, 1);
    alpha.set(Behaviour::StallMidStream);
    let clients: Vec<RawClient> = (0..MOST + 8)
        .map(|_| {
            let mut client = RawClient::connect(gateway.address());
            client.post(COMPLETIONS, &streamed_chat("hello"));
            assert_eq!(client.read_status(), 200);
            client
        })
        .collect();
    assert_eq!(alpha.running(), MOST + 8);
    clients.into_iter().for_each(RawClient::leave);
    wait_for("those beyond the most to be cut", SOON, || alpha.running() <= MOST);
    assert_eq!(alpha.running(), MOST, "those up to the most are read on for a while");
    gateway.wait_until_settled();
    let calls = gateway.wait_for_calls(MOST + 8);
    assert!(calls.iter().all(|call| call.estimated), "{calls:#?}");
    assert_eq!(alpha.running(), 0);
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

#[test]
fn h9_actors_that_panic_while_a_stream_runs_do_not_break_it() {
    for actor in ["supervisor", "router", "provider", "budget", "cost", "context"] {
        let mut scene = Scene::new();
        scene.gateway.expect_panics();
        scene.alpha.set_tokens(TOKENS);
        scene.alpha.set(Behaviour::Slow(Duration::from_millis(20)));
        scene.expect_calls(1);
        let mut stream = scene.client().open_stream(COMPLETIONS, &streamed_chat("hello"));
        stream.next_event();
        let crash = scene.client().post(&format!("/v1/faults/{actor}"), &json!({}));
        assert_eq!(
            crash.status,
            202,
            "tests need a binary with --all-features: {}",
            crash.text()
        );
        let reply = stream.finish();
        assert!(reply.is_done(), "{actor}: {}", reply.text());
        scene.alpha.set(Behaviour::Answer);
        // What the panic hit may fail once; then it is as before.
        wait_for("the actor to be back", SOON, || {
            let reply = scene.client().post(COMPLETIONS, &chat("hello"));
            let reached = scene.alpha.requests();
            reply.status == 200 && reached > 1
        });
        let calls = scene.gateway.wait_for_calls(scene.alpha.requests());
        assert_eq!(
            calls.iter().filter(|call| call.streamed).count(),
            1,
            "{actor}: {calls:#?}"
        );
        scene.expect_calls(scene.alpha.requests() - 1);
        scene.finish();
    }
}

#[test]
fn h9_a_panic_in_a_stream_is_told_in_it_booked_and_counted() {
    let alpha = Provider::start("alpha");
    let mut gateway = priced(&alpha, 1);
    gateway.expect_panics();
    alpha.set_tokens(TOKENS);
    alpha.set(Behaviour::Slow(Duration::from_millis(20)));
    let client = gateway.client();
    let mut beside = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    beside.next_event();
    let crash = client.post("/v1/faults/stream", &json!({}));
    assert_eq!(
        crash.status,
        202,
        "tests need a binary with --all-features: {}",
        crash.text()
    );
    let reply = beside.finish();
    assert!(!reply.is_done() && !reply.cut, "{}", reply.text());
    let last: Value = serde_json::from_str(reply.events().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "internal", "{}", reply.text());

    // Whatever it had sent may be on the bill; the worker and its next streams are as before.
    let call = gateway.wait_for_calls(1).remove(0);
    assert_eq!(
        (call.outcome.as_str(), call.estimated, call.success),
        ("interrupted", true, false)
    );
    let due = alpha
        .bill()
        .iter()
        .map(|charge| charge.input_tokens * 1_000 + charge.output_tokens * 2_000)
        .sum::<u64>();
    assert!(call.cost_nano_usd >= i64::try_from(due).unwrap(), "{call:?}");
    assert_eq!(gateway.stats()["llm"]["failedCalls"], 1);
    assert!(gateway.log().iter().any(|line| line.contains("panicked")));
    for _ in 0..3 {
        assert!(client.post(COMPLETIONS, &streamed_chat("hello")).is_done());
    }
    gateway.finish();
}

#[test]
fn h10_a_stream_is_finished_when_the_process_is_asked_to_end() {
    let mut scene = Scene::new();
    scene.alpha.set_tokens(TOKENS);
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(50)));
    let mut stream = scene.client().open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    scene.gateway.sigterm();
    let reply = stream.finish();
    assert!(reply.is_done() && !reply.cut, "{}", reply.text());
    assert_eq!(scene.gateway.wait_exit(SOON), 0);
    let calls = scene.gateway.calls();
    assert!(
        calls.len() == 1 && calls[0].success && !calls[0].estimated,
        "{calls:#?}"
    );
    scene.alpha.set(Behaviour::Answer);
    scene.gateway.restart();
    scene.gateway.finish();
}
