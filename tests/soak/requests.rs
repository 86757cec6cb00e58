//! What clients ask for, in every dialect that they may speak.

use serde_json::{Value, json};

use crate::scene::{MODELS, TEXTS, VECTORS};
use crate::support::Draw;

pub(crate) const RESPONSES: &str = "/v1/responses";
pub(crate) const TURN: &str = "/v1/chat";
const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
pub(crate) const COUNT: &str = "/v1/messages/count_tokens";

/// A request for an answer that a provider may give.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// What the tally calls it.
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: Value,
}

impl Request {
    /// For an answer, of any kind but a turn of a conversation.
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        match draw.below(20) {
            0..6 => Self::chat(draw),
            6..11 => Self::message(draw),
            11..15 => Self::response(draw, None),
            15 => Self::count(draw),
            16..18 => Self::vectors(draw),
            _ => Self::text(draw),
        }
    }

    /// For a stream that is long.
    pub(crate) fn long_stream(draw: &mut Draw) -> Self {
        let mut request = match draw.below(3) {
            0 => Self::chat(draw),
            1 => Self::message(draw),
            _ => Self::response(draw, None),
        };
        request.body["stream"] = json!(true);
        for cap in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
            if request.body[cap].is_u64() {
                request.body[cap] = json!(1_000);
            }
        }
        request
    }

    /// For the next turn of a conversation.
    pub(crate) fn turn(draw: &mut Draw, conversation: &str) -> Self {
        let mut body = json!({ "message": words(draw), "conversationId": conversation, "maxTokens": cap(draw) });
        match draw.below(4) {
            0 => body["clientMessageId"] = json!(format!("m-{}", draw.below(3))),
            1 => body["model"] = json!(draw.of(&MODELS)),
            _ => {}
        }
        // Under the id of a message goes its text, and no other.
        if body["clientMessageId"].is_string() {
            body["message"] = body["clientMessageId"].clone();
        }
        Self {
            name: "turn",
            path: TURN,
            body,
        }
    }

    /// For a response, which may go on from another.
    pub(crate) fn response(draw: &mut Draw, previous: Option<&str>) -> Self {
        let mut body = json!({ "model": draw.of(&MODELS), "input": words(draw) });
        if draw.below(4) > 0 {
            body["max_output_tokens"] = json!(cap(draw));
        }
        if let Some(previous) = previous {
            body["previous_response_id"] = json!(previous);
        }
        Self::maybe_streamed(draw, ["response", "streamed response"], RESPONSES, body)
    }

    fn chat(draw: &mut Draw) -> Self {
        let mut body = json!({ "model": draw.of(&MODELS), "messages": messages(draw) });
        match draw.below(4) {
            0 => {}
            1 => body["max_completion_tokens"] = json!(cap(draw)),
            _ => body["max_tokens"] = json!(cap(draw)),
        }
        let mut request = Self::maybe_streamed(draw, ["chat", "streamed chat"], CHAT, body);
        if request.body["stream"] == true && draw.below(2) == 0 {
            request.body["stream_options"] = json!({ "include_usage": true });
        }
        request
    }

    fn message(draw: &mut Draw) -> Self {
        let cap = if draw.below(4) == 0 { 1_000 } else { cap(draw) };
        let body = json!({ "model": draw.of(&MODELS), "messages": messages(draw), "max_tokens": cap });
        Self::maybe_streamed(draw, ["message", "streamed message"], MESSAGES, body)
    }

    fn text(draw: &mut Draw) -> Self {
        let body = json!({ "model": draw.of(&TEXTS), "prompt": words(draw), "max_tokens": cap(draw) });
        Self::maybe_streamed(draw, ["completion", "streamed completion"], "/v1/completions", body)
    }

    fn vectors(draw: &mut Draw) -> Self {
        Self {
            name: "embeddings",
            path: "/v1/embeddings",
            body: json!({ "model": draw.of(&VECTORS), "input": [words(draw), words(draw)] }),
        }
    }

    fn count(draw: &mut Draw) -> Self {
        Self {
            name: "count_tokens",
            path: COUNT,
            body: json!({ "model": draw.of(&MODELS), "messages": messages(draw) }),
        }
    }

    fn maybe_streamed(draw: &mut Draw, names: [&'static str; 2], path: &'static str, mut body: Value) -> Self {
        let streamed = draw.below(2);
        if streamed == 1 {
            body["stream"] = json!(true);
        }
        Self {
            name: names[streamed],
            path,
            body,
        }
    }
}

/// A request that is refused with this status before any provider is asked.
pub(crate) fn bad(draw: &mut Draw) -> (&'static str, String, u16) {
    let path = *draw.of(&[CHAT, MESSAGES, RESPONSES, COUNT]);
    let known = json!({ "model": "chat" }).to_string();
    match draw.below(5) {
        0 => (path, r#"{"model":"chat","#.to_owned(), 400),
        1 => (path, format!("{}{}", "[".repeat(200), "]".repeat(200)), 400),
        2 => (if path == RESPONSES { CHAT } else { path }, known, 400),
        3 => {
            let mut request = Request::response(draw, Some("resp_of_nobody"));
            request.body["model"] = json!("chat");
            (RESPONSES, request.body.to_string(), 400)
        }
        _ => {
            let mut request = Request::chat(draw);
            request.body["model"] = json!("nobody");
            (CHAT, request.body.to_string(), 404)
        }
    }
}

fn messages(draw: &mut Draw) -> Value {
    let mut turns = Vec::new();
    for _ in 0..draw.below(3) {
        turns.push(json!({ "role": "user", "content": words(draw) }));
        turns.push(json!({ "role": "assistant", "content": words(draw) }));
    }
    turns.push(json!({ "role": "user", "content": words(draw) }));
    Value::Array(turns)
}

fn words(draw: &mut Draw) -> String {
    vec!["word"; 1 + draw.below(40)].join(" ")
}

/// The longest answer that is wanted, in tokens. Responses have no cap below 16.
fn cap(draw: &mut Draw) -> usize {
    16 + draw.below(12)
}
