//! Which dialect a request is in, by its path, and what every dialect must be able to do.

use serde_json::Value;

use super::answer::{Answer, Block, Frame, Frames};
use super::anthropic::{self, Anthropic};
use super::embeddings::{self, Embeddings};
use super::gemini::{self, Gemini};
use super::ollama::{self, Ollama};
use super::openai_chat::{self, OpenaiChat};
use super::openai_completions::{self, OpenaiCompletions};
use super::openai_responses::{self, OpenaiResponses};

/// A way to put answers on the wire.
pub(super) trait Dialect: Sync {
    /// The id of an answer.
    fn id(&self, provider: &str, number: usize) -> String {
        format!("{provider}-{number}")
    }

    /// The longest answer that the request allows, in tokens.
    fn output_cap(&self, request: &Value) -> Option<u64>;

    /// Whether the client brings results of tools that were called in the last answer.
    fn brings_results(&self, request: &Value) -> bool;

    /// Whether there are words for such a part of an answer.
    fn can_say(&self, _block: &Block) -> bool {
        true
    }

    /// The body of an answer given at once.
    fn whole(&self, answer: &Answer) -> Value;

    /// A stream, from its first event to its last.
    fn frames<'a>(&self, answer: &'a Answer) -> Frames<'a>;

    /// The body that says 200 and brings an error in the place of an answer.
    fn error(&self) -> Value;

    /// An error in the place of an event, after this many frames of the answer.
    fn error_frame(&self, answer: &Answer, sent: usize) -> String;

    /// The type of a stream.
    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// What keeps a stream alive and says nothing.
    fn comments(&self) -> &'static str {
        ": working on it\n\n: still working\n\n"
    }
}

/// What a request wants, and in which dialect.
pub(super) struct Route {
    pub(super) dialect: &'static dyn Dialect,
    /// The texts of a request, in order: of its messages, or of what is to be embedded.
    pub(super) texts: fn(&Value) -> Vec<String>,
    pub(super) task: Task,
}

impl Route {
    fn new(dialect: &'static dyn Dialect, texts: fn(&Value) -> Vec<String>, task: Task) -> Self {
        Self { dialect, texts, task }
    }
}

/// What a request wants.
pub(super) enum Task {
    /// An answer, at once or in pieces.
    Answer { streamed: bool },
    /// How many tokens the request has; the body tells it.
    Count(fn(u64) -> Value),
    /// Vectors of its texts.
    Embed(fn(&Embeddings<'_>) -> Value),
}

/// What is asked for at this path with this body; nothing when the provider does not know such a path.
pub(super) fn route(path: &str, body: &Value) -> Option<Route> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let ends = |end: &str| path.ends_with(end);
    let in_pieces = |streamed| Task::Answer { streamed };
    let by_request = in_pieces(body["stream"] == true);
    Some(if ends("/chat/completions") {
        Route::new(&OpenaiChat, openai_chat::texts, by_request)
    } else if ends("/completions") {
        Route::new(&OpenaiCompletions, openai_completions::texts, by_request)
    } else if ends("/embeddings") {
        Route::new(&OpenaiChat, embeddings::texts_of_input, Task::Embed(embeddings::openai))
    } else if ends("/responses") {
        Route::new(&OpenaiResponses, openai_responses::texts, by_request)
    } else if ends("/responses/input_tokens") {
        let count = Task::Count(openai_responses::count);
        Route::new(&OpenaiResponses, openai_responses::texts, count)
    } else if ends("/v1/messages") {
        Route::new(&Anthropic, anthropic::texts, by_request)
    } else if ends("/v1/messages/count_tokens") {
        Route::new(&Anthropic, anthropic::texts, Task::Count(anthropic::count))
    } else if ends(":generateContent") {
        Route::new(&Gemini, gemini::texts, in_pieces(false))
    } else if ends(":streamGenerateContent") && query.split('&').any(|pair| pair == "alt=sse") {
        Route::new(&Gemini, gemini::texts, in_pieces(true))
    } else if ends(":countTokens") {
        Route::new(&Gemini, gemini::texts, Task::Count(gemini::count))
    } else if ends(":batchEmbedContents") {
        Route::new(&Gemini, embeddings::texts_of_requests, Task::Embed(embeddings::gemini))
    } else if ends("/api/chat") {
        Route::new(&Ollama, ollama::texts, in_pieces(body["stream"] != false))
    } else if ends("/api/embed") {
        Route::new(&Ollama, embeddings::texts_of_input, Task::Embed(embeddings::ollama))
    } else {
        return None;
    })
}

/// The model that is asked for: in the body, else in the path (Gemini's models, Azure's deployments).
pub(super) fn model(path: &str, body: &Value) -> String {
    if let Some(model) = body["model"].as_str() {
        return model.to_owned();
    }
    let path = path.split('?').next().unwrap_or_default();
    let after = |folder: &str| path.split_once(folder).map(|(_, rest)| rest);
    let rest = after("/models/").or_else(|| after("/deployments/")).unwrap_or_default();
    rest.split(['/', ':']).next().unwrap_or_default().to_owned()
}

/// Whether the list of models is asked for.
pub(super) fn is_model_list(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.ends_with("/models") || path.ends_with("/api/tags")
}

/// The text of a message's content: a text, or the texts among its parts, one a line.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let text = |part: &Value| match part {
                Value::String(text) => text.clone(),
                part if part["text"].is_string() => text_of(&part["text"]),
                part => text_of(&part["content"]),
            };
            let texts: Vec<String> = parts.iter().map(text).filter(|text| !text.is_empty()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The items of a list in the body; none when there is no list.
pub(super) fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// An event that carries only data.
pub(super) fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// An event that carries data and its type as its name.
pub(super) fn named(event: &Value) -> String {
    let name = event["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {event}\n\n")
}

/// A frame that brings nothing of the answer.
pub(super) fn plain(text: String) -> Frame {
    Frame { text, tokens: 0 }
}

/// A frame that brings one token of the answer.
pub(super) fn piece(text: String) -> Frame {
    Frame { text, tokens: 1 }
}
