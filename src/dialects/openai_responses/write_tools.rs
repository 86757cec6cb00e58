//! The tools that a request offers and the choice among them, written for a provider.

use std::borrow::Cow;

use gateway_actors::protocol::Vendor;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialects::neutral::{Feature, Losses, Tool, ToolChoice, ToolKind, ToolName};
use crate::dialects::openai_strict::strictness;

/// A tool on the wire.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireTool<'a> {
    Function {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        parameters: Parameters<'a>,
        /// Always said: the dialect's default is the other one.
        strict: bool,
    },
    Custom {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<ToolFormat<'a>>,
    },
}

/// The schema of arguments: without one a function takes none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Parameters<'a> {
    Given(&'a RawValue),
    None {
        #[serde(rename = "type")]
        kind: &'static str,
        properties: Empty,
        /// Said where nothing else is to be taken for certain.
        #[serde(rename = "additionalProperties", skip_serializing_if = "Option::is_none")]
        more: Option<bool>,
    },
}

impl Parameters<'_> {
    /// Those of a function that takes none, for certain or not.
    fn none(is_strict: bool) -> Self {
        Self::None {
            kind: "object",
            properties: Empty {},
            more: is_strict.then_some(false),
        }
    }
}

/// An object of nothing.
#[derive(Debug, Serialize)]
pub(super) struct Empty {}

/// What a custom tool takes. Chat completions have the grammar in an object of its own.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToolFormat<'a> {
    AsItStands(&'a RawValue),
    Grammar {
        #[serde(rename = "type")]
        kind: &'static str,
        syntax: &'a RawValue,
        definition: &'a RawValue,
    },
}

/// A choice on the wire.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Choice<'a> {
    Word(&'static str),
    Tool {
        #[serde(rename = "type")]
        kind: &'static str,
        name: Cow<'a, str>,
    },
}

/// Writes a tool, by its flat name.
pub(super) fn write_tool<'a>(tool: &'a Tool<'_>, vendor: Vendor, losses: &mut Losses) -> WireTool<'a> {
    if tool.cache.is_some() {
        losses.drop_mark_of_tool();
    }
    let name = tool.name.flat().into_owned();
    let description = tool.description.as_deref();
    match &tool.kind {
        ToolKind::Function { parameters, strict } => {
            let asked = strict.unwrap_or(false);
            let (parameters, strict) = match parameters {
                Some(schema) => {
                    let kept = strictness(Some(asked), schema, vendor) == Some(true);
                    if kept != asked {
                        losses.drop(Feature::StrictTools);
                    }
                    (Parameters::Given(schema), kept)
                }
                None => (Parameters::none(asked), asked),
            };
            WireTool::Function {
                name,
                description,
                parameters,
                strict,
            }
        }
        ToolKind::Custom { format } => WireTool::Custom {
            name,
            description,
            format: format.map(tool_format),
        },
    }
}

fn tool_format(format: &RawValue) -> ToolFormat<'_> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        grammar: Inner<'a>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow)]
        syntax: &'a RawValue,
        #[serde(borrow)]
        definition: &'a RawValue,
    }
    match serde_json::from_str::<Outer<'_>>(format.get()) {
        Ok(Outer { grammar }) => ToolFormat::Grammar {
            kind: "grammar",
            syntax: grammar.syntax,
            definition: grammar.definition,
        },
        Err(_other_form) => ToolFormat::AsItStands(format),
    }
}

/// Writes the choice.
pub(super) fn write_choice<'a>(choice: &'a ToolChoice<'_>, tools: &[Tool<'_>]) -> Choice<'a> {
    match choice {
        ToolChoice::Auto => Choice::Word("auto"),
        ToolChoice::None => Choice::Word("none"),
        ToolChoice::Required => Choice::Word("required"),
        ToolChoice::Named(name) => Choice::Tool {
            kind: if is_custom(name, tools) { "custom" } else { "function" },
            name: name.flat(),
        },
    }
}

fn is_custom(name: &ToolName<'_>, tools: &[Tool<'_>]) -> bool {
    let is_it = |tool: &&Tool<'_>| tool.name == *name;
    let kind = tools.iter().find(is_it).map(|tool| &tool.kind);
    matches!(kind, Some(ToolKind::Custom { .. }))
}
