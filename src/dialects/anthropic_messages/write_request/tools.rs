//! The tools that are offered, and which of them must be called.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::models::Takes;
use super::blocks::Mark;
use crate::dialects::json::{is_non_empty_container, text};
use crate::dialects::neutral::{Feature, Losses, Request, Tool, ToolChoice, ToolKind};

/// The schema of a tool that takes nothing.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// The schema of a tool that takes a plain text.
const PLAIN_TEXT: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// A tool as it is offered.
#[derive(Debug, Serialize)]
pub(super) struct Offer<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: SchemaText<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Mark>,
}

impl Offer<'_> {
    /// Where the mark stands that it bears.
    pub(super) fn mark_place(&mut self) -> Option<&mut Option<Mark>> {
        self.cache_control.is_some().then_some(&mut self.cache_control)
    }
}

/// A schema as JSON text.
#[derive(Debug)]
struct SchemaText<'a>(Cow<'a, str>);

impl Serialize for SchemaText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// The member `tool_choice`.
#[derive(Debug, Serialize)]
pub(super) struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

/// The offers. The grammar of a tool that takes a plain text is told as lost.
pub(super) fn offers<'a>(tools: &'a [Tool<'_>], losses: &mut Losses) -> Vec<Offer<'a>> {
    let offer = |tool: &'a Tool<'_>| {
        let (input_schema, is_strict) = match &tool.kind {
            ToolKind::Function { parameters, strict } => (schema(*parameters), *strict == Some(true)),
            ToolKind::Custom { format } => {
                if format.is_some_and(is_grammar) {
                    losses.drop(Feature::CustomTools);
                }
                (Cow::Borrowed(PLAIN_TEXT), false)
            }
        };
        Offer {
            name: tool.name.flat(),
            description: tool.description.as_deref(),
            input_schema: SchemaText(input_schema),
            strict: is_strict,
            cache_control: tool.cache.map(Mark::from),
        }
    };
    tools.iter().map(offer).collect()
}

/// The schema of a function's arguments, which here must say that they are an object.
fn schema(parameters: Option<&RawValue>) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    let Some(parameters) = parameters.filter(|parameters| is_non_empty_container(parameters)) else {
        return Cow::Borrowed(NO_ARGUMENTS);
    };
    let schema = parameters.get();
    let is_typed = serde_json::from_str::<Typed<'_>>(schema).is_ok_and(|typed| typed.kind.is_some());
    match schema.strip_prefix('{') {
        Some(members) if !is_typed => Cow::Owned(format!(r#"{{"type":"object",{members}"#)),
        _ => Cow::Borrowed(schema),
    }
}

/// Whether a format of plain text keeps to a grammar.
fn is_grammar(format: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    let kind = serde_json::from_str::<Typed<'_>>(format.get())
        .ok()
        .and_then(|typed| typed.kind);
    kind.and_then(text).is_none_or(|kind| kind != "text")
}

/// Whether the model must call a tool.
pub(super) fn is_forced(request: &Request<'_>) -> bool {
    matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)))
}

/// Which tools must be called, and whether several at once. Without tools there is nothing to choose.
pub(super) fn choice<'a>(
    request: &'a Request<'_>,
    takes: Takes,
    losses: &Losses,
) -> Result<Option<Choice<'a>>, GatewayError> {
    let forced = match &request.tool_choice {
        Some(ToolChoice::Required) => Some(Feature::ToolChoiceRequired),
        Some(ToolChoice::Named(_)) => Some(Feature::ToolChoiceNamed),
        Some(ToolChoice::Auto | ToolChoice::None) | None => None,
    };
    match forced {
        Some(feature) if request.tools.is_empty() => {
            let why = "this model can be made to call a tool only if one is offered";
            return Err(losses.refuse_value(feature, why));
        }
        Some(feature) if !takes.forced_calls() => {
            return Err(losses.refuse_value(
                feature,
                "this model, which always thinks, cannot be made to call a tool",
            ));
        }
        None if request.tools.is_empty() => return Ok(None),
        _ => {}
    }
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    let (kind, name) = match &request.tool_choice {
        None if one_at_a_time => ("auto", None),
        None => return Ok(None),
        Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name.flat())),
    };
    Ok(Some(Choice {
        kind,
        name,
        disable_parallel_tool_use: one_at_a_time && kind != "none",
    }))
}
