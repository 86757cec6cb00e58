//! The tools of a request, and which of them are to be called.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::flavour::Flavour;
use super::messages::CacheControl;
use crate::dialects::neutral::{Feature, Losses, Request, ToolChoice, ToolKind, ToolName};
use crate::dialects::object::{Object, Text, object, read_body};
use crate::dialects::openai_strict::strictness;

/// The parameters of a tool that takes a plain text, where a provider has only functions.
const TEXT_PARAMETERS: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// The parameters of a function that takes none: some providers want them named all the same.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// The same for one that is to be called without any for certain.
const STRICTLY_NO_PARAMETERS: &str = r#"{"type":"object","properties":{},"required":[],"additionalProperties":false}"#;

/// A tool as it is written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<Custom<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Custom<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

/// A grammar, which stands one level deeper here than in Responses.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Format<'a> {
    AsItStands(&'a RawValue),
    Nested {
        #[serde(rename = "type")]
        kind: &'static str,
        grammar: Grammar<'a>,
    },
}

#[derive(Debug, Serialize)]
struct Grammar<'a> {
    definition: Cow<'a, str>,
    syntax: Cow<'a, str>,
}

object! {
    /// A grammar as a client wrote it, in either form.
    AnyFormat {
        grammar = "grammar": Object<'a>,
        definition = "definition": Text<'a>,
        syntax = "syntax": Text<'a>,
    }
}

/// The tools of a request.
pub(super) fn write_tools<'r>(request: &'r Request<'_>, flavour: Flavour, losses: &mut Losses) -> Vec<Tool<'r>> {
    let tools = request.tools.iter().map(|tool| {
        let name = tool.name.flat();
        let description = tool.description.as_deref();
        let cache_control = tool.cache.filter(|_| flavour.takes_cache_marks()).map(CacheControl::of);
        if tool.cache.is_some() && cache_control.is_none() {
            losses.drop_mark_of_tool();
        }
        match &tool.kind {
            ToolKind::Custom { format } if flavour.is_openai() => Tool {
                kind: "custom",
                custom: Some(Custom {
                    name,
                    description,
                    format: format.map(nested),
                }),
                ..Tool::default()
            },
            ToolKind::Custom { format } => {
                if format.is_some() {
                    losses.drop(Feature::CustomTools);
                }
                Tool {
                    kind: "function",
                    function: Some(Function {
                        name,
                        description,
                        parameters: fixed(TEXT_PARAMETERS),
                        strict: None,
                    }),
                    cache_control,
                    ..Tool::default()
                }
            }
            ToolKind::Function { parameters, strict } => {
                let (parameters, strict) = match parameters {
                    Some(schema) => {
                        let kept = strictness(*strict, schema, flavour.vendor);
                        if kept != *strict {
                            losses.drop(Feature::StrictTools);
                        }
                        (Some(*schema), kept)
                    }
                    None if *strict == Some(true) => (fixed(STRICTLY_NO_PARAMETERS), *strict),
                    None => (fixed(NO_PARAMETERS), *strict),
                };
                Tool {
                    kind: "function",
                    function: Some(Function {
                        name,
                        description,
                        parameters,
                        strict,
                    }),
                    cache_control,
                    ..Tool::default()
                }
            }
        }
    });
    tools.collect()
}

fn fixed(json: &'static str) -> Option<&'static RawValue> {
    serde_json::from_str(json).ok()
}

/// A grammar in the form of this dialect. What is in neither form is the provider's to judge.
fn nested(format: &RawValue) -> Format<'_> {
    match read_body::<AnyFormat<'_>>(format.get()) {
        Ok(AnyFormat {
            grammar: None,
            definition: Some(Text(definition)),
            syntax: Some(Text(syntax)),
            ..
        }) => Format::Nested {
            kind: "grammar",
            grammar: Grammar { definition, syntax },
        },
        _ => Format::AsItStands(format),
    }
}

/// Which tools are to be called, as it is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Choice<'a> {
    Word(&'static str),
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        function: Name<'a>,
    },
    Custom {
        #[serde(rename = "type")]
        kind: &'static str,
        custom: Name<'a>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Name<'a> {
    name: Cow<'a, str>,
}

/// Which tools of a request are to be called. Where there is none, it is an error to speak of them: what says no more than
/// that none is to be called is left out.
pub(super) fn write_choice<'r>(request: &'r Request<'_>, flavour: Flavour) -> Option<Choice<'r>> {
    let choice = request.tool_choice.as_ref()?;
    let is_idle = matches!(choice, ToolChoice::Auto | ToolChoice::None);
    if request.tools.is_empty() && is_idle {
        return None;
    }
    Some(match choice {
        ToolChoice::Auto => Choice::Word("auto"),
        ToolChoice::None => Choice::Word("none"),
        ToolChoice::Required => Choice::Word("required"),
        ToolChoice::Named(name) => {
            let named = Name { name: name.flat() };
            if flavour.is_openai() && is_custom(request, name) {
                Choice::Custom {
                    kind: "custom",
                    custom: named,
                }
            } else {
                Choice::Function {
                    kind: "function",
                    function: named,
                }
            }
        }
    })
}

fn is_custom(request: &Request<'_>, name: &ToolName<'_>) -> bool {
    let mut tools = request.tools.iter();
    tools.any(|tool| tool.name == *name && matches!(tool.kind, ToolKind::Custom { .. }))
}
