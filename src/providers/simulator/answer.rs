//! What the simulator says, in the shape of chat completions.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gateway_actors::protocol::UpstreamCall;
use serde::Deserialize;
use serde_json::{Value, json};

use super::script::Script;

/// How much of the last user message is repeated.
const MOST_ECHOED: usize = 200;

/// An answer to one request.
#[derive(Debug)]
pub(super) struct Answer {
    id: String,
    created: u64,
    model: String,
    text: String,
    prompt_tokens: usize,
    stream: bool,
}

#[derive(Deserialize)]
struct Request {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Value,
}

impl Answer {
    /// The answer to a request whose body is in the dialect. A body that cannot be read is answered too.
    pub(super) fn to(call: &UpstreamCall, script: &Script, body: &[u8]) -> Self {
        let messages =
            serde_json::from_slice(body).map_or_else(|_error| Vec::new(), |request: Request| request.messages);
        let contents = messages
            .iter()
            .map(|message| (message.role.as_str(), text_of(&message.content)));
        let prompt_bytes: usize = contents.clone().map(|(_, text)| text.len()).sum();
        let asked = contents
            .rev()
            .find(|(role, _)| *role == "user")
            .map(|(_, text)| text)
            .unwrap_or_default();
        let text = match script.words {
            Some(words) => (1..=words).map(|word| format!("word{word} ")).collect(),
            None => {
                let echo: String = asked.chars().take(MOST_ECHOED).collect();
                format!("simulated answer from {}: {echo}", call.model.id)
            }
        };
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self {
            id: format!("chatcmpl-simulated-{}", call.attempt),
            created,
            model: call.model.api_model.to_string(),
            text,
            prompt_tokens: prompt_bytes.div_ceil(4),
            stream: call.stream,
        }
    }

    /// The bytes of the answer, in the chunks in which they are sent.
    pub(super) fn chunks(&self) -> Vec<Bytes> {
        if !self.stream {
            let message = json!({"role": "assistant", "content": self.text});
            let body = self.with(
                "chat.completion",
                json!([{"index": 0, "message": message, "finish_reason": "stop"}]),
                Some(self.usage()),
            );
            return vec![body.to_string().into()];
        }
        let delta = |delta: Value, finish_reason: Option<&str>| {
            let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish_reason}]);
            self.event(choices, None)
        };
        let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}), None)];
        chunks.extend(
            self.text
                .split_inclusive(' ')
                .map(|word| delta(json!({"content": word}), None)),
        );
        chunks.push(delta(json!({}), Some("stop")));
        chunks.push(self.event(json!([]), Some(self.usage())));
        chunks.push(Bytes::from_static(b"data: [DONE]\n\n"));
        chunks
    }

    fn event(&self, choices: Value, usage: Option<Value>) -> Bytes {
        format!("data: {}\n\n", self.with("chat.completion.chunk", choices, usage)).into()
    }

    fn with(&self, object: &str, choices: Value, usage: Option<Value>) -> Value {
        let mut value = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let (Some(usage), Some(members)) = (usage, value.as_object_mut()) {
            members.insert("usage".into(), usage);
        }
        value
    }

    /// Usage as if a token had four bytes.
    fn usage(&self) -> Value {
        let completion_tokens = self.text.len().div_ceil(4);
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
        })
    }
}

/// The text of a content: a string, or the first part that is text.
fn text_of(content: &Value) -> &str {
    let first_part = || content.as_array()?.iter().find_map(|part| part.get("text")?.as_str());
    content.as_str().or_else(first_part).unwrap_or_default()
}
