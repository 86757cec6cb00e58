//! What a model's name says of it, where the API differs from model to model.
//!
//! From the guides to thinking, thought signatures and the single models at <https://ai.google.dev/gemini-api/docs>.

/// How a model's thinking is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all: it does not think, or nothing is known of it.
    No,
    /// By `thinkingBudget`, in tokens.
    Budget {
        least: u32,
        most: u32,
        /// Whether a budget of 0 turns it off.
        stops: bool,
    },
    /// By `thinkingLevel`. All have `LOW` and `HIGH`; none can be turned off.
    Level { minimal: bool, medium: bool },
}

/// A family of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) thinking: Thinking,
    /// Whether the first call of each step in the conversation must have a thought signature.
    pub(super) demands_signatures: bool,
    /// Whether a tool's result may hold images and documents.
    pub(super) reads_media_results: bool,
    /// Whether an answer may be asked for as JSON where tools are offered ("Function calling with a response mime type:
    /// 'application/json' is unsupported"; guide "Structured outputs", "Structured outputs with tools").
    pub(super) answers_json_beside_tools: bool,
    /// Whether the API fetches images and documents for it from any public address ("File input methods").
    pub(super) fetches: bool,
    /// Whether penalties are taken; other models refuse a request that has some.
    pub(super) takes_penalties: bool,
}

impl Family {
    /// The family of a model of this name: `gemini-2.5-pro`, `models/gemini-3-flash-preview`, `gemini-flash-latest`.
    pub(super) fn of(api_model: &str) -> Self {
        let name = api_model.rsplit('/').next().unwrap_or(api_model);
        let Some((version, kind)) = version(name) else {
            return Self {
                thinking: Thinking::No,
                demands_signatures: false,
                reads_media_results: false,
                answers_json_beside_tools: false,
                fetches: false,
                takes_penalties: true,
            };
        };
        Self {
            thinking: thinking(version, kind),
            demands_signatures: version >= (3, 0),
            reads_media_results: version >= (3, 0),
            answers_json_beside_tools: version >= (3, 0),
            fetches: version >= (2, 5),
            takes_penalties: version < (3, 5),
        }
    }
}

/// The version in a name, and what stands behind it. Names that follow the newest model have the highest.
fn version(name: &str) -> Option<((u32, u32), &str)> {
    let rest = name.strip_prefix("gemini-")?;
    if rest.ends_with("-latest") && !rest.starts_with(|first: char| first.is_ascii_digit()) {
        return Some(((u32::MAX, 0), rest));
    }
    let (version, kind) = rest.split_once('-').unwrap_or((rest, ""));
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some(((major.parse().ok()?, minor.parse().ok()?), kind))
}

fn thinking(version: (u32, u32), kind: &str) -> Thinking {
    let is = |word: &str| kind.split('-').any(|part| part == word);
    if version < (2, 5) || is("tts") || is("image") || is("audio") || is("embedding") {
        return Thinking::No;
    }
    if version < (3, 0) {
        let (least, most, stops) = match (is("pro"), is("lite")) {
            (true, _) => (128, 32_768, false),
            (false, true) => (512, 24_576, true),
            (false, false) => (1, 24_576, true),
        };
        return Thinking::Budget { least, most, stops };
    }
    Thinking::Level {
        minimal: is("flash") && version <= (3, 6),
        medium: version > (3, 0) || !is("pro"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_thinking_is_set_in_the_way_of_its_generation() {
        let budget = |least, most, stops| Thinking::Budget { least, most, stops };
        let level = |minimal, medium| Thinking::Level { minimal, medium };
        for (name, expected) in [
            ("gemini-2.5-pro", budget(128, 32_768, false)),
            ("models/gemini-2.5-flash", budget(1, 24_576, true)),
            ("gemini-2.5-flash-lite-preview-09-2025", budget(512, 24_576, true)),
            ("gemini-3-pro-preview", level(false, false)),
            ("google/gemini-3-flash-preview", level(true, true)),
            ("gemini-3.1-pro-preview", level(false, true)),
            ("gemini-3.5-flash-lite", level(true, true)),
            ("gemini-3.8-flash", level(false, true)),
            ("gemini-4-argon", level(false, true)),
            ("gemini-flash-latest", level(false, true)),
            ("gemini-2.0-flash", Thinking::No),
            ("gemini-2.5-flash-image", Thinking::No),
            ("gemini-2.5-flash-preview-tts", Thinking::No),
            ("gemini-exp-1206", Thinking::No),
            ("gemma-3-27b-it", Thinking::No),
            ("gemini-", Thinking::No),
            ("", Thinking::No),
        ] {
            assert_eq!(Family::of(name).thinking, expected, "{name}");
        }
    }

    #[test]
    fn signatures_media_json_addresses_and_penalties_depend_on_the_version() {
        for (name, expected) in [
            ("gemini-2.0-flash", (false, false, false, false, true)),
            ("gemini-2.5-pro", (false, false, false, true, true)),
            ("gemini-3-pro-preview", (true, true, true, true, true)),
            ("gemini-3.5-flash", (true, true, true, true, false)),
            ("gemini-4-argon", (true, true, true, true, false)),
            ("gemini-pro-latest", (true, true, true, true, false)),
            ("tunedModels/mine", (false, false, false, false, true)),
        ] {
            let family = Family::of(name);
            let found = (
                family.demands_signatures,
                family.reads_media_results,
                family.answers_json_beside_tools,
                family.fetches,
                family.takes_penalties,
            );
            assert_eq!(found, expected, "{name}");
        }
    }
}
