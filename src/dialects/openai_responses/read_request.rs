//! A client's request, read for a provider of another dialect.

use gateway_actors::protocol::{ErrorKind, GatewayError};
use serde_json::value::RawValue;

use super::read_items::{Input, read_input};
use super::read_tools::Tools;
use super::unsupported::{Unsupported, refuse_unsupported};
use super::values::{BODY, Members, Place, boolean, count, elements, number, object, string};
use crate::dialects::neutral::{
    Effort, Feature, Format, Losses, Message, Reasoning, Request, Role, Schema, ToolChoice,
};

/// Reads a body that is UTF-8 and JSON.
///
/// # Errors
/// `invalid_request` naming the field that is not what it must be, or that cannot be carried to another dialect and is
/// not harmless to leave out.
pub(in crate::dialects) fn read_request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, GatewayError> {
    let body: &RawValue = serde_json::from_str(body)
        .map_err(|_error| GatewayError::new(ErrorKind::MalformedJson, "the body is not valid JSON"))?;
    let mut members = Members::of(body).ok_or_else(|| {
        let message = "the body must be a JSON object with `model` and `input`";
        GatewayError::new(ErrorKind::InvalidRequest, message)
    })?;
    refuse_unsupported(&Unsupported {
        background: members.take("background"),
        conversation: members.take("conversation"),
        prompt: members.take("prompt"),
    })?;
    if members.take("previous_response_id").is_some() {
        return Err(losses.refuse_at(Feature::ProviderState, "previous_response_id"));
    }

    let mut request = Request {
        answers: 1,
        ..Request::default()
    };
    if let Some(instructions) = members.string("instructions", &BODY)? {
        let said = !instructions.is_empty();
        request
            .messages
            .extend(said.then(|| Message::text(Role::System, instructions)));
    }
    let mut tools = Tools::default();
    if let Some(offered) = members.take("tools") {
        tools.read(offered, &Place::top("tools"), losses)?;
    }
    read_text(&mut members, &mut request, losses)?;
    read_reasoning(&mut members, &mut request, losses)?;
    let input = members.take("input").ok_or_else(|| Place::top("input").is_required())?;
    let mut conversation = Input::default();
    read_input(input, &mut conversation, &mut tools, losses)?;
    request.messages.append(&mut conversation.messages);
    if request.messages.is_empty() {
        return Err(Place::top("input").must_be("something to answer: a string, or at least one message"));
    }
    apply_updates(conversation, &mut request);

    let choice = members.take("tool_choice");
    request.tool_choice = choice.map(|choice| tools.read_choice(choice, losses)).transpose()?;
    request.tools = tools.into_list()?;
    read_settings(&mut members, &mut request, losses)?;
    if request.tools.is_empty() {
        // Without tools these say nothing, and some dialects mind them.
        request.parallel_tool_calls = None;
        request.tool_choice = request
            .tool_choice
            .filter(|choice| !matches!(choice, ToolChoice::Auto | ToolChoice::None));
    }
    request.unknown = members.left().collect();
    Ok(request)
}

/// What `configuration_update` items say holds from there on, so that the last of them counts.
fn apply_updates<'a>(conversation: Input<'a>, request: &mut Request<'a>) {
    if let Some(effort) = conversation.effort {
        request.reasoning.get_or_insert_default().effort = Some(effort);
    }
    if let Some(format) = conversation.format {
        request.format = format;
    }
}

fn read_text<'a>(
    members: &mut Members<'a>,
    request: &mut Request<'a>,
    losses: &mut Losses,
) -> Result<(), GatewayError> {
    let place = Place::top("text");
    let Some(config) = members.take("text") else {
        return Ok(());
    };
    let mut config = Members::read(config, &place)?;
    request.verbosity = config.string("verbosity", &place)?;
    let format = config.take("format");
    request.format = format
        .map(|format| read_format(format, &place.member("format"), losses))
        .transpose()?
        .flatten();
    config
        .left()
        .for_each(|name| losses.drop_unknown(&format!("text.{name}")));
    Ok(())
}

/// A `text.format`; nothing for plain text.
pub(super) fn read_format<'a>(
    value: &'a RawValue,
    place: &Place<'_>,
    losses: &mut Losses,
) -> Result<Option<Format<'a>>, GatewayError> {
    let mut format = Members::read(value, place)?;
    let read = match &*format.required("type", place)? {
        "text" => None,
        "json_object" => Some(Format::JsonObject),
        "json_schema" => {
            let at = place.member("schema");
            let schema = format.take("schema").ok_or_else(|| at.is_required())?;
            let strict = format.take("strict");
            Some(Format::JsonSchema(Schema {
                name: format.string("name", place)?,
                description: format.string("description", place)?,
                schema: object(schema, &at)?,
                strict: strict
                    .map(|strict| boolean(strict, &place.member("strict")))
                    .transpose()?,
            }))
        }
        _ => return Err(place.member("type").must_be("`text`, `json_schema` or `json_object`")),
    };
    format
        .left()
        .for_each(|name| losses.drop_unknown(&format!("text.format.{name}")));
    Ok(read)
}

fn read_reasoning(
    members: &mut Members<'_>,
    request: &mut Request<'_>,
    losses: &mut Losses,
) -> Result<(), GatewayError> {
    let place = Place::top("reasoning");
    let Some(value) = members.take("reasoning") else {
        return Ok(());
    };
    let mut reasoning = Members::read(value, &place)?;
    let effort = reasoning.take("effort");
    let summary = reasoning.string("summary", &place)?;
    // The older name for it.
    let summary = summary.or(reasoning.string("generate_summary", &place)?);
    let read = Reasoning {
        effort: effort
            .map(|effort| read_effort(effort, &place.member("effort")))
            .transpose()?,
        budget_tokens: None,
        visible: summary.map(|summary| summary != "none"),
    };
    request.reasoning = Some(read).filter(|read| *read != Reasoning::default());
    reasoning
        .left()
        .for_each(|name| losses.drop_unknown(&format!("reasoning.{name}")));
    Ok(())
}

/// How much a model is to reason, in words.
pub(super) fn read_effort(value: &RawValue, place: &Place<'_>) -> Result<Effort, GatewayError> {
    let words = "`none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`";
    let word = string(value, place)?;
    Effort::from_word(&word).ok_or_else(|| place.must_be(words))
}

/// The members that are one value each, and those that say nothing to another dialect.
fn read_settings<'a>(
    members: &mut Members<'a>,
    request: &mut Request<'a>,
    losses: &mut Losses,
) -> Result<(), GatewayError> {
    let top = Place::top;
    let flag = |value: Option<&RawValue>, name| value.map(|value| boolean(value, &top(name))).transpose();
    let limit = members.take("max_output_tokens");
    request.max_output_tokens = limit
        .map(|value| count(value, 1, &top("max_output_tokens")))
        .transpose()?;
    for (name, field) in [("temperature", &mut request.temperature), ("top_p", &mut request.top_p)] {
        *field = members.take(name).map(|value| number(value, &top(name))).transpose()?;
    }
    request.parallel_tool_calls = flag(members.take("parallel_tool_calls"), "parallel_tool_calls")?;
    request.stream = flag(members.take("stream"), "stream")?.unwrap_or(false);
    read_logprobs(members, request, losses)?;

    let user = members.string("user", &BODY)?;
    let identifier = members.string("safety_identifier", &BODY)?;
    losses.call_end_user(user.is_some(), identifier.is_some());
    request.user = identifier.or(user);
    request.cache_key = members.string("prompt_cache_key", &BODY)?;
    request.service_tier = members.string("service_tier", &BODY)?;
    let metadata = members.take("metadata");
    request.metadata = metadata.map(|value| object(value, &top("metadata"))).transpose()?;

    read_cache_options(members, losses)?;
    read_stream_options(members, losses);

    // The model is chosen and the answer stored by the gateway.
    for name in ["model", "store"] {
        members.take(name);
    }
    // `disabled` is what the gateway does: what is too long is refused.
    if members
        .string("truncation", &BODY)?
        .is_some_and(|word| word != "disabled")
    {
        losses.drop_unknown("truncation");
    }
    // It limits only tools that a provider runs itself.
    if members.take("max_tool_calls").is_some() {
        losses.drop_unknown("max_tool_calls");
    }
    Ok(())
}

/// `prompt_cache_options`, which are OpenAI's own.
fn read_cache_options(members: &mut Members<'_>, losses: &mut Losses) -> Result<(), GatewayError> {
    let Some(options) = members.take("prompt_cache_options") else {
        return Ok(());
    };
    let prewarm = Members::of(options).and_then(|mut options| options.take("prewarm"));
    if prewarm.is_some_and(|prewarm| prewarm.get() == "true") {
        return Err(losses.refuse_prewarming("prompt_cache_options.prewarm"));
    }
    losses.drop_unknown("prompt_cache_options");
    Ok(())
}

/// `stream_options`. No padding is ever sent, so that it is lost on nobody but who asks for it.
fn read_stream_options(members: &mut Members<'_>, losses: &mut Losses) {
    let Some(mut options) = members.take("stream_options").and_then(Members::of) else {
        return;
    };
    let padding = options.take(PADDING);
    if padding.is_some_and(|padding| padding.get() == "true") {
        losses.drop_unknown("stream_options.include_obfuscation");
    }
    options
        .left()
        .for_each(|name| losses.drop_unknown(&format!("stream_options.{name}")));
}

/// Whether the events of a stream get a text of random length, so that their sizes tell nothing of the answer.
const PADDING: &str = "include_obfuscation";

/// `include` and `top_logprobs`: either asks for the probabilities of tokens.
fn read_logprobs(
    members: &mut Members<'_>,
    request: &mut Request<'_>,
    losses: &mut Losses,
) -> Result<(), GatewayError> {
    let place = Place::top("top_logprobs");
    let top = members.take("top_logprobs");
    let top = top.map(|value| count(value, 0, &place)).transpose()?;
    request.logprobs = top.filter(|top| *top > 0);
    let place = Place::top("include");
    let Some(include) = members.take("include") else {
        return Ok(());
    };
    for (number, wanted) in elements(include, &place)?.into_iter().enumerate() {
        match &*string(wanted, &place.at(number))? {
            // Reasoning state is always given.
            "reasoning.encrypted_content" => {}
            "message.output_text.logprobs" => {
                if request.logprobs.is_none() {
                    losses.call(Feature::Logprobs, "include");
                }
                request.logprobs = Some(top.unwrap_or(0));
            }
            _ => losses.drop_unknown("include"),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "read_request_tests.rs"]
mod tests;
