//! The conversation: `messages`.

use std::borrow::Cow;
use std::collections::HashMap;

use gateway_actors::protocol::GatewayError;
use serde::Serialize;

use crate::dialects::neutral::{
    Document, Feature, Image, Losses, Message as NeutralMessage, ObjectArguments, PartKind, Role, Source, ToolCall,
    ToolResult,
};

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: &'a str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    arguments: ObjectArguments<'a>,
}

impl<'a> Message<'a> {
    fn new(role: &'static str) -> Self {
        Self {
            role,
            content: Cow::Borrowed(""),
            thinking: Cow::Borrowed(""),
            images: Vec::new(),
            tool_calls: Vec::new(),
            tool_name: None,
            tool_call_id: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.content.is_empty() && self.thinking.is_empty() && self.images.is_empty() && self.tool_calls.is_empty()
    }
}

/// Writes the messages of a request.
///
/// # Errors
/// `invalid_request` if something in them cannot be carried.
pub(super) fn messages<'a>(
    messages: &'a [NeutralMessage<'_>],
    losses: &mut Losses,
) -> Result<Vec<Message<'a>>, GatewayError> {
    let mut writer = Writer {
        losses,
        written: Vec::with_capacity(messages.len()),
        called: HashMap::new(),
    };
    for message in messages {
        writer.message(message)?;
    }
    if writer.written.is_empty() {
        let why = "this model cannot be asked without any text";
        return Err(writer.losses.refuse_value(Feature::Text, why));
    }
    Ok(writer.written)
}

struct Writer<'a, 'l> {
    losses: &'l mut Losses,
    written: Vec<Message<'a>>,
    /// The names of the tools that were called so far, by the ids of the calls.
    called: HashMap<&'a str, Cow<'a, str>>,
}

impl<'a> Writer<'a, '_> {
    fn message(&mut self, message: &'a NeutralMessage<'_>) -> Result<(), GatewayError> {
        if message.parts.iter().any(|part| part.cache.is_some()) {
            self.losses.drop(Feature::CacheMarks);
        }
        let (role, separator) = match message.role {
            Role::System | Role::Developer => ("system", "\n"),
            Role::User => ("user", "\n"),
            Role::Assistant => ("assistant", ""),
        };
        let mut current = Message::new(role);
        for part in &message.parts {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => append(&mut current.content, separator, &**text),
                PartKind::Image(image) => current.images.push(self.image(image)?),
                PartKind::Document(document) => {
                    let text = self.document(document, Feature::Document)?;
                    append(&mut current.content, separator, text);
                }
                PartKind::Reasoning { text, opaque } => {
                    if opaque.is_some() {
                        self.losses.drop(Feature::Opaque);
                    }
                    append(&mut current.thinking, "\n", &**text);
                }
                PartKind::ToolCall(call) => current.tool_calls.push(self.call(call)),
                PartKind::ToolResult(result) => {
                    let before = std::mem::replace(&mut current, Message::new(role));
                    self.push(before);
                    let result = self.result(result)?;
                    self.written.push(result);
                }
            }
        }
        self.push(current);
        Ok(())
    }

    /// Adds a message, unless it says nothing.
    fn push(&mut self, message: Message<'a>) {
        if !message.is_empty() {
            self.written.push(message);
        }
    }

    fn image(&mut self, image: &'a Image<'_>) -> Result<&'a str, GatewayError> {
        if image.detail.as_ref().is_some_and(|detail| detail != "auto") {
            self.losses.drop(Feature::ImageDetail);
        }
        match &image.source {
            // The server finds out the media type by itself.
            Source::Data { base64, .. } => Ok(base64),
            Source::Url(_) => Err(self.losses.refuse(Feature::ImageUrl)),
        }
    }

    /// What a document says, without its name: the API has nothing but text and images.
    fn document(&mut self, document: &Document<'_>, feature: Feature) -> Result<String, GatewayError> {
        let text = document.text().ok_or_else(|| self.losses.refuse(feature))?;
        if document.name.is_some() {
            self.losses.drop(Feature::DocumentName);
        }
        Ok(text)
    }

    fn call(&mut self, call: &'a ToolCall<'_>) -> Call<'a> {
        self.called.insert(&call.id, call.name.flat());
        Call {
            id: &call.id,
            function: Function {
                name: call.name.flat(),
                arguments: call.object(),
            },
        }
    }

    fn result(&mut self, result: &'a ToolResult<'_>) -> Result<Message<'a>, GatewayError> {
        if result.is_error {
            self.losses.drop(Feature::ToolResultError);
        }
        let mut message = Message::new("tool");
        message.tool_call_id = Some(&result.call_id);
        message.tool_name = self.called.get(&*result.call_id).cloned();
        for kind in &result.content {
            match kind {
                PartKind::Text(text) | PartKind::Refusal(text) => append(&mut message.content, "\n", &**text),
                PartKind::Document(document) => {
                    let text = self.document(document, Feature::ToolResultMedia)?;
                    append(&mut message.content, "\n", text);
                }
                PartKind::Image(_) => return Err(self.losses.refuse(Feature::ToolResultMedia)),
                PartKind::Reasoning { .. } | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {
                    return Err(self.losses.refuse(Feature::OtherContent));
                }
            }
        }
        Ok(message)
    }
}

/// Appends a text behind another.
fn append<'a>(all: &mut Cow<'a, str>, separator: &str, text: impl Into<Cow<'a, str>>) {
    let text = text.into();
    if text.is_empty() {
        return;
    }
    if all.is_empty() {
        *all = text;
    } else {
        let all = all.to_mut();
        all.push_str(separator);
        all.push_str(&text);
    }
}
