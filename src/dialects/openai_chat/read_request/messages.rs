//! The messages of a request.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;

use super::super::details::{arrange, read as read_details};
use super::content::{cache_mark, read_content};
use super::{drop_others, wire};
use crate::dialects::neutral::{Feature, Losses, Message, Part, PartKind, Role, ToolCall, ToolName, ToolResult};
use crate::dialects::object::{List, Text};
use crate::dialects::place::At;

/// Reads messages one after the other.
#[derive(Debug)]
pub(super) struct Messages<'l, 'a> {
    losses: &'l mut Losses,
    read: Vec<Message<'a>>,
    /// The function called last in the older form, which knows no ids, and the id it got here.
    called: Option<(Cow<'a, str>, String)>,
    /// Whether the message before was a tool's, so that the next tool's goes into the same.
    after_tool: bool,
}

impl<'l, 'a> Messages<'l, 'a> {
    pub(super) fn new(losses: &'l mut Losses) -> Self {
        Self {
            losses,
            read: Vec::new(),
            called: None,
            after_tool: false,
        }
    }

    pub(super) fn finish(self) -> Vec<Message<'a>> {
        self.read
    }

    /// Reads the message at this place.
    pub(super) fn add(&mut self, place: usize, message: wire::Message<'a>) -> Result<(), GatewayError> {
        let messages = At::top("messages");
        let at = messages.item(place);
        drop_others(self.losses, "messages", &message.others);
        let Some(Text(role)) = &message.role else {
            return Err(at.member("role").required());
        };
        let role = match &**role {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => return self.add_result(at, message),
            "function" => return self.add_function_result(at, message),
            _ => {
                let at = at.member("role");
                return Err(at.wrong("must be system, developer, user, assistant, tool or function"));
            }
        };
        if message.name.is_some() {
            self.losses.drop_unknown("messages.name");
        }
        let parts = if role == Role::Assistant {
            self.answered(at, place, message)?
        } else {
            self.said(at, message)?
        };
        self.after_tool = false;
        self.read.push(Message { role, parts });
        Ok(())
    }

    fn said(&mut self, at: At<'_>, message: wire::Message<'a>) -> Result<Vec<Part<'a>>, GatewayError> {
        let at = at.member("content");
        let content = message.content.ok_or_else(|| at.required())?;
        let parts = read_content(self.losses, at, content, cache_mark(message.cache_control))?;
        if parts.is_empty() {
            return Err(at.wrong("must have at least one part"));
        }
        Ok(parts)
    }

    /// What the model said before.
    fn answered(
        &mut self,
        at: At<'_>,
        place: usize,
        message: wire::Message<'a>,
    ) -> Result<Vec<Part<'a>>, GatewayError> {
        if message.audio.is_some() {
            let param = at.member("audio").to_string();
            return Err(self.losses.refuse_at(Feature::ProviderState, param));
        }
        let List(details) = message.reasoning_details.unwrap_or_default();
        let plain = message.reasoning_content.or(message.reasoning).map(|Text(text)| text);
        let reasoning = read_details(details, plain);
        let has_content = message.content.is_some();
        let mut said = match message.content {
            Some(content) => {
                let mark = cache_mark(message.cache_control);
                read_content(self.losses, at.member("content"), content, mark)?
            }
            None => Vec::new(),
        };
        if let Some(Text(refusal)) = message.refusal {
            said.push(PartKind::Refusal(refusal).into());
        }
        let List(tool_calls) = message.tool_calls.unwrap_or_default();
        let mut calls = Vec::with_capacity(tool_calls.len());
        for (place, call) in tool_calls.into_iter().enumerate() {
            calls.push(self.call(at.member("tool_calls").item(place), call)?);
        }
        if let Some(function) = message.function_call {
            let id = format!("call_{place}");
            let call = self.function(at.member("function_call"), Cow::Owned(id.clone()), function)?;
            self.called = Some((call.name.name.clone(), id));
            calls.push(call);
        }
        if !calls.is_empty() || !reasoning.is_empty() {
            said.retain(|part| !matches!(&part.kind, PartKind::Text(text) if text.is_empty()));
        }
        let parts = arrange(reasoning, said, calls);
        if parts.is_empty() && !has_content {
            return Err(at.member("content").required());
        }
        Ok(parts)
    }

    fn call(&mut self, at: At<'_>, call: wire::ToolCall<'a>) -> Result<ToolCall<'a>, GatewayError> {
        drop_others(self.losses, "messages.tool_calls", &call.others);
        let Text(id) = call.id.ok_or_else(|| at.member("id").required())?;
        if let Some(function) = call.function {
            return self.function(at.member("function"), id, function);
        }
        let custom = call.custom.ok_or_else(|| at.member("function").required())?;
        let at = at.member("custom");
        let Text(name) = custom.name.ok_or_else(|| at.member("name").required())?;
        Ok(ToolCall {
            id,
            name: ToolName::plain(name),
            arguments: custom.input.map(|Text(input)| input).unwrap_or_default(),
            is_custom: true,
        })
    }

    fn function(
        &mut self,
        at: At<'_>,
        id: Cow<'a, str>,
        function: wire::Called<'a>,
    ) -> Result<ToolCall<'a>, GatewayError> {
        drop_others(self.losses, "messages.tool_calls.function", &function.others);
        let Text(name) = function.name.ok_or_else(|| at.member("name").required())?;
        let arguments = function.arguments.map(|Text(arguments)| arguments);
        Ok(ToolCall {
            id,
            name: ToolName::plain(name),
            arguments: arguments.unwrap_or(Cow::Borrowed("{}")),
            is_custom: false,
        })
    }

    /// What came of a call.
    fn add_result(&mut self, at: At<'_>, message: wire::Message<'a>) -> Result<(), GatewayError> {
        let id = message.tool_call_id;
        let Text(call_id) = id.ok_or_else(|| at.member("tool_call_id").required())?;
        let at = at.member("content");
        let content = message.content.ok_or_else(|| at.required())?;
        let parts = read_content(self.losses, at, content, cache_mark(message.cache_control))?;
        self.push_result(call_id, parts);
        Ok(())
    }

    /// The same in the older form, which names the function.
    fn add_function_result(&mut self, at: At<'_>, message: wire::Message<'a>) -> Result<(), GatewayError> {
        let Text(name) = message.name.ok_or_else(|| at.member("name").required())?;
        let Some((_, id)) = self.called.as_ref().filter(|(called, _)| *called == name) else {
            let at = at.member("name");
            return Err(at.wrong("must be the name in the `function_call` before this message"));
        };
        let id = Cow::Owned(id.clone());
        let parts = match message.content {
            Some(content) => read_content(self.losses, at.member("content"), content, None)?,
            None => vec![PartKind::Text(Cow::Borrowed("")).into()],
        };
        self.push_result(id, parts);
        Ok(())
    }

    /// Results that follow each other are one message of the user's.
    fn push_result(&mut self, call_id: Cow<'a, str>, parts: Vec<Part<'a>>) {
        let part = Part {
            cache: parts.iter().rev().find_map(|part| part.cache),
            kind: PartKind::ToolResult(ToolResult {
                call_id,
                content: parts.into_iter().map(|part| part.kind).collect(),
                is_error: false,
            }),
        };
        match self.read.last_mut().filter(|_| self.after_tool) {
            Some(message) => message.parts.push(part),
            None => self.read.push(Message {
                role: Role::User,
                parts: vec![part],
            }),
        }
        self.after_tool = true;
    }
}
