//! What an OpenAI-compatible provider says. Every piece of text is tagged with the provider's name, so that an answer
//! spliced from two providers can be seen.

use serde_json::{Value, json};

/// One answer to be given, whole or in pieces.
#[derive(Debug, Clone)]
pub(super) struct AnswerText {
    /// The provider's name.
    pub(super) provider: String,
    /// The id of the answer.
    pub(super) id: String,
    /// The model that was asked for.
    pub(super) model: String,
    /// Tokens of the request.
    pub(super) input_tokens: u64,
    /// Tokens of the whole answer.
    pub(super) output_tokens: usize,
    /// Whether usage is told.
    pub(super) with_usage: bool,
}

impl AnswerText {
    /// The pieces of the text: `alpha-1 `, `alpha-2 `, …
    pub(super) fn pieces(&self) -> impl Iterator<Item = String> {
        (1..=self.output_tokens).map(|number| {
            let space = if number == self.output_tokens { "" } else { " " };
            format!("{}-{number}{space}", self.provider)
        })
    }

    /// The body of an answer given at once.
    pub(super) fn whole(&self) -> Vec<u8> {
        let mut body = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": 1_764_000_000,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": self.pieces().collect::<String>() },
                "finish_reason": "stop",
            }],
            "x_provider_extra": { "kept": true },
        });
        if self.with_usage {
            body["usage"] = self.usage();
        }
        serde_json::to_vec(&body).unwrap()
    }

    /// The first event of a stream: a role and no text.
    pub(super) fn role_event(&self) -> String {
        self.event(&json!({ "role": "assistant", "content": "" }), &Value::Null)
    }

    /// The event that carries one piece of the text.
    pub(super) fn piece_event(&self, piece: &str) -> String {
        self.event(&json!({ "content": piece }), &Value::Null)
    }

    /// The event that says why the answer ended.
    pub(super) fn finish_event(&self) -> String {
        self.event(&json!({}), &json!("stop"))
    }

    /// The event that tells the usage.
    pub(super) fn usage_event(&self) -> String {
        let mut chunk = self.chunk();
        chunk["choices"] = json!([]);
        chunk["usage"] = self.usage();
        frame(&chunk)
    }

    fn event(&self, delta: &Value, finish_reason: &Value) -> String {
        let mut chunk = self.chunk();
        chunk["choices"] = json!([{ "index": 0, "delta": delta, "finish_reason": finish_reason }]);
        frame(&chunk)
    }

    fn chunk(&self) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": 1_764_000_000,
            "model": self.model,
        })
    }

    fn usage(&self) -> Value {
        let output = u64::try_from(self.output_tokens).unwrap();
        json!({
            "prompt_tokens": self.input_tokens,
            "completion_tokens": output,
            "total_tokens": self.input_tokens + output,
        })
    }
}

/// The mark at the end of a stream.
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// An error in the place of an event.
pub(super) const ERROR_FRAME: &str =
    "data: {\"error\":{\"message\":\"secret-upstream-detail\",\"type\":\"server_error\",\"code\":500}}\n\n";

fn frame(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

/// The tokens of a request, as this provider counts them: one for each word of each message.
pub(super) fn count_input_tokens(messages: &[String]) -> u64 {
    let words: usize = messages.iter().map(|text| text.split_whitespace().count()).sum();
    u64::try_from(words).unwrap()
}
