//! What is kept of answers, and how it is shown again.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::json::is_string;
use crate::dialects::sse::{EventText, Framing, Splitter};

/// The response object of the event with which a stream's answer is whole; nothing if none of these events is one.
#[must_use]
pub fn final_response(events: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        #[serde(borrow)]
        response: Option<&'a RawValue>,
    }
    // Nearly every piece of a stream is none, which this tells without reading it.
    memchr::memmem::find(events, b"\"response.completed\"")
        .or_else(|| memchr::memmem::find(events, b"\"response.incomplete\""))?;
    let mut splitter = Splitter::new(Framing::Events);
    let mut rest = events;
    while !rest.is_empty() {
        let end = splitter.event_end(rest).unwrap_or(rest.len());
        splitter.taken(end);
        let (event, after) = rest.split_at_checked(end)?;
        rest = after;
        let text = EventText::read(Framing::Events, event);
        if let Ok(event) = serde_json::from_slice::<Event<'_>>(&text.data)
            && matches!(event.kind, "response.completed" | "response.incomplete")
        {
            return event.response.map(|response| response.get().to_owned());
        }
    }
    None
}

/// The items of an input that was kept, each with its id, in the form in which they are listed: with a type, an id and,
/// for messages, content in parts. An id that a client did not give is made from the answer's, always the same.
#[must_use]
pub fn with_item_ids(response: &str, input: &str) -> Vec<(String, Box<RawValue>)> {
    let items: Vec<&RawValue> = serde_json::from_str(input).unwrap_or_default();
    let listed = items.into_iter().enumerate();
    listed
        .filter_map(|(place, item)| listed_item(response, place, item))
        .collect()
}

fn listed_item(response: &str, place: usize, item: &RawValue) -> Option<(String, Box<RawValue>)> {
    #[derive(Deserialize)]
    struct Known {
        id: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    let known: Known = serde_json::from_str(item.get()).ok()?;
    let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(item.get()).ok()?;
    let is_message = known.kind.as_deref().is_none_or(|kind| kind == "message");
    let has_text = serde_json::from_str::<Content<'_>>(item.get()).ok();
    let text = has_text
        .and_then(|content| content.content)
        .filter(|content| is_string(content));
    if known.id.is_some() && known.kind.is_some() && text.is_none() {
        return Some((known.id?, item.to_owned()));
    }
    let id = known.id.unwrap_or_else(|| {
        let prefix = if is_message { "msg" } else { "item" };
        format!("{prefix}_{}_{place}", response.trim_start_matches("resp_"))
    });
    members.insert("id".to_owned(), id.clone().into());
    if is_message {
        members.entry("type").or_insert_with(|| "message".into());
        members.entry("status").or_insert_with(|| "completed".into());
        if let Some(text) = members.get("content").and_then(serde_json::Value::as_str) {
            let of_model = members.get("role").is_some_and(|role| role == "assistant");
            let part = if of_model {
                serde_json::json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
            } else {
                serde_json::json!({ "type": "input_text", "text": text })
            };
            members.insert("content".to_owned(), serde_json::Value::Array(vec![part]));
        }
    }
    let item = serde_json::value::to_raw_value(&members).ok()?;
    Some((id, item))
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_of_an_answer_holds_it() {
        let delta =
            b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n";
        assert_eq!(final_response(delta), None);
        for kind in ["response.completed", "response.incomplete"] {
            let end = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"id\":\"resp_1\"}}}}\n\n");
            let both = [&delta[..], end.as_bytes()].concat();
            assert_eq!(final_response(&both).as_deref(), Some("{\"id\":\"resp_1\"}"));
        }
        let quoted = b"data: {\"type\":\"response.output_text.delta\",\"delta\":\"\\\"response.completed\\\"\"}\n\n";
        assert_eq!(final_response(quoted), None);
    }

    #[test]
    fn listed_items_have_ids_types_and_parts() {
        let input = r#"[{"role":"user","content":"hi"},{"type":"function_call_output","call_id":"c","output":"1"},
            {"id":"msg_1","type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}]"#;
        let items = with_item_ids("resp_7", input);
        let ids: Vec<&str> = items.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["msg_7_0", "item_7_1", "msg_1"]);
        let first: serde_json::Value = serde_json::from_str(items[0].1.get()).unwrap();
        assert_eq!(first["content"][0]["type"], "input_text");
        assert_eq!(first["type"], "message");
        assert_eq!(with_item_ids("resp_7", input)[1].0, "item_7_1");
        assert!(with_item_ids("resp_7", "no array").is_empty());
    }
}
