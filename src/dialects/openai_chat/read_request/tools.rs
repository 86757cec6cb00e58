//! The tools of a request, and which of them are to be called.

use gateway_actors::protocol::GatewayError;

use super::content::cache_mark;
use super::{drop_others, wire};
use crate::dialects::neutral::{Feature, Losses, Tool, ToolChoice, ToolKind, ToolName};
use crate::dialects::object::{Flag, List, Object, Text, TextOr};
use crate::dialects::place::At;

/// A tool. One that the provider would run itself is left out.
pub(super) fn read_tool<'a>(
    losses: &mut Losses,
    at: At<'_>,
    tool: wire::Tool<'a>,
) -> Result<Option<Tool<'a>>, GatewayError> {
    let kind = tool.kind.map(|Text(kind)| kind);
    let mark = cache_mark(tool.cache_control);
    match kind.as_deref() {
        Some("function") => {
            drop_others(losses, "tools", &tool.others);
            let function = tool.function.ok_or_else(|| at.member("function").required())?;
            let mut read = read_function(losses, at.member("function"), "tools.function", function)?;
            read.cache = read.cache.or(mark);
            Ok(Some(read))
        }
        Some("custom") => {
            drop_others(losses, "tools", &tool.others);
            let custom = tool.custom.ok_or_else(|| at.member("custom").required())?;
            let at = at.member("custom");
            drop_others(losses, "tools.custom", &custom.others);
            let Text(name) = custom.name.ok_or_else(|| at.member("name").required())?;
            Ok(Some(Tool {
                name: ToolName::plain(name),
                description: custom.description.map(|Text(description)| description),
                kind: ToolKind::Custom {
                    format: custom.format.map(|Object(format)| format),
                },
                cache: mark,
            }))
        }
        Some(_) => {
            losses.drop(Feature::HostedTools);
            Ok(None)
        }
        None => Err(at.member("type").required()),
    }
}

/// A function, as a tool or in the older form.
pub(super) fn read_function<'a>(
    losses: &mut Losses,
    at: At<'_>,
    path: &str,
    function: wire::Function<'a>,
) -> Result<Tool<'a>, GatewayError> {
    drop_others(losses, path, &function.others);
    let Text(name) = function.name.ok_or_else(|| at.member("name").required())?;
    Ok(Tool {
        name: ToolName::plain(name),
        description: function.description.map(|Text(description)| description),
        kind: ToolKind::Function {
            parameters: function.parameters.map(|Object(parameters)| parameters),
            strict: function.strict.map(|Flag(strict)| strict),
        },
        cache: cache_mark(function.cache_control),
    })
}

/// Which tools are to be called: of these, of which those stay that are allowed. To be kept from calling a tool and not to
/// be offered it is the same to a model.
pub(super) fn read_choice<'a>(
    choice: TextOr<'a, wire::ToolChoice<'a>>,
    tools: &mut Vec<Tool<'a>>,
) -> Result<ToolChoice<'a>, GatewayError> {
    let at = At::top("tool_choice");
    let choice = match choice {
        TextOr::Text(word) => {
            return match &*word {
                "auto" => Ok(ToolChoice::Auto),
                "none" => Ok(ToolChoice::None),
                "required" | "any" => Ok(ToolChoice::Required),
                _ => Err(at.wrong("must be auto, none, required or an object")),
            };
        }
        TextOr::Other(choice) => choice,
    };
    let kind = choice.kind.as_ref().map(|Text(kind)| &**kind);
    match kind {
        Some("function" | "custom") => {
            let name = named(&choice).cloned();
            let Text(name) = name.ok_or_else(|| at.member("function").member("name").required())?;
            Ok(ToolChoice::Named(ToolName::plain(name)))
        }
        Some("allowed_tools") => {
            let at = at.member("allowed_tools");
            let allowed = choice.allowed_tools.ok_or_else(|| at.required())?;
            let List(listed) = allowed.tools.ok_or_else(|| at.member("tools").required())?;
            let is_listed = |tool: &Tool<'_>| {
                listed
                    .iter()
                    .filter_map(named)
                    .any(|Text(name)| *name == tool.name.name)
            };
            tools.retain(is_listed);
            if tools.is_empty() {
                return Err(at.member("tools").wrong("must name at least one of `tools`"));
            }
            match allowed.mode.as_ref().map(|Text(mode)| &**mode) {
                Some("required") => Ok(ToolChoice::Required),
                Some("auto") => Ok(ToolChoice::Auto),
                _ => Err(at.member("mode").wrong("must be auto or required")),
            }
        }
        _ => Err(at.member("type").wrong("must be function, custom or allowed_tools")),
    }
}

/// The name of the tool that a choice or an entry of a list of allowed ones gives.
fn named<'c, 'a>(choice: &'c wire::ToolChoice<'a>) -> Option<&'c Text<'a>> {
    choice.function.as_ref().or(choice.custom.as_ref())?.name.as_ref()
}

/// Which function is to be called, in the older form.
pub(super) fn read_function_call<'a>(choice: TextOr<'a, wire::Name<'a>>) -> Result<ToolChoice<'a>, GatewayError> {
    let at = At::top("function_call");
    match choice {
        TextOr::Text(word) => match &*word {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            _ => Err(at.wrong("must be auto, none or an object")),
        },
        TextOr::Other(named) => {
            let Text(name) = named.name.ok_or_else(|| at.member("name").required())?;
            Ok(ToolChoice::Named(ToolName::plain(name)))
        }
    }
}
