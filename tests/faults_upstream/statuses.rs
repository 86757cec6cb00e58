//! Rows G5 to G10: providers that refuse.

use crate::COMPLETIONS;
use crate::scene::{QUICK_BREAKERS, Scene, assert_answered_by, assert_refused, for_model};
use crate::support::{Behaviour, Model, chat, streamed_chat, wait_for};
use std::time::Duration;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const SAID: &str = r#"{"error":{"message":"secret-upstream-detail sk-secret"}}"#;
/// Requests that may still reach a provider before its closed gate is known everywhere.
const STRAGGLERS: usize = 3;

#[test]
fn g5_server_errors_fail_over_until_the_breaker_opens_and_extra_calls_stay_in_their_budget() {
    for status in [500, 502, 503, 529] {
        let scene = Scene::with(|setup, _, _| setup.toml("[breaker]\nopen_base_ms = 1000\nsuccesses_to_close = 1"));
        scene.alpha.set(Behaviour::Status(status, JSON, SAID));
        for number in 0..30 {
            let request = if number % 2 == 0 {
                chat("hello")
            } else {
                streamed_chat("hello")
            };
            assert_answered_by(&scene.client().post(COMPLETIONS, &request), "beta");
        }
        let (alpha, beta) = scene.requests();
        assert_eq!(beta, 30);
        assert!(
            (5..=5 + STRAGGLERS).contains(&alpha),
            "{status}: {alpha} calls until the breaker opened"
        );
        scene.end();
    }
}

#[test]
fn g5_when_everybody_fails_calls_end_instead_of_being_multiplied() {
    let scene = Scene::with(|setup, _, _| setup.toml("[breaker]\nopen_base_ms = 5000\nsuccesses_to_close = 1"));
    scene.alpha.set(Behaviour::Status(500, JSON, SAID));
    scene.beta.set(Behaviour::Status(500, JSON, SAID));
    let (mut failed, mut turned_away) = (0, 0);
    for _ in 0..100 {
        let reply = scene.ask();
        if reply.status == 502 {
            assert_refused(&reply, 502, "upstream_error");
            failed += 1;
        } else {
            assert_refused(&reply, 503, "no_provider_available");
            assert!(reply.header("retry-after").is_some());
            turned_away += 1;
        }
    }
    let (alpha, beta) = scene.requests();
    assert!(turned_away > 50, "{failed} requests were tried, {turned_away} were not");
    assert!(
        alpha + beta <= 2 * (5 + STRAGGLERS) + failed,
        "{alpha} and {beta} calls for {failed} requests"
    );
    scene.beta.set(Behaviour::Answer);
    scene.end();
}

#[test]
fn g6_a_limited_rate_is_waited_out_as_told_within_the_cap_and_is_no_failure() {
    let cases: [&[(&str, &str)]; 8] = [
        &[("retry-after", "2")],
        &[("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT")],
        &[("retry-after", "Mon, 01 Jan 1990 00:00:00 GMT")],
        &[("retry-after-ms", "50")],
        &[],
        &[("retry-after", "1000000000")],
        &[("retry-after", "-1")],
        &[("retry-after", "soon"), ("x-ratelimit-reset-requests", "forever")],
    ];
    let scene = Scene::new();
    for headers in cases {
        scene.alpha.set(Behaviour::Status(429, headers, SAID));
        for _ in 0..10 {
            assert_answered_by(&scene.ask(), "beta");
        }
        scene.mend_alpha();
    }
    scene.alpha.set(Behaviour::Status(429, &[("retry-after", "2")], SAID));
    let reply = scene.ask_alpha();
    assert_refused(&reply, 429, "upstream_rate_limited");
    assert_eq!(reply.header("retry-after"), Some("2"));
    scene.end();
}

#[test]
fn g7_a_refused_key_is_the_gateways_fault_and_closes_the_provider() {
    for status in [401, 403] {
        let scene = Scene::new();
        scene.alpha.set(Behaviour::Status(status, JSON, SAID));
        assert_refused(&scene.ask_alpha(), 502, "upstream_auth");
        wait_for(
            "the provider to be known as misconfigured",
            Duration::from_secs(10),
            || scene.client().get("/health").json()["providers"]["alpha"]["trouble"] == "misconfigured",
        );
        let asked = scene.alpha.requests();
        for request in [chat("hello"), streamed_chat("hello")] {
            assert_answered_by(&scene.client().post(COMPLETIONS, &request), "beta");
        }
        assert_eq!(scene.alpha.requests(), asked, "asked again with a key that it refuses");
        assert!(
            !scene.gateway.log().iter().any(|line| line.contains("sk-secret")),
            "{:?}",
            scene.gateway.log()
        );
        scene.end_without_alpha();
    }
}

#[test]
fn g8_an_input_that_is_too_long_goes_to_no_equal_window_and_hurts_no_breaker() {
    const TOO_LONG: &str = r#"{"error":{"message":"secret-upstream-detail","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let scene = Scene::with(|setup, alpha, _| {
        setup
            .model(&Model::free("alpha-wide", alpha).window(256_000))
            .env("CHAT_MODELS", "alpha-small,beta-small,alpha-wide")
            .toml(QUICK_BREAKERS)
    });
    scene.alpha.set(Behaviour::Status(400, JSON, TOO_LONG));
    for _ in 0..10 {
        assert_refused(&scene.ask_alpha(), 422, "context_length_exceeded");
    }
    assert_eq!(scene.requests(), (10, 0));
    assert_refused(&scene.ask(), 422, "context_length_exceeded");
    assert_eq!(
        scene.requests(),
        (12, 0),
        "the larger window is tried, the equal one is not"
    );
    scene.alpha.set(Behaviour::Answer);
    assert_answered_by(&scene.ask(), "alpha");
    scene.end();
}

/// What a provider says under a good status in the place of a stream's first event, and of a whole answer.
fn told_in_an_answer(error: &str) -> [Behaviour; 2] {
    const EVENTS: &[(&str, &str)] = &[("content-type", "text/event-stream")];
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    [
        Behaviour::Status(200, EVENTS, leak(format!("data: {{\"error\":{error}}}\n\n"))),
        Behaviour::Status(200, JSON, leak(format!("{{\"error\":{error}}}"))),
    ]
}

#[test]
fn a_refusal_told_in_a_good_answer_is_told_as_one_and_hurts_no_breaker() {
    let scene = Scene::new();
    for (error, status, word) in [
        (
            r#"{"message":"secret-upstream-detail","code":"context_length_exceeded"}"#,
            422,
            "context_length_exceeded",
        ),
        (
            r#"{"message":"secret-upstream-detail","code":"invalid_prompt"}"#,
            400,
            "upstream_invalid_request",
        ),
    ] {
        let [events, body] = told_in_an_answer(error);
        for (behaviour, stream) in [(events, true), (body.clone(), true), (body, false)] {
            scene.alpha.set(behaviour);
            let (alpha, beta) = scene.requests();
            for _ in 0..7 {
                let mut request = for_model("alpha-small");
                request["stream"] = stream.into();
                assert_refused(&scene.client().post(COMPLETIONS, &request), status, word);
            }
            assert_eq!(scene.requests(), (alpha + 7, beta), "{error}");
        }
    }
    scene.end();
}

#[test]
fn a_limited_rate_told_in_a_good_answer_is_told_as_one_and_cools_its_provider_down() {
    let scene = Scene::new();
    for behaviour in told_in_an_answer(r#"{"message":"secret-upstream-detail","code":429}"#) {
        scene.alpha.set(behaviour);
        let mut request = for_model("alpha-small");
        request["stream"] = true.into();
        let reply = scene.client().post(COMPLETIONS, &request);
        assert_refused(&reply, 429, "upstream_rate_limited");
        assert_eq!(reply.header("retry-after"), Some("5"));
        wait_for("the provider to be left alone", Duration::from_secs(10), || {
            scene.client().get("/health").json()["providers"]["alpha"]["trouble"] == "cooling-down"
        });
        scene.mend_alpha();
    }
    scene.end();
}

#[test]
fn an_overload_is_told_as_one_with_the_time_to_wait() {
    let scene = Scene::new();
    for (status, told, word, wait) in [
        (529, 503, "overloaded", Some("9")),
        (503, 502, "upstream_error", Some("9")),
    ] {
        scene
            .alpha
            .set(Behaviour::Status(status, &[("retry-after", "9")], SAID));
        let reply = scene.ask_alpha();
        assert_refused(&reply, told, word);
        assert_eq!(reply.header("retry-after"), wait, "{status}");
    }
    scene.end();
}

#[test]
fn g5_what_a_provider_says_of_its_errors_is_in_no_log_and_its_code_is() {
    const WITH_CODE: &str = r#"{"error":{"message":"you said: secret-upstream-detail","code":"over_easy","param":"secret-upstream-detail"}}"#;
    const WITH_TEXT: &str = r#"{"error":"you said: secret-upstream-detail"}"#;
    let scene = Scene::with(|setup, _, _| setup.toml(QUICK_BREAKERS).env("LOG_LEVEL", "debug"));
    for status in [400, 413, 429, 500, 503] {
        for said in [WITH_CODE, WITH_TEXT, "secret-upstream-detail\u{1b}[31m\n"] {
            scene.alpha.set(Behaviour::Status(status, JSON, said));
            let (before, _) = scene.requests();
            // Another worker may still leave it alone for what it said before.
            wait_for("alpha to be asked", Duration::from_secs(45), || {
                let reply = scene.ask_alpha();
                assert!(reply.status >= 400, "{}", reply.text());
                scene.requests().0 > before
            });
            scene.mend_alpha();
        }
    }
    scene.alpha.set(Behaviour::ErrorFrameFirst);
    assert_answered_by(&scene.client().post(COMPLETIONS, &streamed_chat("hello")), "beta");
    let log = scene.gateway.log().join("\n");
    assert!(log.contains("answered 500: over_easy"), "{log}");
    assert!(log.contains("status=500"), "{log}");
    scene.end();
}

#[test]
fn g9_a_model_that_is_gone_takes_no_other_model_of_its_provider_along() {
    let scene = Scene::with(|setup, alpha, _| setup.model(&Model::free("alpha-other", alpha)).toml(QUICK_BREAKERS));
    scene.alpha.set(Behaviour::Status(404, JSON, SAID));
    for _ in 0..10 {
        assert_answered_by(&scene.ask(), "beta");
    }
    let asked = scene.alpha.requests();
    assert!(
        asked <= 5 + STRAGGLERS,
        "the model is gone, and was asked for {asked} times"
    );
    scene.alpha.set(Behaviour::Answer);
    let other = scene.client().post(COMPLETIONS, &for_model("alpha-other"));
    assert_answered_by(&other, "alpha");
    scene.end_without_alpha();
}

#[test]
fn g10_a_request_that_the_provider_will_not_take_goes_nowhere_else_and_hurts_no_breaker() {
    let scene = Scene::new();
    for (status, told, kind) in [
        (413, 422, "upstream_rejected"),
        (415, 422, "upstream_rejected"),
        (409, 422, "upstream_rejected"),
        (422, 422, "upstream_rejected"),
        (400, 400, "upstream_invalid_request"),
    ] {
        scene.alpha.set(Behaviour::Status(status, JSON, SAID));
        let (alpha, beta) = scene.requests();
        for _ in 0..7 {
            assert_refused(&scene.ask(), told, kind);
        }
        assert_eq!(scene.requests(), (alpha + 7, beta), "{status}");
    }
    scene.alpha.set(Behaviour::Answer);
    assert_answered_by(&scene.ask(), "alpha");
    scene.end();
}
