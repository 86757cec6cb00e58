//! A provider that breaks under load costs no client an answer, and gets its traffic back when it is well.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::COMPLETIONS;
use crate::support::{
    Behaviour, CallRow, Client, Gateway, Model, Provider, Reply, Setup, chat, in_parallel, streamed_chat, wait_for,
};

const REQUESTS: usize = 1_000;
const AT_ONCE: usize = 16;
/// The request before which the first provider breaks.
const BREAKS_AT: usize = 300;
/// An open breaker stops the attempts; without one, all of the 700 requests after the break would try first.
const MOST_FAILED_ATTEMPTS: usize = 100;
/// A breaker opens for about 5 s at first, and longer when the probe fails.
const RECOVERY_LIMIT: Duration = Duration::from_secs(45);

const ALPHA: &str = "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5";
const BETA: &str = "beta-1 beta-2 beta-3 beta-4 beta-5";

/// A way for a provider to break, and how the call records describe it.
struct Outage {
    break_it: fn(&Provider),
    mend_it: fn(&Provider),
    request: fn(&str) -> Value,
    outcomes: &'static [&'static str],
}

/// Sends the load while the first of two providers breaks, and checks answers, records, breaker and recovery.
fn no_request_is_lost_in(outage: &Outage) {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let setup = Setup::new()
        .provider_with(&alpha, "timeouts = { first_byte_ms = 1000 }")
        .provider(&beta)
        .model(&Model::free("alpha-small", &alpha))
        .model(&Model::free("beta-small", &beta))
        .env("CHAT_MODELS", "alpha-small,beta-small");
    let gateway = Gateway::start(setup);
    let client = gateway.client();

    let replies = in_parallel(REQUESTS, AT_ONCE, |index| {
        if index == BREAKS_AT {
            (outage.break_it)(&alpha);
        }
        client.post(COMPLETIONS, &(outage.request)("hello"))
    });

    for reply in &replies {
        assert_whole(reply);
    }
    gateway.wait_until_settled();
    assert_records(&gateway.calls(), &replies, outage.outcomes);

    (outage.mend_it)(&alpha);
    wait_for_traffic(&client, &alpha);
    gateway.finish();
}

/// A whole answer of one provider, and nothing of what the other said.
#[track_caller]
fn assert_whole(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(!reply.cut, "cut: {}", reply.text());
    let content = reply.content();
    assert!(
        content == ALPHA || content == BETA,
        "not a whole answer of one provider: {content:?}"
    );
    let streamed = reply.text().starts_with("data:");
    assert!(
        !streamed || reply.is_done(),
        "a stream without its end mark: {}",
        reply.text()
    );
}

/// One successful attempt for each answer, failed ones in front of it, and few of those, since the breaker opened.
#[track_caller]
fn assert_records(calls: &[CallRow], replies: &[Reply], outcomes: &[&str]) {
    let (succeeded, failed): (Vec<&CallRow>, Vec<&CallRow>) = calls.iter().partition(|call| call.success);
    let by_request: HashMap<&str, &CallRow> = succeeded.iter().map(|call| (call.request_id.as_str(), *call)).collect();
    assert_eq!(succeeded.len(), replies.len());
    assert_eq!(
        by_request.len(),
        replies.len(),
        "a request with two successful attempts"
    );
    for reply in replies {
        let call = by_request[reply.request_id()];
        assert!(
            reply.content().starts_with(&call.provider),
            "recorded as answered by {}",
            call.provider
        );
    }

    assert!(!failed.is_empty(), "the failed attempts have no records");
    assert!(
        failed.len() < MOST_FAILED_ATTEMPTS,
        "{} failed attempts: no breaker opened",
        failed.len()
    );
    for call in failed {
        assert_eq!(call.provider, "alpha");
        assert!(outcomes.contains(&call.outcome.as_str()), "{call:?}");
        let answered = by_request[call.request_id.as_str()];
        assert!(call.ordinal < answered.ordinal, "{call:?} came after {answered:?}");
    }
}

/// Goes on asking until the provider is the first choice again.
fn wait_for_traffic(client: &Client, provider: &Provider) {
    wait_for("the traffic to come back", RECOVERY_LIMIT, || {
        let before = provider.requests();
        for _ in 0..10 {
            assert_whole(&client.post(COMPLETIONS, &chat("are you back?")));
        }
        provider.requests() == before + 10
    });
}

#[test]
fn g1_killing_the_first_provider_mid_load_loses_no_request() {
    no_request_is_lost_in(&Outage {
        break_it: Provider::kill,
        mend_it: Provider::revive,
        request: chat,
        outcomes: &["connect_failed", "broken"],
    });
}

#[test]
fn g5_a_provider_that_answers_500_mid_load_loses_no_request() {
    no_request_is_lost_in(&Outage {
        break_it: |alpha| alpha.set(Behaviour::BROKEN),
        mend_it: |alpha| alpha.set(Behaviour::Answer),
        request: chat,
        outcomes: &["refused"],
    });
}

#[test]
fn g2_a_provider_that_stalls_before_the_first_byte_mid_load_loses_no_request() {
    no_request_is_lost_in(&Outage {
        break_it: |alpha| alpha.set(Behaviour::StallBeforeHead),
        mend_it: |alpha| alpha.set(Behaviour::Answer),
        request: chat,
        outcomes: &["timed_out"],
    });
}

#[test]
fn a_provider_that_sends_an_error_frame_first_mid_load_loses_no_stream() {
    no_request_is_lost_in(&Outage {
        break_it: |alpha| alpha.set(Behaviour::ErrorFrameFirst),
        mend_it: |alpha| alpha.set(Behaviour::Answer),
        request: streamed_chat,
        outcomes: &["malformed"],
    });
}

#[test]
fn a_stream_that_stalls_before_its_first_event_goes_to_the_next_provider() {
    no_request_is_lost_in(&Outage {
        break_it: |alpha| alpha.set(Behaviour::StallBeforeFirstEvent),
        mend_it: |alpha| alpha.set(Behaviour::Answer),
        request: streamed_chat,
        outcomes: &["timed_out"],
    });
}

#[test]
fn g11_an_answer_that_is_no_answer_goes_to_the_next_provider() {
    let whole: &[Behaviour] = &[
        Behaviour::HTML,
        Behaviour::Status(200, &[("content-type", "application/json")], "{}"),
        Behaviour::Status(200, &[("content-type", "application/json")], ""),
        Behaviour::Status(
            200,
            &[("content-type", "application/json")],
            r#"{"error":{"message":"no"}}"#,
        ),
        Behaviour::Status(302, &[("location", "http://127.0.0.1:9/")], ""),
        Behaviour::TruncatedBody,
        Behaviour::ResetAfterRequest,
    ];
    let streams: &[Behaviour] = &[
        Behaviour::HTML,
        Behaviour::EmptyStream,
        Behaviour::CommentsOnly,
        Behaviour::ErrorFrameFirst,
        Behaviour::ResetAfterRequest,
        Behaviour::DieAfterEvents(0),
    ];
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    let client = gateway.client();
    for (request, behaviours) in [(chat("hello"), whole), (streamed_chat("hello"), streams)] {
        for behaviour in behaviours {
            alpha.set(Behaviour::Answer);
            wait_for_traffic(&client, &alpha);
            let before = alpha.requests();
            alpha.set(behaviour.clone());
            let reply = client.post(COMPLETIONS, &request);
            assert_whole(&reply);
            assert_eq!(reply.content(), BETA, "after {behaviour:?}");
            assert_eq!(alpha.requests(), before + 1, "{behaviour:?} was tried again");
        }
    }
    gateway.finish();
}

#[test]
fn a_stream_that_dies_after_its_first_event_ends_in_an_error_and_never_in_a_splice() {
    for events in 1..5 {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
        alpha.set(Behaviour::DieAfterEvents(events));

        let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));

        assert_eq!(reply.status, 200);
        let seen: Vec<String> = reply.events();
        assert!(
            !seen.iter().any(|data| data == "[DONE]"),
            "a broken stream looks finished: {seen:#?}"
        );
        let last: Value = serde_json::from_str(seen.last().unwrap()).unwrap();
        assert!(last["error"]["message"].is_string(), "no error at the end: {seen:#?}");
        let pieces: Vec<String> = (1..=events).map(|number| format!("alpha-{number}")).collect();
        assert_eq!(reply.content().trim_end(), pieces.join(" "));
        assert_eq!(
            beta.requests(),
            0,
            "a second provider was asked after the first had spoken"
        );

        let calls = gateway.wait_for_calls(1);
        assert_eq!((calls[0].outcome.as_str(), calls[0].success), ("broken", false));
        assert!(calls[0].estimated, "{:?}", calls[0]);
        gateway.finish();
    }
}

#[test]
fn a_stream_that_stalls_in_the_middle_ends_in_an_error() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::StallMidStream);
    let setup = Setup::new()
        .provider_with(&alpha, "timeouts = { idle_ms = 300 }")
        .model(&Model::free("alpha-small", &alpha));
    let gateway = Gateway::start(setup);

    let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));

    let last: Value = serde_json::from_str(reply.events().last().unwrap()).unwrap();
    assert!(last["error"]["message"].is_string(), "{}", reply.text());
    assert_eq!(reply.content().trim_end(), "alpha-1");
    assert_eq!(gateway.wait_for_calls(1)[0].outcome, "timed_out");
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

#[test]
fn entries_that_share_a_provider_name_for_the_model_stand_in_for_each_other() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let setup = Setup::new()
        .provider(&alpha)
        .provider(&beta)
        .model(&Model::free("alpha-mini", &alpha).api_model("shared-mini"))
        .model(&Model::free("beta-mini", &beta).api_model("shared-mini"));
    let gateway = Gateway::start(setup);
    let mut request = chat("hello");
    request["model"] = "shared-mini".into();
    for (dead, alive) in [(&alpha, BETA), (&beta, ALPHA)] {
        dead.kill();
        wait_for("the other one to answer", RECOVERY_LIMIT, || {
            let reply = gateway.client().post(COMPLETIONS, &request);
            reply.status == 200 && reply.content() == alive
        });
        dead.revive();
    }
    gateway.finish();
}
