//! A provider's whole answer, read for a client of another dialect.
//!
//! The wire format is that of the `openai` Python package, version 3.57.0 (`types/chat`, and `types/completion.py` for the
//! older completions), with what providers add: reasoning as in requests, Mistral's content in parts, arguments that are
//! no string, and vLLM's `stop_reason`.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport, Vendor};
use serde_json::value::RawValue;

use super::details::{Detail, arrange, read as read_details};
use super::usage::usage_report;
use crate::dialects::gemini::unusable;
use crate::dialects::json::{is_non_empty_container, raw_text, text};
use crate::dialects::neutral::{Answer, Choice, FinishReason, PartKind, ToolCall, ToolName};
use crate::dialects::object::{List, Text, TextOr, object, read_body};

object! {
    /// The whole body.
    Body {
        id = "id": &'a RawValue,
        model = "model": &'a RawValue,
        choices = "choices": List<WireChoice<'a>>,
        usage = "usage": &'a RawValue,
        service_tier = "service_tier": &'a RawValue,
        error = "error": &'a RawValue,
    }
}

object! {
    /// One choice.
    WireChoice {
        message = "message": Message<'a>,
        /// What the older completions API has in the message's place.
        text = "text": Text<'a>,
        finish_reason = "finish_reason": &'a RawValue,
        /// Which stop text came up, with vLLM.
        stop_reason = "stop_reason": &'a RawValue,
    }
}

object! {
    /// What the model says.
    Message {
        content = "content": TextOr<'a, List<ContentPart<'a>>>,
        refusal = "refusal": Text<'a>,
        reasoning = "reasoning": &'a RawValue,
        reasoning_content = "reasoning_content": &'a RawValue,
        reasoning_details = "reasoning_details": List<Detail<'a>>,
        tool_calls = "tool_calls": List<Call<'a>>,
        function_call = "function_call": Called<'a>,
        audio = "audio": &'a RawValue,
        /// What OpenRouter's image models answer with.
        images = "images": &'a RawValue,
    }
}

object! {
    /// A part of a content: a text, or thinking in parts of its own.
    ContentPart {
        text = "text": Text<'a>,
        thinking = "thinking": TextOr<'a, List<ContentPart<'a>>>,
    }
}

object! {
    /// A call of a tool, or a piece of one from a stream.
    Call {
        index = "index": &'a RawValue,
        id = "id": &'a RawValue,
        function = "function": Called<'a>,
        custom = "custom": CalledCustom<'a>,
    }
}

object! {
    /// The function that is called.
    Called {
        name = "name": Text<'a>,
        arguments = "arguments": &'a RawValue,
    }
}

object! {
    /// The tool of plain text that is called.
    CalledCustom {
        name = "name": Text<'a>,
        input = "input": Text<'a>,
    }
}

/// Reads a body of this vendor's.
///
/// # Errors
/// When it is no answer.
pub(in crate::dialects) fn read_answer(body: &str, vendor: Vendor) -> Result<Answer<'_>, TranslationError> {
    let body: Body<'_> = read_body(body).map_err(|_error| NOT_AN_ANSWER)?;
    if body.error.is_some() {
        return Err(TranslationError("it is an error"));
    }
    let List(choices) = body.choices.unwrap_or_default();
    let choices = choices.into_iter().map(choice).collect::<Result<Vec<_>, _>>()?;
    if choices.is_empty() {
        return Err(NOT_AN_ANSWER);
    }
    Ok(Answer {
        id: body.id.and_then(text).unwrap_or_default(),
        model: body.model.and_then(text).unwrap_or_default(),
        choices,
        usage: body
            .usage
            .map_or(UsageReport::Missing, |usage| usage_report(usage, vendor)),
        service_tier: body.service_tier.and_then(text).unwrap_or_default(),
    })
}

const NOT_AN_ANSWER: TranslationError = TranslationError("it is not a chat completion");

fn choice(choice: WireChoice<'_>) -> Result<Choice<'_>, TranslationError> {
    let (reasoning, said, calls) = match (choice.message, choice.text) {
        (Some(message), _) => message.read()?,
        (None, Some(Text(text))) => (Vec::new(), vec![PartKind::Text(text)], Vec::new()),
        (None, None) => return Err(NOT_AN_ANSWER),
    };
    let stopped_at = choice.stop_reason.and_then(text);
    let reason = choice.finish_reason.and_then(text);
    let finish = finish_reason(reason.as_deref(), stopped_at, !calls.is_empty())?;
    Ok(Choice {
        parts: arrange(reasoning, said, calls),
        finish,
    })
}

type Parts<'a> = (Vec<super::details::Placed<'a>>, Vec<PartKind<'a>>, Vec<ToolCall<'a>>);

impl<'a> Message<'a> {
    fn read(self) -> Result<Parts<'a>, TranslationError> {
        let mut plain = self.reasoning_content.or(self.reasoning).and_then(text);
        let mut said = Vec::new();
        if let Some(content) = self.content {
            let (thought, text) = split(content);
            plain = plain.or(thought);
            said.extend(text.filter(|text| !text.is_empty()).map(PartKind::Text));
        }
        no_images(self.images)?;
        if said.is_empty() {
            said.extend(self.audio.and_then(transcript).map(PartKind::Text));
        }
        let refusal = self.refusal.map(|Text(refusal)| refusal);
        said.extend(refusal.filter(|refusal| !refusal.is_empty()).map(PartKind::Refusal));
        let List(wire_calls) = self.tool_calls.unwrap_or_default();
        let mut calls = wire_calls.into_iter().map(call).collect::<Result<Vec<_>, _>>()?;
        if let Some(function) = self.function_call {
            calls.push(function_call(new_call_id(), function)?);
        }
        let List(details) = self.reasoning_details.unwrap_or_default();
        Ok((read_details(details, plain), said, calls))
    }
}

/// Refuses images, which no client of another dialect could be told of.
///
/// # Errors
/// When there are some.
pub(super) fn no_images(images: Option<&RawValue>) -> Result<(), TranslationError> {
    match images {
        Some(images) if is_non_empty_container(images) => Err(TranslationError(
            "it holds an image, which the client's dialect has no place for",
        )),
        _ => Ok(()),
    }
}

object! {
    /// What is spoken.
    Audio {
        transcript = "transcript": Text<'a>,
    }
}

/// The words of what is spoken.
pub(super) fn transcript(audio: &RawValue) -> Option<Cow<'_, str>> {
    let audio: Audio<'_> = read_body(audio.get()).ok()?;
    let Text(words) = audio.transcript?;
    (!words.is_empty()).then_some(words)
}

/// The thinking and the text of a content; each is nothing where it has none.
pub(super) fn split<'a>(content: TextOr<'a, List<ContentPart<'a>>>) -> (Option<Cow<'a, str>>, Option<Cow<'a, str>>) {
    let parts = match content {
        TextOr::Text(text) => return (None, Some(text)),
        TextOr::Other(List(parts)) => parts,
    };
    let (mut thought, mut said) = (Vec::new(), Vec::new());
    for part in parts {
        match (part.thinking, part.text) {
            (Some(thinking), _) => thought.extend(split(thinking).1),
            (None, Some(Text(text))) => said.push(text),
            (None, None) => {}
        }
    }
    let joined = |mut texts: Vec<Cow<'a, str>>| match texts.len() {
        0 | 1 => texts.pop(),
        _ => Some(Cow::Owned(texts.concat())),
    };
    (joined(thought), joined(said))
}

fn call(call: Call<'_>) -> Result<ToolCall<'_>, TranslationError> {
    let id = call.id.and_then(text).filter(|id| !id.is_empty());
    let id = id.unwrap_or_else(new_call_id);
    match (call.function, call.custom) {
        (Some(function), _) => function_call(id, function),
        (None, Some(custom)) => Ok(ToolCall {
            id,
            name: name(custom.name)?,
            arguments: custom.input.map(|Text(input)| input).unwrap_or_default(),
            is_custom: true,
        }),
        (None, None) => Err(TranslationError("a tool call in it calls nothing")),
    }
}

fn function_call<'a>(id: Cow<'a, str>, function: Called<'a>) -> Result<ToolCall<'a>, TranslationError> {
    Ok(ToolCall {
        id,
        name: name(function.name)?,
        arguments: function.arguments.map(arguments).unwrap_or_default(),
        is_custom: false,
    })
}

fn name(name: Option<Text<'_>>) -> Result<ToolName<'_>, TranslationError> {
    let name = name.filter(|Text(name)| !name.is_empty());
    let Text(name) = name.ok_or(TranslationError("a tool call in it has no name"))?;
    Ok(ToolName::plain(name))
}

/// Arguments: a string of JSON, or, with some providers, the JSON itself.
pub(super) fn arguments(arguments: &RawValue) -> Cow<'_, str> {
    match raw_text(arguments) {
        Some(_) => text(arguments).unwrap_or_default(),
        None => Cow::Borrowed(arguments.get()),
    }
}

/// An id for a call to which the provider gave none.
pub(super) fn new_call_id<'a>() -> Cow<'a, str> {
    Cow::Owned(format!("call_{}", uuid::Uuid::now_v7().simple()))
}

/// Whether such a reason for an end says that something went wrong: `error` is OpenRouter's, `insufficient_system_resource`
/// DeepSeek's, `network_error` GLM's, and `abort` that of vLLM and SGLang.
pub(super) fn is_failure(word: &str) -> bool {
    ["error", "insufficient_system_resource", "network_error", "abort"]
        .iter()
        .any(|failure| failure.eq_ignore_ascii_case(word))
}

/// Why an answer ended. Some providers say `stop` where tools are to be called, and some words of their own: Mistral's
/// `model_length`, `sensitive` of GLM, and those of Gemini where it answers in this dialect.
///
/// # Errors
/// When it ended because something went wrong.
pub(super) fn finish_reason<'a>(
    word: Option<&str>,
    stopped_at: Option<Cow<'a, str>>,
    has_calls: bool,
) -> Result<FinishReason<'a>, TranslationError> {
    Ok(match word.map(str::to_ascii_lowercase).as_deref() {
        Some("length" | "model_length" | "max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some(
            "content_filter" | "safety" | "recitation" | "prohibited_content" | "blocklist" | "spii" | "sensitive",
        ) => FinishReason::Refused,
        Some(word) if is_failure(word) || unusable(word).is_some() => {
            return Err(TranslationError("the provider ended it for want of something"));
        }
        _ if has_calls => FinishReason::ToolCalls,
        _ if stopped_at.is_some() => FinishReason::StopText(stopped_at),
        _ => FinishReason::Stop,
    })
}

#[cfg(test)]
#[path = "read_answer_tests.rs"]
mod tests;
