//! Rows E10 to E14 and E19: what providers say of usage, and what is booked when they say nothing that can be.

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::{
    COST, NANO_A_TOKEN, On, SOON, Scene, TOKENS, assert_exhausted, for_model, on_each_database, paid, paid_stream,
};
use crate::support::{Behaviour, CallRow, Model, RawClient, Reply, UsageScript, wait_for};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const EVENTS: &[(&str, &str)] = &[("content-type", "text/event-stream")];

on_each_database![
    e10_usage_above_what_was_allowed_is_booked_in_full_told_and_stops_the_scope,
    e14_whenever_the_client_leaves_the_call_is_booked_for_what_the_provider_bills,
    e14_a_stream_that_is_left_and_does_not_end_is_booked_for_all_that_was_held,
];

/// An answer with these words about its usage.
pub(crate) fn answer(usage: &str) -> Behaviour {
    let usage = if usage.is_empty() {
        String::new()
    } else {
        format!(",\"usage\":{usage}")
    };
    let body = format!(
        "{{\"id\":\"c-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"paid-api\",\"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"four words of it\"}},\"finish_reason\":\"stop\"}}]{usage}}}"
    );
    Behaviour::Status(200, JSON, body.leak())
}

fn last_call(scene: &Scene, reply: &Reply) -> CallRow {
    let mut found = None;
    wait_for("the call record", SOON, || {
        found = scene
            .gateway
            .calls()
            .into_iter()
            .find(|call| call.request_id == reply.request_id());
        found.is_some()
    });
    found.unwrap()
}

fn e10_usage_above_what_was_allowed_is_booked_in_full_told_and_stops_the_scope(on: On) {
    let scene = Scene::new(on);
    scene.limit("global", 2 * COST);
    scene.paid.set(answer(
        r#"{"prompt_tokens":3,"completion_tokens":1000,"total_tokens":1003}"#,
    ));
    assert_eq!(scene.ask().status, 200);
    let all = 1000 * NANO_A_TOKEN;
    wait_for("the overrun to be posted", SOON, || {
        scene.books().posted("global") == all
    });
    assert_exhausted(&scene.ask());
    assert_eq!(scene.spent_at_rest("global"), all);
    assert_eq!((scene.books().recorded(), scene.books().estimated()), (all, 0));
    assert_eq!(scene.books().events("budget_overrun"), 1);
    assert_eq!(scene.paid.requests(), 1);
    // The scope is not stopped for ever.
    scene.limit("global", all + COST);
    scene.paid.set(Behaviour::Answer);
    assert_eq!(scene.ask().status, 200);
    assert_exhausted(&scene.ask());
    scene.finish();
}

#[test]
fn e11_what_is_said_of_usage_is_booked_as_far_as_it_can_be_believed() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 1_000 * COST);
    let tokens = |count: &str| format!(r#"{{"prompt_tokens":3,"completion_tokens":{count}}}"#);
    let mut sum = 0;
    // Whether it is flagged, and for what it is booked: at least, and at most.
    for (usage, estimated, (least, most)) in [
        // It may have thought besides.
        (String::new(), true, (COST, COST)),
        ("null".to_owned(), true, (COST, COST)),
        // No request is without input, and no text without output.
        (
            r#"{"prompt_tokens":0,"completion_tokens":0}"#.to_owned(),
            true,
            (COST, COST),
        ),
        (
            r#"{"prompt_tokens":0,"completion_tokens":4}"#.to_owned(),
            true,
            (COST, COST),
        ),
        (tokens("0"), true, (COST, COST)),
        (tokens("4"), false, (4 * NANO_A_TOKEN, 4 * NANO_A_TOKEN)),
        // Thoughts that only the total tells of.
        (
            r#"{"prompt_tokens":3,"completion_tokens":1,"total_tokens":8}"#.to_owned(),
            false,
            (COST, COST),
        ),
        (tokens("-5"), true, (COST, COST)),
        (tokens("1e18"), true, (COST, COST)),
        (tokens("1000000000000000000"), true, (COST, COST)),
        (tokens("18446744073709551616"), true, (COST, COST)),
        (tokens("1.5"), true, (COST, COST)),
        (tokens("\"many\""), true, (COST, COST)),
        (tokens("[4]"), true, (COST, COST)),
        (tokens("true"), true, (COST, COST)),
    ] {
        scene.paid.set(answer(&usage));
        let reply = scene.ask();
        assert_eq!(reply.status, 200, "{usage}: {}", reply.text());
        let call = last_call(&scene, &reply);
        let booked = call.cost_nano_usd;
        assert_eq!(call.estimated, estimated, "{usage}: {call:?}");
        assert!((least..=most).contains(&booked), "{usage}: {booked}");
        sum += booked;
    }
    // An answer that says nothing has no output.
    let silent = r#"{"id":"c-1","object":"chat.completion","created":1,"model":"paid-api","choices":[{"index":0,
        "message":{"role":"assistant","content":""},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":3,"completion_tokens":0}}"#;
    scene.paid.set(Behaviour::Status(200, JSON, silent));
    let call = last_call(&scene, &scene.ask());
    assert_eq!((call.cost_nano_usd, call.estimated), (0, false));
    // A number in a text may be taken for that number.
    scene.paid.set(answer(&tokens("\"4\"")));
    let call = last_call(&scene, &scene.ask());
    let booked = (call.cost_nano_usd, call.estimated);
    assert!(
        booked == (4 * NANO_A_TOKEN, false) || booked == (COST, true),
        "{call:?}"
    );
    assert_eq!(scene.spent_at_rest("global"), sum + booked.0);
    scene.finish();
}

/// The provider may go on with what somebody between it and the gateway does not wait for any more.
#[test]
fn what_somebody_before_the_provider_has_given_up_on_is_booked_for_all_that_was_held() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 10 * COST);
    let mut sum = 0;
    for (status, told, booked) in [
        (500, 502, 0),
        (502, 502, 0),
        (503, 502, 0),
        (504, 502, COST),
        (524, 502, COST),
        (529, 503, 0),
    ] {
        scene.paid.set(Behaviour::Status(status, JSON, "{}"));
        let reply = scene.ask();
        assert_eq!(reply.status, told, "{status}: {}", reply.text());
        let call = last_call(&scene, &reply);
        assert_eq!((call.cost_nano_usd, call.estimated), (booked, booked > 0), "{status}");
        sum += booked;
    }
    assert_eq!(scene.spent_at_rest("global"), sum);
    scene.finish();
}

#[test]
fn e12_of_two_reports_in_one_stream_the_last_counts() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 10 * COST);
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"paid-api\",\
             \"choices\":[{choices}],\"usage\":{usage}}}\n\n"
        )
    };
    let usage = |output: i64| format!(r#"{{"prompt_tokens":3,"completion_tokens":{output}}}"#);
    let text = [
        chunk(r#"{"index":0,"delta":{"role":"assistant","content":"a"}}"#, &usage(1)),
        chunk(
            r#"{"index":0,"delta":{"content":" b"},"finish_reason":"stop"}"#,
            &usage(2),
        ),
        chunk("", &usage(3)),
        "data: [DONE]\n\n".to_owned(),
    ];
    scene.paid.set(Behaviour::Status(200, EVENTS, text.concat().leak()));
    let reply = scene.admin().post(COMPLETIONS, &paid_stream(TOKENS));
    assert!(reply.is_done(), "{}", reply.text());
    let call = last_call(&scene, &reply);
    assert_eq!((call.cost_nano_usd, call.estimated), (3 * NANO_A_TOKEN, false));
    scene.finish();
}

#[test]
fn e11_a_stream_that_says_it_used_nothing_is_booked_as_one_that_says_nothing() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 10 * COST);
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"paid-api\",\
             \"choices\":[{choices}],\"usage\":{usage}}}\n\n"
        )
    };
    for usage in [
        r#"{"prompt_tokens":0,"completion_tokens":0}"#,
        r#"{"prompt_tokens":3,"completion_tokens":0}"#,
    ] {
        let text = [
            chunk(r#"{"index":0,"delta":{"role":"assistant","content":"a b"}}"#, "null"),
            chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#, "null"),
            chunk("", usage),
            "data: [DONE]\n\n".to_owned(),
        ];
        scene.paid.set(Behaviour::Status(200, EVENTS, text.concat().leak()));
        let reply = scene.admin().post(COMPLETIONS, &paid_stream(TOKENS));
        assert!(reply.is_done(), "{}", reply.text());
        let call = last_call(&scene, &reply);
        assert_eq!((call.cost_nano_usd, call.estimated), (COST, true), "{usage}");
    }
    assert_eq!(scene.spent_at_rest("global"), 2 * COST);
    scene.finish();
}

/// Asks the priced model for a stream, over a connection that can be left.
fn open_stream(scene: &Scene) -> RawClient {
    let mut raw = RawClient::connect(scene.gateway.address());
    let body = paid_stream(TOKENS).to_string();
    raw.send(format!(
        "POST {COMPLETIONS} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        scene.gateway.authorization().unwrap(),
        body.len()
    ));
    raw
}

fn e14_whenever_the_client_leaves_the_call_is_booked_for_what_the_provider_bills(on: On) {
    let scene = Scene::new(on);
    scene.limit("global", 100 * COST);
    // Before the first byte, in the middle, and when all is there but the usage.
    for (number, (behaviour, events)) in [
        (Behaviour::Held, 0),
        (Behaviour::Slow(std::time::Duration::from_millis(30)), 2),
        (Behaviour::Slow(std::time::Duration::from_millis(30)), 6),
    ]
    .into_iter()
    .enumerate()
    {
        scene.paid.set(behaviour);
        let mut raw = open_stream(&scene);
        wait_for("the call", SOON, || scene.paid.requests() > number);
        for event in 0..events.min(TOKENS) {
            assert!(raw.read_until(&format!("paid-{}", event + 1)));
        }
        drop(raw);
        scene.paid.set(Behaviour::Answer);
        scene.gateway.wait_for_calls(number + 1);
        let books = scene.books();
        let (billed, recorded) = (scene.bill(), books.recorded());
        assert!(recorded >= billed, "{recorded} recorded for {billed} billed");
        assert!(
            recorded <= billed + books.estimated(),
            "{recorded} recorded for {billed} billed"
        );
        assert_eq!(scene.spent_at_rest("global"), recorded);
    }
    scene.finish();
}

/// Nobody reads on for ever what nobody wants, and how much more was made, seen or not, is not known then.
fn e14_a_stream_that_is_left_and_does_not_end_is_booked_for_all_that_was_held(on: On) {
    let scene = Scene::new(on);
    scene.limit("global", 2 * COST);
    scene.paid.set_usage(UsageScript {
        reasoning: 3,
        ..UsageScript::default()
    });
    scene.paid.set(Behaviour::StallMidStream);
    let mut raw = open_stream(&scene);
    assert!(raw.read_until("paid-1"));
    drop(raw);
    scene.gateway.wait_for_calls(1);
    assert!(scene.bill() > NANO_A_TOKEN, "what is not shown is billed too");
    assert_eq!(scene.spent_at_rest("global"), COST);
    assert_eq!((scene.books().recorded(), scene.books().estimated()), (COST, COST));
    scene.finish();
}

#[test]
fn e19_the_smallest_price_rounds_up_and_the_largest_limit_does_not_overflow() {
    let scene = Scene::with(On::Sqlite, |setup, paid| {
        setup.model(&Model::free("cheap", paid).priced("0", "0.000037"))
    });
    scene.limit("global", i64::MAX);
    scene.limit("project:p", i64::MAX);
    let (_, client) = scene.key(&json!({ "name": "k", "projectId": "p" }));
    let ask = |model: &str, tokens: i64| -> Value {
        let mut body = for_model(model);
        body["max_tokens"] = json!(tokens);
        let reply = client.post(COMPLETIONS, &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        json!(last_call(&scene, &reply).cost_nano_usd)
    };
    assert_eq!(ask("cheap", 1), 1);
    assert_eq!(ask("cheap", 5), 1);
    assert_eq!(ask("paid", TOKENS), COST);
    assert_eq!(scene.spent_at_rest("global"), COST + 2);
    assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200);
    assert_eq!(scene.spent_at_rest("project:p"), 2 * COST + 2);
    scene.finish();
}

#[test]
fn e10_a_threshold_is_told_once() {
    let scene = Scene::new(On::Sqlite);
    scene.set(
        "global",
        &json!({ "limitNanoUsd": 10 * COST, "window": "total", "alertPercents": [20, 40] }),
    );
    for _ in 0..8 {
        assert_eq!(scene.ask().status, 200);
    }
    assert_eq!(scene.spent_at_rest("global"), 8 * COST);
    assert_eq!(scene.books().events("budget_threshold"), 2);
    assert_eq!(scene.books().events("budget_overrun"), 0);
    scene.finish();
}

#[test]
fn e13_cached_and_reasoned_tokens_are_booked_by_their_own_prices() {
    let scene = Scene::with(On::Sqlite, |setup, paid| {
        let more = "cached_input_usd_per_mtok = 1";
        setup.model(&Model::free("cache", paid).priced("10", "2").more(more))
    });
    scene.limit("global", i64::MAX);
    scene.paid.set_usage(UsageScript {
        cached: 7,
        reasoning: 3,
        ..UsageScript::default()
    });
    let mut body = for_model("cache");
    body["max_tokens"] = json!(50);
    let reply = scene.admin().post(COMPLETIONS, &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let call = last_call(&scene, &reply);
    let bill = scene.paid.bill().remove(0);
    let (input, cached, output) = (bill.input_tokens, bill.cached_tokens, bill.output_tokens);
    assert_eq!((cached, bill.reasoning_tokens), (7, 3));
    let charged = (input - cached) * 10_000 + cached * 1_000 + output * 2_000;
    assert_eq!(call.cost_nano_usd, i64::try_from(charged).unwrap(), "{call:?}");
    assert_eq!(scene.spent_at_rest("global"), call.cost_nano_usd);
    scene.finish();
}
