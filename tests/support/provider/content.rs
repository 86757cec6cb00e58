//! What the provider's answers consist of, and what they cost: both apart from how it treats requests, so that any
//! answer can be slow, cut or stalled.

use std::sync::Arc;

/// What an answer consists of: text, unless told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(super) thinks: bool,
    pub(super) speaks: bool,
    /// Behind every piece of text and of reasoning.
    pub(super) letters: &'static str,
    /// The text in the place of the provider's own.
    pub(super) said: Option<Arc<str>>,
    pub(super) calls: Arc<[ToolCall]>,
    pub(super) end: End,
}

/// Why an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is finished.
    Stop,
    /// It has reached its longest length.
    Length,
    /// It waits for tools.
    Calls,
    /// The model does not want to.
    Refusal,
}

impl Content {
    /// Text. The request's cap shortens it, and yet it ends as if it were finished.
    pub(crate) fn text() -> Self {
        Self {
            thinks: false,
            speaks: true,
            letters: "",
            said: None,
            calls: Arc::default(),
            end: End::Stop,
        }
    }

    /// This text, whatever its number of tokens is said to be.
    pub(crate) fn saying(text: &str) -> Self {
        Self {
            said: Some(text.into()),
            ..Self::text()
        }
    }

    /// Text that ends because it has reached its longest length.
    pub(crate) fn cut_text() -> Self {
        Self {
            end: End::Length,
            ..Self::text()
        }
    }

    /// A refusal: with words of its own where the dialect has a place for them, with a reason to end alone otherwise
    /// (Gemini), and text where the dialect knows no refusals (completions, Ollama).
    pub(crate) fn refusal() -> Self {
        Self {
            speaks: false,
            end: End::Refusal,
            ..Self::text()
        }
    }

    /// Calls of these tools, each a name and its arguments in JSON. A request that already brings results of tools is
    /// answered with text, so that a client that loops comes to an end.
    pub(crate) fn calls(calls: &[(&str, &str)]) -> Self {
        let call = |&(name, arguments): &(&str, &str)| ToolCall {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        Self {
            speaks: false,
            calls: calls.iter().map(call).collect(),
            end: End::Calls,
            ..Self::text()
        }
    }

    /// The same with reasoning before it, and with the opaque state that the dialect gives for it.
    pub(crate) fn thinking(mut self) -> Self {
        self.thinks = true;
        self
    }

    /// The same with these letters behind every piece of text and of reasoning, whose pieces are ASCII otherwise.
    pub(crate) fn with_letters(mut self, letters: &'static str) -> Self {
        self.letters = letters;
        self
    }

    /// The same calls with text before them.
    pub(crate) fn after_text(mut self) -> Self {
        self.speaks = true;
        self
    }

    /// What is said to a request that brings the results of tools.
    pub(super) fn after_results(&self) -> Self {
        match self.end {
            End::Calls => Self {
                thinks: self.thinks,
                letters: self.letters,
                ..Self::text()
            },
            _ => self.clone(),
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::text()
    }
}

/// The call of a tool.
#[derive(Debug, Clone)]
pub(super) struct ToolCall {
    pub(super) name: String,
    pub(super) arguments: String,
}

impl ToolCall {
    /// The arguments in up to three pieces.
    pub(super) fn pieces(&self) -> Vec<String> {
        let letters: Vec<char> = self.arguments.chars().collect();
        let length = letters.len().div_ceil(3).max(1);
        letters.chunks(length).map(|piece| piece.iter().collect()).collect()
    }

    /// The arguments as the object that some dialects want.
    pub(super) fn object(&self) -> serde_json::Value {
        let arguments: serde_json::Value = serde_json::from_str(&self.arguments).unwrap_or_default();
        assert!(
            arguments.is_object(),
            "this dialect has arguments in an object only: {self:?}"
        );
        arguments
    }
}

/// Tokens that an answer costs besides the words of the request and the pieces of the answer. Each dialect tells them in
/// its own manner: inside its counts or beside them, or not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UsageScript {
    /// Of the request, read from the cache.
    pub(crate) cached: u64,
    /// Of the request, written to the cache for the usual time.
    pub(crate) cache_write: u64,
    /// Of the request, written to the cache for an hour. Only Anthropic's dialect tells it from the usual.
    pub(crate) cache_write_1h: u64,
    /// Of the reasoning, shown or not. There are never fewer than the shown reasoning has.
    pub(crate) reasoning: u64,
    /// Whether chat completions tell the reasoning beside the tokens of the answer, as xAI does, and not in them.
    pub(crate) reasoning_beside: bool,
}
