//! Rows K1, K3 and K6: handlers that panic, actors that meet a poisonous message or hang. K2 and K4 are in
//! `tests/api/panics.rs`.

use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{assert_answered_by, assert_lives, assert_refused};
use crate::support::{Client, Gateway, Model, Provider, RawClient, Setup, chat, in_parallel, wait_for};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn k1_a_panic_in_a_handler_is_a_500_in_json_and_its_worker_serves_on() {
    let alpha = Provider::start("alpha");
    // One worker: it is the one that panicked which serves what comes next.
    let mut gateway = Gateway::start(Setup::free_l0(&[&alpha]).env("GATEWAY_WORKERS", "1"));
    gateway.expect_panics();
    let client = gateway.client();
    for round in 1..=3 {
        let told = assert_refused(&client.post("/v1/faults/handler", &json!({})), 500, "internal");
        assert!(
            !told.to_string().contains("injected"),
            "the panic's words were told: {told}"
        );
        assert_eq!(
            alpha.requests(),
            round - 1,
            "a request that panicked reached the provider"
        );
        assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "alpha");
    }
    // On the same connection, and while others are served.
    let mut raw = RawClient::connect(gateway.address());
    raw.send("POST /v1/faults/handler HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    let told = raw.read_reply();
    assert_refused(&told, 500, "internal");
    assert_eq!(told.header("connection"), None);
    raw.post(COMPLETIONS, &chat("hello"));
    assert_answered_by(&raw.read_reply(), "alpha");
    let replies = in_parallel(40, 10, |number| match number % 2 {
        0 => client.post("/v1/faults/handler", &json!({})),
        _ => client.post(COMPLETIONS, &chat("hello")),
    });
    for (number, reply) in replies.iter().enumerate() {
        if number % 2 == 0 {
            assert_refused(reply, 500, "internal");
        } else {
            assert_answered_by(reply, "alpha");
        }
    }
    let panics = || gateway.log().iter().filter(|line| line.contains("panicked")).count();
    wait_for("each panic to be logged", SOON, || panics() == 24);
    assert_eq!(
        client.get("/health").json()["actors"],
        json!([]),
        "a handler is no actor"
    );
    assert_lives(&gateway);
    gateway.finish();
}

#[test]
fn k3_a_message_that_made_an_actor_panic_is_not_delivered_again_and_the_queue_drains() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider(&alpha)
        .model(&Model::free("alpha-small", &alpha))
        .env("GATEWAY_WORKERS", "1");
    let mut gateway = Gateway::start(setup);
    gateway.expect_panics();
    let client = gateway.client();
    for round in 1..=3 {
        assert_eq!(client.post("/v1/faults/router", &json!({})).status, 202);
        // What is queued behind the poison is answered, by the actor that was rebuilt.
        let replies = in_parallel(20, 10, |_| client.post(COMPLETIONS, &chat("hello")));
        for reply in &replies {
            assert_answered_by(reply, "alpha");
        }
        wait_for("the panic to be counted", SOON, || {
            let health = client.get("/health").json();
            health["actors"] == json!([{ "name": "router", "restarts": round }])
        });
    }
    assert_lives(&gateway);
    gateway.finish();
}

#[test]
fn k6_a_thread_that_hangs_makes_the_gateway_unready_until_it_goes_on() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]).env("GATEWAY_WORKERS", "2"));
    assert_lives(&gateway);
    let mut hanging = RawClient::connect(gateway.address());
    hanging.post("/v1/faults/hang", &json!({}));
    // Each look takes a connection of its own: some of them belong to the thread that hangs, and their time for a head
    // is over when it goes on.
    let looks = || {
        in_parallel(4, 4, |_| {
            Client::unchecked(&format!("http://{}", gateway.address())).get("/health/ready")
        })
    };
    wait_for("readiness to go", SOON, || {
        looks()
            .iter()
            .any(|look| look.status == 503 && look.text().contains("hangs"))
    });
    wait_for("readiness to come back", SOON, || {
        looks().iter().all(|look| look.status == 200)
    });
    assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.finish();
}
