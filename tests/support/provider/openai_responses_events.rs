//! The events of one item of an OpenAI response, from the published types of the Python package `openai` 3.57
//! (`types/responses/response_*_event.py`).

use std::iter::{once, once_with};

use serde_json::{Value, json};

use super::answer::{Answer, Block, Pieces};
use super::content::ToolCall;
use super::openai_responses::{function_call, item, message, reasoning, refusal_part, text_part};

/// Events, each with the number of tokens it brings; they are numbered when the stream is whole.
pub(super) type Events<'a> = Box<dyn Iterator<Item = (Value, usize)> + Send + 'a>;

/// The events of one item: added, its pieces, done.
pub(super) fn item_events<'a>(answer: &'a Answer, index: usize, block: &'a Block) -> Events<'a> {
    let (begun, pieces): (Value, Events<'a>) = match block {
        Block::Thoughts(pieces) => {
            let mut begun = reasoning(answer, index, &[]);
            // What is sealed when the item begins is not yet all of it.
            begun["encrypted_content"] = json!("");
            (begun, summary_events(answer, index, pieces))
        }
        Block::Text(pieces) => {
            let begun = message(answer, index, "in_progress", &[]);
            (begun, part_events(answer, index, pieces, &TEXT))
        }
        Block::Refusal(pieces) => {
            let begun = message(answer, index, "in_progress", &[]);
            (begun, part_events(answer, index, pieces, &REFUSAL))
        }
        Block::Call(place, call) => {
            let begun = function_call(answer, (index, *place), call, ("in_progress", ""));
            (begun, argument_events(answer, index, call))
        }
    };
    let added = json!({ "type": "response.output_item.added", "output_index": index, "item": begun });
    let done = once_with(move || {
        let item = item(answer, index, block);
        (
            json!({ "type": "response.output_item.done", "output_index": index, "item": item }),
            0,
        )
    });
    Box::new(once((added, 0)).chain(pieces).chain(done))
}

/// What tells a part of text from a refusal.
struct PartKind {
    delta: &'static str,
    done: &'static str,
    /// The field of the `done` event that has all of it.
    field: &'static str,
    part: fn(&str) -> Value,
    has_logprobs: bool,
}

const TEXT: PartKind = PartKind {
    delta: "response.output_text.delta",
    done: "response.output_text.done",
    field: "text",
    part: text_part,
    has_logprobs: true,
};

const REFUSAL: PartKind = PartKind {
    delta: "response.refusal.delta",
    done: "response.refusal.done",
    field: "refusal",
    part: refusal_part,
    has_logprobs: false,
};

fn part_events<'a>(answer: &'a Answer, index: usize, pieces: &'a Pieces, kind: &'static PartKind) -> Events<'a> {
    let event = move |event_kind: &str, field: &str, value: Value| {
        let item_id = answer.part_id("msg", index);
        let mut event =
            json!({ "type": event_kind, "item_id": item_id, "output_index": index, "content_index": 0, field: value });
        if kind.has_logprobs && field != "part" {
            event["logprobs"] = json!([]);
        }
        event
    };
    let added = once_with(move || (event("response.content_part.added", "part", (kind.part)("")), 0));
    let deltas = pieces
        .iter()
        .map(move |text| (event(kind.delta, "delta", json!(text)), 1));
    let done = once_with(move || (event(kind.done, kind.field, json!(pieces.text())), 0));
    let part_done = once_with(move || {
        let part = (kind.part)(&pieces.text());
        (event("response.content_part.done", "part", part), 0)
    });
    Box::new(added.chain(deltas).chain(done).chain(part_done))
}

fn summary_events<'a>(answer: &'a Answer, index: usize, pieces: &'a Pieces) -> Events<'a> {
    let event = move |kind: &str, field: &str, value: Value| {
        let (kind, item_id) = (
            format!("response.reasoning_summary_{kind}"),
            answer.part_id("rs", index),
        );
        json!({ "type": kind, "item_id": item_id, "output_index": index, "summary_index": 0, field: value })
    };
    let part = |text: String| json!({ "type": "summary_text", "text": text });
    let added = once_with(move || (event("part.added", "part", part(String::new())), 0));
    let deltas = pieces
        .iter()
        .map(move |text| (event("text.delta", "delta", json!(text)), 1));
    let done = once_with(move || (event("text.done", "text", json!(pieces.text())), 0));
    let part_done = once_with(move || (event("part.done", "part", part(pieces.text())), 0));
    Box::new(added.chain(deltas).chain(done).chain(part_done))
}

fn argument_events<'a>(answer: &'a Answer, index: usize, call: &'a ToolCall) -> Events<'a> {
    let event = move |kind: &str, field: &str, value: &str| {
        let (kind, item_id) = (
            format!("response.function_call_arguments.{kind}"),
            answer.part_id("fc", index),
        );
        json!({ "type": kind, "item_id": item_id, "output_index": index, field: value })
    };
    let deltas = call
        .pieces()
        .into_iter()
        .map(move |text| (event("delta", "delta", &text), 1));
    let done = once_with(move || (event("done", "arguments", &call.arguments), 0));
    Box::new(deltas.chain(done))
}
