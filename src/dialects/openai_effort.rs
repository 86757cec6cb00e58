//! How much a model is to reason, in the words of OpenAI's dialects.
//!
//! The words are those of `ReasoningEffort` in the `openai` package, 3.57.0. Not every model of OpenAI's own takes all of
//! them: `xhigh` came with GPT-5.1 Codex Max, `max` with GPT-5.6 (guide "Reasoning models"). A model whose name says
//! nothing, as that of a deployment at Azure, is taken for a later one; so is every other provider's, whose servers see
//! to it themselves.

use gateway_actors::protocol::{Model, Vendor};

use super::neutral::Effort;

/// The families whose most is `high`, and those whose most is `xhigh`.
const UP_TO_HIGH: &[&str] = &["o1", "o3", "o4", "gpt-5", "gpt-5.1"];
const UP_TO_EXTRA_HIGH: &[&str] = &["gpt-5.1-codex-max", "gpt-5.2", "gpt-5.3", "gpt-5.4", "gpt-5.5"];

/// The word for an effort.
pub(super) const fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::ExtraHigh => "xhigh",
        Effort::Max => "max",
    }
}

/// The effort that this model has, next to the one that is asked for.
pub(super) fn nearest(effort: Effort, model: &Model) -> Effort {
    let name = &*model.api_model;
    let most = if model.vendor != Vendor::Openai {
        Effort::Max
    } else if is_of(name, UP_TO_EXTRA_HIGH) {
        Effort::ExtraHigh
    } else if is_of(name, UP_TO_HIGH) {
        Effort::High
    } else {
        Effort::Max
    };
    effort.min(most)
}

/// Whether a model belongs to one of these families: its name is the family's, or goes on behind it with a dash.
pub(super) fn is_of(name: &str, families: &[&str]) -> bool {
    let behind = |family: &&str| name.strip_prefix(*family);
    let mut rests = families.iter().filter_map(behind);
    rests.any(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::super::openai_chat::samples::model_of;
    use super::*;

    #[test]
    fn a_model_of_openais_is_asked_for_no_more_than_it_has_a_word_for() {
        for (provider, api_model, most) in [
            ("openai", "o3-mini-2025-01-31", "high"),
            ("openai", "gpt-5-2025-08-07", "high"),
            ("openai", "gpt-5.1", "high"),
            ("openai", "gpt-5.1-codex", "high"),
            ("openai", "gpt-5.1-codex-max", "xhigh"),
            ("openai", "gpt-5.4-mini", "xhigh"),
            ("openai", "gpt-5.6-sol", "max"),
            ("openai", "gpt-6.1-sol", "max"),
            ("openai", "my-deployment", "max"),
            ("openrouter", "openai/gpt-5", "max"),
            ("box", "gpt-5", "max"),
        ] {
            let model = Model {
                api_model: api_model.into(),
                ..model_of(provider, &[])
            };
            assert_eq!(word(nearest(Effort::Max, &model)), most, "{provider} {api_model}");
            assert_eq!(nearest(Effort::Medium, &model), Effort::Medium);
        }
    }

    #[test]
    fn every_effort_is_read_by_the_word_that_it_is_written_by() {
        for word_of in ["none", "minimal", "low", "medium", "high", "xhigh", "max"] {
            assert_eq!(Effort::from_word(word_of).map(word), Some(word_of));
        }
    }
}
