//! What clients say and hear, each in its own dialect.

use serde_json::{Value, json};

use crate::scene::is_stream;
use crate::streams::folded;
use crate::support::Reply;

/// A dialect that clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tongue {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
}

impl Tongue {
    pub(crate) const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    /// The endpoint.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }

    /// A request with one message, which offers the tool `weather`.
    pub(crate) fn ask(self, model: &str, message: &str, stream: bool) -> Value {
        let turn = json!({ "role": "user", "content": message });
        let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
        let mut body = match self {
            Self::Chat => json!({
                "messages": [turn],
                "tools": [{ "type": "function", "function": { "name": "weather", "parameters": schema } }],
            }),
            Self::Responses => json!({
                "input": [turn],
                "tools": [{ "type": "function", "name": "weather", "parameters": schema, "strict": false }],
            }),
            Self::Messages => json!({
                "messages": [turn],
                "max_tokens": 1_000,
                "tools": [{ "name": "weather", "input_schema": schema }],
            }),
        };
        body["model"] = json!(model);
        if stream {
            body["stream"] = json!(true);
            if self == Self::Chat {
                body["stream_options"] = json!({ "include_usage": true });
            }
        }
        body
    }

    /// The next request of a conversation: what was heard, and then these results of the calls in it, or this message.
    pub(crate) fn follow(self, request: &Value, heard: &Heard, next: &str) -> Value {
        let mut body = request.clone();
        let list = if self == Self::Responses { "input" } else { "messages" };
        let turns = body[list].as_array_mut().unwrap();
        turns.extend(heard.turn.iter().cloned());
        let results = heard.calls.iter().map(|call| match self {
            Self::Chat => json!({ "role": "tool", "tool_call_id": call.id, "content": next }),
            Self::Responses => json!({ "type": "function_call_output", "call_id": call.id, "output": next }),
            Self::Messages => {
                let result = json!({ "type": "tool_result", "tool_use_id": call.id, "content": next });
                json!({ "role": "user", "content": [result] })
            }
        });
        turns.extend(results);
        if heard.calls.is_empty() {
            turns.push(json!({ "role": "user", "content": next }));
        }
        body
    }

    /// What an answer says, whole or streamed. A stream must keep to the grammar and come to its end.
    #[track_caller]
    pub(crate) fn heard(self, reply: &Reply) -> Heard {
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!reply.cut, "{}", reply.text());
        if !is_stream(reply) {
            return Heard::of(self, &reply.json());
        }
        let folded = folded(self, &reply.sse());
        assert!(folded.error.is_none() && folded.has_ended, "{}", reply.text());
        Heard::of(self, &folded.body)
    }
}

/// What an answer says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) thoughts: String,
    pub(crate) calls: Vec<Call>,
    /// Whether the model did not want to.
    pub(crate) is_refusal: bool,
    /// Why it ends, in the dialect's word.
    pub(crate) end: String,
    pub(crate) usage: Usage,
    /// The answer as it goes back with the next request.
    pub(crate) turn: Vec<Value>,
}

/// The call of a tool.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

impl Call {
    fn new(id: &Value, name: &Value, arguments: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            id: text(id),
            name: text(name),
            arguments,
        }
    }
}

/// Tokens: of the whole input, of those read from a cache, of the whole output.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
}

impl Heard {
    /// Reads a whole answer.
    pub(crate) fn of(tongue: Tongue, body: &Value) -> Self {
        match tongue {
            Tongue::Chat => Self::chat(body),
            Tongue::Responses => Self::response(body),
            Tongue::Messages => Self::message(body),
        }
    }

    fn chat(body: &Value) -> Self {
        assert_eq!(body["object"], "chat.completion", "{body}");
        let choice = &body["choices"][0];
        let message = &choice["message"];
        let usage = &body["usage"];
        let calls = list(&message["tool_calls"]).iter().map(|call| {
            let function = &call["function"];
            Call::new(&call["id"], &function["name"], parsed(&function["arguments"]))
        });
        Self {
            text: text(&message["content"]),
            thoughts: text(&message["reasoning_content"]),
            calls: calls.collect(),
            is_refusal: message["refusal"].is_string() || choice["finish_reason"] == "content_filter",
            end: text(&choice["finish_reason"]),
            usage: Usage {
                input: count(&usage["prompt_tokens"]),
                cached: count(&usage["prompt_tokens_details"]["cached_tokens"]),
                output: count(&usage["completion_tokens"]),
            },
            turn: vec![message.clone()],
        }
    }

    fn response(body: &Value) -> Self {
        assert_eq!(body["object"], "response", "{body}");
        let mut heard = Self {
            end: match &body["incomplete_details"]["reason"] {
                Value::Null => text(&body["status"]),
                reason => text(reason),
            },
            ..Self::default()
        };
        let usage = &body["usage"];
        heard.usage = Usage {
            input: count(&usage["input_tokens"]),
            cached: count(&usage["input_tokens_details"]["cached_tokens"]),
            output: count(&usage["output_tokens"]),
        };
        heard.is_refusal = heard.end == "content_filter";
        for item in list(&body["output"]) {
            heard.turn.push(item.clone());
            match item["type"].as_str().unwrap_or_default() {
                "message" => {
                    for part in list(&item["content"]) {
                        heard.text.push_str(&text(&part["text"]));
                        heard.is_refusal |= part["type"] == "refusal";
                    }
                }
                "reasoning" => {
                    let parts = list(&item["summary"]).iter().chain(list(&item["content"]));
                    heard.thoughts.extend(parts.map(|part| text(&part["text"])));
                }
                "function_call" => {
                    let call = Call::new(&item["call_id"], &item["name"], parsed(&item["arguments"]));
                    heard.calls.push(call);
                }
                other => panic!("an item of type {other:?}: {body}"),
            }
        }
        heard
    }

    fn message(body: &Value) -> Self {
        assert_eq!(
            (&body["type"], &body["role"]),
            (&json!("message"), &json!("assistant")),
            "{body}"
        );
        let usage = &body["usage"];
        let cached = count(&usage["cache_read_input_tokens"]);
        let mut heard = Self {
            end: text(&body["stop_reason"]),
            is_refusal: body["stop_reason"] == "refusal",
            usage: Usage {
                input: count(&usage["input_tokens"]) + cached + count(&usage["cache_creation_input_tokens"]),
                cached,
                output: count(&usage["output_tokens"]),
            },
            turn: vec![json!({ "role": "assistant", "content": body["content"] })],
            ..Self::default()
        };
        for block in list(&body["content"]) {
            match block["type"].as_str().unwrap_or_default() {
                "text" => heard.text.push_str(&text(&block["text"])),
                "thinking" => heard.thoughts.push_str(&text(&block["thinking"])),
                "redacted_thinking" => {}
                "tool_use" => {
                    let call = Call::new(&block["id"], &block["name"], block["input"].clone());
                    heard.calls.push(call);
                }
                other => panic!("a block of type {other:?}: {body}"),
            }
        }
        heard
    }
}

/// The items of a list; none when there is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; nothing when it is none.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

#[track_caller]
fn parsed(arguments: &Value) -> Value {
    let arguments = arguments.as_str().unwrap_or_else(|| panic!("no text: {arguments}"));
    serde_json::from_str(arguments).unwrap_or_else(|error| panic!("no JSON ({error}): {arguments}"))
}
