//! A request, written for a provider of this dialect.
//!
//! Instructions of the system that stand first become `instructions`; the rest of the conversation becomes items. The
//! provider is never asked to store anything. Tools are written without namespaces, by their flat names: not every
//! provider knows namespaces, and the answer finds the client's names again.

use std::borrow::Cow;
use std::collections::HashMap;

use gateway_actors::protocol::{Capability, GatewayError, Model};
use serde::Serialize;
use serde_json::value::RawValue;

use super::takes;
use super::write_items::{WireItem, write_items};
use super::write_tools::{Choice, WireTool, write_choice, write_tool};
use crate::dialects::json::text;
use crate::dialects::neutral::{Feature, Format, Losses, Message, Number, PartKind, Reasoning, Request, Role};
use crate::dialects::openai_effort::{nearest, word};
use crate::dialects::openai_strict::strictness;
use crate::dialects::shortened;

/// The fewest output tokens that the dialect takes as a limit.
const LEAST_OUTPUT_TOKENS: u32 = 16;

/// The most notes of a request, and the longest name and value of one.
const MOST_NOTES: usize = 16;
const MOST_NOTE_NAME: usize = 64;
const MOST_NOTE_VALUE: usize = 512;

/// Writes the body for this model.
///
/// # Errors
/// `invalid_request` naming the field, in the client's dialect, that cannot be carried and is not harmless to leave out.
pub(in crate::dialects) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    refuse_what_has_no_place(request, losses)?;
    let (mut instructions, conversation) = leading_instructions(&request.messages, losses);
    let mut input = write_items(conversation, model, losses)?;
    // Of a conversation nothing may be left, and the input must not be empty.
    if input.is_empty() && instructions.take().is_some() {
        input = write_items(&request.messages, model, losses)?;
    }
    if input.is_empty() {
        return Err(losses.refuse_value(Feature::Text, "this model cannot be asked without any text"));
    }
    let reasoning = reasoning(request, model, losses);
    // Nothing is stored, so that reasoning that comes without its state is lost. A model that does not reason refuses to be
    // asked for it.
    let reasons = reasoning.is_some() || model.capabilities.has(Capability::Reasoning);
    let thinks = reasons && !reasoning.is_some_and(Reasoning::is_off);
    let holds_state = input.iter().any(|item| matches!(item, WireItem::Reasoning { .. }));
    let text = Text {
        format: request
            .format
            .as_ref()
            .map(|format| write_format(format, model, losses)),
        verbosity: request
            .verbosity
            .as_deref()
            .filter(|word| is_known(word, &["low", "medium", "high"])),
    };
    if request.verbosity.is_some() && text.verbosity.is_none() {
        losses.drop(Feature::Verbosity);
    }
    let body = Body {
        model: &model.api_model,
        instructions,
        input,
        tools: request
            .tools
            .iter()
            .map(|tool| write_tool(tool, model.vendor, losses))
            .collect(),
        tool_choice: request
            .tool_choice
            .as_ref()
            .map(|choice| write_choice(choice, &request.tools)),
        parallel_tool_calls: request.parallel_tool_calls,
        text: (text.format.is_some() || text.verbosity.is_some()).then_some(text),
        reasoning: reasoning.map(|reasoning| thinking(reasoning, model, losses)),
        max_output_tokens: limit(request.max_output_tokens, model, losses),
        temperature: sampled(Feature::Temperature, request.temperature, model, losses),
        top_p: sampled(Feature::TopP, request.top_p, model, losses),
        safety_identifier: request.user.as_deref().map(shortened::key),
        prompt_cache_key: request.cache_key.as_deref().map(shortened::key),
        service_tier: service_tier(request, losses),
        metadata: metadata(request, losses),
        include: if thinks || holds_state {
            &["reasoning.encrypted_content"]
        } else {
            &[]
        },
        store: false,
        stream: request.stream,
    };
    serde_json::to_vec(&body).map_err(|_never| GatewayError::invalid("input", "the request cannot be written"))
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    input: Vec<WireItem<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    include: &'static [&'static str],
    store: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

#[derive(Serialize)]
struct Text<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<WireFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireFormat<'a> {
    JsonObject,
    JsonSchema {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

fn refuse_what_has_no_place(request: &Request<'_>, losses: &mut Losses) -> Result<(), GatewayError> {
    let refused = [
        (request.answers > 1, Feature::Answers),
        (!request.stop.is_empty(), Feature::Stop),
        (request.logit_bias.is_some(), Feature::LogitBias),
        // They could be asked for, but no answer carries them on.
        (request.logprobs.is_some(), Feature::Logprobs),
    ];
    if let Some((_, feature)) = refused.into_iter().find(|(is_there, _)| *is_there) {
        return Err(losses.refuse(feature));
    }
    if request.max_output_tokens.is_some_and(|most| most < LEAST_OUTPUT_TOKENS) {
        let why = format!("must be at least {LEAST_OUTPUT_TOKENS} for this model");
        return Err(losses.refuse_value(Feature::MaxTokens, &why));
    }
    let is_hot = |temperature: Number<'_>| !(0.0..=2.0).contains(&temperature.value());
    if request.temperature.is_some_and(is_hot) {
        return Err(losses.refuse_value(Feature::Temperature, "must be from 0 to 2 for this model"));
    }
    for (is_there, feature) in [
        (request.top_k.is_some(), Feature::TopK),
        (request.min_p.is_some(), Feature::MinP),
        (request.seed.is_some(), Feature::Seed),
        (request.frequency_penalty.is_some(), Feature::FrequencyPenalty),
        (request.presence_penalty.is_some(), Feature::PresencePenalty),
    ] {
        if is_there {
            losses.drop(feature);
        }
    }
    Ok(())
}

/// The instructions that come first, if they are the system's and nothing but text, and what follows them.
fn leading_instructions<'m, 'a>(
    messages: &'m [Message<'a>],
    losses: &mut Losses,
) -> (Option<String>, &'m [Message<'a>]) {
    let Some((first, rest)) = messages.split_first().filter(|(first, _)| first.role == Role::System) else {
        return (None, messages);
    };
    let mut texts = Vec::new();
    for part in &first.parts {
        let PartKind::Text(text) = &part.kind else {
            return (None, messages);
        };
        texts.push(&**text);
    }
    if first.parts.iter().any(|part| part.cache.is_some()) {
        losses.drop(Feature::CacheMarks);
    }
    // The input must not be empty.
    if rest.is_empty() {
        return (None, messages);
    }
    (Some(texts.join("\n\n")), rest)
}

/// How the model is to reason. One that does not cannot be asked anything about it, and need not be told not to.
fn reasoning(request: &Request<'_>, model: &Model, losses: &mut Losses) -> Option<Reasoning> {
    let asked = request.reasoning?;
    if takes::reasoning(model) {
        return Some(asked);
    }
    if !asked.is_off() {
        for (is_asked, feature) in [
            (asked.effort.is_some(), Feature::ReasoningEffort),
            (asked.budget_tokens.is_some(), Feature::ReasoningBudget),
            (asked.visible == Some(true), Feature::ReasoningVisible),
        ] {
            if is_asked {
                losses.drop(feature);
            }
        }
    }
    None
}

/// The limit of output tokens, which is the model's where that is lower.
fn limit(asked: Option<u32>, model: &Model, losses: &mut Losses) -> Option<u32> {
    let asked = asked?;
    let given = asked.min(model.max_output_tokens.max(LEAST_OUTPUT_TOKENS));
    if given < asked {
        losses.drop(Feature::MaxTokens);
    }
    Some(given)
}

fn thinking(reasoning: Reasoning, model: &Model, losses: &mut Losses) -> Thinking {
    let asked = reasoning.as_effort();
    let effort = asked.map(|effort| nearest(effort, model));
    if effort != asked {
        losses.drop(reasoning.amount());
    }
    Thinking {
        effort: effort.map(word),
        summary: (reasoning.visible == Some(true)).then_some("auto"),
    }
}

/// The temperature or the like. A model that takes the default alone, 1, is not asked, and nothing is lost with that.
fn sampled<'a>(feature: Feature, number: Option<Number<'a>>, model: &Model, losses: &mut Losses) -> Option<Number<'a>> {
    let number = number?;
    if takes::sampling(model) {
        return Some(number);
    }
    if (number.value() - 1.0).abs() > f64::EPSILON {
        losses.drop(feature);
    }
    None
}

fn write_format<'a>(format: &'a Format<'_>, model: &Model, losses: &mut Losses) -> WireFormat<'a> {
    match format {
        Format::JsonObject => WireFormat::JsonObject,
        Format::JsonSchema(schema) => {
            let strict = strictness(schema.strict, schema.schema, model.vendor);
            if strict != schema.strict {
                losses.drop(Feature::StrictSchema);
            }
            WireFormat::JsonSchema {
                name: schema.name.as_deref().unwrap_or("answer"),
                description: schema.description.as_deref(),
                schema: schema.schema,
                strict,
            }
        }
    }
}

fn is_known(word: &str, words: &[&str]) -> bool {
    words.contains(&word)
}

fn service_tier<'a>(request: &'a Request<'_>, losses: &mut Losses) -> Option<&'a str> {
    let known = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];
    let tier = request.service_tier.as_deref();
    let kept = tier.filter(|tier| is_known(tier, &known));
    if kept.is_none() && tier.is_some() {
        losses.drop(Feature::ServiceTier);
    }
    kept
}

/// Notes about the request, if they are within what the dialect takes: a few short texts.
fn metadata<'a>(request: &Request<'a>, losses: &mut Losses) -> Option<&'a RawValue> {
    let notes = request.metadata?;
    let read: Option<HashMap<Cow<'_, str>, &RawValue>> = serde_json::from_str(notes.get()).ok();
    let is_short = |name: &str, value: &RawValue| {
        name.len() <= MOST_NOTE_NAME && text(value).is_some_and(|value| value.len() <= MOST_NOTE_VALUE)
    };
    let fits =
        read.is_some_and(|read| read.len() <= MOST_NOTES && read.iter().all(|(name, value)| is_short(name, value)));
    if !fits {
        losses.drop(Feature::Metadata);
    }
    fits.then_some(notes)
}

#[cfg(test)]
#[path = "write_request_tests.rs"]
mod tests;
