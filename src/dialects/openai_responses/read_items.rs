//! The `input` of a request: a text, or items, which become messages.
//!
//! What the model said, called and thought stands in items of its own; neighbours of one side become one message, as the
//! other dialects have it. Only what it said in two messages without anything in between stays two.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;
use serde_json::value::RawValue;

use super::foreign_items::foreign;
use super::read_content::read_content;
use super::read_request::{read_effort, read_format};
use super::read_tools::Tools;
use super::reasoning_state;
use super::tool_search;
use super::values::{Members, Place, elements};
use crate::dialects::json::text;
use crate::dialects::neutral::{
    CacheMark, Effort, Feature, Format, Losses, Message, Opaque, OpaqueKind, Part, PartKind, Role, ToolCall, ToolName,
    ToolResult,
};

/// What the input says.
#[derive(Debug, Default)]
pub(super) struct Input<'a> {
    pub(super) messages: Vec<Message<'a>>,
    /// The effort that the last `configuration_update` asks for.
    pub(super) effort: Option<Effort>,
    /// The format that the last one asks for: plain text if there is nothing inside.
    pub(super) format: Option<Option<Format<'a>>>,
}

/// Reads the value.
pub(super) fn read_input<'a>(
    value: &'a RawValue,
    input: &mut Input<'a>,
    tools: &mut Tools<'a>,
    losses: &mut Losses,
) -> Result<(), GatewayError> {
    let place = Place::top("input");
    if let Some(said) = text(value) {
        input.messages.push(Message::text(Role::User, said));
        return Ok(());
    }
    let items = elements(value, &place).map_err(|_neither| place.must_be("a string or an array of items"))?;
    let mut reader = Items { input, tools, losses };
    items
        .into_iter()
        .enumerate()
        .try_for_each(|(number, item)| reader.read(item, &place.at(number)))
}

struct Items<'r, 'a> {
    input: &'r mut Input<'a>,
    tools: &'r mut Tools<'a>,
    losses: &'r mut Losses,
}

impl<'a> Items<'_, 'a> {
    fn read(&mut self, item: &'a RawValue, place: &Place<'_>) -> Result<(), GatewayError> {
        let mut members = Members::read(item, place)?;
        let kind = match members.string("type", place)? {
            Some(kind) => kind,
            None => Cow::Borrowed(usual_kind(&members)),
        };
        // Ids say nothing save to who gave them; what is unfinished is told as far as it came.
        let id = members.take("id").and_then(text).unwrap_or_default();
        members.take("status");
        match &*kind {
            "message" => self.message(&mut members, place)?,
            "function_call" | "custom_tool_call" => self.call(&kind, &mut members, place)?,
            "function_call_output" | "custom_tool_call_output" => self.result(&kind, &mut members, place)?,
            "reasoning" => self.reasoning(&id, &mut members, place)?,
            "additional_tools" => self.more_tools(&mut members, place)?,
            "tool_search_call" => self.search(&mut members, place)?,
            "tool_search_output" => self.found(&mut members, place)?,
            "configuration_update" => self.update(&mut members, place)?,
            // What it found is in the answer that followed.
            "web_search_call" => {
                self.losses.drop(Feature::HostedTools);
                return Ok(());
            }
            _ => return Err(self.losses.refuse_at(foreign(&kind), place.to_string())),
        }
        members
            .left()
            .for_each(|name| self.losses.drop_unknown(&format!("input.{name}")));
        Ok(())
    }

    fn message(&mut self, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        let role = match &*members.required("role", place)? {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => {
                let roles = "`user`, `assistant`, `system` or `developer`";
                return Err(place.member("role").must_be(roles));
            }
        };
        members.take("type");
        let at = place.member("content");
        let content = members.take("content").ok_or_else(|| at.is_required())?;
        let mut parts = Vec::new();
        read_content(content, &at, self.losses, &mut parts)?;
        if role == Role::Assistant {
            if !parts.is_empty() {
                self.say_apart();
            }
            parts.into_iter().for_each(|part| self.say(part));
        } else if !parts.is_empty() {
            self.input.messages.push(Message { role, parts });
        }
        Ok(())
    }

    fn call(&mut self, kind: &str, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        let is_custom = kind == "custom_tool_call";
        let call = ToolCall {
            id: members.required("call_id", place)?,
            name: ToolName {
                namespace: members.string("namespace", place)?,
                name: members.required("name", place)?,
            },
            arguments: members.required(if is_custom { "input" } else { "arguments" }, place)?,
            is_custom,
        };
        self.caller(members, place)?;
        self.say(PartKind::ToolCall(call).into());
        Ok(())
    }

    fn result(&mut self, kind: &str, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        let call_id = members.required("call_id", place)?;
        let at = place.member("output");
        let output = members.take("output").ok_or_else(|| at.is_required())?;
        let mut parts = Vec::new();
        read_content(output, &at, self.losses, &mut parts)?;
        // A mark within the result is as good as one behind it.
        let cache = parts.iter().rev().find_map(|part| part.cache);
        // The call says of which tool it is.
        for name in ["name", "namespace"] {
            members.take(name);
        }
        if kind == "function_call_output" {
            self.caller(members, place)?;
        }
        let content = parts.into_iter().map(|part| part.kind).collect();
        self.answer(call_id, content, cache);
        Ok(())
    }

    /// A call is made by the model itself, or by a program that only a provider of this dialect runs.
    fn caller(&mut self, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        let Some(caller) = members.take("caller") else {
            return Ok(());
        };
        let place = place.member("caller");
        let mut caller = Members::read(caller, &place)?;
        match &*caller.required("type", &place)? {
            "direct" => Ok(()),
            _ => Err(self.losses.refuse_at(Feature::HostedTools, place.to_string())),
        }
    }

    /// Reasoning: its words are told by the provider (`content`) or a summary of them is (`summary`).
    fn reasoning(&mut self, id: &str, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        let content = self.texts(members, "content", place)?;
        let summary = self.texts(members, "summary", place)?;
        let text = if content.is_empty() { summary } else { content };
        let state = members
            .string("encrypted_content", place)?
            .filter(|state| !state.is_empty());
        let opaque = state.map(|state| {
            let opaque = Opaque::read(OpaqueKind::Encrypted, state);
            if opaque.origin.is_some() {
                return opaque;
            }
            Opaque {
                data: Cow::Owned(reasoning_state::join(id, &opaque.data)),
                ..opaque
            }
        });
        if !text.is_empty() || opaque.is_some() {
            self.say(PartKind::Reasoning { text, opaque }.into());
        }
        Ok(())
    }

    /// The texts of parts that are nothing but text, as paragraphs.
    fn texts(
        &mut self,
        members: &mut Members<'a>,
        name: &'static str,
        place: &Place<'_>,
    ) -> Result<Cow<'a, str>, GatewayError> {
        let Some(parts) = members.take(name) else {
            return Ok(Cow::Borrowed(""));
        };
        let place = place.member(name);
        let mut all = Cow::Borrowed("");
        for (number, part) in elements(parts, &place)?.into_iter().enumerate() {
            let place = place.at(number);
            let text = Members::read(part, &place)?.required("text", &place)?;
            if all.is_empty() {
                all = text;
            } else {
                let all = all.to_mut();
                all.push_str("\n\n");
                all.push_str(&text);
            }
        }
        Ok(all)
    }

    fn more_tools(&mut self, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        members.take("role");
        let at = place.member("tools");
        let offered = members.take("tools").ok_or_else(|| at.is_required())?;
        self.tools.read(offered, &at, self.losses)?;
        Ok(())
    }

    /// A search for tools: the client's is a call like any other, a provider's is over.
    fn search(&mut self, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        let arguments = members.take("arguments");
        if members.string("execution", place)?.as_deref() != Some("client") {
            members.take("call_id");
            self.losses.drop(Feature::HostedTools);
            return Ok(());
        }
        let call = ToolCall {
            id: members.required("call_id", place)?,
            name: tool_search::NAME,
            arguments: Cow::Borrowed(arguments.map_or("{}", RawValue::get)),
            is_custom: false,
        };
        self.say(PartKind::ToolCall(call).into());
        Ok(())
    }

    /// What a search found is offered from the beginning; of a client's search it is the result too.
    fn found(&mut self, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        let at = place.member("tools");
        let found = members.take("tools").ok_or_else(|| at.is_required())?;
        let names = tool_search::found(self.tools.read_found(found, &at, self.losses)?);
        if members.string("execution", place)?.as_deref() != Some("client") {
            members.take("call_id");
            return Ok(());
        }
        let call_id = members.required("call_id", place)?;
        self.answer(call_id, vec![PartKind::Text(Cow::Owned(names))], None);
        Ok(())
    }

    fn update(&mut self, members: &mut Members<'a>, place: &Place<'_>) -> Result<(), GatewayError> {
        if let Some(reasoning) = members.take("reasoning") {
            let place = place.member("reasoning");
            let effort = Members::read(reasoning, &place)?.take("effort");
            let effort = effort.map(|effort| read_effort(effort, &place.member("effort")));
            self.input.effort = effort.transpose()?.or(self.input.effort);
        }
        if let Some(config) = members.take("text") {
            let place = place.member("text");
            let at = place.member("format");
            let format = Members::read(config, &place)?.take("format");
            if let Some(format) = format {
                self.input.format = Some(read_format(format, &at, self.losses)?);
            }
        }
        Ok(())
    }

    /// Begins a message of the model's own if words of its stand last: what it said in two messages is no one text.
    fn say_apart(&mut self) {
        let last = self.input.messages.last().filter(|last| last.role == Role::Assistant);
        let part = last.and_then(|last| last.parts.last());
        if part.is_some_and(|part| matches!(part.kind, PartKind::Text(_) | PartKind::Refusal(_))) {
            self.input.messages.push(Message {
                role: Role::Assistant,
                parts: Vec::new(),
            });
        }
    }

    /// Adds to what the model said last, or begins it.
    fn say(&mut self, part: Part<'a>) {
        match self.input.messages.last_mut() {
            Some(last) if last.role == Role::Assistant => last.parts.push(part),
            _ => self.input.messages.push(Message {
                role: Role::Assistant,
                parts: vec![part],
            }),
        }
    }

    /// Adds a result to those that stand last, or begins a message of results.
    fn answer(&mut self, call_id: Cow<'a, str>, content: Vec<PartKind<'a>>, cache: Option<CacheMark>) {
        let result = Part {
            kind: PartKind::ToolResult(ToolResult {
                call_id,
                content,
                is_error: false,
            }),
            cache,
        };
        let holds_results = |message: &Message<'_>| {
            let is_result = |part: &Part<'_>| matches!(part.kind, PartKind::ToolResult(_));
            message.role == Role::User && message.parts.iter().all(is_result)
        };
        match self.input.messages.last_mut() {
            Some(last) if holds_results(last) => last.parts.push(result),
            _ => self.input.messages.push(Message {
                role: Role::User,
                parts: vec![result],
            }),
        }
    }
}

/// What an item is that does not say it: a message, or the id of something that a provider has stored.
fn usual_kind(members: &Members<'_>) -> &'static str {
    if members.has("role") {
        "message"
    } else {
        "item_reference"
    }
}

#[cfg(test)]
#[path = "read_items_tests.rs"]
mod tests;
