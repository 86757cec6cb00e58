//! Sampling, the output's format, and what is told about a request.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::models::{Sampling, Takes};
use crate::dialects::neutral::{Feature, Format, Losses, Number, Request};
use crate::dialects::shortened::digest;

/// The member of this name.
#[derive(Debug, Serialize)]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<OutputFormat<'a>>,
}

impl OutputConfig<'_> {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

/// What form the answer must have.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "json_schema")]
pub(super) struct OutputFormat<'a> {
    schema: &'a RawValue,
}

/// The longest name of an end user that the API takes (reference of `metadata.user_id`).
const MOST_USER_BYTES: usize = 256;

/// The fewest digits of what may be a telephone number.
const LEAST_PHONE_DIGITS: usize = 7;

/// The member of this name.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    user_id: Cow<'a, str>,
}

impl<'a> Metadata<'a> {
    /// It tells who the end user is, and nothing else. A name that is too long, or that the API would refuse since a person
    /// can be known by it ("appears to contain an email address"), goes as its digest, as the reference asks for.
    pub(super) fn of(user: &'a str) -> Self {
        let tells_who = user.contains('@') || is_phone_number(user);
        Self {
            user_id: if tells_who || user.len() > MOST_USER_BYTES {
                Cow::Owned(digest(user))
            } else {
                Cow::Borrowed(user)
            },
        }
    }
}

/// Whether a name has the letters of a telephone number, and no others.
fn is_phone_number(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let others = |byte: u8| byte.is_ascii_digit() || b"+-() .".contains(&byte);
    digits >= LEAST_PHONE_DIGITS && name.bytes().all(others)
}

/// What is sent of how the model is to sample.
#[derive(Debug, Default)]
pub(super) struct Sampled<'a> {
    pub(super) temperature: Option<Number<'a>>,
    pub(super) top_p: Option<Number<'a>>,
    pub(super) top_k: Option<Number<'a>>,
}

/// The schema of the answer, if it must have one. Its name, and a description of it, have no place.
pub(super) fn format<'a>(
    request: &'a Request<'_>,
    losses: &mut Losses,
) -> Result<Option<OutputFormat<'a>>, GatewayError> {
    match &request.format {
        None => Ok(None),
        Some(Format::JsonObject) => {
            let why = "this model answers with JSON only by a schema: give one";
            Err(losses.refuse_value(Feature::JsonObject, why))
        }
        Some(Format::JsonSchema(schema)) => {
            if schema.description.is_some() {
                losses.drop(Feature::SchemaDescription);
            }
            Ok(Some(OutputFormat { schema: schema.schema }))
        }
    }
}

/// What the model takes of how it is to sample. While it thinks, the temperature is 1, nucleus sampling at least 0.95,
/// and top-k sampling is not taken.
pub(super) fn sampling<'a>(
    request: &Request<'a>,
    takes: Takes,
    thinks: bool,
    losses: &mut Losses,
) -> Result<Sampled<'a>, GatewayError> {
    let within = |value: Option<Number<'a>>, feature, range: std::ops::RangeInclusive<f64>, why: &str| match value {
        Some(number) if !range.contains(&number.value()) => Err(losses.refuse_value(feature, why)),
        value => Ok(value),
    };
    let mut sampled = Sampled {
        temperature: within(
            request.temperature,
            Feature::Temperature,
            0.0..=1.0,
            "it must be from 0 to 1 for this model",
        )?,
        top_p: within(
            request.top_p,
            Feature::TopP,
            0.0..=1.0,
            "it must be from 0 to 1 for this model",
        )?,
        top_k: within(
            request.top_k,
            Feature::TopK,
            0.0..=f64::MAX,
            "it must be a whole number from 0 for this model",
        )?,
    };
    if thinks || takes.sampling == Sampling::Nothing {
        leave_out(
            &mut sampled.temperature,
            |number| number.value() >= 1.0,
            Feature::Temperature,
            losses,
        );
        leave_out(&mut sampled.top_k, |_any| false, Feature::TopK, losses);
    }
    if takes.sampling == Sampling::Nothing {
        leave_out(
            &mut sampled.top_p,
            |number| number.value() >= 1.0,
            Feature::TopP,
            losses,
        );
    } else if thinks && sampled.top_p.is_some_and(|number| number.value() < 0.95) {
        leave_out(&mut sampled.top_p, |_any| false, Feature::TopP, losses);
    }
    if takes.sampling == Sampling::NotBoth && sampled.temperature.is_some() {
        leave_out(
            &mut sampled.top_p,
            |number| number.value() >= 1.0,
            Feature::TopP,
            losses,
        );
    }
    Ok(sampled)
}

/// Leaves a number out, and tells so unless it says no more than what happens without it.
fn leave_out(
    number: &mut Option<Number<'_>>,
    says_nothing: impl FnOnce(&Number<'_>) -> bool,
    feature: Feature,
    losses: &mut Losses,
) {
    if number.take().is_some_and(|number| !says_nothing(&number)) {
        losses.drop(feature);
    }
}

/// Texts that end the answer.
pub(super) fn stop_sequences<'a>(
    request: &'a Request<'_>,
    losses: &Losses,
) -> Result<&'a [Cow<'a, str>], GatewayError> {
    if request.stop.iter().any(|stop| stop.trim().is_empty()) {
        let why = "each must have something other than white space for this model";
        return Err(losses.refuse_value(Feature::Stop, why));
    }
    Ok(&request.stop)
}

/// The tier, where there is one of the same meaning: OpenAI's `default` is never served as a better one either.
pub(super) fn service_tier(request: &Request<'_>, losses: &mut Losses) -> Option<&'static str> {
    match request.service_tier.as_deref()? {
        "auto" => Some("auto"),
        "standard_only" | "default" => Some("standard_only"),
        _ => {
            losses.drop(Feature::ServiceTier);
            None
        }
    }
}

/// What this dialect has nothing for.
pub(super) fn refuse_and_drop(request: &Request<'_>, losses: &mut Losses) -> Result<(), GatewayError> {
    for (is_asked, feature) in [
        (request.answers > 1, Feature::Answers),
        (request.logprobs.is_some(), Feature::Logprobs),
        (request.logit_bias.is_some(), Feature::LogitBias),
    ] {
        if is_asked {
            return Err(losses.refuse(feature));
        }
    }
    for (is_asked, feature) in [
        (request.min_p.is_some(), Feature::MinP),
        (request.seed.is_some(), Feature::Seed),
        (request.frequency_penalty.is_some(), Feature::FrequencyPenalty),
        (request.presence_penalty.is_some(), Feature::PresencePenalty),
        (request.verbosity.is_some(), Feature::Verbosity),
        (request.metadata.is_some(), Feature::Metadata),
        (request.cache_key.is_some(), Feature::CacheKey),
    ] {
        if is_asked {
            losses.drop(feature);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
