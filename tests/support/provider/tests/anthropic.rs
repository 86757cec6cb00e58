//! Anthropic Messages against the types of the Python package `anthropic` 2.14.

use serde_json::{Value, json};

use super::client;
use super::scene::Spoken;
use super::shape::assert_shape;
use crate::support::{Content, Provider, SseEvent, UsageScript};

fn usage() -> Value {
    json!({
        "input_tokens": "count",
        "cache_read_input_tokens": "count",
        "cache_creation_input_tokens": "count",
        "cache_creation": { "ephemeral_5m_input_tokens": "count", "ephemeral_1h_input_tokens": "count" },
        "output_tokens": "count",
        "output_tokens_details?": { "thinking_tokens": "count" },
        "service_tier": "=standard",
    })
}

fn message() -> Value {
    json!({
        "id": "text",
        "type": "=message",
        "role": "=assistant",
        "model": "text",
        "content": ["object"],
        "stop_reason": "null|=end_turn|=max_tokens|=tool_use|=refusal",
        "stop_sequence": "null",
        "stop_details?": stop_details(),
        "usage": usage(),
        "x_provider_extra?": { "kept": "bool" },
    })
}

fn stop_details() -> Value {
    json!({ "type": "=refusal", "category": "=general_harms", "explanation": "text" })
}

#[track_caller]
fn assert_block(block: &Value) {
    let template = match block["type"].as_str().unwrap() {
        "text" => json!({ "type": "text", "text": "text" }),
        "thinking" => json!({ "type": "text", "thinking": "text", "signature": "text" }),
        "tool_use" => json!({ "type": "text", "id": "text", "name": "text", "input": "object" }),
        other => panic!("no such block: {other}"),
    };
    assert_shape(block, &template);
}

#[track_caller]
fn assert_message(body: &Value) {
    assert_shape(body, &message());
    for block in body["content"].as_array().unwrap() {
        assert_block(block);
    }
}

/// The message that a stream makes, after checking its grammar: start, ping, blocks one after the other, the end with the
/// usage so far, stop.
#[track_caller]
fn assembled(events: &[SseEvent]) -> Value {
    let [start, ping, blocks @ .., end, stop] = events else {
        panic!("too few events: {events:?}")
    };
    assert_eq!((start.kind(), ping.kind()), ("message_start", "ping"));
    assert_eq!((end.kind(), stop.kind()), ("message_delta", "message_stop"));
    for event in events {
        assert_eq!(event.name.as_deref(), Some(event.kind()));
    }
    assert_shape(&start.data, &json!({ "type": "text", "message": message() }));
    let mut message = start.data["message"].clone();
    assert_eq!(
        (&message["content"], &message["stop_reason"]),
        (&json!([]), &Value::Null)
    );
    assert_shape(&ping.data, &json!({ "type": "text" }));
    assert_shape(&stop.data, &json!({ "type": "text" }));

    let mut content: Vec<Value> = Vec::new();
    let mut input: Option<String> = None;
    let mut is_open = false;
    for event in blocks {
        let (kind, event) = (event.kind(), &event.data);
        let begins = usize::from(kind == "content_block_start");
        assert_eq!(event["index"], content.len() + begins - 1);
        assert_eq!(is_open, kind != "content_block_start", "{event}");
        match kind {
            "content_block_start" => {
                assert_shape(
                    event,
                    &json!({ "type": "text", "index": "count", "content_block": "object" }),
                );
                assert_block(&event["content_block"]);
                content.push(event["content_block"].clone());
                is_open = true;
            }
            "content_block_delta" => {
                let block = content.last_mut().unwrap();
                let delta = &event["delta"];
                let (field, of_block) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("signature", "thinking"),
                    "input_json_delta" => ("partial_json", "tool_use"),
                    other => panic!("no such delta: {other}"),
                };
                assert_shape(
                    event,
                    &json!({ "type": "text", "index": "count", "delta": { "type": "text", field: "text" } }),
                );
                assert_eq!(block["type"], of_block);
                let piece = delta[field].as_str().unwrap();
                if field == "partial_json" {
                    input.get_or_insert_default().push_str(piece);
                } else {
                    block[field] = (block[field].as_str().unwrap().to_owned() + piece).into();
                }
            }
            "content_block_stop" => {
                assert_shape(event, &json!({ "type": "text", "index": "count" }));
                if let Some(input) = input.take() {
                    content.last_mut().unwrap()["input"] = serde_json::from_str(&input).unwrap();
                }
                is_open = false;
            }
            other => panic!("no such event: {other}"),
        }
    }
    assert!(!is_open);
    let delta = json!({ "stop_reason": "text", "stop_sequence": "null", "stop_details?": stop_details() });
    let mut usage = usage();
    for absent in ["cache_creation", "service_tier"] {
        usage.as_object_mut().unwrap().remove(absent);
    }
    assert_shape(&end.data, &json!({ "type": "text", "delta": delta, "usage": usage }));
    message["content"] = json!(content);
    for (name, value) in end.data["delta"].as_object().unwrap() {
        message[name] = value.clone();
    }
    for (name, value) in end.data["usage"].as_object().unwrap() {
        message["usage"][name] = value.clone();
    }
    message
}

#[test]
fn messages_tell_the_same_whole_and_in_events() {
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    let text = json!({ "type": "text", "text": "alpha-1 alpha-2" });
    let thinking =
        json!({ "type": "thinking", "thinking": "alpha-thought-1 alpha-thought-2", "signature": provider.sealed() });
    let call = |answer: usize, place: usize, name: &str, input: Value| json!({ "type": "tool_use", "id": format!("toolu_alpha_{answer}_{place}"), "name": name, "input": input });
    let both = Content::calls(&[("look", r#"{"at":"this"}"#), ("ask", "{}")]);
    let calls = |answer| {
        [
            call(answer, 0, "look", json!({ "at": "this" })),
            call(answer, 1, "ask", json!({})),
        ]
    };
    let all = |answer| {
        let [look, ask] = calls(answer);
        json!([thinking, text, look, ask])
    };
    type Expected<'a> = &'a dyn Fn(usize) -> Value;
    let cases: [(Content, Expected<'_>, &str); 6] = [
        (Content::text(), &|_| json!([text]), "end_turn"),
        (Content::cut_text(), &|_| json!([text]), "max_tokens"),
        (Content::text().thinking(), &|_| json!([thinking, text]), "end_turn"),
        (both.clone(), &|answer| json!(calls(answer)), "tool_use"),
        (both.thinking().after_text(), &all, "tool_use"),
        (Content::refusal(), &|_| json!([]), "refusal"),
    ];
    let mut answers = 0;
    for (content, expected, reason) in cases {
        provider.say(content);
        let whole = Spoken::Anthropic.whole(&provider, "hello");
        let streamed = assembled(&Spoken::Anthropic.stream(&provider, "hello"));
        for body in [whole, streamed] {
            answers += 1;
            assert_message(&body);
            assert_eq!(body["content"], expected(answers));
            assert_eq!(body["stop_reason"], reason);
            assert_eq!(body["id"], format!("msg_alpha_{answers}"));
            let explanation = &body["stop_details"]["explanation"];
            assert_eq!(explanation == "alpha-refusal-1 alpha-refusal-2", reason == "refusal");
        }
    }
}

#[test]
fn messages_tell_the_cache_beside_the_input_from_the_first_event_and_the_reasoning_inside_the_output() {
    let provider = Provider::start("alpha");
    provider.say(Content::text().thinking());
    provider.set_usage(UsageScript {
        cached: 1000,
        cache_write: 200,
        cache_write_1h: 30,
        reasoning: 7,
        ..UsageScript::default()
    });
    let whole = Spoken::Anthropic.whole(&provider, "one two three");
    let mut expected = json!({
        "input_tokens": 3,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 230,
        "cache_creation": { "ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 30 },
        "output_tokens": 12,
        "output_tokens_details": { "thinking_tokens": 7 },
        "service_tier": "standard",
    });
    assert_eq!(whole["usage"], expected);
    let events = Spoken::Anthropic.stream(&provider, "one two three");
    assert_eq!(assembled(&events)["usage"], expected);
    // When it begins, nothing is known of the output but its first token.
    expected.as_object_mut().unwrap().remove("output_tokens_details");
    expected["output_tokens"] = json!(1);
    assert_eq!(events[0].data["message"]["usage"], expected);
    let bill = provider.bill();
    assert_eq!((bill[0].input_tokens, bill[0].output_tokens), (1233, 12));
}

#[test]
fn messages_are_read_with_the_system_prompt_and_results_of_tools_and_counted() {
    let provider = Provider::start("alpha");
    provider.say(Content::calls(&[("look", "{}")]));
    let body = json!({
        "model": "m-1",
        "max_tokens": 50,
        "system": [{ "type": "text", "text": "be brief", "cache_control": { "type": "ephemeral" } }],
        "messages": [
            { "role": "user", "content": "one two" },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "not counted", "signature": "x" },
                { "type": "tool_use", "id": "toolu_1", "name": "look", "input": {} },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "content": [{ "type": "text", "text": "three" }] },
                { "type": "tool_result", "tool_use_id": "toolu_2", "content": "four five" },
                { "type": "text", "text": "six" },
            ] },
        ],
    });
    let answer = client(&provider).post("/v1/messages", &body).json();
    assert_eq!(
        provider.last_request().messages(),
        ["be brief", "one two", "", "three\nfour five\nsix"]
    );
    assert_eq!(answer["usage"]["input_tokens"], 8);
    assert_eq!(
        (&answer["content"][0]["type"], &answer["stop_reason"]),
        (&json!("text"), &json!("end_turn"))
    );
    let count = client(&provider)
        .post("/v1/messages/count_tokens?beta=true", &body)
        .json();
    assert_eq!(count, json!({ "input_tokens": 8 }));
    let plain = json!({ "system": "be brief", "messages": [] });
    client(&provider).post("/v1/messages/count_tokens", &plain);
    assert_eq!(provider.last_request().messages(), ["be brief"]);
    assert_eq!((provider.bill().len(), provider.requests()), (1, 3));
}
