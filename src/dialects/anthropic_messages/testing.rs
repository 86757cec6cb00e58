//! For the tests of this dialect.

use std::borrow::Cow;

use gateway_actors::protocol::{
    Capabilities, Dialect, GatewayError, Layer, MediaTokens, Model, ModelId, ProviderName, Vendor,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::read_request::read_request;
use super::write_request::write_request;
use crate::dialects::neutral::{
    Losses, Message, Number, Opaque, OpaqueKind, Part, PartKind, Request, Role, Tool, ToolCall, ToolKind, ToolName,
    ToolResult,
};

/// A model of this dialect's, of 64,000 output tokens.
pub(super) fn model(api_model: &str) -> Model {
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from("alpha"),
        vendor: Vendor::Other,
        api_model: api_model.into(),
        dialect: Dialect::AnthropicMessages,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 200_000,
        max_output_tokens: 64_000,
        price: None,
        media: MediaTokens::default(),
    }
}

/// What a request with these members beside `max_tokens` and `messages` reads as, and what is lost on the way to a
/// model of chat completions.
pub(super) fn read(body: &str) -> Result<(Request<'_>, Vec<Cow<'static, str>>), GatewayError> {
    let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::OpenaiChat);
    let request = read_request(body, &mut losses)?;
    Ok((request, losses.into_dropped()))
}

/// What is written for this model, and what is lost for a client of chat completions.
pub(super) fn write(request: &Request<'_>, api_model: &str) -> Result<(Value, Vec<Cow<'static, str>>), GatewayError> {
    let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::AnthropicMessages);
    let body = write_request(request, &model(api_model), &mut losses)?;
    Ok((serde_json::from_slice(&body).unwrap(), losses.into_dropped()))
}

/// A model of each way to think: by budget, and by effort.
pub(super) const BY_BUDGET: &str = "claude-haiku-4-5";
pub(super) const BY_EFFORT: &str = "claude-opus-4-8";

/// A JSON value.
pub(super) fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap()
}

/// A number in this spelling.
pub(super) fn number(json: &str) -> Option<Number<'_>> {
    Number::read(raw(json))
}

/// A request of these messages.
pub(super) fn asking<'a>(messages: Vec<Message<'a>>) -> Request<'a> {
    Request {
        messages,
        ..Request::default()
    }
}

/// The plainest request.
pub(super) fn hello() -> Request<'static> {
    asking(vec![Message::text(Role::User, "hi")])
}

/// A message of these parts.
pub(super) fn said(role: Role, parts: Vec<PartKind<'_>>) -> Message<'_> {
    Message {
        role,
        parts: parts.into_iter().map(Part::from).collect(),
    }
}

/// A call of the tool `read`.
pub(super) fn call(id: &str, arguments: &str) -> PartKind<'static> {
    PartKind::ToolCall(ToolCall {
        id: id.to_owned().into(),
        name: ToolName::plain("read"),
        arguments: arguments.to_owned().into(),
        is_custom: false,
    })
}

/// What came of a call: a text.
pub(super) fn result(id: &str, text: &str) -> PartKind<'static> {
    PartKind::ToolResult(ToolResult {
        call_id: id.to_owned().into(),
        content: vec![PartKind::Text(text.to_owned().into())],
        is_error: false,
    })
}

/// Reasoning, signed unless the signature is empty.
pub(super) fn thought(text: &'static str, signature: &'static str) -> PartKind<'static> {
    PartKind::Reasoning {
        text: text.into(),
        opaque: (!signature.is_empty()).then(|| Opaque::read(OpaqueKind::Signature, signature.into())),
    }
}

/// A tool that takes nothing.
pub(super) fn tool(name: &'static str) -> Tool<'static> {
    Tool {
        name: ToolName::plain(name),
        description: None,
        kind: ToolKind::Function {
            parameters: None,
            strict: None,
        },
        cache: None,
    }
}

/// A block of text.
pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}
