//! Conversations at random: what is read into the neutral form can be written for providers of every kind, keeps all that
//! was said in its order, and comes out the same when it is read and written once more.

use gateway_actors::protocol::{Capability, Dialect};
use serde_json::{Value, json};

use super::super::read_request::read_request;
use super::super::samples::model_of;
use super::super::write_request::write_request;
use crate::dialects::neutral::Losses;
use crate::dialects::random::{object, words};
use crate::fuzz::{Rng, fuzz, pick};

/// Fields beside `model`, `messages` and `tools`, each with a usual value.
const FIELDS: [(&str, &str); 19] = [
    ("stream", "true"),
    ("stream_options", r#"{"include_usage":false}"#),
    ("max_tokens", "50"),
    ("max_completion_tokens", "70"),
    ("n", "3"),
    ("temperature", "0.50"),
    ("top_p", "1e-1"),
    ("top_k", "40"),
    ("min_p", "0.05"),
    ("seed", "9007199254740993"),
    ("frequency_penalty", "-0.5"),
    ("presence_penalty", "2"),
    ("logit_bias", r#"{"50256":-100}"#),
    ("stop", r#"["END","é"]"#),
    (
        "response_format",
        r#"{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"},"strict":true}}"#,
    ),
    ("reasoning_effort", r#""max""#),
    ("parallel_tool_calls", "false"),
    ("user", r#""u""#),
    ("x_unknown", "null"),
];

const TOOLS: &str = r#"[{"type":"function","function":{"name":"look","parameters":{"type":"object","x":1.50}}}]"#;

/// A conversation, and what is said in it, in its order.
#[derive(Default)]
struct Conversation {
    messages: Vec<Value>,
    said: Vec<String>,
}

impl Conversation {
    /// A text that is nowhere else.
    fn say(&mut self, rng: &mut Rng) -> String {
        let text = format!("{} said-{}.", words(rng), self.said.len());
        self.said.push(text.clone());
        text
    }

    fn content(&mut self, rng: &mut Rng) -> Value {
        if rng.bool() {
            return json!(self.say(rng));
        }
        let parts = (0..rng.usize(1..4)).map(|_| json!({ "type": "text", "text": self.say(rng) }));
        parts.collect()
    }

    fn add(&mut self, rng: &mut Rng) {
        match rng.u8(..8) {
            0 => {
                let role = pick(rng, &["system", "developer"]);
                let content = self.content(rng);
                self.messages.push(json!({ "role": role, "content": content }));
            }
            1..4 => {
                let mut message = json!({ "role": "assistant", "content": self.content(rng) });
                if rng.bool() {
                    message["reasoning_content"] = json!(words(rng));
                }
                self.messages.push(message);
            }
            4 => self.call(rng),
            _ => {
                let content = self.content(rng);
                self.messages.push(json!({ "role": "user", "content": content }));
            }
        }
    }

    /// Calls of a tool, and a result of each.
    fn call(&mut self, rng: &mut Rng) {
        let first = self.messages.len();
        let ids: Vec<String> = (0..rng.usize(1..3))
            .map(|place| format!("call_{first}_{place}"))
            .collect();
        let calls = ids.iter().map(
            |id| json!({ "id": id, "type": "function", "function": { "name": "look", "arguments": object(rng) } }),
        );
        let calls: Value = calls.collect();
        self.messages
            .push(json!({ "role": "assistant", "content": null, "tool_calls": calls }));
        for id in ids {
            let content = self.content(rng);
            self.messages
                .push(json!({ "role": "tool", "tool_call_id": id, "content": content }));
        }
    }
}

/// Every text in a body's messages, in order.
fn texts(body: &Value) -> String {
    let contents = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["content"]);
    let texts = contents.map(|content| match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    });
    texts.collect()
}

#[test]
fn there_and_back_a_request_at_random_keeps_what_is_said_and_comes_out_the_same() {
    let (mut written_for, mut refused) = (0_u64, 0_u64);
    fuzz("translated chat requests", |rng| {
        let mut conversation = Conversation::default();
        (0..rng.usize(1..7)).for_each(|_| conversation.add(rng));
        let messages = Value::from(conversation.messages);
        let mut members = vec![format!("\"model\":\"m\",\"messages\":{messages},\"tools\":{TOOLS}")];
        for (name, usual) in FIELDS {
            if rng.u8(..4) == 0 {
                members.push(format!("\"{name}\":{usual}"));
            }
        }
        let body = format!("{{{}}}", members.join(","));
        for provider in ["openai", "openrouter", "mistral", "groq", "deepseek", "vllm"] {
            let capabilities: &[_] = if rng.bool() { &[Capability::Reasoning] } else { &[] };
            let model = model_of(provider, capabilities);
            let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::OpenaiChat);
            let request = read_request(&body, &mut losses).unwrap_or_else(|error| panic!("{error}: {body}"));
            let Ok(written) = write_request(&request, &model, &mut losses) else {
                refused += 1;
                continue;
            };
            written_for += 1;
            let text = std::str::from_utf8(&written).unwrap();
            let all = texts(&serde_json::from_str(text).unwrap());
            let mut rest = all.as_str();
            for said in &conversation.said {
                let (_, after) = rest
                    .split_once(said.as_str())
                    .unwrap_or_else(|| panic!("{provider}: {said:?} is lost or not in its place: {body}\n{text}"));
                rest = after;
            }
            // Mistral's name for it, which no client uses.
            let renamed = text.replace("\"random_seed\"", "\"seed\"");
            let again =
                read_request(&renamed, &mut losses).unwrap_or_else(|error| panic!("{provider}: {error}: {text}"));
            let twice = write_request(&again, &model, &mut losses).unwrap();
            assert_eq!(std::str::from_utf8(&twice).unwrap(), text, "{provider}: {body}");
        }
    });
    assert!(written_for > 0, "{written_for} written, {refused} refused");
}
