//! What the tests of all dialects share: how each is asked, and how its text is read.

use serde_json::{Value, json};

use super::client;
use crate::support::{Provider, Reply, SseEvent, json_lines};

/// One dialect, as a client sees it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spoken {
    Chat,
    Completions,
    Responses,
    Anthropic,
    Gemini,
    Ollama,
}

impl Spoken {
    pub(super) const ALL: [Self; 6] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::Anthropic,
        Self::Gemini,
        Self::Ollama,
    ];

    pub(super) fn path(self, streamed: bool) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Responses => "/v1/responses",
            Self::Anthropic => "/v1/messages?beta=true",
            Self::Gemini if streamed => "/v1beta/models/m-1:streamGenerateContent?alt=sse",
            Self::Gemini => "/v1beta/models/m-1:generateContent",
            Self::Ollama => "/api/chat",
        }
    }

    /// A request with one message.
    pub(super) fn request(self, message: &str, streamed: bool) -> Value {
        let messages = json!([{ "role": "user", "content": message }]);
        let mut body = match self {
            Self::Chat => json!({ "model": "m-1", "messages": messages, "stream": streamed }),
            Self::Completions => json!({ "model": "m-1", "prompt": message, "stream": streamed }),
            Self::Responses => json!({ "model": "m-1", "input": message, "stream": streamed }),
            Self::Anthropic => json!({ "model": "m-1", "max_tokens": 99, "messages": messages, "stream": streamed }),
            Self::Gemini => json!({ "contents": [{ "role": "user", "parts": [{ "text": message }] }] }),
            // A stream is what Ollama gives when nothing is said.
            Self::Ollama if streamed => json!({ "model": "m-1", "messages": messages }),
            Self::Ollama => json!({ "model": "m-1", "messages": messages, "stream": false }),
        };
        if streamed && matches!(self, Self::Chat | Self::Completions) {
            body["stream_options"] = json!({ "include_usage": true });
        }
        body
    }

    /// Asks so.
    #[track_caller]
    pub(super) fn ask(self, provider: &Provider, message: &str, streamed: bool) -> Reply {
        client(provider).post(self.path(streamed), &self.request(message, streamed))
    }

    /// The body of a whole answer.
    #[track_caller]
    pub(super) fn whole(self, provider: &Provider, message: &str) -> Value {
        let reply = self.ask(provider, message, false);
        assert_eq!((reply.status, reply.cut), (200, false), "{reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        reply.json()
    }

    /// The events of a stream that came to its end.
    #[track_caller]
    pub(super) fn stream(self, provider: &Provider, message: &str) -> Vec<SseEvent> {
        let reply = self.ask(provider, message, true);
        assert_eq!((reply.status, reply.cut), (200, false), "{reply:?}");
        assert_eq!(provider.last_body(), reply.body);
        self.events(&reply)
    }

    /// The events of a stream as far as it came.
    #[track_caller]
    pub(super) fn events(self, reply: &Reply) -> Vec<SseEvent> {
        match self {
            Self::Ollama => {
                assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
                let event = |data| SseEvent { name: None, data };
                json_lines(reply.text()).into_iter().map(event).collect()
            }
            _ => reply.sse(),
        }
    }

    /// The text that an event brings.
    pub(super) fn piece(self, event: &Value) -> Option<String> {
        let text = match self {
            Self::Chat => &event["choices"][0]["delta"]["content"],
            Self::Completions => &event["choices"][0]["text"],
            Self::Responses if event["type"] == "response.output_text.delta" => &event["delta"],
            Self::Responses => &Value::Null,
            Self::Anthropic => &event["delta"]["text"],
            Self::Gemini => &event["candidates"][0]["content"]["parts"][0]["text"],
            Self::Ollama => &event["message"]["content"],
        };
        text.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The text of a whole answer.
    pub(super) fn text(self, body: &Value) -> String {
        let text = match self {
            Self::Chat => &body["choices"][0]["message"]["content"],
            Self::Completions => &body["choices"][0]["text"],
            Self::Responses => &body["output"][0]["content"][0]["text"],
            Self::Anthropic => &body["content"][0]["text"],
            Self::Gemini => &body["candidates"][0]["content"]["parts"][0]["text"],
            Self::Ollama => &body["message"]["content"],
        };
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Whether an event is the dialect's error.
    pub(super) fn is_error(self, event: &SseEvent) -> bool {
        let data = &event.data;
        match self {
            Self::Chat | Self::Completions => data["error"]["message"].is_string(),
            Self::Responses => match data["type"].as_str() {
                Some("error") => data["message"].is_string(),
                Some("response.failed") => data["response"]["error"]["message"].is_string(),
                _ => false,
            },
            Self::Anthropic => event.kind() == "error" && data["error"]["type"] == "overloaded_error",
            Self::Gemini => data["error"]["status"] == "UNAVAILABLE",
            Self::Ollama => data["error"].is_string(),
        }
    }
}
