//! The streams of the dialects that clients speak: the order of their events is checked, and the whole answer that they
//! make up is put together.

use serde_json::{Value, json};

use crate::support::SseEvent;
use crate::tongue::{Tongue, list, text};

/// What a stream comes to.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The answer that it makes up, as far as it came.
    pub(crate) body: Value,
    /// Whether it has told why it ends, so that only the mark of the end may be wanting.
    pub(crate) has_reason: bool,
    /// Whether the dialect's mark of the end is there.
    pub(crate) has_ended: bool,
    /// The event that tells of an error.
    pub(crate) error: Option<Value>,
}

/// Puts a stream together. What does not keep to the grammar fails the test; it may end anywhere.
#[track_caller]
pub(crate) fn folded(tongue: Tongue, events: &[SseEvent]) -> Folded {
    let mut folded = Folded::default();
    let mut state = State::default();
    for event in events {
        assert!(!folded.has_ended && folded.error.is_none(), "after the end: {event:?}");
        match tongue {
            Tongue::Chat => chat(event, &mut folded, &mut state),
            Tongue::Responses => response(event, &mut folded, &mut state),
            Tongue::Messages => message(event, &mut folded, &mut state),
        }
    }
    folded.has_reason = state.has_reason;
    if folded.has_ended {
        assert!(state.open.is_none(), "something is open at the end: {events:?}");
    }
    folded
}

/// Where a stream is.
#[derive(Debug, Default)]
struct State {
    /// Events so far.
    count: u64,
    /// Blocks or items closed.
    closed: u64,
    /// The block that is open, or the id of the item.
    open: Option<Value>,
    /// The pieces of what is open.
    pieces: String,
    /// Whether the reason to end has been told.
    has_reason: bool,
}

#[track_caller]
fn chat(event: &SseEvent, folded: &mut Folded, state: &mut State) {
    assert_eq!(event.name, None, "{event:?}");
    if event.is_done() {
        assert!(state.has_reason, "[DONE] before a finish_reason");
        folded.has_ended = true;
        return;
    }
    let data = &event.data;
    if data.get("error").is_some() {
        folded.error = Some(data.clone());
        return;
    }
    assert_eq!(data["object"], "chat.completion.chunk", "{data}");
    let Some(choice) = list(&data["choices"]).first() else {
        assert!(state.has_reason && data["usage"].is_object(), "{data}");
        folded.body["usage"] = data["usage"].clone();
        return;
    };
    if state.count == 0 {
        assert_eq!(choice["delta"]["role"], "assistant", "{data}");
        let message = json!({ "role": "assistant", "content": null });
        folded.body = json!({ "object": "chat.completion", "choices": [{ "message": message }] });
    }
    state.count += 1;
    assert!(!state.has_reason, "a piece behind the finish_reason: {data}");
    let delta = &choice["delta"];
    let whole = &mut folded.body["choices"][0];
    for field in ["content", "reasoning_content", "refusal"] {
        if let Some(piece) = delta[field].as_str() {
            whole["message"][field] = json!(text(&whole["message"][field]) + piece);
        }
    }
    for field in ["reasoning_details", "tool_calls"] {
        for entry in list(&delta[field]) {
            let mut all = list(&whole["message"][field]).to_vec();
            if field == "tool_calls" && entry["index"].as_u64() < Some(all.len() as u64) {
                let call = all.last_mut().unwrap();
                let arguments = text(&call["function"]["arguments"]) + entry["function"]["arguments"].as_str().unwrap();
                call["function"]["arguments"] = json!(arguments);
            } else {
                all.push(entry.clone());
            }
            whole["message"][field] = json!(all);
        }
    }
    if choice["finish_reason"].is_string() {
        whole["finish_reason"] = choice["finish_reason"].clone();
        state.has_reason = true;
    }
}

#[track_caller]
fn message(event: &SseEvent, folded: &mut Folded, state: &mut State) {
    assert!(event.name.is_some(), "{event:?}");
    let data = &event.data;
    let kind = event.kind();
    if state.count == 0 && kind != "error" {
        assert_eq!(kind, "message_start", "{data}");
    }
    state.count += 1;
    match kind {
        "message_start" => {
            assert_eq!(state.count, 1, "{data}");
            assert_eq!(data["message"]["content"], json!([]));
            folded.body = data["message"].clone();
        }
        "ping" => {}
        "content_block_start" => {
            assert!(state.open.is_none() && !state.has_reason, "{data}");
            assert_eq!(data["index"], state.closed, "{data}");
            state.open = Some(data["content_block"].clone());
            state.pieces.clear();
        }
        "content_block_delta" => {
            assert_eq!(data["index"], state.closed, "{data}");
            let block = state.open.as_mut().expect("a piece of nothing");
            let delta = &data["delta"];
            let (of, field) = match delta["type"].as_str().unwrap() {
                "text_delta" => ("text", "text"),
                "thinking_delta" => ("thinking", "thinking"),
                "signature_delta" => ("thinking", "signature"),
                "input_json_delta" => ("tool_use", "partial_json"),
                other => panic!("a piece of type {other}: {data}"),
            };
            assert_eq!(block["type"], of, "{data}");
            if of == "tool_use" {
                state.pieces.push_str(delta[field].as_str().unwrap());
            } else {
                block[field] = json!(text(&block[field]) + delta[field].as_str().unwrap());
            }
        }
        "content_block_stop" => {
            assert_eq!(data["index"], state.closed, "{data}");
            let mut block = state.open.take().expect("the end of nothing");
            if block["type"] == "tool_use" && !state.pieces.is_empty() {
                block["input"] = serde_json::from_str(&state.pieces).unwrap();
            }
            state.closed += 1;
            folded.body["content"].as_array_mut().unwrap().push(block);
        }
        "message_delta" => {
            assert!(state.open.is_none() && !state.has_reason, "{data}");
            assert!(data["delta"]["stop_reason"].is_string(), "{data}");
            state.has_reason = true;
            folded.body["stop_reason"] = data["delta"]["stop_reason"].clone();
            for (name, count) in data["usage"].as_object().into_iter().flatten() {
                folded.body["usage"][name] = count.clone();
            }
        }
        "message_stop" => {
            assert!(state.has_reason, "message_stop without a stop_reason");
            folded.has_ended = true;
        }
        "error" => folded.error = Some(data.clone()),
        other => panic!("an event of type {other}: {data}"),
    }
}

#[track_caller]
fn response(event: &SseEvent, folded: &mut Folded, state: &mut State) {
    assert!(event.name.is_some(), "{event:?}");
    let data = &event.data;
    let kind = event.kind();
    assert_eq!(data["sequence_number"], state.count, "{data}");
    state.count += 1;
    if kind == "error" {
        folded.error = Some(data.clone());
        return;
    }
    match (state.count, kind) {
        (_, "response.failed") => folded.error = Some(data["response"].clone()),
        (1, "response.created") | (2, "response.in_progress") => {
            assert_eq!(data["response"]["status"], "in_progress", "{data}");
        }
        (1 | 2, _) => panic!("an event before the response is created and in progress: {data}"),
        (_, "response.output_item.added") => {
            assert!(state.open.is_none(), "{data}");
            assert_eq!(data["output_index"], state.closed, "{data}");
            state.open = Some(data["item"]["id"].clone());
            state.pieces.clear();
        }
        (_, "response.output_item.done") => {
            assert_eq!(data["output_index"], state.closed, "{data}");
            assert_eq!(state.open.take().as_ref(), Some(&data["item"]["id"]), "{data}");
            assert_eq!(
                said(&data["item"]),
                state.pieces,
                "the pieces are not the whole: {data}"
            );
            state.closed += 1;
        }
        (_, "response.completed" | "response.incomplete") => {
            let status = kind.trim_start_matches("response.");
            assert_eq!(data["response"]["status"], status, "{data}");
            assert_eq!(list(&data["response"]["output"]).len() as u64, state.closed, "{data}");
            folded.body = data["response"].clone();
            folded.has_ended = true;
        }
        (_, within) => {
            assert_eq!(data["output_index"], state.closed, "{data}");
            assert_eq!(state.open.as_ref(), Some(&data["item_id"]), "{data}");
            if within.ends_with(".delta") {
                state.pieces.push_str(data["delta"].as_str().unwrap());
            }
        }
    }
}

/// All that was said in pieces of an item.
fn said(item: &Value) -> String {
    let parts = list(&item["summary"]).iter().chain(list(&item["content"]));
    let texts: String = parts
        .map(|part| text(&part["text"]) + &text(&part["refusal"]))
        .collect();
    texts + &text(&item["arguments"])
}
