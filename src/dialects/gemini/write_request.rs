//! Requests, as they are written for a model.

use std::borrow::Cow;

use gateway_actors::protocol::{GatewayError, Model};
use serde::Serialize;

use super::config::{GenerationConfig, generation_config};
use super::contents::Conversation;
use super::family::Family;
use super::part::Content;
use crate::dialects::json::body;
use crate::dialects::neutral::{Feature, Format, Losses, Request, Tool, ToolChoice, ToolKind, ToolSchema};

/// A `GenerateContentRequest`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    /// Only where the address does not say it: `models/` and the model's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[ToolSet<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    generation_config: GenerationConfig<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolSet<'a> {
    function_declarations: Vec<FunctionDeclaration<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionDeclaration<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<ToolSchema<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: FunctionCallingConfig<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCallingConfig<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[Cow<'a, str>; 1]>,
}

/// Writes a request for `generateContent` and `streamGenerateContent`. Neither the model nor whether a stream is wanted is
/// in it: the address says both.
///
/// # Errors
/// `invalid_request` naming what cannot be carried.
pub(in crate::dialects) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    body(&request_body(request, model, losses)?)
}

/// A request in this dialect's form.
pub(super) fn request_body<'a>(
    request: &'a Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Body<'a>, GatewayError> {
    refuse_or_drop(request, losses)?;
    let family = Family::of(&model.api_model);
    let (system_instruction, contents) = Conversation::write(&request.messages, model, losses)?;
    let tools = offered(request, family, losses)?;
    let function_declarations: Vec<_> = tools.iter().map(|tool| declaration(tool, losses)).collect();
    Ok(Body {
        model: None,
        system_instruction,
        contents,
        tools: (!function_declarations.is_empty()).then_some([ToolSet { function_declarations }]),
        tool_config: tool_config(request, !tools.is_empty()),
        generation_config: generation_config(request, model, family, losses)?,
    })
}

/// Members of a request for which the API has nothing.
fn refuse_or_drop(request: &Request<'_>, losses: &mut Losses) -> Result<(), GatewayError> {
    if request.logit_bias.is_some_and(|biases| biases.get() != "{}") {
        return Err(losses.refuse(Feature::LogitBias));
    }
    for (is_there, feature) in [
        (request.parallel_tool_calls == Some(false), Feature::ParallelToolCalls),
        (request.verbosity.is_some(), Feature::Verbosity),
        (request.user.is_some(), Feature::User),
        (request.metadata.is_some(), Feature::Metadata),
        (request.cache_key.is_some(), Feature::CacheKey),
        (request.service_tier.is_some(), Feature::ServiceTier),
    ] {
        if is_there {
            losses.drop(feature);
        }
    }
    Ok(())
}

/// The tools that the model is told of. Where it cannot have them beside an answer that is JSON, it is told of none that it
/// must not call anyhow.
fn offered<'a, 'b>(request: &'a Request<'b>, family: Family, losses: &Losses) -> Result<&'a [Tool<'b>], GatewayError> {
    let feature = match &request.format {
        Some(Format::JsonObject) => Feature::JsonObject,
        Some(Format::JsonSchema(_)) => Feature::JsonSchema,
        None => return Ok(&request.tools),
    };
    if family.answers_json_beside_tools || request.tools.is_empty() {
        return Ok(&request.tools);
    }
    if request.tool_choice == Some(ToolChoice::None) {
        return Ok(&[]);
    }
    let why = "this model cannot be asked for JSON where tools are offered";
    Err(losses.refuse_value(feature, why))
}

fn declaration<'a>(tool: &'a Tool<'_>, losses: &mut Losses) -> FunctionDeclaration<'a> {
    match tool.kind {
        ToolKind::Function { strict: Some(true), .. } => losses.drop(Feature::StrictTools),
        ToolKind::Custom { format: Some(_) } => losses.drop(Feature::CustomTools),
        ToolKind::Function { .. } | ToolKind::Custom { .. } => {}
    }
    if tool.cache.is_some() {
        losses.drop_mark_of_tool();
    }
    FunctionDeclaration {
        name: tool.name.flat(),
        description: tool.description.as_deref(),
        parameters_json_schema: tool.kind.schema(),
    }
}

/// Where there are no tools, a choice that forces none says nothing.
fn tool_config<'a>(request: &'a Request<'_>, has_tools: bool) -> Option<ToolConfig<'a>> {
    let (mode, name) = match request.tool_choice.as_ref()? {
        ToolChoice::Auto if has_tools => ("AUTO", None),
        ToolChoice::None if has_tools => ("NONE", None),
        ToolChoice::Auto | ToolChoice::None => return None,
        ToolChoice::Required => ("ANY", None),
        ToolChoice::Named(name) => ("ANY", Some(name.flat())),
    };
    Some(ToolConfig {
        function_calling_config: FunctionCallingConfig {
            mode,
            allowed_function_names: name.map(|name| [name]),
        },
    })
}

#[cfg(test)]
#[path = "write_request_tests.rs"]
mod tests;
