//! What must be found in an answer for a cell to say what it says.

use serde_json::{Value, json};

/// What a value must be.
#[derive(Debug)]
pub(super) enum Want {
    /// This one.
    Is(Value),
    /// A text that is this JSON.
    Json(Value),
    /// Something in whose JSON this text stands.
    Holds(&'static str),
    /// A text that is not empty.
    Given,
    /// Another than the value at this pointer.
    Differs(&'static str),
    /// No text: `null`, or an empty one.
    NoText,
    /// Nothing: no such member.
    Absent,
}

impl Want {
    fn is_met(&self, answer: &Value, found: Option<&Value>) -> bool {
        match (self, found) {
            (Self::Absent, found) => found.is_none(),
            (_, None) => false,
            (Self::Is(value), Some(found)) => found == value,
            (Self::Json(value), Some(found)) => {
                let json = found.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
                json.as_ref() == Some(value)
            }
            (Self::Holds(text), Some(found)) => found.to_string().contains(text),
            (Self::Given, Some(found)) => found.as_str().is_some_and(|text| !text.is_empty()),
            (Self::NoText, Some(found)) => found.is_null() || found == "",
            (Self::Differs(other), Some(found)) => answer.pointer(other).is_some_and(|other| other != found),
        }
    }
}

/// A pointer into the client's answer, and what must stand there.
pub(super) type Place = (&'static str, Want);

/// A place where this text stands.
pub(super) fn is(place: &'static str, value: &str) -> Place {
    (place, Want::Is(json!(value)))
}

/// A place where this number stands.
pub(super) fn count(place: &'static str, value: u64) -> Place {
    (place, Want::Is(json!(value)))
}

/// Places and more of them.
pub(super) fn with(mut places: Vec<Place>, more: Vec<Place>) -> Vec<Place> {
    places.extend(more);
    places
}

/// One way in which something may reach the client.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What the table says.
    pub(super) says: String,
    /// What the answer must hold. Without any, the outcome is none.
    holds: Vec<Place>,
    /// Texts that may stand nowhere in it.
    lacks: Vec<&'static str>,
}

impl Outcome {
    /// It is there, in these places.
    pub(super) fn carried(holds: Vec<Place>) -> Self {
        Self::told("carried", holds)
    }

    /// It is told as something close to it.
    pub(super) fn told(says: &str, holds: Vec<Place>) -> Self {
        Self {
            says: says.to_owned(),
            holds,
            lacks: Vec::new(),
        }
    }

    /// It is left out: none of these texts is there, and what remains is whole.
    pub(super) fn dropped(lacks: Vec<&'static str>, holds: Vec<Place>) -> Self {
        assert!(
            !lacks.is_empty(),
            "what is dropped has a text by which it would be known"
        );
        Self {
            says: "dropped".to_owned(),
            holds,
            lacks,
        }
    }

    /// The same outcome, of which the table says this.
    pub(super) fn says(self, says: &str) -> Self {
        Self {
            says: says.to_owned(),
            ..self
        }
    }

    /// Why an answer is not this outcome; nothing if it is.
    pub(super) fn fails(&self, answer: &Value) -> Option<String> {
        if self.holds.is_empty() {
            return Some(format!("`{}` asserts nothing", self.says));
        }
        for (pointer, want) in &self.holds {
            let found = answer.pointer(pointer);
            if !want.is_met(answer, found) {
                return Some(format!("`{}` wants {want:?} at {pointer}, not {found:?}", self.says));
            }
        }
        let text = answer.to_string();
        let found = self.lacks.iter().find(|lack| text.contains(**lack));
        found.map(|lack| format!("`{}`, but {lack} is there", self.says))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_outcome_that_asserts_nothing_is_none() {
        assert!(Outcome::carried(Vec::new()).fails(&json!({"a": 1})).is_some());
    }

    #[test]
    fn every_want_is_met_by_its_like_alone() {
        let answer = json!({"a": "x", "b": "y", "c": "{\"n\":1}", "d": ["seal"], "e": ""});
        for (pointer, want, is_met) in [
            ("/a", Want::Is(json!("x")), true),
            ("/b", Want::Is(json!("x")), false),
            ("/z", Want::Is(Value::Null), false),
            ("/c", Want::Json(json!({"n": 1})), true),
            ("/a", Want::Json(json!("x")), false),
            ("/d", Want::Holds("seal"), true),
            ("/a", Want::Holds("seal"), false),
            ("/a", Want::Given, true),
            ("/e", Want::Given, false),
            ("/e", Want::NoText, true),
            ("/a", Want::NoText, false),
            ("/z", Want::NoText, false),
            ("/a", Want::Differs("/b"), true),
            ("/a", Want::Differs("/a"), false),
            ("/z", Want::Absent, true),
            ("/a", Want::Absent, false),
        ] {
            let fails = Outcome::carried(vec![(pointer, want)]).fails(&answer);
            assert_eq!(fails.is_none(), is_met, "{pointer} {fails:?}");
        }
        let dropped = Outcome::dropped(vec!["seal"], vec![("/a", Want::Given)]);
        assert!(dropped.fails(&answer).is_some());
        assert!(dropped.fails(&json!({"a": "x"})).is_none());
    }
}
