//! The grammar of a stream of completions, as a state machine: chunks with text, one with the finish reason, then at most
//! one with the usage, and `[DONE]`.

use std::fmt;

/// What a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum Step {
    /// More text.
    Text,
    /// The finish reason.
    Finish,
    /// The usage.
    Usage,
    /// The end mark.
    Done,
}

/// A chunk that may not stand where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) struct Violation {
    step: Step,
    state: State,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} may not follow where the stream is {:?}", self.step, self.state)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    Finished,
    Counted,
    Over,
}

/// Where a stream is.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Grammar(State);

impl Grammar {
    /// Goes on by one chunk.
    ///
    /// # Errors
    /// When it may not stand here; the stream is where it was.
    pub(in crate::dialects) fn step(&mut self, step: Step) -> Result<(), Violation> {
        let Self(state) = *self;
        self.0 = match (state, step) {
            (State::Open, Step::Text) => State::Open,
            (State::Open, Step::Finish) => State::Finished,
            (State::Finished, Step::Usage) => State::Counted,
            (State::Finished | State::Counted, Step::Done) => State::Over,
            _ => return Err(Violation { step, state }),
        };
        Ok(())
    }

    /// Whether the end mark has come.
    pub(in crate::dialects) fn is_over(&self) -> bool {
        self.0 == State::Over
    }
}

/// Checks that a text is a whole stream of this dialect.
///
/// # Errors
/// What is wrong, and with which event.
#[cfg(test)]
pub(in crate::dialects) fn check_stream(text: &str) -> Result<(), String> {
    use serde_json::Value;

    let mut grammar = Grammar::default();
    let rest = text.strip_suffix("\n\n").ok_or("the text does not end with an event")?;
    for event in rest.split("\n\n") {
        let wrong = |what: &dyn fmt::Display| format!("{what}: {event}");
        let data = event.strip_prefix("data: ").ok_or_else(|| wrong(&"no data"))?;
        let step = if data == "[DONE]" {
            Step::Done
        } else {
            let chunk: Value = serde_json::from_str(data).map_err(|error| wrong(&error))?;
            let has_names = chunk["id"].is_string() && chunk["model"].is_string() && chunk["created"].is_i64();
            if chunk["object"] != "text_completion" || !has_names {
                return Err(wrong(&"no chunk"));
            }
            match chunk["choices"].as_array().map(Vec::as_slice) {
                Some([]) if chunk["usage"]["total_tokens"].is_u64() => Step::Usage,
                Some([choice]) if choice["text"].is_string() && choice["index"] == 0 && chunk["usage"].is_null() => {
                    match choice["finish_reason"].as_str() {
                        Some("stop" | "length" | "content_filter") => Step::Finish,
                        None => Step::Text,
                        Some(_) => return Err(wrong(&"no such end")),
                    }
                }
                _ => return Err(wrong(&"neither choice nor usage")),
            }
        };
        grammar.step(step).map_err(|violation| wrong(&violation))?;
    }
    if grammar.is_over() {
        Ok(())
    } else {
        Err("it is not over".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_stand_in_one_order_only() {
        let run = |steps: &[Step]| {
            let mut grammar = Grammar::default();
            let went = steps.iter().try_for_each(|step| grammar.step(*step));
            went.map(|()| grammar.is_over())
        };
        use Step::{Done, Finish, Text, Usage};
        assert_eq!(run(&[Text, Text, Finish, Usage, Done]), Ok(true));
        assert_eq!(run(&[Finish, Done]), Ok(true));
        assert_eq!(run(&[Text, Finish, Usage]), Ok(false));
        for steps in [
            &[Done][..],
            &[Text, Usage],
            &[Finish, Text],
            &[Finish, Finish],
            &[Finish, Usage, Usage],
        ] {
            assert!(run(steps).is_err(), "{steps:?}");
        }
    }
}
