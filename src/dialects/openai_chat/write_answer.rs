//! An answer of another dialect's provider, written for a client of this one.
//!
//! Every member that the `openai` Python package (version 3.57.0, `types/chat/chat_completion.py`) requires is there, so
//! that it passes its strict validation. Reasoning is `reasoning_content`, and once more in `reasoning_details` together
//! with what belongs to it.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};
use serde::Serialize;

use super::details::Entry;
use crate::dialects::neutral::{Answer, AnswerContext, Choice, FinishReason, Opaque, PartKind, ToolCall};
use crate::dialects::object::{Text, object, read_body};

/// What an id of the gateway's own begins with.
pub(super) const ID_PREFIX: &str = "chatcmpl-";

#[derive(Serialize)]
struct Body<'a> {
    id: Cow<'a, str>,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: Vec<WrittenChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct WrittenChoice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Called<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CalledCustom<'a>>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: Cow<'a, str>,
    arguments: Cow<'a, str>,
}

#[derive(Serialize)]
struct CalledCustom<'a> {
    name: Cow<'a, str>,
    input: Cow<'a, str>,
}

/// Token counts by OpenAI's convention.
#[derive(Debug, Serialize)]
pub(in crate::dialects) struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Debug, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    /// However long they stay: the dialect has one count for both.
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
}

const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl Usage {
    /// What was reported; nothing if it was not, or cannot be.
    pub(in crate::dialects) fn of(report: UsageReport) -> Option<Self> {
        let UsageReport::Reported(usage) = report else {
            return None;
        };
        Some(Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached_input,
                cache_write_tokens: usage.cache_write_5m.saturating_add(usage.cache_write_1h),
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
            },
        })
    }
}

/// Writes the body.
///
/// # Errors
/// When there is no answer in it.
pub(in crate::dialects) fn write_answer(
    answer: &Answer<'_>,
    context: &AnswerContext,
) -> Result<Vec<u8>, TranslationError> {
    if answer.choices.is_empty() {
        return Err(TranslationError("there is no answer in it"));
    }
    let choices = answer.choices.iter().enumerate();
    let body = Body {
        id: answer_id(&answer.id, context, ID_PREFIX),
        object: "chat.completion",
        created: context.created,
        model: answer_model(&answer.model, context),
        choices: choices
            .map(|(index, choice)| write_choice(index, choice, context))
            .collect(),
        usage: Usage::of(answer.usage),
    };
    serde_json::to_vec(&body).map_err(|_never| TranslationError("it cannot be written"))
}

/// The provider's id, or one of the gateway's own.
pub(in crate::dialects) fn answer_id<'a>(id: &'a str, context: &AnswerContext, prefix: &str) -> Cow<'a, str> {
    if id.is_empty() {
        Cow::Owned(format!("{prefix}{}", context.id))
    } else {
        Cow::Borrowed(id)
    }
}

/// The provider's name for the model that answered, or for the one that was asked.
pub(in crate::dialects) fn answer_model<'a>(model: &'a str, context: &'a AnswerContext) -> &'a str {
    if model.is_empty() { &context.model } else { model }
}

fn write_choice<'a>(index: usize, choice: &'a Choice<'_>, context: &'a AnswerContext) -> WrittenChoice<'a> {
    let (mut content, mut refusal, mut thought) = (None::<String>, None::<String>, None::<String>);
    let mut details: Vec<Entry<'a>> = Vec::new();
    let (mut function_call, mut tool_calls) = (None, Vec::new());
    for (place, part) in choice.parts.iter().enumerate() {
        match &part {
            PartKind::Text(text) => content.get_or_insert_default().push_str(text),
            PartKind::Refusal(text) => refusal.get_or_insert_default().push_str(text),
            PartKind::Reasoning { text, opaque } => {
                if !text.is_empty() {
                    thought.get_or_insert_default().push_str(text);
                }
                let next = choice.parts.get(place + 1);
                details.push(entry(text, opaque.as_ref(), context, details.len(), next));
            }
            PartKind::ToolCall(call) if context.legacy_functions && function_call.is_none() => {
                function_call = Some(called(call));
            }
            PartKind::ToolCall(call) => tool_calls.push(write_call(call, context)),
            PartKind::Image(_) | PartKind::Document(_) | PartKind::ToolResult(_) => {}
        }
    }
    let has_calls = function_call.is_some() || !tool_calls.is_empty();
    if !has_calls && refusal.is_none() {
        content.get_or_insert_default();
    }
    WrittenChoice {
        index,
        finish_reason: finish_word(&choice.finish, has_calls, function_call.is_some()),
        logprobs: None,
        message: Message {
            role: "assistant",
            content,
            refusal,
            reasoning_content: thought,
            reasoning_details: details,
            function_call,
            tool_calls,
        },
    }
}

fn entry<'a>(
    text: &'a str,
    opaque: Option<&'a Opaque<'_>>,
    context: &AnswerContext,
    place: usize,
    next: Option<&'a PartKind<'_>>,
) -> Entry<'a> {
    let before_call = match next {
        Some(PartKind::ToolCall(call)) if opaque.is_some() && text.is_empty() => Some(&*call.id),
        _ => None,
    };
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    Entry::for_client(text, opaque, context.origin, place, before_call)
}

/// A call as the client knows the tool.
fn write_call<'a>(call: &'a ToolCall<'_>, context: &'a AnswerContext) -> Call<'a> {
    let (name, is_custom) = context.tools.original(&call.name.name);
    if !call.is_custom && !is_custom {
        return Call {
            id: &call.id,
            kind: "function",
            function: Some(called(call)),
            custom: None,
        };
    }
    let input = if call.is_custom {
        Cow::Borrowed(&*call.arguments)
    } else {
        plain_input(&call.arguments)
    };
    Call {
        id: &call.id,
        kind: "custom",
        function: None,
        custom: Some(CalledCustom { name: name.name, input }),
    }
}

fn called<'a>(call: &'a ToolCall<'_>) -> Called<'a> {
    Called {
        name: Cow::Borrowed(&call.name.name),
        arguments: whole_arguments(&call.arguments),
    }
}

/// The arguments of a call. Those of one that takes none may be nothing at all, which is no JSON.
fn whole_arguments(arguments: &str) -> Cow<'_, str> {
    Cow::Borrowed(if arguments.trim().is_empty() { "{}" } else { arguments })
}

object! {
    /// The arguments of a function that stands for a tool of plain text.
    Input {
        input = "input": Text<'a>,
    }
}

/// The plain text in the arguments of a function that stands for a tool of plain text; all of it where there is none.
pub(super) fn plain_input(arguments: &str) -> Cow<'_, str> {
    match read_body::<Input<'_>>(arguments) {
        Ok(Input {
            input: Some(Text(input)),
            ..
        }) => input,
        _ => Cow::Borrowed(arguments),
    }
}

/// Why it ended. A turn that the provider paused is told as one that is not complete.
pub(super) const fn finish_word(finish: &FinishReason<'_>, has_calls: bool, is_function: bool) -> &'static str {
    match finish {
        FinishReason::Length | FinishReason::Paused => "length",
        FinishReason::Refused => "content_filter",
        FinishReason::ToolCalls | FinishReason::Stop | FinishReason::StopText(_) => match (has_calls, is_function) {
            (_, true) => "function_call",
            (true, false) => "tool_calls",
            (false, false) => "stop",
        },
    }
}

#[cfg(test)]
#[path = "write_answer_tests.rs"]
mod tests;
