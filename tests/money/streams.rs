//! Row E12: what a stream says of its usage, and when it says it.

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{COST, NANO_A_TOKEN, On, SOON, Scene, TOKENS, paid_stream};
use crate::support::{Behaviour, CallRow, Model, Provider, Reply, wait_for};

const EVENTS: &[(&str, &str)] = &[("content-type", "text/event-stream")];

fn call_of(scene: &Scene, reply: &Reply) -> CallRow {
    let mut found = None;
    wait_for("the call record", SOON, || {
        let mut calls = scene.gateway.calls().into_iter();
        found = calls.find(|call| call.request_id == reply.request_id());
        found.is_some()
    });
    found.unwrap()
}

/// A chunk of a chat completion: its choice, if it has one, and its usage, if it says any.
fn chunk(choice: &str, usage: Option<i64>) -> String {
    let usage = usage.map_or_else(
        || "null".to_owned(),
        |output| format!(r#"{{"prompt_tokens":3,"completion_tokens":{output}}}"#),
    );
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"paid-api\",\
         \"choices\":[{choice}],\"usage\":{usage}}}\n\n"
    )
}

const ROLE: &str = r#"{"index":0,"delta":{"role":"assistant"}}"#;
const TEXT: &str = r#"{"index":0,"delta":{"content":"a b c d"}}"#;
const STOP: &str = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;

#[test]
fn e12_what_a_stream_says_of_usage_before_its_end_is_not_that_of_the_whole_answer() {
    let scene = Scene::new(On::Sqlite);
    scene.limit("global", 100 * COST);
    let mut sum = 0;
    for (chunks, booked, estimated) in [
        // Said before the text, with it, and not again.
        (
            vec![chunk(ROLE, Some(1)), chunk(TEXT, None), chunk(STOP, None)],
            COST,
            true,
        ),
        (
            vec![chunk(TEXT, Some(1)), chunk(TEXT, None), chunk(STOP, None)],
            COST,
            true,
        ),
        (vec![chunk(TEXT, Some(1)), chunk(STOP, None)], COST, true),
        // Said once more, and less.
        (
            vec![
                chunk(TEXT, None),
                chunk(STOP, None),
                chunk("", Some(4)),
                chunk("", Some(1)),
            ],
            COST,
            true,
        ),
        (
            vec![chunk(TEXT, Some(1)), chunk(STOP, Some(4))],
            4 * NANO_A_TOKEN,
            false,
        ),
        (
            vec![
                chunk(TEXT, None),
                chunk(STOP, None),
                chunk("", Some(4)),
                chunk("", Some(4)),
            ],
            4 * NANO_A_TOKEN,
            false,
        ),
    ] {
        let text = format!("{}data: [DONE]\n\n", chunks.concat());
        scene.paid.set(Behaviour::Status(200, EVENTS, text.clone().leak()));
        let reply = scene.admin().post(COMPLETIONS, &paid_stream(TOKENS));
        assert!(reply.is_done(), "{}", reply.text());
        let call = call_of(&scene, &reply);
        assert_eq!((call.cost_nano_usd, call.estimated), (booked, estimated), "{text}");
        sum += booked;
    }
    assert_eq!(scene.spent_at_rest("global"), sum);
    scene.finish();
}

#[test]
fn e12_the_output_that_the_start_of_a_message_names_is_not_that_of_the_whole_answer() {
    let claude = Provider::start("claude");
    let scene = Scene::with(On::Sqlite, |setup, _| {
        let model = Model::free("claude", &claude).priced("0", "2");
        setup.provider_kind(&claude, "anthropic", "").model(&model)
    });
    scene.limit("global", 100 * COST);
    let message = |delta: &str| {
        let end = format!("event: message_delta\ndata: {{\"type\":\"message_delta\",{delta}}}\n\n");
        format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_1\",\"type\":\"message\",\
             \"role\":\"assistant\",\"model\":\"claude-api\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\
             \"usage\":{{\"input_tokens\":20,\"output_tokens\":1}}}}}}\n\n\
             event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\
             \"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n\
             event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
             \"delta\":{{\"type\":\"text_delta\",\"text\":\"a b c d\"}}}}\n\n\
             event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n{end}\
             event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        )
    };
    let ended = r#""delta":{"stop_reason":"end_turn","stop_sequence":null}"#;
    let mut sum = 0;
    for (usage, booked, estimated) in [
        ("", COST, true),
        (",\"usage\":null", COST, true),
        (",\"usage\":{}", COST, true),
        (",\"usage\":{\"output_tokens\":null}", COST, true),
        (",\"usage\":{\"output_tokens\":0}", COST, true),
        (",\"usage\":{\"input_tokens\":20}", COST, true),
        (",\"usage\":{\"output_tokens\":4}", 4 * NANO_A_TOKEN, false),
    ] {
        let text = message(&format!("{ended}{usage}"));
        claude.set(Behaviour::Status(200, EVENTS, text.leak()));
        for path in ["/v1/messages", COMPLETIONS] {
            let body = json!({ "model": "claude", "max_tokens": TOKENS, "stream": true,
                               "messages": [{ "role": "user", "content": "go" }] });
            let reply = scene.admin().post(path, &body);
            assert_eq!(reply.status, 200, "{}", reply.text());
            let call = call_of(&scene, &reply);
            assert_eq!(
                (call.cost_nano_usd, call.estimated),
                (booked, estimated),
                "{path}: {usage}"
            );
            sum += booked;
        }
    }
    assert_eq!(scene.spent_at_rest("global"), sum);
    scene.finish();
}
