//! Row G25: providers that are slower than their caller's deadline.
//!
//! They are silent for as long as anybody listens, and may be by their own limits: only the deadline ends the wait.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::{Scene, assert_answered_by, assert_refused, for_model};
use crate::support::{Behaviour, Client, Reply, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(30);
const DEADLINE: &str = "x-request-timeout-ms";

/// A scene whose alpha has a price and the time of the world.
fn scene() -> Scene {
    let patient = "timeouts = { first_byte_ms = 3600000, idle_ms = 3600000, total_ms = 3600000 }";
    Scene::with_alpha(patient, |model| model.priced("1", "2"))
}

/// A client that will not wait.
fn hasty(scene: &Scene) -> Client {
    scene.client().with_header(DEADLINE, "1500")
}

/// What is asked of alpha, whole or streamed.
fn question(streamed: bool) -> Value {
    let mut request = streamed_chat("hello");
    request["model"] = "alpha-small".into();
    if streamed { request } else { for_model("alpha-small") }
}

/// The request was told that its deadline passed, its one call is booked at its worst case, and nobody holds anything.
#[track_caller]
fn assert_given_up_and_booked(scene: &Scene, reply: &Reply, calls: usize) {
    assert_refused(reply, 504, "deadline_exceeded");
    assert_eq!(scene.requests(), (calls, 0), "nobody else could have answered in time");
    scene.gateway.wait_until_settled();
    let records = scene.gateway.wait_for_calls(calls);
    let booked: Vec<_> = records
        .iter()
        .filter(|call| call.request_id == reply.request_id())
        .collect();
    assert_eq!(booked.len(), 1, "{records:#?}");
    assert_eq!((booked[0].outcome.as_str(), booked[0].success), ("timed_out", false));
    // 64,000 tokens of output at most, at 2 USD per million: the provider may have made its answer.
    assert!(
        booked[0].estimated && booked[0].cost_nano_usd >= 64_000 * 2_000,
        "{booked:?}"
    );
    wait_for("the provider's connection to end", SOON, || scene.alpha.running() == 0);
}

#[test]
fn g25_a_provider_slower_than_the_deadline_is_a_504_in_time_and_booked_whole_or_streamed() {
    let scene = scene();
    let faults = [
        (Behaviour::StallBeforeHead, false),
        (Behaviour::StallBeforeHead, true),
        // The head comes, and of the answer its first byte or none.
        (Behaviour::StallBeforeFirstEvent, false),
        (Behaviour::StallBeforeFirstEvent, true),
    ];
    for (number, (fault, streamed)) in faults.into_iter().enumerate() {
        scene.alpha.set(fault);
        let reply = hasty(&scene).post(COMPLETIONS, &question(streamed));
        assert_given_up_and_booked(&scene, &reply, number + 1);
    }
    // The caller was in a hurry, and nobody is to blame for that: alpha is asked next.
    scene.alpha.set(Behaviour::Answer);
    assert_answered_by(&hasty_enough(&scene).post(COMPLETIONS, &question(false)), "alpha");
    assert_answered_by(&hasty_enough(&scene).post(COMPLETIONS, &question(true)), "alpha");
    scene.end();
}

/// A client whose deadline is met by whoever answers at all.
fn hasty_enough(scene: &Scene) -> Client {
    scene.client().with_header(DEADLINE, "30000")
}

#[test]
fn g25_a_turn_whose_deadline_passes_is_a_504_and_frees_its_conversation() {
    let scene = scene();
    let turn = |text: &str| json!({ "conversationId": "conv-1", "message": text, "model": "alpha-small" });
    scene.alpha.set(Behaviour::StallBeforeHead);
    let reply = hasty(&scene).post("/v1/chat", &turn("first"));
    assert_given_up_and_booked(&scene, &reply, 1);

    // Its hold on the conversation would have lasted for ten seconds more.
    scene.alpha.set(Behaviour::Answer);
    let next = scene.client().post("/v1/chat", &turn("second"));
    assert_eq!(next.status, 200, "{}", next.text());
    let page = scene.client().get("/v1/context/conv-1").json();
    let stored: Vec<_> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["role"].as_str().unwrap(), message["status"].as_str().unwrap()))
        .collect();
    let expected = [
        ("user", "failed"),
        ("assistant", "failed"),
        ("user", "done"),
        ("assistant", "done"),
    ];
    assert_eq!(stored, expected, "{page}");
    scene.end();
}
