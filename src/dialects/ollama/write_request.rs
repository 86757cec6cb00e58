//! Requests, as they are written for a model.

use std::borrow::Cow;

use gateway_actors::protocol::{GatewayError, Model};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::message::{Message, messages};
use super::options::{Form, Options, Think};
use crate::dialects::json::body;
use crate::dialects::neutral::{Feature, Losses, Request, Tool, ToolChoice, ToolKind, ToolSchema};

/// A `ChatRequest`.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WrittenTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Form<'a>>,
    options: Options<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    /// Told always: the default is a stream.
    stream: bool,
    /// Always off: the default is to leave out the beginning of a conversation that is too long, in silence.
    truncate: bool,
}

#[derive(Serialize)]
struct WrittenTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Parameters<'a>,
}

/// What a tool takes; of nothing, an object without members, since the server wants to read an object here.
struct Parameters<'a>(Option<ToolSchema<'a>>);

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(schema) = self.0 {
            return schema.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", "object")?;
        map.serialize_entry("properties", &serde_json::Map::new())?;
        map.end()
    }
}

/// Writes a request for `/api/chat`.
///
/// # Errors
/// `invalid_request` naming what cannot be carried.
pub(in crate::dialects) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    refuse_or_drop(request, losses)?;
    let written = Body {
        model: &model.api_model,
        messages: messages(&request.messages, losses)?,
        tools: tools(request, losses)?,
        format: request.format.as_ref().map(|format| Form::of(format, losses)),
        options: Options::of(request, model, losses)?,
        think: request
            .reasoning
            .and_then(|reasoning| Think::of(reasoning, model, losses)),
        stream: request.stream,
        truncate: false,
    };
    body(&written)
}

/// Members of a request for which the API has nothing.
fn refuse_or_drop(request: &Request<'_>, losses: &mut Losses) -> Result<(), GatewayError> {
    for (is_there, feature) in [
        (request.answers > 1, Feature::Answers),
        (request.logprobs.is_some(), Feature::Logprobs),
        (
            request.logit_bias.is_some_and(|biases| biases.get() != "{}"),
            Feature::LogitBias,
        ),
    ] {
        if is_there {
            return Err(losses.refuse(feature));
        }
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

/// The tools, unless none of them is to be called.
fn tools<'a>(request: &'a Request<'_>, losses: &mut Losses) -> Result<Vec<WrittenTool<'a>>, GatewayError> {
    match &request.tool_choice {
        None | Some(ToolChoice::Auto) => Ok(request.tools.iter().map(|tool| written(tool, losses)).collect()),
        Some(ToolChoice::None) => Ok(Vec::new()),
        Some(ToolChoice::Required) => Err(losses.refuse(Feature::ToolChoiceRequired)),
        Some(ToolChoice::Named(_)) => Err(losses.refuse(Feature::ToolChoiceNamed)),
    }
}

fn written<'a>(tool: &'a Tool<'_>, losses: &mut Losses) -> WrittenTool<'a> {
    match tool.kind {
        ToolKind::Function { strict: Some(true), .. } => losses.drop(Feature::StrictTools),
        ToolKind::Custom { format: Some(_) } => losses.drop(Feature::CustomTools),
        ToolKind::Function { .. } | ToolKind::Custom { .. } => {}
    }
    if tool.cache.is_some() {
        losses.drop_mark_of_tool();
    }
    WrittenTool {
        kind: "function",
        function: Function {
            name: tool.name.flat(),
            description: tool.description.as_deref(),
            parameters: Parameters(tool.kind.schema()),
        },
    }
}

#[cfg(test)]
#[path = "write_request_tests.rs"]
mod tests;
