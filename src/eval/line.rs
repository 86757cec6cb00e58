//! One question of a recorded file: what a line must look like.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// A question and how each model answered it.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) question: String,
    #[serde(deserialize_with = "each_once")]
    pub(super) outcomes: BTreeMap<String, Outcome>,
}

/// One answer, as far as it was recorded. Whether it is right is read for scoring only, elsewhere.
#[derive(Deserialize)]
pub(super) struct Outcome {
    #[serde(default)]
    pub(super) input_tokens: Option<u64>,
    #[serde(default)]
    pub(super) output_tokens: Option<u64>,
    #[serde(default)]
    pub(super) text: Option<String>,
}

/// Reads the answers by their models' names. A name that stands there twice is refused: of two answers neither is the one.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Outcome>, D::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = BTreeMap<String, Outcome>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of answers by model")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut outcomes = BTreeMap::new();
            while let Some((name, outcome)) = map.next_entry::<String, Outcome>()? {
                if outcomes.contains_key(&name) {
                    let message = format!("`outcomes` names the model {name:?} twice");
                    return Err(serde::de::Error::custom(message));
                }
                outcomes.insert(name, outcome);
            }
            Ok(outcomes)
        }
    }

    deserializer.deserialize_map(Names)
}

impl Line {
    /// Reads a line. What is wrong with it, where something is.
    pub(super) fn parse(bytes: &[u8]) -> Result<Line, String> {
        let line: Line = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                format!(
                    "it must have `id`, `source`, `question` and `outcomes`: {}",
                    without_line(&error)
                )
            }
            _ => format!("it is no JSON object: {}", without_line(&error)),
        })?;
        if line.question.trim().is_empty() {
            return Err("`question` is empty".to_owned());
        }
        if line.source.chars().any(char::is_control) {
            return Err("`source` must be a name without control characters: it is printed".to_owned());
        }
        if line.outcomes.is_empty() {
            return Err("`outcomes` is empty: a question without an answer measures nothing".to_owned());
        }
        Ok(line)
    }

    /// How many answers have no number of tokens.
    pub(super) fn assumed(&self) -> usize {
        let lacks = |outcome: &&Outcome| outcome.input_tokens.is_none() || outcome.output_tokens.is_none();
        self.outcomes.values().filter(lacks).count()
    }
}

/// The line of a line is always 1, and would only confuse.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at column {column}"),
        None => text,
    }
}
