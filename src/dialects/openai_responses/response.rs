//! A response and its items, as they are written for a client.

use std::borrow::Cow;

use gateway_actors::protocol::UsageReport;
use serde::Serialize;
use serde_json::value::RawValue;

use super::echo::{echo, in_tier};
use crate::dialects::neutral::{AnswerContext, FinishReason};

/// A response.
#[derive(Debug, Serialize)]
pub(super) struct Response<'a> {
    pub(super) id: &'a str,
    object: &'static str,
    created_at: i64,
    status: &'static str,
    error: Option<Failure>,
    incomplete_details: Option<Incomplete>,
    model: &'a str,
    output: &'a [Box<RawValue>],
    usage: Option<Usage>,
}

#[derive(Debug, Serialize)]
struct Failure {
    code: &'static str,
    message: &'static str,
}

#[derive(Debug, Serialize)]
struct Incomplete {
    reason: &'static str,
}

/// How a response stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// It is not whole, for this reason.
    Incomplete(&'static str),
    Failed,
}

impl Status {
    /// How an answer stands that ended for this reason. A refusal in words is a whole answer; one without was made by
    /// whoever watches over the model. A turn that its provider paused can only be told as one that was too long.
    pub(super) fn of(finish: &FinishReason<'_>, refuses: bool) -> Self {
        match finish {
            FinishReason::Length | FinishReason::Paused => Self::Incomplete("max_output_tokens"),
            FinishReason::Refused if !refuses => Self::Incomplete("content_filter"),
            _ => Self::Completed,
        }
    }

    /// The dialect's word for it, for responses and for items.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed => "failed",
        }
    }
}

impl<'a> Response<'a> {
    /// A response with these finished items.
    pub(super) fn new(
        names: &'a Names,
        context: &AnswerContext,
        status: Status,
        output: &'a [Box<RawValue>],
        usage: UsageReport,
    ) -> Self {
        Self {
            id: &names.id,
            object: "response",
            created_at: context.created,
            status: status.word(),
            error: (status == Status::Failed).then_some(Failure {
                code: "server_error",
                message: "the answer stopped before its end; try again",
            }),
            incomplete_details: match status {
                Status::Incomplete(reason) => Some(Incomplete { reason }),
                _ => None,
            },
            model: &names.model,
            output,
            usage: match usage {
                UsageReport::Reported(usage) => Some(Usage::of(&usage)),
                UsageReport::Missing | UsageReport::Absurd | UsageReport::Unused => None,
            },
        }
    }

    /// Writes it, with what it repeats of its request. In the place of the tier of service that was asked for stands the one
    /// in which it was made, unless that is not told.
    pub(super) fn write(&self, context: &AnswerContext, tier: &str) -> Result<Vec<u8>, serde_json::Error> {
        let mut out = serde_json::to_vec(self)?;
        let usual;
        let repeated = match &context.echo {
            Some(repeated) => repeated,
            None => {
                usual = echo("{}", None);
                &usual
            }
        };
        let repeated = in_tier(repeated, tier);
        let members = repeated.trim_ascii().trim_start_matches('{').trim_ascii_start();
        if members.len() > 1 {
            out.pop();
            out.push(b',');
            out.extend_from_slice(members.as_bytes());
        }
        Ok(out)
    }
}

/// The id of a response and its model's name.
#[derive(Debug, Default)]
pub(super) struct Names {
    id: String,
    model: String,
}

impl Names {
    /// The provider's own, as far as they are of the dialect.
    pub(super) fn new(id: &str, model: &str, context: &AnswerContext) -> Self {
        let model = if model.is_empty() { &context.model } else { model };
        Self {
            id: if id.starts_with("resp_") {
                id.to_owned()
            } else {
                format!("resp_{}", context.id)
            },
            model: model.to_owned(),
        }
    }
}

/// The id of an item or a call: no other of the same kind has it.
pub(super) fn item_id(prefix: &str, context: &AnswerContext, number: usize) -> String {
    format!("{prefix}_{}_{number}", context.id)
}

#[derive(Debug, Serialize)]
struct Usage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Debug, Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl Usage {
    fn of(usage: &gateway_actors::protocol::TokenUsage) -> Self {
        Self {
            input_tokens: usage.input,
            input_tokens_details: InputDetails {
                cached_tokens: usage.cached_input,
                cache_write_tokens: usage.cache_write_5m.saturating_add(usage.cache_write_1h),
            },
            output_tokens: usage.output,
            output_tokens_details: OutputDetails {
                reasoning_tokens: usage.reasoning,
            },
            total_tokens: usage.input.saturating_add(usage.output),
        }
    }
}

/// An item of the output.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutItem<'a> {
    Message {
        id: &'a str,
        status: &'static str,
        role: &'static str,
        content: Vec<OutPart<'a>>,
    },
    Reasoning {
        id: &'a str,
        summary: Vec<OutPart<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<Cow<'a, str>>,
    },
    FunctionCall {
        id: &'a str,
        status: &'static str,
        call_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        name: &'a str,
        arguments: &'a str,
    },
    CustomToolCall {
        id: &'a str,
        status: &'static str,
        call_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        name: &'a str,
        input: &'a str,
    },
    ToolSearchCall {
        id: &'a str,
        status: &'static str,
        call_id: &'a str,
        execution: &'static str,
        arguments: Box<RawValue>,
    },
}

/// A part of an item.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutPart<'a> {
    OutputText {
        text: &'a str,
        annotations: [(); 0],
        logprobs: [(); 0],
    },
    Refusal {
        refusal: &'a str,
    },
    SummaryText {
        text: &'a str,
    },
}

impl<'a> OutPart<'a> {
    pub(super) const fn text(text: &'a str) -> Self {
        Self::OutputText {
            text,
            annotations: [],
            logprobs: [],
        }
    }
}
