//! How the model is to answer.

use gateway_actors::protocol::GatewayError;

use super::{drop_others, wire};
use crate::dialects::neutral::{Effort, Feature, Format, Losses, Reasoning, Schema};
use crate::dialects::object::{Count, Object, Text};
use crate::dialects::place::At;

/// Reads what form the answer must have.
pub(super) fn read_format<'a>(
    losses: &mut Losses,
    at: At<'_>,
    format: wire::Format<'a>,
) -> Result<Format<'a>, GatewayError> {
    drop_others(losses, "output_config.format", &format.others);
    if format.kind.is_none_or(|Text(kind)| kind != "json_schema") {
        return Err(at.member("type").wrong("must be json_schema"));
    }
    let Object(schema) = format.schema.ok_or_else(|| at.member("schema").required())?;
    Ok(Format::JsonSchema(Schema {
        name: None,
        description: None,
        schema,
        strict: Some(true),
    }))
}

/// Thinking and effort together say how much the model is to reason. Where the model itself decides, the effort is
/// `high` if none is given, as the API has it.
pub(super) fn read_thinking(
    losses: &mut Losses,
    thinking: Option<wire::Thinking<'_>>,
    effort: Option<Effort>,
) -> Result<Option<Reasoning>, GatewayError> {
    let Some(thinking) = thinking else {
        let by_effort = |effort| Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        };
        return Ok(effort.map(by_effort));
    };
    drop_others(losses, "thinking", &thinking.others);
    let at = At::top("thinking");
    let visible = match thinking.display.as_ref().map(|Text(display)| &**display) {
        None => None,
        Some("omitted") => Some(false),
        Some("summarized" | "updates") => Some(true),
        Some(_) => return Err(at.member("display").wrong("must be summarized or omitted")),
    };
    let kind = thinking.kind.as_ref().map(|Text(kind)| &**kind);
    Ok(Some(match kind {
        Some("adaptive") => Reasoning {
            effort: Some(effort.unwrap_or(Effort::High)),
            budget_tokens: None,
            visible,
        },
        Some("enabled") => {
            let budget = thinking.budget_tokens.filter(|Count(budget)| *budget > 0);
            let Count(budget) = budget.ok_or_else(|| at.member("budget_tokens").wrong("must be at least 1"))?;
            Reasoning {
                effort,
                budget_tokens: Some(budget),
                visible,
            }
        }
        Some("disabled" | "between_tools") => {
            if kind == Some("between_tools") {
                losses.drop_unknown("thinking.between_tools");
            }
            if effort.is_some() {
                losses.drop(Feature::ReasoningEffort);
            }
            Reasoning {
                effort: Some(Effort::None),
                ..Reasoning::default()
            }
        }
        _ => return Err(at.member("type").wrong("must be adaptive, enabled or disabled")),
    }))
}
