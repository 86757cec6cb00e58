//! A whole answer, written for a client.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;
use serde_json::value::RawValue;

use super::custom_input::unwrapped;
use super::echo::on_one_line;
use super::reasoning_state;
use super::response::{Names, OutItem, OutPart, Response, Status, item_id};
use super::tool_search;
use crate::dialects::neutral::{Answer, AnswerContext, Opaque, OpaqueKind, PartKind, ToolCall, ToolName};

/// Writes an answer.
///
/// # Errors
/// When there is no answer in it.
pub(in crate::dialects) fn write_answer(
    answer: &Answer<'_>,
    context: &AnswerContext,
) -> Result<Vec<u8>, TranslationError> {
    let choice = answer
        .choices
        .first()
        .ok_or(TranslationError("the answer has no choice"))?;
    let refuses = choice.parts.iter().any(|part| matches!(part, PartKind::Refusal(_)));
    let status = Status::of(&choice.finish, refuses);
    let mut output = Vec::new();
    let mut parts = choice.parts.as_slice();
    while let Some((first, rest)) = parts.split_first() {
        let number = output.len();
        parts = rest;
        let item = match first {
            PartKind::Text(_) | PartKind::Refusal(_) => {
                let said = said(first, &mut parts);
                // What came last may have been cut off.
                let status = if parts.is_empty() { status } else { Status::Completed };
                match said.is_empty() {
                    true => continue,
                    false => json(&OutItem::Message {
                        id: &item_id("msg", context, number),
                        status: status.word(),
                        role: "assistant",
                        content: said,
                    })?,
                }
            }
            PartKind::Reasoning { text, opaque } => {
                json(&reasoning(text, opaque.as_ref(), context, number).borrowed())?
            }
            PartKind::ToolCall(call) => {
                let status = if parts.is_empty() { status } else { Status::Completed };
                Call::of(call, context, number).write(status.word())?
            }
            // No model answers with these.
            PartKind::Image(_) | PartKind::Document(_) | PartKind::ToolResult(_) => continue,
        };
        output.push(item);
    }
    let names = Names::new(&answer.id, &answer.model, context);
    Response::new(&names, context, status, &output, answer.usage)
        .write(context, &answer.service_tier)
        .map_err(|_never| TranslationError("the response cannot be written"))
}

/// The texts and refusals that stand together, without those of nothing.
fn said<'a>(first: &'a PartKind<'_>, rest: &mut &'a [PartKind<'_>]) -> Vec<OutPart<'a>> {
    let mut content = Vec::new();
    let mut next = Some(first);
    while let Some(part) = next {
        match part {
            PartKind::Text(text) if !text.is_empty() => content.push(OutPart::text(text)),
            PartKind::Refusal(refusal) if !refusal.is_empty() => content.push(OutPart::Refusal { refusal }),
            _ => {}
        }
        next = rest
            .split_first()
            .filter(|(part, _)| matches!(part, PartKind::Text(_) | PartKind::Refusal(_)))
            .map(|(part, after)| {
                *rest = after;
                part
            });
    }
    content
}

/// Reasoning and what belongs to it.
pub(super) struct Thought<'a> {
    id: String,
    text: &'a str,
    encrypted: Option<Cow<'a, str>>,
}

impl Thought<'_> {
    pub(super) fn borrowed(&self) -> OutItem<'_> {
        let summary = (!self.text.is_empty()).then_some(OutPart::SummaryText { text: self.text });
        OutItem::Reasoning {
            id: &self.id,
            summary: summary.into_iter().collect(),
            encrypted_content: self.encrypted.as_deref().map(Cow::Borrowed),
        }
    }
}

fn reasoning<'a>(text: &'a str, opaque: Option<&'a Opaque<'_>>, context: &AnswerContext, number: usize) -> Thought<'a> {
    let id = opaque.and_then(own_id).filter(|id| id.starts_with("rs_"));
    Thought {
        id: id.map_or_else(|| item_id("rs", context, number), str::to_owned),
        text,
        encrypted: opaque.map(|opaque| encrypted(opaque, context)),
    }
}

/// The id that a provider of this dialect gave to its reasoning.
fn own_id<'a>(opaque: &'a Opaque<'_>) -> Option<&'a str> {
    (opaque.kind == OpaqueKind::Encrypted).then(|| reasoning_state::split(&opaque.data).0)
}

/// What goes into `encrypted_content`.
pub(super) fn encrypted<'a>(opaque: &'a Opaque<'_>, context: &AnswerContext) -> Cow<'a, str> {
    if opaque.kind == OpaqueKind::Encrypted {
        return Cow::Borrowed(reasoning_state::split(&opaque.data).1);
    }
    opaque.to_field(OpaqueKind::Encrypted, context.origin)
}

/// A call by the client's name for the tool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    call_id: String,
    name: ToolName<'static>,
    pub(super) is_custom: bool,
    /// The arguments, or the plain text that a custom tool takes.
    pub(super) arguments: String,
}

impl Call {
    /// A call that has begun.
    pub(super) fn begun(
        call_id: &str,
        name: &ToolName<'_>,
        is_custom: bool,
        context: &AnswerContext,
        number: usize,
    ) -> Self {
        let (name, takes_text) = match &name.namespace {
            Some(_) => (name.clone(), false),
            None => context.tools.original(&name.name),
        };
        let is_custom = is_custom || takes_text;
        let prefix = match is_custom {
            true => "ctc",
            false if tool_search::is_meant_by(&name) => "tsc",
            false => "fc",
        };
        Self {
            id: item_id(prefix, context, number),
            call_id: if call_id.is_empty() {
                item_id("call", context, number)
            } else {
                call_id.to_owned()
            },
            name: ToolName {
                namespace: name.namespace.map(|namespace| Cow::Owned(namespace.into_owned())),
                name: Cow::Owned(name.name.into_owned()),
            },
            is_custom,
            arguments: String::new(),
        }
    }

    fn of(call: &ToolCall<'_>, context: &AnswerContext, number: usize) -> Self {
        let mut written = Self::begun(&call.id, &call.name, call.is_custom, context, number);
        written.arguments = if written.is_custom && !call.is_custom {
            unwrapped(&call.arguments).into_owned()
        } else if !written.is_custom && call.arguments.trim_ascii().is_empty() {
            NO_ARGUMENTS.to_owned()
        } else {
            call.arguments.clone().into_owned()
        };
        written
    }

    /// The type of its item.
    pub(super) fn kind(&self) -> &'static str {
        if self.is_search() {
            "tool_search_call"
        } else if self.is_custom {
            "custom_tool_call"
        } else {
            "function_call"
        }
    }

    /// Whether it is the client's search for tools.
    pub(super) fn is_search(&self) -> bool {
        tool_search::is_meant_by(&self.name)
    }

    /// The item.
    pub(super) fn write(&self, status: &'static str) -> Result<Box<RawValue>, TranslationError> {
        let namespace = self.name.namespace.as_deref();
        json(&if self.is_search() {
            OutItem::ToolSearchCall {
                id: &self.id,
                status,
                call_id: &self.call_id,
                execution: "client",
                arguments: search_arguments(&self.arguments),
            }
        } else if self.is_custom {
            OutItem::CustomToolCall {
                id: &self.id,
                status,
                call_id: &self.call_id,
                namespace,
                name: &self.name.name,
                input: &self.arguments,
            }
        } else {
            OutItem::FunctionCall {
                id: &self.id,
                status,
                call_id: &self.call_id,
                namespace,
                name: &self.name.name,
                arguments: &self.arguments,
            }
        })
    }
}

/// What a model says that calls a function without arguments.
pub(super) const NO_ARGUMENTS: &str = "{}";

/// The arguments of a search are JSON, not a text of it.
fn search_arguments(arguments: &str) -> Box<RawValue> {
    let mut bytes = arguments.as_bytes().to_vec();
    on_one_line(&mut bytes);
    let json = String::from_utf8(bytes).ok();
    let json = json.and_then(|json| RawValue::from_string(json).ok());
    json.or_else(|| serde_json::value::to_raw_value(arguments).ok())
        .unwrap_or_else(|| RawValue::NULL.to_owned())
}

pub(super) fn json(item: &OutItem<'_>) -> Result<Box<RawValue>, TranslationError> {
    serde_json::value::to_raw_value(item).map_err(|_never| TranslationError("an item cannot be written"))
}

#[cfg(test)]
#[path = "write_answer_tests.rs"]
mod tests;
