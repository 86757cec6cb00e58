//! A request written for a provider of this dialect, for a client of another.
//!
//! Where providers differ, the model's [`Flavour`] decides. The limit of output tokens is `max_completion_tokens` for
//! OpenAI, whose reasoning models take nothing else, and `max_tokens` for everybody else: it is the name that all of them
//! know. `metadata` is never sent: OpenAI takes it only with an answer that it is to store.

mod calls;
mod messages;
mod parts;
mod tools;

use gateway_actors::protocol::{ErrorKind, GatewayError, Model};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use self::messages::{Message, write_messages};
use self::tools::{Choice, Tool, write_choice, write_tools};
use super::flavour::{Flavour, ReasoningForm};
use crate::dialects::neutral::{Effort, Feature, Format, Losses, Number, Reasoning, Request};
use crate::dialects::openai_effort::{nearest, word};
use crate::dialects::openai_strict::strictness;
use crate::dialects::shortened;

/// The most stop texts, as OpenAI has it.
const MOST_STOPS: usize = 4;

/// The name of a schema that has none: one is needed.
const SCHEMA_NAME: &str = "answer";

/// Writes the body.
///
/// # Errors
/// `invalid_request` naming what cannot be carried to this model, by the client's own name for it.
pub(in crate::dialects) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    let flavour = Flavour::of(model);
    check(request, flavour, losses)?;
    let body = Body {
        model: &model.api_model,
        messages: write_messages(request, model, flavour, losses)?,
        tools: write_tools(request, flavour, losses),
        choice: write_choice(request, flavour),
        format: request
            .format
            .as_ref()
            .map(|format| response_format(format, flavour, losses)),
        sampling: sampling(request, flavour, losses),
        reasoning: reasoning(request.reasoning.unwrap_or_default(), model, losses),
        limit: request.output_limit(model, losses),
        service_tier: request.service_tier.as_deref().filter(|tier| flavour.takes_tier(tier)),
        request,
        flavour,
    };
    if request.metadata.is_some() {
        losses.drop(Feature::Metadata);
    }
    if request.service_tier.is_some() && body.service_tier.is_none() {
        losses.drop(Feature::ServiceTier);
    }
    if request.verbosity.is_some() && !flavour.is_openai() {
        losses.drop(Feature::Verbosity);
    }
    if request.cache_key.is_some() && !flavour.is_openai() {
        losses.drop(Feature::CacheKey);
    }
    if request.user.is_some() && !flavour.takes_user() {
        losses.drop(Feature::User);
    }
    serde_json::to_vec(&body)
        .map_err(|_never| GatewayError::new(ErrorKind::Internal, "the request could not be written; report this"))
}

/// Refuses what this provider, or none of the dialect, takes.
fn check(request: &Request<'_>, flavour: Flavour, losses: &Losses) -> Result<(), GatewayError> {
    let is_out_of_range = |temperature: Number<'_>| !(0.0..=2.0).contains(&temperature.value());
    if request.temperature.is_some_and(is_out_of_range) {
        return Err(losses.refuse_value(Feature::Temperature, "this model takes values from 0 to 2"));
    }
    if request.stop.len() > MOST_STOPS {
        return Err(losses.refuse_value(Feature::Stop, "this model takes at most 4 stop texts"));
    }
    if matches!(request.format, Some(Format::JsonSchema(_))) && !flavour.takes_schemas() {
        let why = "this model answers with JSON, but to no schema";
        return Err(losses.refuse_value(Feature::JsonSchema, why));
    }
    // The answer is to be translated, and has no place for them then.
    if request.logprobs.is_some() {
        return Err(losses.refuse(Feature::Logprobs));
    }
    Ok(())
}

/// Numbers that steer how tokens are chosen.
#[derive(Debug, Default)]
struct Sampling<'a> {
    temperature: Option<Number<'a>>,
    top_p: Option<Number<'a>>,
    frequency_penalty: Option<Number<'a>>,
    presence_penalty: Option<Number<'a>>,
    top_k: Option<Number<'a>>,
    min_p: Option<Number<'a>>,
    logit_bias: Option<&'a RawValue>,
}

fn sampling<'a>(request: &Request<'a>, flavour: Flavour, losses: &mut Losses) -> Sampling<'a> {
    // A model that takes the default only is not asked for it, and nothing is lost then.
    let mut number = |feature, number: Option<Number<'a>>, default: f64| {
        let number = number?;
        if flavour.takes_sampling() {
            return Some(number);
        }
        if (number.value() - default).abs() > f64::EPSILON {
            losses.drop(feature);
        }
        None
    };
    let mut sampling = Sampling {
        temperature: number(Feature::Temperature, request.temperature, 1.0),
        top_p: number(Feature::TopP, request.top_p, 1.0),
        frequency_penalty: number(Feature::FrequencyPenalty, request.frequency_penalty, 0.0),
        presence_penalty: number(Feature::PresencePenalty, request.presence_penalty, 0.0),
        ..Sampling::default()
    };
    let mut keep = |feature, is_taken: bool, is_there: bool| {
        if is_there && !is_taken {
            losses.drop(feature);
        }
        is_taken
    };
    let more = flavour.takes_more_sampling();
    sampling.top_k = request.top_k.filter(|_| keep(Feature::TopK, more, true));
    sampling.min_p = request.min_p.filter(|_| keep(Feature::MinP, more, true));
    let bias = flavour.takes_logit_bias();
    sampling.logit_bias = request.logit_bias.filter(|_| keep(Feature::LogitBias, bias, true));
    sampling
}

/// How much the model is to reason, as its provider is told.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ReasoningMember {
    Effort(&'static str),
    Object {
        #[serde(skip_serializing_if = "Option::is_none")]
        effort: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_tokens: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        exclude: Option<bool>,
    },
}

fn reasoning(reasoning: Reasoning, model: &Model, losses: &mut Losses) -> Option<ReasoningMember> {
    let flavour = Flavour::of(model);
    if flavour.reasoning() == ReasoningForm::Object {
        let budget = reasoning.budget_tokens.filter(|_| !reasoning.is_off());
        let effort = reasoning.as_effort().filter(|_| budget.is_none());
        let exclude = reasoning.visible.map(|visible| !visible);
        let says_something = effort.is_some() || budget.is_some() || exclude.is_some();
        return says_something.then_some(ReasoningMember::Object {
            effort: effort.map(word),
            max_tokens: budget,
            exclude,
        });
    }
    if reasoning.visible.is_some() {
        losses.drop(Feature::ReasoningVisible);
    }
    let effort = reasoning.as_effort()?;
    match flavour.reasoning() {
        form @ (ReasoningForm::EffortOfAnyWord | ReasoningForm::EffortOfFourWords) => {
            let nearest = match effort {
                _ if form == ReasoningForm::EffortOfAnyWord => nearest(effort, model),
                Effort::Minimal => Effort::Low,
                Effort::ExtraHigh | Effort::Max => Effort::High,
                other => other,
            };
            if nearest != effort {
                losses.drop(reasoning.amount());
            }
            Some(ReasoningMember::Effort(word(nearest)))
        }
        ReasoningForm::Object | ReasoningForm::Nothing => {
            if effort != Effort::None {
                losses.drop(reasoning.amount());
            }
            None
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: JsonSchema<'a> },
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The body with all that it needs to be written.
struct Body<'r, 'a> {
    model: &'r str,
    messages: Vec<Message<'r>>,
    tools: Vec<Tool<'r>>,
    choice: Option<Choice<'r>>,
    format: Option<ResponseFormat<'r>>,
    sampling: Sampling<'a>,
    reasoning: Option<ReasoningMember>,
    limit: Option<u32>,
    service_tier: Option<&'r str>,
    request: &'r Request<'a>,
    flavour: Flavour,
}

fn put<M: SerializeMap, T: Serialize>(map: &mut M, name: &'static str, value: Option<T>) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

impl Serialize for Body<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (request, sampling) = (self.request, &self.sampling);
        let is_openai = self.flavour.is_openai();
        let has_tools = !self.tools.is_empty();
        let mut map = serializer.serialize_map(None)?;
        put(&mut map, "model", Some(self.model))?;
        put(&mut map, "messages", Some(&self.messages))?;
        put(&mut map, "tools", has_tools.then_some(&self.tools))?;
        put(&mut map, "tool_choice", self.choice.as_ref())?;
        let parallel = request.parallel_tool_calls.filter(|_| has_tools);
        put(&mut map, "parallel_tool_calls", parallel)?;
        put(&mut map, "response_format", self.format.as_ref())?;
        let limit = if is_openai {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        put(&mut map, limit, self.limit)?;
        put(&mut map, "temperature", sampling.temperature)?;
        put(&mut map, "top_p", sampling.top_p)?;
        put(&mut map, "top_k", sampling.top_k)?;
        put(&mut map, "min_p", sampling.min_p)?;
        put(&mut map, "frequency_penalty", sampling.frequency_penalty)?;
        put(&mut map, "presence_penalty", sampling.presence_penalty)?;
        put(&mut map, "logit_bias", sampling.logit_bias)?;
        put(&mut map, self.flavour.seed(), request.seed)?;
        put(&mut map, "stop", (!request.stop.is_empty()).then_some(&request.stop))?;
        let reasoning = match self.flavour.reasoning() {
            ReasoningForm::Object => "reasoning",
            _ => "reasoning_effort",
        };
        put(&mut map, reasoning, self.reasoning.as_ref())?;
        put(&mut map, "verbosity", request.verbosity.as_ref().filter(|_| is_openai))?;
        put(&mut map, "n", (request.answers > 1).then_some(request.answers))?;
        let user = request.user.as_deref().filter(|_| self.flavour.takes_user());
        put(&mut map, "user", user.map(shortened::key))?;
        let cache_key = request.cache_key.as_deref().filter(|_| is_openai);
        put(&mut map, "prompt_cache_key", cache_key.map(shortened::key))?;
        put(&mut map, "service_tier", self.service_tier)?;
        if request.stream {
            put(&mut map, "stream", Some(true))?;
            let asks = self.flavour.takes_stream_options();
            put(
                &mut map,
                "stream_options",
                asks.then_some(StreamOptions { include_usage: true }),
            )?;
        }
        map.end()
    }
}

fn response_format<'f>(format: &'f Format<'_>, flavour: Flavour, losses: &mut Losses) -> ResponseFormat<'f> {
    match format {
        Format::JsonObject => ResponseFormat::JsonObject,
        Format::JsonSchema(schema) => {
            let strict = strictness(schema.strict, schema.schema, flavour.vendor);
            if strict != schema.strict {
                losses.drop(Feature::StrictSchema);
            }
            ResponseFormat::JsonSchema {
                json_schema: JsonSchema {
                    name: schema.name.as_deref().unwrap_or(SCHEMA_NAME),
                    description: schema.description.as_deref(),
                    schema: schema.schema,
                    strict,
                },
            }
        }
    }
}

#[cfg(test)]
#[path = "write_request_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "vendor_tests.rs"]
mod vendor_tests;
