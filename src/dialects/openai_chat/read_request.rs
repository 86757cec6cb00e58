//! A client's request, read for a model whose provider speaks another dialect.
//!
//! The wire format is that of the `openai` Python package, version 3.57.0 (`types/chat`), and what is widely spoken beyond
//! it: `reasoning_content` and `reasoning` texts, OpenRouter's `reasoning_details`, `reasoning` and `include_reasoning`,
//! Anthropic's `cache_control`, `top_k` and `min_p`.

mod content;
mod messages;
mod tools;
mod wire;

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;

use self::messages::Messages;
use self::tools::{read_choice, read_function, read_function_call, read_tool};
use crate::dialects::json::is_non_empty_container;
use crate::dialects::neutral::{Effort, Feature, Format, Losses, Number, Reasoning, Request, Schema, Tool};
use crate::dialects::object::{AnyNumber, Count, Flag, List, Object, Text, TextOr, read_body};
use crate::dialects::place::At;

/// Reads a body.
///
/// # Errors
/// `invalid_request` naming the field that is not what it must be, or that nobody of another dialect can be asked for.
pub(in crate::dialects) fn read_request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, GatewayError> {
    let mut body: wire::Body<'a> = read_body(body)?;
    check_output(&body, losses)?;
    read_cache_options(&body, losses)?;
    drop_harmless(&body, losses);
    let List(wire_messages) = body.messages.take().ok_or_else(|| At::top("messages").required())?;
    let mut messages = Messages::new(losses);
    for (place, message) in wire_messages.into_iter().enumerate() {
        messages.add(place, message)?;
    }
    let messages = messages.finish();
    let legacy_functions = body.tools.is_none() && body.functions.is_some();
    let mut tools = tools_of(&mut body, losses)?;
    let tool_choice = match (body.tool_choice.take(), body.function_call.take()) {
        (Some(choice), _) => Some(read_choice(choice, &mut tools)?),
        (None, Some(choice)) => Some(read_function_call(choice)?),
        (None, None) => None,
    };
    let number = |number: Option<AnyNumber<'a>>| -> Option<Number<'a>> { number.map(|AnyNumber(number)| number) };
    let text = |text: Option<Text<'a>>| -> Option<Cow<'a, str>> { text.map(|Text(text)| text) };
    let limit = body.max_completion_tokens.or(body.max_tokens);
    if body.max_completion_tokens.is_none() {
        losses.call(Feature::MaxTokens, "max_tokens");
    }
    let top_logprobs = body.top_logprobs.map_or(0, |Count(count)| count);
    let logprobs = body.logprobs.filter(|Flag(wanted)| *wanted).map(|_| top_logprobs);
    // Alone it asks for nothing, which OpenAI refuses and other providers pass over.
    if logprobs.is_none() && top_logprobs > 0 {
        losses.drop_unknown("top_logprobs");
    }
    Ok(Request {
        messages,
        tools,
        tool_choice,
        legacy_functions,
        parallel_tool_calls: body.parallel_tool_calls.map(|Flag(flag)| flag),
        reasoning: reasoning(&body)?,
        format: body
            .response_format
            .map(|format| format_of(losses, format))
            .transpose()?
            .flatten(),
        max_output_tokens: limit.map(|Count(limit)| limit),
        temperature: number(body.temperature),
        top_p: number(body.top_p),
        top_k: number(body.top_k),
        min_p: number(body.min_p),
        seed: number(body.seed),
        frequency_penalty: number(body.frequency_penalty),
        presence_penalty: number(body.presence_penalty),
        stop: match body.stop {
            None => Vec::new(),
            Some(TextOr::Text(stop)) => vec![stop],
            Some(TextOr::Other(List(stop))) => stop.into_iter().map(|Text(stop)| stop).collect(),
        },
        verbosity: text(body.verbosity),
        answers: body.n.map_or(1, |Count(n)| n),
        logprobs,
        logit_bias: body
            .logit_bias
            .map(|Object(bias)| bias)
            .filter(|bias| is_non_empty_container(bias)),
        user: text(body.safety_identifier.or(body.user)),
        metadata: body.metadata.map(|Object(metadata)| metadata),
        cache_key: text(body.prompt_cache_key),
        service_tier: text(body.service_tier),
        stream: body.stream == Some(Flag(true)),
        unknown: body.others,
    })
}

/// Refuses answers that are not text.
fn check_output(body: &wire::Body<'_>, losses: &Losses) -> Result<(), GatewayError> {
    if body.audio.is_some() {
        return Err(losses.refuse_at(Feature::Audio, "audio"));
    }
    let List(modalities) = body.modalities.as_ref().unwrap_or(const { &List(Vec::new()) });
    for Text(modality) in modalities {
        match &**modality {
            "text" => {}
            "audio" => return Err(losses.refuse_at(Feature::Audio, "modalities")),
            _ => return Err(losses.refuse_at(Feature::OtherContent, "modalities")),
        }
    }
    Ok(())
}

/// Refuses to have nothing but OpenAI's cache filled.
fn read_cache_options(body: &wire::Body<'_>, losses: &mut Losses) -> Result<(), GatewayError> {
    let Some(options) = &body.prompt_cache_options else {
        return Ok(());
    };
    if options.prewarm == Some(Flag(true)) {
        return Err(losses.refuse_prewarming("prompt_cache_options.prewarm"));
    }
    losses.drop_unknown("prompt_cache_options");
    Ok(())
}

/// Leaves out what only its own dialect has, and what does no harm to the answer.
fn drop_harmless(body: &wire::Body<'_>, losses: &mut Losses) {
    if body.web_search_options.is_some() {
        losses.drop(Feature::HostedTools);
    }
    if body.store == Some(Flag(true)) {
        losses.drop_unknown("store");
    }
    if body.prediction.is_some() {
        losses.drop_unknown("prediction");
    }
    if let Some(options) = &body.stream_options {
        // No padding is ever sent, so that it is lost on nobody but who asks for it.
        if options.include_obfuscation == Some(Flag(true)) {
            losses.drop_unknown("stream_options.include_obfuscation");
        }
        drop_others(losses, "stream_options", &options.others);
    }
    losses.call_end_user(body.user.is_some(), body.safety_identifier.is_some());
}

/// The tools, and the functions of the older form.
fn tools_of<'a>(body: &mut wire::Body<'a>, losses: &mut Losses) -> Result<Vec<Tool<'a>>, GatewayError> {
    let mut read = Vec::new();
    let List(tools) = body.tools.take().unwrap_or_default();
    let at = At::top("tools");
    for (place, tool) in tools.into_iter().enumerate() {
        read.extend(read_tool(losses, at.item(place), tool)?);
    }
    let List(functions) = body.functions.take().unwrap_or_default();
    let at = At::top("functions");
    for (place, function) in functions.into_iter().enumerate() {
        read.push(read_function(losses, at.item(place), "functions", function)?);
    }
    Ok(read)
}

/// `reasoning_effort`, and OpenRouter's `reasoning` and `include_reasoning`, of which the object says most.
fn reasoning(body: &wire::Body<'_>) -> Result<Option<Reasoning>, GatewayError> {
    let word = |at: At<'_>, word: &Option<Text<'_>>| match word {
        None => Ok(None),
        Some(Text(word)) => Effort::from_word(word)
            .map(Some)
            .ok_or_else(|| at.wrong("must be none, minimal, low, medium, high, xhigh or max")),
    };
    let mut read = Reasoning {
        effort: word(At::top("reasoning_effort"), &body.reasoning_effort)?,
        budget_tokens: None,
        visible: body.include_reasoning.map(|Flag(include)| include),
    };
    if let Some(reasoning) = &body.reasoning {
        read.effort = word(At::top("reasoning").member("effort"), &reasoning.effort)?.or(read.effort);
        read.budget_tokens = reasoning.max_tokens.map(|Count(tokens)| tokens);
        read.visible = reasoning.exclude.map(|Flag(exclude)| !exclude).or(read.visible);
        let is_open = read.effort.is_none() && read.budget_tokens.is_none();
        match reasoning.enabled {
            Some(Flag(false)) => (read.effort, read.budget_tokens) = (Some(Effort::None), None),
            // OpenRouter's reference: what is enabled and not measured is of medium effort.
            Some(Flag(true)) if is_open => read.effort = Some(Effort::Medium),
            _ => {}
        }
    }
    Ok(Some(read).filter(|read| *read != Reasoning::default()))
}

/// What form the answer must have; nothing for plain text.
fn format_of<'a>(losses: &mut Losses, format: wire::ResponseFormat<'a>) -> Result<Option<Format<'a>>, GatewayError> {
    let at = At::top("response_format");
    drop_others(losses, "response_format", &format.others);
    match format.kind.as_ref().map(|Text(kind)| &**kind) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Format::JsonObject)),
        Some("json_schema") => {
            let at = at.member("json_schema");
            let schema = format.json_schema.ok_or_else(|| at.required())?;
            drop_others(losses, "response_format.json_schema", &schema.others);
            let Object(json) = schema.schema.ok_or_else(|| at.member("schema").required())?;
            Ok(Some(Format::JsonSchema(Schema {
                name: schema.name.map(|Text(name)| name),
                description: schema.description.map(|Text(description)| description),
                schema: json,
                strict: schema.strict.map(|Flag(strict)| strict),
            })))
        }
        _ => Err(at.member("type").wrong("must be text, json_object or json_schema")),
    }
}

/// Leaves out members that nobody here knows, which stand in what is called by this path.
fn drop_others(losses: &mut Losses, path: &str, others: &[Cow<'_, str>]) {
    for name in others {
        losses.drop_unknown(&format!("{path}.{name}"));
    }
}

#[cfg(test)]
#[path = "read_request_tests.rs"]
mod tests;
