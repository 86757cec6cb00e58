//! An item of a provider's answer, as it is read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::reasoning_state;
use crate::dialects::json::text;
use crate::dialects::neutral::{Opaque, OpaqueKind, PartKind, ToolCall, ToolName};

/// What is read of an item. What is not what it must be says nothing.
#[derive(Debug, Deserialize, Default)]
pub(super) struct OutputItem<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    namespace: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
    #[serde(borrow)]
    encrypted_content: Option<&'a RawValue>,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Message,
    Reasoning,
    FunctionCall,
    CustomCall,
    /// Something that no other dialect has: a tool that the provider ran.
    Foreign,
}

#[derive(Deserialize)]
struct TextPart<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
}

impl<'a> OutputItem<'a> {
    /// Reads a value; nothing if it is no item.
    pub(super) fn read(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    pub(super) fn kind(&self) -> ItemKind {
        match self.kind.and_then(text).as_deref() {
            Some("message") => ItemKind::Message,
            Some("reasoning") => ItemKind::Reasoning,
            Some("function_call") => ItemKind::FunctionCall,
            Some("custom_tool_call") => ItemKind::CustomCall,
            _ => ItemKind::Foreign,
        }
    }

    /// The parts that it is in an answer.
    pub(super) fn into_parts(self) -> Vec<PartKind<'a>> {
        match self.kind() {
            ItemKind::Message => self.said(),
            ItemKind::Reasoning => {
                let (text, opaque) = (self.thought(), self.state());
                let is_there = !text.is_empty() || opaque.is_some();
                let part = PartKind::Reasoning { text, opaque };
                is_there.then_some(part).into_iter().collect()
            }
            ItemKind::FunctionCall | ItemKind::CustomCall => vec![PartKind::ToolCall(self.call())],
            ItemKind::Foreign => Vec::new(),
        }
    }

    /// The texts and refusals of a message.
    pub(super) fn said(&self) -> Vec<PartKind<'a>> {
        let parts = parts(self.content).into_iter();
        let said = |part: TextPart<'a>| {
            let refusal = part.refusal.and_then(text).map(PartKind::Refusal);
            refusal.or_else(|| part.text.and_then(text).map(PartKind::Text))
        };
        parts.filter_map(said).collect()
    }

    /// The words of reasoning, or the summary of it, as paragraphs.
    pub(super) fn thought(&self) -> Cow<'a, str> {
        let content = paragraphs(self.content);
        if content.is_empty() {
            paragraphs(self.summary)
        } else {
            content
        }
    }

    /// What of reasoning only its provider can read.
    pub(super) fn state(&self) -> Option<Opaque<'a>> {
        let encrypted = self.encrypted_content.and_then(text)?;
        let id = self.id.and_then(text).unwrap_or_default();
        (!encrypted.is_empty()).then(|| Opaque {
            kind: OpaqueKind::Encrypted,
            data: Cow::Owned(reasoning_state::join(&id, &encrypted)),
            origin: None,
        })
    }

    /// The call that it is.
    pub(super) fn call(&self) -> ToolCall<'a> {
        let is_custom = self.kind() == ItemKind::CustomCall;
        let arguments = if is_custom { self.input } else { self.arguments };
        let id = self.call_id.or(self.id).and_then(text);
        ToolCall {
            id: id.unwrap_or_default(),
            name: ToolName {
                namespace: self.namespace.and_then(text),
                name: self.name.and_then(text).unwrap_or_default(),
            },
            arguments: arguments.and_then(text).unwrap_or_default(),
            is_custom,
        }
    }
}

fn parts(value: Option<&RawValue>) -> Vec<TextPart<'_>> {
    value
        .and_then(|value| serde_json::from_str(value.get()).ok())
        .unwrap_or_default()
}

fn paragraphs(value: Option<&RawValue>) -> Cow<'_, str> {
    let texts: Vec<_> = parts(value)
        .into_iter()
        .filter_map(|part| part.text.and_then(text))
        .collect();
    match <[Cow<'_, str>; 1]>::try_from(texts) {
        Ok([only]) => only,
        Err(several) => Cow::Owned(several.join("\n\n")),
    }
}
