//! Whether and how the model is to think.
//!
//! A model that thinks by effort gets `adaptive` and the effort, or that of a budget. One that thinks by budget gets
//! `enabled` and the budget, or that of an effort, of which half of the output tokens are left for the answer. The budget is
//! at least 1,024 and less than the limit of output tokens; where that is impossible the model does not think. Neither
//! does it when the turn that it goes on with did not begin with thinking of its own, and no model does when a call is
//! forced: such requests are refused by the API. All of it is told.

use serde::Serialize;

use super::super::models::{Off, Takes, ThinkingForm};
use super::tools::is_forced;
use super::turns::Turn;
use crate::dialects::neutral::{Effort, Feature, Losses, Reasoning, Request};

/// The smallest budget that the API takes.
const LEAST_BUDGET: u32 = 1_024;

/// The member of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    /// The model decides.
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    /// Up to this many tokens.
    Enabled {
        budget_tokens: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    /// Only between calls of tools.
    BetweenTools,
    /// Not at all.
    Disabled,
}

/// What is sent of how the model is to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'static str>,
}

impl Plan {
    /// Whether it thinks for certain.
    pub(super) fn is_on(self) -> bool {
        matches!(
            self.thinking,
            Some(Thinking::Adaptive { .. } | Thinking::Enabled { .. })
        )
    }
}

/// Decides for a model with this limit of output tokens, that goes on with these turns.
pub(super) fn plan(
    request: &Request<'_>,
    takes: Takes,
    max_tokens: u32,
    turns: &[Turn<'_>],
    losses: &mut Losses,
) -> Plan {
    let Some(reasoning) = request.reasoning else {
        return unasked(request, takes);
    };
    if reasoning.is_off() {
        return off(reasoning, takes, losses);
    }
    let is_wanted = reasoning.as_budget().is_some() || reasoning.visible == Some(true);
    if !is_wanted {
        return unasked(request, takes);
    }
    match takes.thinking {
        ThinkingForm::Adaptive if is_forced(request) => {
            tell(reasoning, None, losses);
            unasked(request, takes)
        }
        ThinkingForm::Adaptive => {
            let asked = reasoning.as_effort();
            let effort = asked.map(|effort| nearest(effort, takes));
            if effort != asked {
                losses.drop(reasoning.amount());
            }
            Plan {
                thinking: Some(Thinking::Adaptive {
                    display: reasoning.visible.map(display),
                }),
                effort: effort.and_then(word),
            }
        }
        ThinkingForm::Budget => {
            let is_possible = !is_forced(request) && goes_on_from_thinking(turns);
            let budget = is_possible.then(|| budget(reasoning, max_tokens)).flatten();
            tell(reasoning, budget, losses);
            Plan {
                thinking: budget.map(|budget_tokens| Thinking::Enabled {
                    budget_tokens,
                    // It is shown unless the request says otherwise.
                    display: reasoning.visible.filter(|shown| !shown).map(display),
                }),
                effort: None,
            }
        }
    }
}

/// Where nothing is said of thinking. A model that thinks all the same must be told not to if a call is forced.
fn unasked(request: &Request<'_>, takes: Takes) -> Plan {
    Plan {
        thinking: (takes.thinks_unasked && is_forced(request)).then_some(Thinking::Disabled),
        effort: None,
    }
}

/// Where the model is not to think. One that always does is to make the least effort.
fn off(reasoning: Reasoning, takes: Takes, losses: &mut Losses) -> Plan {
    let (thinking, effort) = match takes.off {
        Off::Disabled => (Some(Thinking::Disabled), None),
        Off::BetweenTools => (Some(Thinking::BetweenTools), None),
        Off::Never => {
            losses.drop(match reasoning.effort {
                Some(_) => Feature::ReasoningOff,
                None => Feature::ReasoningBudget,
            });
            (None, Some("low"))
        }
    };
    Plan { thinking, effort }
}

fn display(is_shown: bool) -> &'static str {
    if is_shown { "summarized" } else { "omitted" }
}

/// The effort that the model has a word for, next to the one that is asked for; of two, the one that costs less.
fn nearest(effort: Effort, takes: Takes) -> Effort {
    match effort {
        Effort::Minimal => Effort::Low,
        Effort::ExtraHigh if !takes.extra_high => Effort::High,
        other => other,
    }
}

/// The API's word for an effort.
fn word(effort: Effort) -> Option<&'static str> {
    Some(match effort {
        Effort::None => return None,
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::ExtraHigh => "xhigh",
        Effort::Max => "max",
    })
}

/// The budget within the limit of output tokens; nothing if there is no room for one.
fn budget(reasoning: Reasoning, max_tokens: u32) -> Option<u32> {
    let most = max_tokens.checked_sub(1).filter(|most| *most >= LEAST_BUDGET)?;
    let wanted = match reasoning.budget_tokens {
        Some(tokens) => tokens,
        None => {
            let effort = reasoning.effort.unwrap_or(Effort::Medium);
            effort.budget_tokens()?.min(max_tokens / 2)
        }
    };
    Some(wanted.clamp(LEAST_BUDGET, most))
}

/// Tells that the model does not think as was asked: not at all, or with another budget.
fn tell(reasoning: Reasoning, budget: Option<u32>, losses: &mut Losses) {
    match (reasoning.budget_tokens, budget) {
        (Some(wanted), given) if given != Some(wanted) => losses.drop(Feature::ReasoningBudget),
        (None, None) if reasoning.effort.is_some() => losses.drop(Feature::ReasoningEffort),
        (None, None) => losses.drop(Feature::ReasoningVisible),
        _ => {}
    }
}

/// Whether the turn that the model goes on with, calls and results of tools included, began with thinking; so too if it
/// begins a new one.
fn goes_on_from_thinking(turns: &[Turn<'_>]) -> bool {
    let is_question = |turn: &Turn<'_>| turn.is_users() && !turn.has_results();
    let start = turns.iter().rposition(is_question).map_or(0, |place| place + 1);
    let mut going_on = turns.iter().skip(start).filter(|turn| turn.is_assistants());
    going_on.next().is_none_or(Turn::begins_with_thinking)
}

#[cfg(test)]
#[path = "thinking_tests.rs"]
mod tests;
