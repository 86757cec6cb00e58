//! Rows F11 and G26: the machine's clock jumps.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::{QUICK_BREAKERS, Scene, assert_answered_by, assert_refused, for_model};
use crate::support::{Behaviour, Client, Clock, chat, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);
/// Where a clock stands that can jump either way.
const NOON: Duration = Duration::from_secs(12 * 3_600);

/// A scene that lives by a clock.
fn scene(clock: &Clock) -> Scene {
    Scene::with(|setup, _, _| clock.of(setup.toml(QUICK_BREAKERS)))
}

fn turn(client: &Client, message: &str) -> Value {
    let turn = json!({ "conversationId": "conv-1", "message": message, "clientMessageId": message });
    let reply = client.post("/v1/chat", &turn);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[test]
fn f11_when_the_clock_jumps_back_messages_stay_in_the_order_in_which_they_were_said() {
    let clock = Clock::ahead(NOON);
    let scene = scene(&clock);
    let client = scene.client();
    let said = ["first", "second", "third", "fourth"];
    let jumps = [NOON, NOON - HOUR, NOON - 3 * HOUR, NOON - 2 * HOUR];
    for (message, ahead) in said.into_iter().zip(jumps) {
        clock.set_ahead(ahead);
        turn(&client, message);
    }
    let page = client.get("/v1/context/conv-1").json();
    let messages = page["messages"].as_array().unwrap();
    let places: Vec<u64> = messages
        .iter()
        .map(|message| message["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7, 8]);
    let users: Vec<&str> = messages
        .iter()
        .step_by(2)
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(users, said);
    // The clock did jump, and is not what orders them.
    let moments: Vec<&str> = messages
        .iter()
        .map(|message| message["createdAt"].as_str().unwrap())
        .collect();
    assert!(
        moments[0] > moments[2] && moments[2] > moments[4] && moments[4] < moments[6],
        "{moments:?}"
    );
    // A model is told them in that order, and what has been answered is known.
    let sent = scene.alpha.last_request().messages();
    let told: Vec<&String> = sent.iter().filter(|text| said.contains(&text.as_str())).collect();
    assert_eq!(told, said);
    assert_eq!(turn(&client, "second")["routing"]["fromCache"], true);
    let earlier = client.get("/v1/context/conv-1?before=5").json();
    assert_eq!(earlier["messages"].as_array().unwrap().len(), 4);
    scene.end();
}

#[test]
fn g26_a_clock_that_jumps_ends_nothing_that_is_under_way() {
    let clock = Clock::ahead(NOON);
    let scene = scene(&clock);
    let requests = [
        (COMPLETIONS, for_model("alpha-small")),
        (COMPLETIONS, {
            let mut request = streamed_chat("hello");
            request["model"] = "alpha-small".into();
            request
        }),
        (
            "/v1/chat",
            json!({ "conversationId": "conv-1", "message": "hello", "model": "alpha-small" }),
        ),
    ];
    for ahead in [NOON + 2 * HOUR, NOON - 2 * HOUR, NOON + 48 * HOUR, NOON] {
        scene.alpha.set(Behaviour::Held);
        thread::scope(|scope| {
            let asking: Vec<_> = requests
                .iter()
                .map(|(path, request)| {
                    let client = scene.client().with_header("x-request-timeout-ms", "50000");
                    scope.spawn(move || client.post(path, request))
                })
                .collect();
            wait_for("all requests to be under way", SOON, || {
                scene.alpha.running() == requests.len()
            });
            clock.set_ahead(ahead);
            // What looks at the time every now and then has looked.
            assert_eq!(scene.client().get("/health/ready").status, 200);
            scene.alpha.set(Behaviour::Answer);
            for asking in asking {
                let reply = asking.join().unwrap();
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert!(reply.text().contains("alpha"), "{}", reply.text());
            }
        });
    }
    assert_eq!(
        scene.requests(),
        (4 * requests.len(), 0),
        "nothing was asked twice, or of somebody else"
    );
    let calls = scene.gateway.wait_for_calls(4 * requests.len());
    assert!(calls.iter().all(|call| call.success), "{calls:#?}");
    scene.end();
}

#[test]
fn g26_deadlines_and_breakers_measure_time_and_do_not_read_the_clock() {
    let clock = Clock::ahead(NOON);
    let scene = scene(&clock);
    // A deadline passes in its time, though the clock says that it is hours away.
    scene.alpha.set(Behaviour::StallBeforeHead);
    thread::scope(|scope| {
        let hasty = scene.client().with_header("x-request-timeout-ms", "1500");
        let asking = scope.spawn(move || hasty.post(COMPLETIONS, &for_model("alpha-small")));
        wait_for("the request", SOON, || scene.alpha.running() == 1);
        clock.set_ahead(NOON - 5 * HOUR);
        assert_refused(&asking.join().unwrap(), 504, "deadline_exceeded");
    });
    // A breaker that is open lets a probe pass in its time.
    scene.alpha.set(Behaviour::BROKEN);
    wait_for("the breaker to open", SOON, || {
        assert_answered_by(&scene.client().post(COMPLETIONS, &chat("hello")), "beta");
        let health = scene.client().get("/health").json();
        health["providers"]["alpha"]["models"]["alpha-small"]["state"] == "open"
    });
    clock.set_ahead(NOON - 9 * HOUR);
    scene.mend_alpha();
    scene.end();
}
