//! Rows K3 and K6: actors that meet a poisonous message or hang. K1, K2 and K4 are in `tests/api/panics.rs` and beside the
//! edge.

use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{assert_answered_by, assert_lives};
use crate::support::{Client, Gateway, Model, Provider, RawClient, Setup, chat, in_parallel, wait_for};

const SOON: Duration = Duration::from_secs(30);

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
