//! A request: what a model is asked, and how.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway_actors::protocol::Model;
use serde_json::value::RawValue;

use super::feature::Feature;
use super::losses::Losses;
use super::number::Number;
use super::opaque::Opaque;
use super::tools::{Tool, ToolCall, ToolChoice};

/// What a model is asked. Text is borrowed from the body it was read from.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Request<'a> {
    /// Instructions and conversation, in order. Instructions that a dialect keeps apart come first.
    pub(in crate::dialects) messages: Vec<Message<'a>>,
    /// Tools that the model may call.
    pub(in crate::dialects) tools: Vec<Tool<'a>>,
    /// Which of them it must or may call; the provider's default if absent.
    pub(in crate::dialects) tool_choice: Option<ToolChoice<'a>>,
    /// Whether the tools were offered as `functions`, the older form of chat completions, in which the calls are wanted too.
    pub(in crate::dialects) legacy_functions: bool,
    /// Whether it may call several at once; the provider's default if absent.
    pub(in crate::dialects) parallel_tool_calls: Option<bool>,
    /// What form the answer's text must have.
    pub(in crate::dialects) format: Option<Format<'a>>,
    /// Output tokens at most, reasoning included.
    pub(in crate::dialects) max_output_tokens: Option<u32>,
    pub(in crate::dialects) temperature: Option<Number<'a>>,
    pub(in crate::dialects) top_p: Option<Number<'a>>,
    pub(in crate::dialects) top_k: Option<Number<'a>>,
    pub(in crate::dialects) min_p: Option<Number<'a>>,
    pub(in crate::dialects) seed: Option<Number<'a>>,
    pub(in crate::dialects) frequency_penalty: Option<Number<'a>>,
    pub(in crate::dialects) presence_penalty: Option<Number<'a>>,
    /// Texts that end the answer.
    pub(in crate::dialects) stop: Vec<Cow<'a, str>>,
    /// How the model is to reason.
    pub(in crate::dialects) reasoning: Option<Reasoning>,
    /// `low`, `medium` or `high`: how much the model is to say.
    pub(in crate::dialects) verbosity: Option<Cow<'a, str>>,
    /// How many answers are wanted; 0 counts as 1.
    pub(in crate::dialects) answers: u32,
    /// Alternatives for each token wanted with its probability: nothing if none, else how many.
    pub(in crate::dialects) logprobs: Option<u32>,
    /// An object of token biases, as it stands.
    pub(in crate::dialects) logit_bias: Option<&'a RawValue>,
    /// The caller's name for the end user.
    pub(in crate::dialects) user: Option<Cow<'a, str>>,
    /// The caller's own notes about the request, an object as it stands.
    pub(in crate::dialects) metadata: Option<&'a RawValue>,
    /// A key by which the provider may find its prompt cache.
    pub(in crate::dialects) cache_key: Option<Cow<'a, str>>,
    /// A service tier by the provider's name for it.
    pub(in crate::dialects) service_tier: Option<Cow<'a, str>>,
    /// Whether a stream is wanted.
    pub(in crate::dialects) stream: bool,
    /// Members of the body that the reader knows nothing of, by name. A writer of another dialect has no place for them.
    pub(in crate::dialects) unknown: Vec<Cow<'a, str>>,
}

impl Request<'_> {
    /// The limit of output tokens for this model: its own where that is lower, which the client is told.
    pub(in crate::dialects) fn output_limit(&self, model: &Model, losses: &mut Losses) -> Option<u32> {
        let asked = self.max_output_tokens?;
        if asked > model.max_output_tokens {
            losses.drop(Feature::MaxTokens);
        }
        Some(asked.min(model.max_output_tokens))
    }
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum Role {
    /// The operator of the model.
    System,
    /// The developer of the application; a dialect without it says `system`.
    Developer,
    /// The user, or a tool that was called.
    User,
    /// The model.
    Assistant,
}

/// One message.
#[derive(Debug)]
pub(in crate::dialects) struct Message<'a> {
    pub(in crate::dialects) role: Role,
    pub(in crate::dialects) parts: Vec<Part<'a>>,
}

impl<'a> Message<'a> {
    /// A message of one text.
    pub(in crate::dialects) fn text(role: Role, text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            role,
            parts: vec![PartKind::Text(text.into()).into()],
        }
    }
}

/// A part of a message.
#[derive(Debug)]
pub(in crate::dialects) struct Part<'a> {
    pub(in crate::dialects) kind: PartKind<'a>,
    /// Whether the provider is asked to keep the prompt up to here in its cache.
    pub(in crate::dialects) cache: Option<CacheMark>,
}

impl<'a> From<PartKind<'a>> for Part<'a> {
    fn from(kind: PartKind<'a>) -> Self {
        Self { kind, cache: None }
    }
}

/// What a part is.
#[derive(Debug)]
pub(in crate::dialects) enum PartKind<'a> {
    Text(Cow<'a, str>),
    Image(Image<'a>),
    /// A file such as a PDF.
    Document(Document<'a>),
    /// The model's refusal to answer.
    Refusal(Cow<'a, str>),
    /// The model's reasoning before what follows it: its words, if they may be read, and what only its provider can read.
    Reasoning {
        text: Cow<'a, str>,
        opaque: Option<Opaque<'a>>,
    },
    /// The model calls a tool.
    ToolCall(ToolCall<'a>),
    /// What came of a call, in a message of the user's.
    ToolResult(ToolResult<'a>),
}

/// A mark up to which a provider is asked to keep the prompt in its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum CacheMark {
    /// For as long as the provider does by default, with Anthropic five minutes.
    Default,
    /// For an hour.
    OneHour,
}

/// Where the bytes of an image or a document are.
#[derive(Debug)]
pub(in crate::dialects) enum Source<'a> {
    /// At an address.
    Url(Cow<'a, str>),
    /// Here, in base64.
    Data {
        media_type: Cow<'a, str>,
        base64: Cow<'a, str>,
    },
}

/// An image.
#[derive(Debug)]
pub(in crate::dialects) struct Image<'a> {
    pub(in crate::dialects) source: Source<'a>,
    /// `low`, `high`, `auto` and the like: how closely it is looked at.
    pub(in crate::dialects) detail: Option<Cow<'a, str>>,
}

/// A file.
#[derive(Debug)]
pub(in crate::dialects) struct Document<'a> {
    pub(in crate::dialects) source: Source<'a>,
    pub(in crate::dialects) name: Option<Cow<'a, str>>,
}

impl Document<'_> {
    /// What it says, if it is here and text in UTF-8.
    pub(in crate::dialects) fn text(&self) -> Option<String> {
        let Source::Data { media_type, base64 } = &self.source else {
            return None;
        };
        let is_text = media_type.starts_with("text/") || media_type == "application/json";
        let bytes = is_text.then(|| STANDARD.decode(base64.as_bytes()).ok()).flatten()?;
        String::from_utf8(bytes).ok()
    }
}

/// What came of a tool call.
#[derive(Debug)]
pub(in crate::dialects) struct ToolResult<'a> {
    /// The call's id.
    pub(in crate::dialects) call_id: Cow<'a, str>,
    /// Texts, images and documents.
    pub(in crate::dialects) content: Vec<PartKind<'a>>,
    pub(in crate::dialects) is_error: bool,
}

/// What form an answer's text must have.
#[derive(Debug)]
pub(in crate::dialects) enum Format<'a> {
    /// Any JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema(Schema<'a>),
}

/// A schema for an answer.
#[derive(Debug)]
pub(in crate::dialects) struct Schema<'a> {
    pub(in crate::dialects) name: Option<Cow<'a, str>>,
    pub(in crate::dialects) description: Option<Cow<'a, str>>,
    pub(in crate::dialects) schema: &'a RawValue,
    pub(in crate::dialects) strict: Option<bool>,
}

/// How a model is to reason before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::dialects) struct Reasoning {
    /// How much, in words.
    pub(in crate::dialects) effort: Option<Effort>,
    /// Tokens at most.
    pub(in crate::dialects) budget_tokens: Option<u32>,
    /// Whether the caller wants to read its reasoning or a summary of it; the dialect's default if absent.
    pub(in crate::dialects) visible: Option<bool>,
}

/// How much a model is to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dialects) enum Effort {
    /// Not at all.
    None,
    Minimal,
    Low,
    Medium,
    High,
    /// More than high.
    ExtraHigh,
    /// As much as it can.
    Max,
}

impl Effort {
    /// Reads a dialect's word for it.
    pub(in crate::dialects) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::ExtraHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// The budget in tokens that stands for it where a dialect counts; nothing for none.
    pub(in crate::dialects) const fn budget_tokens(self) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Minimal => Some(1_024),
            Self::Low => Some(2_048),
            Self::Medium => Some(8_192),
            Self::High => Some(16_384),
            Self::ExtraHigh => Some(32_768),
            Self::Max => Some(65_536),
        }
    }

    /// The effort that stands for a budget where a dialect has words: the least that allows as much.
    pub(in crate::dialects) const fn of_budget(tokens: u32) -> Self {
        match tokens {
            0 => Self::None,
            1..=1_024 => Self::Minimal,
            1_025..=2_048 => Self::Low,
            2_049..=8_192 => Self::Medium,
            8_193..=16_384 => Self::High,
            16_385..=32_768 => Self::ExtraHigh,
            _ => Self::Max,
        }
    }
}

impl Reasoning {
    /// How much, in words.
    pub(in crate::dialects) fn as_effort(self) -> Option<Effort> {
        self.effort.or(self.budget_tokens.map(Effort::of_budget))
    }

    /// How much, in tokens.
    pub(in crate::dialects) fn as_budget(self) -> Option<u32> {
        self.budget_tokens
            .or_else(|| self.effort.and_then(Effort::budget_tokens))
    }

    /// By what it is said how much.
    pub(in crate::dialects) const fn amount(self) -> Feature {
        match self.effort {
            Some(_) => Feature::ReasoningEffort,
            None => Feature::ReasoningBudget,
        }
    }

    /// Whether the model is told not to reason.
    pub(in crate::dialects) fn is_off(self) -> bool {
        self.effort == Some(Effort::None) || self.effort.is_none() && self.budget_tokens == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effort_is_the_effort_of_its_budget() {
        for effort in [
            Effort::Minimal,
            Effort::Low,
            Effort::Medium,
            Effort::High,
            Effort::ExtraHigh,
            Effort::Max,
        ] {
            assert_eq!(effort.budget_tokens().map(Effort::of_budget), Some(effort));
        }
        assert_eq!(Effort::of_budget(0), Effort::None);
        assert!(
            Reasoning {
                effort: Some(Effort::None),
                ..Reasoning::default()
            }
            .is_off()
        );
        assert!(!Reasoning::default().is_off());
    }
}
