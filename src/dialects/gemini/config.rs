//! How a model is to answer: `generationConfig`.

use std::borrow::Cow;

use gateway_actors::protocol::{GatewayError, Model};
use serde::Serialize;
use serde_json::value::RawValue;

use super::family::{Family, Thinking};
use crate::dialects::neutral::{Effort, Feature, Format, Losses, Number, Reasoning, Request};

/// The most texts that may end an answer.
const MOST_STOP_TEXTS: usize = 5;

/// The most answers to one request.
const MOST_ANSWERS: u32 = 8;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<Number<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [Cow<'a, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
}

/// What a request says of how it is to be answered.
pub(super) fn generation_config<'a>(
    request: &'a Request<'_>,
    model: &Model,
    family: Family,
    losses: &mut Losses,
) -> Result<GenerationConfig<'a>, GatewayError> {
    if request
        .temperature
        .is_some_and(|value| !(0.0..=2.0).contains(&value.value()))
    {
        let why = "this model takes a temperature from 0 to 2";
        return Err(losses.refuse_value(Feature::Temperature, why));
    }
    if request.stop.len() > MOST_STOP_TEXTS {
        return Err(losses.refuse_value(Feature::Stop, "this model takes at most 5 stop texts"));
    }
    // A stream has one choice.
    if request.answers > if request.stream { 1 } else { MOST_ANSWERS } {
        let why = "this model gives at most 8 answers at once, and a stream has one";
        return Err(losses.refuse_value(Feature::Answers, why));
    }
    if request.logprobs.is_some() {
        return Err(losses.refuse(Feature::Logprobs));
    }
    if request.min_p.is_some() {
        losses.drop(Feature::MinP);
    }
    let (response_mime_type, response_json_schema) = format(request.format.as_ref(), losses);
    Ok(GenerationConfig {
        max_output_tokens: request.output_limit(model, losses),
        temperature: request.temperature,
        top_p: request.top_p,
        top_k: request.top_k,
        seed: seed(request.seed, losses),
        presence_penalty: penalty(request.presence_penalty, Feature::PresencePenalty, family, losses),
        frequency_penalty: penalty(request.frequency_penalty, Feature::FrequencyPenalty, family, losses),
        stop_sequences: &request.stop,
        candidate_count: (request.answers > 1).then_some(request.answers),
        response_mime_type,
        response_json_schema,
        thinking_config: request
            .reasoning
            .and_then(|reasoning| thinking_config(reasoning, family.thinking, losses)),
    })
}

/// Schemas are always kept to strictly; their names say nothing to the model.
fn format<'a>(format: Option<&'a Format<'_>>, losses: &mut Losses) -> (Option<&'static str>, Option<&'a RawValue>) {
    match format {
        None => (None, None),
        Some(Format::JsonObject) => (Some("application/json"), None),
        Some(Format::JsonSchema(schema)) => {
            if schema.description.is_some() {
                losses.drop(Feature::SchemaDescription);
            }
            (Some("application/json"), Some(schema.schema))
        }
    }
}

/// Seeds have 32 bits here.
fn seed<'a>(seed: Option<Number<'a>>, losses: &mut Losses) -> Option<Number<'a>> {
    let kept = seed.filter(|seed| seed.as_str().parse::<i32>().is_ok());
    if kept.is_none() && seed.is_some() {
        losses.drop(Feature::Seed);
    }
    kept
}

fn penalty<'a>(
    penalty: Option<Number<'a>>,
    feature: Feature,
    family: Family,
    losses: &mut Losses,
) -> Option<Number<'a>> {
    if penalty.is_some() && !family.takes_penalties {
        losses.drop(feature);
    }
    penalty.filter(|_penalty| family.takes_penalties)
}

/// How the model is to think. What the model has no setting for is the nearest that it has; where that is not what was
/// asked for, it is told as left out.
fn thinking_config(reasoning: Reasoning, thinking: Thinking, losses: &mut Losses) -> Option<ThinkingConfig> {
    let config = match thinking {
        Thinking::No => {
            if !reasoning.is_off() {
                drop_reasoning(reasoning, losses);
            }
            return None;
        }
        Thinking::Budget { stops: true, .. } if reasoning.is_off() => ThinkingConfig {
            thinking_budget: Some(0),
            ..ThinkingConfig::default()
        },
        Thinking::Budget { least, .. } if reasoning.is_off() => {
            drop_reasoning(reasoning, losses);
            ThinkingConfig {
                thinking_budget: Some(least),
                ..ThinkingConfig::default()
            }
        }
        Thinking::Budget { least, most, .. } => {
            let asked = reasoning.as_budget();
            let given = asked.map(|tokens| tokens.clamp(least, most));
            if reasoning.budget_tokens.is_some() && given != asked {
                losses.drop(Feature::ReasoningBudget);
            }
            ThinkingConfig {
                thinking_budget: given,
                thinking_level: None,
                include_thoughts: reasoning.visible,
            }
        }
        Thinking::Level { minimal, medium } => {
            let is_off = reasoning.is_off();
            if is_off {
                drop_reasoning(reasoning, losses);
            }
            let effort = reasoning.as_effort();
            if effort.is_some_and(|effort| !is_off && !has_level(effort, minimal, medium)) {
                losses.drop(reasoning.amount());
            }
            ThinkingConfig {
                thinking_budget: None,
                thinking_level: effort.map(|effort| level(effort, minimal, medium)),
                include_thoughts: reasoning.visible.filter(|_visible| !is_off),
            }
        }
    };
    (config != ThinkingConfig::default()).then_some(config)
}

/// Whether there is a level for this effort, and not only one next to it.
fn has_level(effort: Effort, has_minimal: bool, has_medium: bool) -> bool {
    match effort {
        Effort::None | Effort::ExtraHigh | Effort::Max => false,
        Effort::Minimal => has_minimal,
        Effort::Low | Effort::High => true,
        Effort::Medium => has_medium,
    }
}

fn level(effort: Effort, has_minimal: bool, has_medium: bool) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal if has_minimal => "MINIMAL",
        Effort::None | Effort::Minimal | Effort::Low => "LOW",
        Effort::Medium if has_medium => "MEDIUM",
        Effort::Medium | Effort::High | Effort::ExtraHigh | Effort::Max => "HIGH",
    }
}

/// Tells that reasoning is not set as it was asked for.
fn drop_reasoning(reasoning: Reasoning, losses: &mut Losses) {
    if reasoning.effort == Some(Effort::None) {
        losses.drop(Feature::ReasoningOff);
        return;
    }
    if reasoning.effort.is_some() {
        losses.drop(Feature::ReasoningEffort);
    }
    if reasoning.budget_tokens.is_some() {
        losses.drop(Feature::ReasoningBudget);
    }
    if reasoning.visible == Some(true) {
        losses.drop(Feature::ReasoningVisible);
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::Dialect;

    use super::*;

    /// What is written for a model, and what is told as left out.
    fn written(api_model: &str, reasoning: Reasoning) -> (String, Vec<Cow<'static, str>>) {
        let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::Gemini);
        let config = thinking_config(reasoning, Family::of(api_model).thinking, &mut losses);
        (serde_json::to_string(&config).unwrap(), losses.into_dropped())
    }

    fn effort(effort: Effort) -> Reasoning {
        Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        }
    }

    fn budget(tokens: u32) -> Reasoning {
        Reasoning {
            budget_tokens: Some(tokens),
            ..Reasoning::default()
        }
    }

    #[test]
    fn models_of_2_5_think_by_tokens_within_their_bounds() {
        for (model, reasoning, tokens, told) in [
            ("gemini-2.5-flash", effort(Effort::None), 0, None),
            ("gemini-2.5-flash", effort(Effort::Medium), 8_192, None),
            ("gemini-2.5-flash", effort(Effort::Max), 24_576, None),
            ("gemini-2.5-pro", effort(Effort::Max), 32_768, None),
            ("gemini-2.5-pro", budget(3_000), 3_000, None),
            ("gemini-2.5-pro", budget(50_000), 32_768, Some("reasoning.max_tokens")),
            ("gemini-2.5-pro", budget(0), 128, Some("reasoning.max_tokens")),
            ("gemini-2.5-flash-lite", budget(100), 512, Some("reasoning.max_tokens")),
            ("gemini-2.5-pro", effort(Effort::None), 128, Some("reasoning_effort")),
        ] {
            let (config, dropped) = written(model, reasoning);
            assert_eq!(
                config,
                format!("{{\"thinkingBudget\":{tokens}}}"),
                "{model} {reasoning:?}"
            );
            assert_eq!(dropped.first().map(AsRef::as_ref), told, "{model} {reasoning:?}");
        }
    }

    #[test]
    fn later_models_think_by_levels_and_never_stop_thinking() {
        for (model, reasoning, expected, is_told) in [
            ("gemini-3-pro-preview", effort(Effort::Minimal), "LOW", true),
            ("gemini-3-pro-preview", effort(Effort::Medium), "HIGH", true),
            ("gemini-3.1-pro-preview", effort(Effort::Medium), "MEDIUM", false),
            ("gemini-3-flash-preview", effort(Effort::Minimal), "MINIMAL", false),
            ("gemini-3-flash-preview", effort(Effort::None), "MINIMAL", true),
            ("gemini-4-argon", effort(Effort::None), "LOW", true),
            ("gemini-4-argon", effort(Effort::ExtraHigh), "HIGH", true),
            ("gemini-4-argon", effort(Effort::Max), "HIGH", true),
            ("gemini-4-argon", budget(2_000), "LOW", false),
            ("gemini-4-argon", budget(20_000), "HIGH", true),
        ] {
            let (config, told) = written(model, reasoning);
            assert_eq!(
                config,
                format!(r#"{{"thinkingLevel":"{expected}"}}"#),
                "{model} {reasoning:?}"
            );
            assert_eq!(told.is_empty(), !is_told, "{model} {reasoning:?}");
        }
    }

    #[test]
    fn thoughts_are_shown_if_asked_for_and_there_are_some() {
        let shown = |reasoning: Reasoning| Reasoning {
            visible: Some(true),
            ..reasoning
        };
        for model in ["gemini-2.5-pro", "gemini-3-flash-preview"] {
            let (config, told) = written(model, shown(Reasoning::default()));
            assert_eq!(
                (config.as_str(), told.len()),
                (r#"{"includeThoughts":true}"#, 0),
                "{model}"
            );
        }
        // The API refuses to show thoughts that are turned off.
        assert_eq!(
            written("gemini-2.5-flash", shown(effort(Effort::None))).0,
            r#"{"thinkingBudget":0}"#
        );
        assert_eq!(written("gemini-2.5-pro", Reasoning::default()).0, "null");
    }

    #[test]
    fn a_model_that_does_not_think_is_told_nothing_of_it() {
        let all = Reasoning {
            effort: Some(Effort::High),
            budget_tokens: Some(1),
            visible: Some(true),
        };
        let (config, told) = written("gemini-2.0-flash", all);
        assert_eq!(config, "null");
        assert_eq!(told, ["reasoning_effort", "reasoning.max_tokens", "include_reasoning"]);
    }
}
