//! What models take, as far as their names tell.
//!
//! The dialect is one, but Anthropic's models do not all take all of it, and no way to ask for thinking is taken by every
//! one of them:
//!
//! | | thinking is asked for by | sampling | a system message later on |
//! |---|---|---|---|
//! | before Claude 4.1 | `enabled` and a budget | all | no |
//! | 4.1 to 4.5 | `enabled` and a budget | temperature or nucleus | no |
//! | 4.6 | `adaptive` and an effort | temperature or nucleus | no |
//! | 4.7 | `adaptive` and an effort | nothing | no |
//! | from 4.8 | `adaptive` and an effort | nothing | yes |
//! | any other name | `enabled` and a budget | all | no |
//!
//! From 4.6 on none goes on with a message of its own that comes last. The effort `xhigh` came with 4.7. From Claude
//! 5 on they think unasked. Fable, Mythos and from 5.5 Opus cannot be told not to, and Sonnet from 5.5 only not to
//! before it calls tools; none of these can be made to call a tool, which no model can while it thinks. The platforms
//! of others, whose names for the models have something before or behind Anthropic's own, take no system message
//! later on.
//!
//! Source: Anthropic's pages on thinking, effort, mid-conversation system messages and the migration to each model
//! (November 2026).

/// How a model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThinkingForm {
    /// By a number of tokens.
    Budget,
    /// By an effort; the model sees to the rest.
    Adaptive,
}

/// How a model is told not to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Off {
    /// By `disabled`.
    Disabled,
    /// By `between_tools`: it thinks only there.
    BetweenTools,
    /// Not at all.
    Never,
}

/// Which of the temperature, nucleus and top-k sampling a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    /// All of them.
    All,
    /// Not the temperature together with nucleus sampling.
    NotBoth,
    /// None of them.
    Nothing,
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Takes {
    pub(super) thinking: ThinkingForm,
    /// Whether it has the effort `xhigh`, which came after `max`.
    pub(super) extra_high: bool,
    pub(super) off: Off,
    /// Whether it thinks if nothing is said.
    pub(super) thinks_unasked: bool,
    pub(super) sampling: Sampling,
    /// Whether a message in the midst of the conversation may be the system's.
    pub(super) later_system: bool,
    /// Whether it goes on with a message of its own that comes last.
    pub(super) prefill: bool,
    /// Whether thinking that it is given back must be signed, as all of Anthropic's models have it.
    pub(super) signed_thinking: bool,
}

impl Takes {
    /// What the model of this name takes.
    pub(super) fn of(api_model: &str) -> Self {
        let name = api_model.to_ascii_lowercase();
        let is_claude = words(&name).any(|word| word == "claude");
        let (version, always_thinks) = version(&name);
        let sampling = match version {
            (0..=3, _) | (4, 0) => Sampling::All,
            (4, 1..=6) => Sampling::NotBoth,
            _ => Sampling::Nothing,
        };
        let is_anthropics_own = name.starts_with("claude") && !name.contains('@');
        Self {
            thinking: if version >= (4, 6) {
                ThinkingForm::Adaptive
            } else {
                ThinkingForm::Budget
            },
            extra_high: version >= (4, 7),
            off: off(&name, version, always_thinks),
            thinks_unasked: version >= (5, 0),
            sampling,
            later_system: version >= (4, 8) && is_anthropics_own,
            prefill: version < (4, 6),
            signed_thinking: is_claude,
        }
    }

    /// Whether the model can be made to call a tool.
    pub(super) fn forced_calls(self) -> bool {
        self.off == Off::Disabled
    }
}

fn off(name: &str, version: (u32, u32), always_thinks: bool) -> Off {
    let is = |family: &str| words(name).any(|word| word == family);
    if always_thinks {
        Off::Never
    } else if version < (5, 5) || is("haiku") {
        Off::Disabled
    } else if is("sonnet") {
        Off::BetweenTools
    } else {
        Off::Never
    }
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|letter: char| !letter.is_ascii_alphanumeric())
}

/// The version that a name tells, (0, 0) if it tells none, and whether the model is of a family that always thinks.
fn version(name: &str) -> ((u32, u32), bool) {
    let words: Vec<&str> = words(name).skip_while(|word| *word != "claude").collect();
    let always_thinks = words.iter().any(|word| matches!(*word, "fable" | "mythos"));
    // Dates have eight digits.
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| word.len() <= 2);
    let major = words.iter().position(|word| number(word).is_some());
    let part = |place: Option<usize>| place.and_then(|place| words.get(place)).and_then(|word| number(word));
    match part(major) {
        Some(first) => ((first, part(major.map(|place| place + 1)).unwrap_or(0)), always_thinks),
        None if always_thinks => ((5, 0), true),
        None => ((0, 0), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_version_wherever_it_stands() {
        for (name, expected) in [
            ("claude-3-haiku-20240307", (3, 0)),
            ("claude-3-7-sonnet-20250219", (3, 7)),
            ("claude-opus-4-20250514", (4, 0)),
            ("claude-opus-4-1@20250805", (4, 1)),
            ("anthropic.claude-opus-4-20250514-v1:0", (4, 0)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (4, 5)),
            ("anthropic/claude-4.7-opus", (4, 7)),
            ("claude-haiku-4-5", (4, 5)),
            ("claude-opus-5", (5, 0)),
            ("claude-sonnet-5-5", (5, 5)),
            ("claude-fable-5-2", (5, 2)),
            ("claude-mythos-preview", (5, 0)),
            ("claude-latest", (0, 0)),
            ("deepseek-v3-2", (0, 0)),
            ("smollm2", (0, 0)),
        ] {
            assert_eq!(version(name).0, expected, "{name}");
        }
    }

    #[test]
    fn each_generation_takes_what_the_table_says() {
        use Off::{BetweenTools, Disabled, Never};
        use Sampling::{All, NotBoth, Nothing};
        use ThinkingForm::{Adaptive, Budget};
        for (name, thinking, off, thinks_unasked, sampling, later_system) in [
            ("claude-opus-4-0", Budget, Disabled, false, All, false),
            ("claude-opus-4-5-20251101", Budget, Disabled, false, NotBoth, false),
            ("claude-sonnet-4-6", Adaptive, Disabled, false, NotBoth, false),
            ("claude-opus-4-7", Adaptive, Disabled, false, Nothing, false),
            ("claude-opus-4-8", Adaptive, Disabled, false, Nothing, true),
            (
                "us.anthropic.claude-opus-4-8",
                Adaptive,
                Disabled,
                false,
                Nothing,
                false,
            ),
            ("claude-opus-4-8@20260528", Adaptive, Disabled, false, Nothing, false),
            ("claude-opus-5", Adaptive, Disabled, true, Nothing, true),
            ("anthropic.claude-opus-5-5", Adaptive, Never, true, Nothing, false),
            ("claude-sonnet-5-5", Adaptive, BetweenTools, true, Nothing, true),
            ("Claude-Haiku-5-5", Adaptive, Disabled, true, Nothing, true),
            ("claude-fable-5-1", Adaptive, Never, true, Nothing, true),
            ("claude-mythos-preview", Adaptive, Never, true, Nothing, true),
            ("kimi-k3", Budget, Disabled, false, All, false),
        ] {
            let expected = Takes {
                thinking,
                extra_high: thinking == Adaptive && name != "claude-sonnet-4-6",
                off,
                thinks_unasked,
                sampling,
                later_system,
                prefill: thinking == Budget,
                signed_thinking: name != "kimi-k3",
            };
            assert_eq!(Takes::of(name), expected, "{name}");
        }
    }
}
