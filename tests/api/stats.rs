//! What `/v1/server-stats` says is what the call records say, to the nano-USD.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{
    Behaviour, Gateway, Model, Provider, RawClient, Setup, chat, in_parallel, streamed_chat, wait_for,
};

/// Compares the totals with the sums over the records of this process. The gateway must be settled.
#[track_caller]
pub(crate) fn assert_stats_agree_with_records(gateway: &Gateway) {
    let stats = gateway.stats();
    let calls = gateway.calls_of_this_process();
    let input: i64 = calls.iter().map(|call| call.input_tokens).sum();
    let output: i64 = calls.iter().map(|call| call.output_tokens).sum();
    let cost: i64 = calls.iter().map(|call| call.cost_nano_usd).sum();

    let llm = &stats["llm"];
    assert_eq!(llm["totalCalls"], json!(calls.len()), "{llm}");
    assert_eq!(
        llm["tokens"],
        json!({ "input": input, "output": output, "total": input + output })
    );
    assert_eq!(llm["cost"]["totalNanoUsd"], json!(cost), "{llm}");
    assert_eq!(llm["cost"]["currency"], "USD");
    assert_eq!(nano_of(&llm["cost"]["total"]), cost, "{llm}");
}

/// A printed amount in USD as nano-USD, read from its digits: no float in between.
fn nano_of(usd: &Value) -> i64 {
    let text = usd.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    assert!(
        fraction.len() <= 9 && !fraction.contains('e'),
        "not an exact amount: {text}"
    );
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

#[test]
fn totals_equal_the_call_records_after_failures_streams_and_clients_that_left() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let setup = Setup::new()
        .provider_with(&alpha, "timeouts = { first_byte_ms = 1000 }")
        .provider(&beta)
        .model(&Model::free("alpha-small", &alpha).priced("0.037", "0.123"))
        .model(&Model::free("beta-small", &beta).priced("0.15", "0.60"))
        .env("CHAT_MODELS", "alpha-small,beta-small");
    let gateway = Gateway::start(setup);
    let client = gateway.client();

    for behaviour in [
        Behaviour::BROKEN,
        Behaviour::ErrorFrameFirst,
        Behaviour::UsageMissing,
        Behaviour::DieAfterEvents(2),
        Behaviour::StallBeforeHead,
    ] {
        for request in [chat("a whole answer"), streamed_chat("a stream")] {
            // Good answers in between keep the breaker closed.
            for behaviour in [Behaviour::Answer, behaviour.clone(), Behaviour::Answer] {
                alpha.set(behaviour);
                let mut request = request.clone();
                request["model"] = json!("alpha-small");
                client.post(COMPLETIONS, &request);
            }
        }
    }
    in_parallel(200, 8, |number| {
        let message = "word ".repeat(number + 1);
        let reply = match number % 3 {
            0 => client.post(COMPLETIONS, &chat(&message)),
            1 => client.post(COMPLETIONS, &streamed_chat(&message)),
            _ => client.post("/v1/route", &json!({ "message": message })),
        };
        assert_eq!(reply.status, 200, "{}", reply.text());
    });
    leave_at_every_stage(&gateway, &[&alpha, &beta]);

    gateway.wait_until_settled();
    assert_stats_agree_with_records(&gateway);
    let calls = gateway.calls();
    for outcome in [
        "completed",
        "refused",
        "malformed",
        "broken",
        "timed_out",
        "client_left",
    ] {
        assert!(
            calls.iter().any(|call| call.outcome == outcome),
            "the run had no attempt that {outcome}"
        );
    }
    let attempts = alpha.requests() + beta.requests();
    assert_eq!(
        calls.len(),
        attempts,
        "attempts that the providers saw and attempts recorded"
    );
    gateway.finish();
}

/// Clients that go away before the first event, between events, with a farewell and with a reset.
fn leave_at_every_stage(gateway: &Gateway, providers: &[&Provider]) {
    for provider in providers {
        provider.set_tokens(50);
        provider.set(Behaviour::Slow(Duration::from_millis(40)));
    }
    in_parallel(20, 10, |number| {
        let mut client = RawClient::connect(gateway.address());
        client.post(COMPLETIONS, &streamed_chat("I shall not stay"));
        if number % 4 > 0 {
            assert!(client.read_until(&format!("-{} ", number % 4 * 2)), "{}", client.text());
        }
        if number % 2 == 0 {
            client.reset();
        } else {
            client.leave();
        }
    });
    wait_for("the abandoned streams to be over", Duration::from_secs(30), || {
        providers.iter().all(|provider| provider.running() == 0)
    });
}

#[test]
fn a_client_that_leaves_is_charged_for_what_the_provider_made() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider(&alpha)
        .model(&Model::free("alpha-small", &alpha).priced("1", "2"));
    let gateway = Gateway::start(setup);
    alpha.set_tokens(20);
    alpha.set(Behaviour::Slow(Duration::from_millis(40)));

    let mut client = RawClient::connect(gateway.address());
    client.post(COMPLETIONS, &streamed_chat("one two three"));
    assert!(client.read_until("alpha-4 "));
    client.reset();

    let call = gateway.wait_for_calls(1).remove(0);
    let charge = alpha.bill().remove(0);
    assert_eq!(call.outcome, "client_left");
    let billed = i64::try_from(charge.input_tokens * 1_000 + charge.output_tokens * 2_000).unwrap();
    assert!(
        call.cost_nano_usd >= billed,
        "billed {billed} nano-USD, recorded {call:?}"
    );
    gateway.finish();
}

#[test]
fn server_stats_have_the_documented_shape() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    gateway.client().post(COMPLETIONS, &chat("hello"));
    gateway.wait_until_settled();
    let stats = gateway.stats();
    assert!(stats["uptime"]["seconds"].is_u64(), "{stats}");
    assert!(stats["uptime"]["formatted"].as_str().unwrap().contains('s'));
    assert!(stats["requests"]["total"].as_u64().unwrap() >= 1);
    assert!(stats["requests"]["averageDuration"].is_number());
    assert_eq!(stats["llm"]["totalCalls"], 1);
    assert!(stats["memory"]["heapUsed"].as_f64().unwrap() > 0.0, "{stats}");
    assert_eq!(stats["memory"]["unit"], "MB");
    assert_eq!(stats["providers"], json!({ "alpha": true }));
    assert!(stats["timestamp"].as_str().unwrap().ends_with('Z'));
    gateway.finish();
}
