//! Rows G16 to G18: providers that are slow, late, or send something else than they mean, under load.

use std::time::Duration;

use serde_json::Value;

use crate::COMPLETIONS;
use crate::scene::{Scene, assert_answered_by, assert_refused};
use crate::support::{Behaviour, Reply, chat, in_parallel, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_secs(3_600);
const DEADLINE: &str = "x-request-timeout-ms";
/// No breaker opens, whatever happens: each request is to meet the provider.
const NO_BREAKERS: &str = "[breaker]\nconsecutive_failures = 1000\nmin_calls = 100000";

/// A question for alpha's model and no other.
fn question(streamed: bool) -> Value {
    let mut request = if streamed {
        streamed_chat("hello")
    } else {
        chat("hello")
    };
    request["model"] = "alpha-small".into();
    request
}

/// A stream that broke off said so in its last event; before that there is nothing but JSON.
#[track_caller]
fn assert_broken_off(reply: &Reply) {
    let events = reply.events();
    let last = events.last().expect("a stream has events");
    let read: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap_or_else(|error| panic!("{event}: {error}")))
        .collect();
    assert!(!reply.is_done(), "{events:?}");
    assert!(read.last().unwrap()["error"].is_object(), "{last}");
}

#[test]
fn g16_each_byte_of_an_answer_is_waited_for_and_no_longer_than_the_whole_may_take() {
    // A byte a while is no silence, so that the limit of the whole is what ends it.
    let patient = "timeouts = { first_byte_ms = 60000, idle_ms = 60000, total_ms = 6000 }";
    let scene = Scene::with_alpha(patient, |model| model.priced("1", "2"));
    scene.alpha.set(Behaviour::Drip(Duration::from_millis(1)));
    // A whole answer takes half a minute, and the first events of a stream about a second.
    scene.alpha.set_tokens(4_000);
    let whole = scene.client().post(COMPLETIONS, &question(false));
    assert_refused(&whole, 504, "upstream_timeout");
    // What came of a stream in time is not taken back.
    let stream = scene.client().open_stream(COMPLETIONS, &question(true)).finish();
    assert_eq!(stream.status, 200);
    assert_broken_off(&stream);

    let calls = scene.gateway.wait_for_calls(2);
    for call in &calls {
        assert_eq!((call.outcome.as_str(), call.estimated), ("timed_out", true), "{call:?}");
    }
    wait_for("the provider to see that it was left", SOON, || {
        scene.alpha.running() == 0
    });
    assert_eq!(scene.requests(), (2, 0));

    // Whoever asked for no model in particular hears nothing of it.
    assert_answered_by(&scene.ask(), "beta");
    assert_eq!(scene.requests(), (3, 1));
    scene.end();
}

#[test]
fn g16_a_silence_between_two_bytes_is_bounded_too_and_drops_that_keep_coming_are_an_answer() {
    let impatient = "timeouts = { first_byte_ms = 8000, idle_ms = 2000, total_ms = 3600000 }";
    let scene = Scene::with_alpha(impatient, |model| model);
    for (streamed, tokens) in [(false, 150), (true, 5)] {
        scene.alpha.set_tokens(tokens);
        scene.alpha.set(Behaviour::Drip(NEVER));
        let reply = scene.client().post(COMPLETIONS, &question(streamed));
        assert_refused(&reply, 504, "upstream_timeout");
        // It takes longer than a silence may, and is never silent for so long.
        scene.alpha.set(Behaviour::Drip(Duration::from_millis(3)));
        assert_answered_by(&scene.client().post(COMPLETIONS, &question(streamed)), "alpha");
    }
    assert_eq!(scene.requests(), (4, 0));
    scene.end();
}

#[test]
fn g17_under_answers_that_are_late_by_chance_every_request_ends_by_its_deadline() {
    let patient = "max_in_flight = 400\n\
        timeouts = { first_byte_ms = 3600000, idle_ms = 3600000, total_ms = 3600000 }";
    let scene = Scene::with_alpha(patient, |model| model.priced("1", "2"));
    scene.gateway.wait_until_settled();
    let seed = 17;
    println!("seed {seed}");
    let ways = [0, 10, 50, 200].map(|late| (2, Behaviour::Slow(Duration::from_millis(late))));
    let never = [(1, Behaviour::StallBeforeHead), (1, Behaviour::StallMidStream)];
    scene
        .alpha
        .set(Behaviour::Drawn(seed, [&ways[..], &never[..]].concat().into()));

    // Whoever is late is so for longer than any client waits.
    let client = scene.client().with_header(DEADLINE, "4000");
    let replies = in_parallel(200, 50, |number| client.post(COMPLETIONS, &question(number % 2 == 0)));
    let (mut answered, mut late, mut broken_off) = (0, 0, 0);
    for reply in &replies {
        match reply.status {
            504 => {
                assert_refused(reply, 504, "deadline_exceeded");
                late += 1;
            }
            _ if reply.is_done() || reply.events().is_empty() => {
                assert_answered_by(reply, "alpha");
                answered += 1;
            }
            _ => {
                assert_broken_off(reply);
                broken_off += 1;
            }
        }
    }
    println!("{answered} answered, {late} late, {broken_off} broken off");
    assert!(answered > 50 && late > 10 && broken_off > 0);
    scene.gateway.wait_until_settled();
    // What nobody waited for may be on the bill all the same.
    let calls = scene.gateway.wait_for_calls(200);
    assert_eq!(calls.iter().filter(|call| call.success).count(), answered);
    assert!(
        calls
            .iter()
            .all(|call| call.cost_nano_usd > 0 && call.estimated != call.success)
    );
    wait_for("the provider to see that it was left", SOON, || {
        scene.alpha.running() == 0
    });
    scene.end();
}

#[test]
fn g18_of_half_corrupted_answers_every_other_one_is_given_and_none_that_is_broken() {
    let scene = Scene::with(|setup, _, _| setup.toml(NO_BREAKERS));
    let seed = 18;
    println!("seed {seed}");
    let corrupt = (0..60).map(|number| (1, Behaviour::Corrupt(number * 1_000)));
    let ways: Vec<_> = corrupt.chain([(60, Behaviour::Answer)]).collect();
    scene.alpha.set(Behaviour::Drawn(seed, ways.into()));

    // There is nobody else to ask. Whole answers after streams, so that each kind meets the same corruptions in every run,
    // in whatever order requests arrive.
    let client = scene.client();
    let mut replies = in_parallel(150, 30, |_| client.post(COMPLETIONS, &question(true)));
    replies.extend(in_parallel(150, 30, |_| client.post(COMPLETIONS, &question(false))));
    let (mut given, mut refused, mut broken_off) = (0, 0, 0);
    for reply in &replies {
        if reply.status != 200 {
            assert_refused(reply, 502, "upstream_malformed");
            refused += 1;
        } else if reply.is_done() || reply.events().is_empty() {
            assert_answered_by(reply, "alpha");
            given += 1;
        } else {
            assert_broken_off(reply);
            broken_off += 1;
        }
    }
    println!("{given} given, {refused} refused, {broken_off} broken off");
    assert!(given > 90 && refused > 60 && broken_off > 20);
    scene.gateway.wait_until_settled();
    assert_eq!(scene.requests(), (300, 0));

    // Where there is somebody else, nobody hears of it who has not been told the beginning.
    let replies = in_parallel(100, 20, |_| client.post(COMPLETIONS, &chat("hello")));
    for reply in &replies {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert!(scene.beta.requests() > 20, "{:?}", scene.requests());
    scene.end();
}
