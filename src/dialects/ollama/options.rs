//! How a model is to answer: `options`, `format` and `think`.

use std::borrow::Cow;

use gateway_actors::protocol::{Capability, GatewayError, Model};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialects::neutral::{Effort, Feature, Format, Losses, Number, Reasoning, Request};

/// `Options` of `api/types.go`, as far as a request says something of them.
#[derive(Debug, Serialize)]
pub(super) struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_p: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<Number<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<Number<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [Cow<'a, str>],
}

impl<'a> Options<'a> {
    /// Those of a request.
    pub(super) fn of(request: &'a Request<'_>, model: &Model, losses: &mut Losses) -> Result<Self, GatewayError> {
        if request.temperature.is_some_and(|value| value.value() < 0.0) {
            let why = "this model takes a temperature of 0 or more";
            return Err(losses.refuse_value(Feature::Temperature, why));
        }
        Ok(Self {
            num_predict: request.output_limit(model, losses),
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            min_p: request.min_p,
            seed: request.seed,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            stop: &request.stop,
        })
    }
}

/// What form the answer must have.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Form<'a> {
    Word(&'static str),
    Schema(&'a RawValue),
}

impl<'a> Form<'a> {
    /// The form of a request's format. Schemas are always kept to strictly; their names say nothing to the model.
    pub(super) fn of(format: &'a Format<'_>, losses: &mut Losses) -> Self {
        match format {
            Format::JsonObject => Self::Word("json"),
            Format::JsonSchema(schema) => {
                if schema.description.is_some() {
                    losses.drop(Feature::SchemaDescription);
                }
                Self::Schema(schema.schema)
            }
        }
    }
}

/// Whether or how much a model is to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Think {
    Switch(bool),
    Level(&'static str),
}

impl Think {
    /// What this model is told. Nothing, where it is to think by itself as it does.
    pub(super) fn of(reasoning: Reasoning, model: &Model, losses: &mut Losses) -> Option<Self> {
        // Thinking is always told where there is some.
        if reasoning.visible == Some(false) {
            losses.drop(Feature::ReasoningVisible);
        }
        if takes_levels(&model.api_model) {
            if reasoning.is_off() {
                drop_amount(reasoning, losses);
            }
            let effort = reasoning.as_effort()?;
            if matches!(effort, Effort::Minimal | Effort::ExtraHigh | Effort::Max) {
                losses.drop(reasoning.amount());
            }
            return Some(Self::Level(level(effort)));
        }
        if reasoning.is_off() {
            return Some(Self::Switch(false));
        }
        drop_amount(reasoning, losses);
        let thinks = model.capabilities.has(Capability::Reasoning);
        (thinks && reasoning.as_effort().is_some()).then_some(Self::Switch(true))
    }
}

/// Whether a model is one of the family that is told a level: `gpt-oss:20b`, `someone/gpt-oss`, `gpt-oss:120b-cloud`. It
/// cannot be told not to think.
fn takes_levels(api_model: &str) -> bool {
    let name = api_model.rsplit('/').next().unwrap_or(api_model);
    name.starts_with("gpt-oss")
}

/// The level next to an effort.
fn level(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::ExtraHigh | Effort::Max => "high",
    }
}

/// Tells that how much the model is to think is left out.
fn drop_amount(reasoning: Reasoning, losses: &mut Losses) {
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
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{Capabilities, Dialect};

    use super::super::testing::model;
    use super::*;

    fn think(api_model: &str, reasoning: Reasoning) -> (Option<Think>, Vec<Cow<'static, str>>) {
        think_of(&model(api_model), reasoning)
    }

    fn think_of(model: &Model, reasoning: Reasoning) -> (Option<Think>, Vec<Cow<'static, str>>) {
        let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::Ollama);
        let think = Think::of(reasoning, model, &mut losses);
        (think, losses.into_dropped())
    }

    fn effort(effort: Effort) -> Reasoning {
        Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        }
    }

    #[test]
    fn gpt_oss_is_told_a_level() {
        for (name, asked, expected, is_told) in [
            ("gpt-oss:20b", Effort::Minimal, "low", true),
            ("gpt-oss:120b-cloud", Effort::Medium, "medium", false),
            ("someone/gpt-oss", Effort::ExtraHigh, "high", true),
            ("someone/gpt-oss", Effort::Max, "high", true),
            ("gpt-oss", Effort::None, "low", true),
        ] {
            let (found, dropped) = think(name, effort(asked));
            assert_eq!(found, Some(Think::Level(expected)), "{name}");
            assert_eq!(!dropped.is_empty(), is_told, "{name}");
        }
        let budget = Reasoning {
            budget_tokens: Some(20_000),
            ..Reasoning::default()
        };
        assert_eq!(think("gpt-oss:20b", budget).0, Some(Think::Level("high")));
        assert_eq!(think("gpt-oss:20b", Reasoning::default()).0, None);
    }

    #[test]
    fn other_models_are_told_to_think_if_the_catalogue_says_that_they_do() {
        let off = think("qwen3", effort(Effort::None));
        assert_eq!(off, (Some(Think::Switch(false)), Vec::new()));
        let mut model = model("qwen3");
        let (found, dropped) = think_of(&model, effort(Effort::High));
        assert_eq!(found, None);
        assert_eq!(dropped, ["reasoning_effort"]);
        model.capabilities = Capabilities::NONE.with(Capability::Reasoning);
        let (found, dropped) = think_of(&model, effort(Effort::High));
        assert_eq!(found, Some(Think::Switch(true)));
        assert_eq!(dropped, ["reasoning_effort"]);
        assert_eq!(think_of(&model, Reasoning::default()), (None, Vec::new()));
    }

    #[test]
    fn thinking_cannot_be_hidden_and_is_always_shown() {
        let visible = |visible| Reasoning {
            visible: Some(visible),
            ..Reasoning::default()
        };
        assert_eq!(think("qwen3", visible(false)).1, ["include_reasoning"]);
        assert_eq!(think("qwen3", visible(true)), (None, Vec::new()));
    }

    #[test]
    fn levels_and_switches_are_written_as_the_api_reads_them() {
        assert_eq!(serde_json::to_string(&Think::Switch(false)).unwrap(), "false");
        assert_eq!(serde_json::to_string(&Think::Level("low")).unwrap(), "\"low\"");
    }
}
