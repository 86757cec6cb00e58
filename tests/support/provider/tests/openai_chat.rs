//! Chat completions and legacy completions against the types of the Python package `openai` 3.57.

use serde_json::{Value, json};

use super::scene::Spoken;
use super::shape::assert_shape;
use super::{ask, client};
use crate::support::{Content, Provider, SseEvent, UsageScript, chat, streamed_chat};

fn usage() -> Value {
    json!({
        "prompt_tokens": "count",
        "completion_tokens": "count",
        "total_tokens": "count",
        "prompt_tokens_details?": { "cached_tokens": "count", "cache_write_tokens": "count" },
        "completion_tokens_details?": { "reasoning_tokens": "count" },
    })
}

fn tool_call() -> Value {
    json!({ "id": "text", "type": "=function", "function": { "name": "text", "arguments": "text" } })
}

fn whole() -> Value {
    let message = json!({
        "role": "=assistant",
        "content": "text|null",
        "reasoning_content?": "text",
        "refusal?": "text|null",
        "tool_calls?": [tool_call()],
    });
    let choice = json!({ "index": "count", "message": message, "finish_reason": "=stop|=length|=tool_calls" });
    json!({
        "id": "text",
        "object": "=chat.completion",
        "created": "count",
        "model": "text",
        "choices": [choice],
        "usage": usage(),
        "x_provider_extra": { "kept": "bool" },
    })
}

fn chunk() -> Value {
    let call = json!({
        "index": "count",
        "id?": "text",
        "type?": "=function",
        "function": { "name?": "text", "arguments": "text" },
    });
    let delta = json!({
        "role?": "=assistant",
        "content?": "text",
        "reasoning_content?": "text",
        "refusal?": "text",
        "tool_calls?": [call],
    });
    let choice = json!({ "index": "count", "delta": delta, "finish_reason": "null|=stop|=length|=tool_calls" });
    json!({
        "id": "text",
        "object": "=chat.completion.chunk",
        "created": "count",
        "model": "text",
        "choices": [choice],
        "usage?": usage(),
    })
}

/// The deltas of a stream, after checking its grammar: a role, deltas, one reason to end, usage, the mark.
#[track_caller]
fn deltas(events: &[SseEvent], reason: &str) -> Vec<Value> {
    let (done, chunks) = events.split_last().unwrap();
    assert!(done.is_done());
    for chunk_found in chunks {
        assert_eq!(chunk_found.name, None);
        assert_shape(&chunk_found.data, &chunk());
        assert_eq!(chunk_found.data["id"], chunks[0].data["id"]);
    }
    let [first, deltas @ .., end, usage] = chunks else {
        panic!("too few events: {events:?}")
    };
    assert_eq!(
        first.data["choices"][0]["delta"],
        json!({ "role": "assistant", "content": "" })
    );
    assert_eq!(end.data["choices"][0]["delta"], json!({}));
    assert_eq!(end.data["choices"][0]["finish_reason"], reason);
    assert_eq!(usage.data["choices"], json!([]));
    assert!(usage.data["usage"].is_object());
    let delta = |event: &SseEvent| {
        assert!(event.data["choices"][0]["finish_reason"].is_null() && event.data["usage"].is_null());
        event.data["choices"][0]["delta"].clone()
    };
    deltas.iter().map(delta).collect()
}

#[test]
fn chat_calls_tools_at_once_or_in_pieces() {
    let provider = Provider::start("alpha");
    provider.say(Content::calls(&[("look", r#"{"at":"this"}"#), ("ask", "{}")]).after_text());
    provider.set_tokens(1);
    let body = Spoken::Chat.whole(&provider, "hello");
    assert_shape(&body, &whole());
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], "alpha-1");
    let call = |place: usize, name: &str, arguments: &str| {
        json!({
            "id": format!("call_alpha_1_{place}"),
            "type": "function",
            "function": { "name": name, "arguments": arguments },
        })
    };
    assert_eq!(
        message["tool_calls"],
        json!([call(0, "look", r#"{"at":"this"}"#), call(1, "ask", "{}")])
    );

    let deltas = deltas(&Spoken::Chat.stream(&provider, "hello"), "tool_calls");
    assert_eq!(deltas[0], json!({ "content": "alpha-1" }));
    let mut calls = [Value::Null, Value::Null];
    for delta in &deltas[1..] {
        let piece = &delta["tool_calls"][0];
        let call = &mut calls[usize::try_from(piece["index"].as_u64().unwrap()).unwrap()];
        if call.is_null() {
            *call = piece.clone();
            continue;
        }
        assert_shape(piece, &json!({ "index": "count", "function": { "arguments": "text" } }));
        let arguments = call["function"]["arguments"].as_str().unwrap().to_owned();
        call["function"]["arguments"] = (arguments + piece["function"]["arguments"].as_str().unwrap()).into();
    }
    assert_eq!(deltas.len(), 1 + (1 + 3) + (1 + 2));
    assert_eq!(calls[0]["function"]["arguments"], r#"{"at":"this"}"#);
    assert_eq!(
        (&calls[1]["id"], &calls[1]["function"]["name"]),
        (&json!("call_alpha_2_1"), &json!("ask"))
    );
}

#[test]
fn chat_answers_with_text_when_the_results_of_tools_come() {
    let provider = Provider::start("alpha");
    provider.say(Content::calls(&[("look", "{}")]));
    let mut body = chat("hello");
    let result = json!({ "role": "tool", "tool_call_id": "call_alpha_1_0", "content": "seen it" });
    body["messages"].as_array_mut().unwrap().push(result);
    let reply = ask(&provider, &body);
    assert!(reply.content().starts_with("alpha-1 "));
    assert_eq!(reply.json()["choices"][0]["finish_reason"], "stop");
    assert_eq!(provider.bill()[0].input_tokens, 3);
}

#[test]
fn chat_thinks_refuses_and_is_cut_off() {
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    provider.say(Content::text().thinking());
    let body = Spoken::Chat.whole(&provider, "hello");
    assert_shape(&body, &whole());
    let message = &body["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "alpha-thought-1 alpha-thought-2");
    assert_eq!(message["content"], "alpha-1 alpha-2");
    let expected = json!([
        { "reasoning_content": "alpha-thought-1 " },
        { "reasoning_content": "alpha-thought-2" },
        { "content": "alpha-1 " },
        { "content": "alpha-2" },
    ]);
    assert_eq!(
        json!(deltas(&Spoken::Chat.stream(&provider, "hello"), "stop")),
        expected
    );

    provider.say(Content::refusal());
    let body = Spoken::Chat.whole(&provider, "hello");
    assert_shape(&body, &whole());
    let message = &body["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["refusal"]),
        (&Value::Null, &json!("alpha-refusal-1 alpha-refusal-2"))
    );
    let expected = json!([{ "refusal": "alpha-refusal-1 " }, { "refusal": "alpha-refusal-2" }]);
    assert_eq!(
        json!(deltas(&Spoken::Chat.stream(&provider, "hello"), "stop")),
        expected
    );

    provider.say(Content::cut_text());
    assert_eq!(
        Spoken::Chat.whole(&provider, "hello")["choices"][0]["finish_reason"],
        "length"
    );
    deltas(&Spoken::Chat.stream(&provider, "hello"), "length");
}

#[test]
fn chat_tells_cache_and_reasoning_inside_its_sums_or_reasoning_beside() {
    let provider = Provider::start("alpha");
    let script = UsageScript {
        cached: 10,
        cache_write: 20,
        cache_write_1h: 3,
        reasoning: 7,
        ..UsageScript::default()
    };
    provider.set_usage(script);
    let inside = json!({
        "prompt_tokens": 34,
        "completion_tokens": 12,
        "total_tokens": 46,
        "prompt_tokens_details": { "cached_tokens": 10, "cache_write_tokens": 23 },
        "completion_tokens_details": { "reasoning_tokens": 7 },
    });
    assert_eq!(ask(&provider, &chat("hello")).json()["usage"], inside);
    let streamed = ask(&provider, &streamed_chat("hello")).sse();
    assert_eq!(streamed[streamed.len() - 2].data["usage"], inside);
    provider.set_usage(UsageScript {
        reasoning_beside: true,
        ..script
    });
    let mut beside = inside;
    beside["completion_tokens"] = json!(5);
    assert_eq!(ask(&provider, &chat("hello")).json()["usage"], beside);
    for charge in provider.bill() {
        assert_eq!(
            (charge.input_tokens, charge.cached_tokens, charge.cache_write_tokens),
            (34, 10, 23)
        );
        assert_eq!((charge.output_tokens, charge.reasoning_tokens), (12, 7));
    }
}

#[test]
fn completions_are_text_whole_and_streamed() {
    let choice = json!({ "index": "count", "text": "text", "logprobs": "null", "finish_reason": "null|=stop|=length|=content_filter" });
    let template = json!({
        "id": "text",
        "object": "=text_completion",
        "created": "count",
        "model": "text",
        "choices": [choice],
        "usage?": usage(),
        "x_provider_extra?": { "kept": "bool" },
    });
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    for (content, reason) in [
        (Content::text().thinking(), "stop"),
        (Content::cut_text(), "length"),
        (Content::refusal(), "content_filter"),
        (Content::calls(&[("look", "{}")]), "stop"),
    ] {
        provider.say(content);
        let body = Spoken::Completions.whole(&provider, "one two");
        assert_shape(&body, &template);
        assert_eq!(body["choices"][0]["text"], "alpha-1 alpha-2");
        assert_eq!(body["choices"][0]["finish_reason"], reason);
        assert_eq!(
            body["usage"],
            json!({ "prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4 })
        );

        let events = Spoken::Completions.stream(&provider, "one two");
        let (done, chunks) = events.split_last().unwrap();
        assert!(done.is_done() && chunks.len() == 4);
        for chunk in chunks {
            assert_shape(&chunk.data, &template);
        }
        assert_eq!(chunks[2].data["choices"][0]["finish_reason"], reason);
        assert_eq!(
            (&chunks[3].data["choices"], &chunks[3].data["usage"]),
            (&json!([]), &body["usage"])
        );
    }
    let two = json!({ "model": "m-1", "prompt": ["one two", "three"] });
    client(&provider).post("/v1/completions", &two);
    assert_eq!(provider.last_request().messages(), ["one two", "three"]);
}
