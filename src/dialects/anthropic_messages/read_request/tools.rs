//! The tools that are offered, and which of them must be called.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;

use super::blocks::cache_mark;
use super::{drop_others, wire};
use crate::dialects::neutral::{Feature, Losses, Tool, ToolChoice, ToolKind, ToolName};
use crate::dialects::object::{Flag, List, Object, Text};
use crate::dialects::place::At;

/// How the types of tools begin that the provider runs itself: without one of them a model says so, or does without.
const PROVIDER_RUN: [&str; 4] = ["web_search_", "web_fetch_", "tool_search_tool_", "advisor_"];

/// What is offered.
#[derive(Debug, Default)]
pub(super) struct Offers<'a> {
    pub(super) tools: Vec<Tool<'a>>,
    /// The names of those that were left out.
    left_out: Vec<Cow<'a, str>>,
}

/// Reads the offers. Tools that the provider runs are left out; those whose arguments only Anthropic's models know
/// (`bash`, `text_editor`, `computer`, `memory` and the like) are refused, and so is running code.
pub(super) fn read_tools<'a>(
    losses: &mut Losses,
    tools: Option<List<wire::Tool<'a>>>,
) -> Result<Offers<'a>, GatewayError> {
    let List(tools) = tools.unwrap_or_default();
    let list = At::top("tools");
    let mut offers = Offers::default();
    for (place, tool) in tools.into_iter().enumerate() {
        let at = list.item(place);
        match tool.kind.as_ref().map(|Text(kind)| &**kind) {
            None | Some("custom") => offers.tools.push(read_tool(losses, at, tool)?),
            Some(kind) if PROVIDER_RUN.iter().any(|start| kind.starts_with(start)) => {
                offers.left_out.extend(tool.name.map(|Text(name)| name));
                losses.drop(Feature::HostedTools);
            }
            Some(_) => {
                let words = "is of a type that is known only to Anthropic's models; describe it by an `input_schema`, \
                             leave it out or ask for a model of Anthropic's";
                return Err(at.wrong(words));
            }
        }
    }
    Ok(offers)
}

fn read_tool<'a>(losses: &mut Losses, at: At<'_>, tool: wire::Tool<'a>) -> Result<Tool<'a>, GatewayError> {
    drop_others(losses, "tools", &tool.others);
    let Text(name) = tool.name.ok_or_else(|| at.member("name").required())?;
    let Object(schema) = tool.input_schema.ok_or_else(|| at.member("input_schema").required())?;
    Ok(Tool {
        name: ToolName::plain(name),
        description: tool.description.map(|Text(description)| description),
        kind: ToolKind::Function {
            parameters: Some(schema),
            strict: tool.strict.map(|Flag(strict)| strict),
        },
        cache: cache_mark(at.member("cache_control"), tool.cache_control)?,
    })
}

/// Which tools the model must or may call, and whether several at once.
type Chosen<'a> = (Option<ToolChoice<'a>>, Option<bool>);

/// Reads the choice.
pub(super) fn read_tool_choice<'a>(
    losses: &mut Losses,
    choice: wire::ToolChoice<'a>,
    offers: &Offers<'a>,
) -> Result<Chosen<'a>, GatewayError> {
    drop_others(losses, "tool_choice", &choice.others);
    let at = At::top("tool_choice");
    let chosen = match choice.kind.as_ref().map(|Text(kind)| &**kind) {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any") if offers.tools.is_empty() && !offers.left_out.is_empty() => {
            return Err(losses.refuse_at(Feature::HostedTools, at.to_string()));
        }
        Some("any") => ToolChoice::Required,
        Some("tool") => {
            let at = at.member("name");
            let Text(name) = choice.name.ok_or_else(|| at.required())?;
            if offers.left_out.contains(&name) {
                return Err(losses.refuse_at(Feature::HostedTools, at.to_string()));
            }
            ToolChoice::Named(ToolName::plain(name))
        }
        _ => return Err(at.member("type").wrong("must be auto, any, tool or none")),
    };
    let parallel = choice.disable_parallel_tool_use.map(|Flag(disabled)| !disabled);
    Ok((Some(chosen), parallel))
}
