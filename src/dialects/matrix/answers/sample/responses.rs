//! OpenAI Responses: `Response` and `ResponseStreamEvent` of the `openai` Python package, version 3.57.0
//! (`types/responses`).

use serde_json::{Value, json};

use super::{MODEL, PARTS, REFUSAL, STATE, STRANGE, Sample, TEXT, THOUGHT};
use crate::dialects::matrix::answers::row::Row;

/// A response of these items, that ended like this, and its stream.
fn answer(output: Vec<Value>, incomplete: Option<&str>) -> Sample {
    let response = |status: &str, output: &[Value], usage: Value| {
        json!({"id": "resp_9", "object": "response", "created_at": 1_760_000_000, "status": status, "error": null,
            "incomplete_details": incomplete.filter(|_| status == "incomplete").map(|reason| json!({"reason": reason})),
            "instructions": null, "max_output_tokens": null, "model": MODEL, "output": output,
            "parallel_tool_calls": true, "previous_response_id": null,
            "reasoning": {"effort": "medium", "summary": "auto"}, "store": false, "temperature": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"}, "tool_choice": "auto", "tools": [],
            "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": null, "metadata": {}})
    };
    let usage = json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 30},
        "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 15}, "total_tokens": 150});
    let last = if incomplete.is_some() {
        "incomplete"
    } else {
        "completed"
    };
    let whole = response(last, &output, usage);
    let mut events = Events::default();
    for kind in ["response.created", "response.in_progress"] {
        events.push(kind, json!({"response": response("in_progress", &[], Value::Null)}));
    }
    for (at, item) in output.iter().enumerate() {
        events.item(at, item);
    }
    events.push(&format!("response.{last}"), json!({"response": whole}));
    Sample {
        whole: whole.to_string(),
        stream: events.text,
    }
}

/// The events of a stream.
#[derive(Default)]
struct Events {
    text: String,
    number: u64,
}

impl Events {
    fn push(&mut self, kind: &str, mut event: Value) {
        event["type"] = json!(kind);
        event["sequence_number"] = json!(self.number);
        self.number += 1;
        self.text.push_str(&format!("event: {kind}\ndata: {event}\n\n"));
    }

    /// All events of an item.
    fn item(&mut self, at: usize, item: &Value) {
        let mut begun = item.clone();
        for (name, empty) in [
            ("content", json!([])),
            ("summary", json!([])),
            ("arguments", json!("")),
            ("encrypted_content", json!("")),
        ] {
            if let Some(member) = begun.get_mut(name) {
                *member = empty;
            }
        }
        self.push("response.output_item.added", json!({"output_index": at, "item": begun}));
        let id = &item["id"];
        for (part, content) in item["content"].as_array().into_iter().flatten().enumerate() {
            self.part(at, id, part, content);
        }
        for (part, summary) in item["summary"].as_array().into_iter().flatten().enumerate() {
            let place = |more: Value| with(json!({"item_id": id, "output_index": at, "summary_index": part}), more);
            let empty = json!({"type": "summary_text", "text": ""});
            self.push("response.reasoning_summary_part.added", place(json!({"part": empty})));
            for delta in pieces(&summary["text"]) {
                self.push("response.reasoning_summary_text.delta", place(json!({"delta": delta})));
            }
            self.push(
                "response.reasoning_summary_text.done",
                place(json!({"text": summary["text"]})),
            );
            self.push("response.reasoning_summary_part.done", place(json!({"part": summary})));
        }
        if item["type"] == "function_call" {
            let place = |more: Value| with(json!({"item_id": id, "output_index": at}), more);
            for delta in pieces(&item["arguments"]) {
                self.push("response.function_call_arguments.delta", place(json!({"delta": delta})));
            }
            let whole = json!({"arguments": item["arguments"], "name": item["name"]});
            self.push("response.function_call_arguments.done", place(whole));
        }
        self.push("response.output_item.done", json!({"output_index": at, "item": item}));
    }

    fn part(&mut self, at: usize, id: &Value, part: usize, content: &Value) {
        let place = |more: Value| with(json!({"item_id": id, "output_index": at, "content_index": part}), more);
        let (kind, member) = match content["type"].as_str() {
            Some("output_text") => ("output_text", "text"),
            Some("refusal") => ("refusal", "refusal"),
            _ => return,
        };
        let mut empty = content.clone();
        empty[member] = json!("");
        if kind == "output_text" {
            empty["annotations"] = json!([]);
        }
        self.push("response.content_part.added", place(json!({"part": empty})));
        for delta in pieces(&content[member]) {
            self.push(
                &format!("response.{kind}.delta"),
                place(json!({"delta": delta, "logprobs": content["logprobs"]})),
            );
        }
        for (number, annotation) in content["annotations"].as_array().into_iter().flatten().enumerate() {
            let told = json!({"annotation_index": number, "annotation": annotation});
            self.push("response.output_text.annotation.added", place(told));
        }
        self.push(
            &format!("response.{kind}.done"),
            place(json!({member: content[member], "logprobs": []})),
        );
        self.push("response.content_part.done", place(json!({"part": content})));
    }
}

fn with(mut event: Value, more: Value) -> Value {
    let (Value::Object(event_members), Value::Object(more)) = (&mut event, more) else {
        panic!("events are objects")
    };
    event_members.extend(more);
    event
}

/// A text in two pieces; nothing if it is empty.
fn pieces(text: &Value) -> Vec<String> {
    let text = text.as_str().unwrap_or_default();
    let half = (text.len() / 2..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap();
    let (first, second) = text.split_at(half);
    [first, second]
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
        .collect()
}

fn text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message(content: Vec<Value>, status: &str) -> Value {
    json!({"id": "msg_9", "type": "message", "role": "assistant", "status": status, "content": content})
}

fn said() -> Value {
    message(vec![text(TEXT)], "completed")
}

fn thought(summary: &[&str], encrypted: Option<&str>) -> Value {
    let summary: Vec<Value> = summary
        .iter()
        .map(|text| json!({"type": "summary_text", "text": text}))
        .collect();
    json!({"id": "rs_9", "type": "reasoning", "summary": summary, "encrypted_content": encrypted})
}

fn call(number: u32, name: &str, arguments: &str) -> Value {
    json!({"id": format!("fc_{number}"), "type": "function_call", "status": "completed",
        "call_id": format!("call_{number}"), "name": name, "arguments": arguments})
}

pub(super) fn sample(row: Row) -> Option<Sample> {
    Some(match row {
        Row::Text | Row::Names | Row::Counts | Row::CacheReads | Row::CacheWrites | Row::ReasoningCount => {
            answer(vec![said()], None)
        }
        Row::Texts => answer(vec![message(PARTS.map(text).to_vec(), "completed")], None),
        Row::Reasoning => answer(vec![thought(&[THOUGHT], None), said()], None),
        Row::State => answer(vec![thought(&[THOUGHT], Some(STATE)), said()], None),
        Row::Withheld => answer(vec![thought(&[], Some(STATE)), said()], None),
        Row::Call => answer(vec![call(1, "weather", r#"{"city":"Zürich","days":1.50}"#)], None),
        Row::Calls => {
            let calls = [
                call(1, "weather", r#"{"city":"Zürich"}"#),
                call(2, "clock", r#"{"zone":"CET"}"#),
            ];
            let [first, second] = calls;
            answer(vec![said(), first, second], None)
        }
        Row::BareCall => answer(vec![call(1, "clock", "")], None),
        Row::Refusal => {
            let refusal = json!({"type": "refusal", "refusal": REFUSAL});
            answer(vec![message(vec![refusal], "completed")], None)
        }
        Row::Length => answer(vec![message(vec![text(TEXT)], "incomplete")], Some("max_output_tokens")),
        // The dialect has no stop texts.
        Row::StopText => return None,
        Row::Filter => answer(vec![message(vec![text(TEXT)], "incomplete")], Some("content_filter")),
        Row::Citations => {
            let mut cited = text(TEXT);
            cited["annotations"] = json!([{"type": "url_citation", "start_index": 0, "end_index": 5,
                "title": STRANGE, "url": "https://example.com/a"}]);
            answer(vec![message(vec![cited], "completed")], None)
        }
        Row::Logprobs => {
            let mut likely = text(TEXT);
            likely["logprobs"] = json!([{"token": STRANGE, "bytes": [], "logprob": -0.5, "top_logprobs": []}]);
            answer(vec![message(vec![likely], "completed")], None)
        }
        Row::Media => {
            let image = json!({"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": STATE});
            answer(vec![image, said()], None)
        }
        Row::Hosted => {
            let searched = json!({"id": "ws_1", "type": "web_search_call", "status": "completed",
                "action": {"type": "search", "query": STRANGE}});
            let ran = json!({"id": "ci_1", "type": "code_interpreter_call", "status": "completed", "code": STRANGE,
                "container_id": "cntr_1", "outputs": [{"type": "logs", "logs": STRANGE}]});
            answer(vec![searched, ran, said()], None)
        }
        Row::Unknown => {
            let mut said = said();
            said["x_new"] = json!({"kind": STRANGE});
            let item = json!({"id": "x_1", "type": "brand_new_item", "says": STRANGE});
            answer(vec![item, said], None)
        }
    })
}
