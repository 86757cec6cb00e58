//! The neutral form, written as a body for a provider of this dialect.
//!
//! What the dialect has no place for is left out and told where that does no harm, and refused where it does. Which way
//! of thinking, sampling and later instructions a model takes is read off its name ([`models`](super::models)).
//!
//! - The limit of output tokens is the client's, or the model's where there is none or it is lower.
//! - Instructions before the first turn, the developer's among them, become `system`. Later ones follow the user's turn
//!   in which they stand as a message of the system's if the model takes such, and join `system` otherwise, in order.
//! - Neighbours of one role become one turn, results of tools first. A result must belong to a call in the turn before.
//! - Text that is empty or nothing but white space is left out, as is white space at the end of a turn of the model's that
//!   comes last: the API refuses it, and it says nothing.
//! - Of more than four cache marks the first and the last three stay.

mod blocks;
mod marks;
mod settings;
mod thinking;
mod tools;
mod turns;

use std::borrow::Cow;

use gateway_actors::protocol::{ErrorKind, GatewayError, Model};
use serde::Serialize;

use self::blocks::{Block, Reader};
use self::marks::keep_four;
use self::settings::{
    Metadata, OutputConfig, Sampled, format, refuse_and_drop, sampling, service_tier, stop_sequences,
};
use self::thinking::{Thinking, plan};
use self::tools::{Choice, Offer, choice, offers};
use self::turns::{Turn, turns};
use super::models::Takes;
use crate::dialects::neutral::{Feature, Losses, Number, Origin, Request};

#[derive(Debug, Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Offer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Number<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [Cow<'a, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

/// Writes the body for this model.
///
/// # Errors
/// `invalid_request` naming the field that cannot be carried and is not harmless to leave out.
pub(in crate::dialects) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    let takes = Takes::of(&model.api_model);
    let origin = Origin::of(model);
    let mut written = turns(&request.messages, Reader { origin, takes }, losses)?;
    let max_tokens = request
        .max_output_tokens
        .map_or(model.max_output_tokens, |limit| limit.min(model.max_output_tokens));
    if request.max_output_tokens.is_some_and(|limit| limit > max_tokens) {
        losses.drop(Feature::MaxTokens);
    }
    let thought = plan(request, takes, max_tokens, &written.messages, losses);
    let Sampled {
        temperature,
        top_p,
        top_k,
    } = sampling(request, takes, thought.is_on(), losses)?;
    refuse_and_drop(request, losses)?;
    let mut tools = offers(&request.tools, losses);
    keep_four(&mut tools, &mut written.system, &mut written.messages, losses);
    let body = Body {
        model: &model.api_model,
        max_tokens,
        tool_choice: choice(request, takes, losses)?,
        tools,
        output_config: OutputConfig {
            effort: thought.effort,
            format: format(request, losses)?,
        },
        thinking: thought.thinking,
        temperature,
        top_p,
        top_k,
        stop_sequences: stop_sequences(request, losses)?,
        metadata: request.user.as_deref().map(Metadata::of),
        service_tier: service_tier(request, losses),
        stream: request.stream,
        system: written.system,
        messages: written.messages,
    };
    serde_json::to_vec(&body).map_err(|_never| {
        let message = "the gateway could not write this request for the model's provider; its log has the details";
        GatewayError::new(ErrorKind::Internal, message)
    })
}

#[cfg(test)]
#[path = "write_request_tests.rs"]
mod tests;
