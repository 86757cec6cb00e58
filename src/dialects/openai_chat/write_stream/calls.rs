//! The tool calls of a stream.

use serde::Serialize;

use super::super::grammar::Step;
use super::super::write_answer::plain_input;
use super::Delta;
use crate::dialects::neutral::AnswerContext;

/// The calls of an answer, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<State>);

#[derive(Debug)]
struct State {
    /// The number by which the neutral form knows it.
    index: u32,
    place: Place,
    /// The arguments of a tool of plain text, until they are whole. Nothing for others.
    input: Option<String>,
    /// Whether it has had arguments.
    has_arguments: bool,
}

/// Where a call stands in the client's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In `function_call`.
    Function,
    /// This one of `tool_calls`.
    Tool(usize),
}

/// A call's share of a chunk.
#[derive(Debug)]
pub(super) struct Written {
    place: Place,
    begins: Option<Begins>,
    text: String,
    is_custom: bool,
}

#[derive(Debug)]
struct Begins {
    id: String,
    name: String,
}

#[derive(Serialize)]
pub(super) struct Call<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CalledCustom<'a>>,
}

#[derive(Serialize)]
pub(super) struct Called<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
pub(super) struct CalledCustom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: &'a str,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is told in the older form.
    pub(super) fn has_function(&self) -> bool {
        self.0.iter().any(|state| state.place == Place::Function)
    }

    /// Begins a call, by the client's name for the tool; nothing if it has begun before.
    pub(super) fn begin(&mut self, index: u32, id: &str, name: &str, context: &AnswerContext) -> Option<Written> {
        if self.0.iter().any(|state| state.index == index) {
            return None;
        }
        let (name, is_custom) = context.tools.original(name);
        let place = if context.legacy_functions && !self.has_function() {
            Place::Function
        } else {
            Place::Tool(self.0.len() - usize::from(self.has_function()))
        };
        self.0.push(State {
            index,
            place,
            input: is_custom.then(String::new),
            has_arguments: false,
        });
        Some(Written {
            place,
            begins: Some(Begins {
                id: id.to_owned(),
                name: name.name.into_owned(),
            }),
            text: String::new(),
            is_custom,
        })
    }

    /// More of a call's arguments. Those of a tool of plain text are kept until they are whole.
    pub(super) fn go_on(&mut self, index: u32, json: &str) -> Option<Written> {
        let state = self.0.iter_mut().find(|state| state.index == index)?;
        if let Some(input) = &mut state.input {
            input.push_str(json);
            return None;
        }
        state.has_arguments |= !json.is_empty();
        (!json.is_empty()).then(|| state.more(json.to_owned()))
    }

    /// What is left to be said of the calls at the end. One without arguments gets an empty object, which can be parsed.
    pub(super) fn finish(&self) -> Vec<Written> {
        let rest = self.0.iter().filter_map(|state| match &state.input {
            Some(input) => Some(state.more(plain_input(input).into_owned())),
            None if state.has_arguments => None,
            None => Some(state.more("{}".to_owned())),
        });
        rest.collect()
    }
}

impl State {
    fn more(&self, text: String) -> Written {
        Written {
            place: self.place,
            begins: None,
            text,
            is_custom: self.input.is_some(),
        }
    }
}

impl Written {
    /// What it is in the grammar, and its delta.
    pub(super) fn as_delta(&self) -> (Step, Delta<'_>) {
        let begins = self.begins.as_ref();
        let name = begins.map(|begins| &*begins.name);
        let function = Called {
            name,
            arguments: &self.text,
        };
        let Place::Tool(index) = self.place else {
            let step = if begins.is_some() {
                Step::FunctionBegins
            } else {
                Step::FunctionGoesOn
            };
            let delta = Delta {
                function_call: Some(function),
                ..Delta::default()
            };
            return (step, delta);
        };
        let step = if begins.is_some() {
            Step::CallBegins(index)
        } else {
            Step::CallGoesOn(index)
        };
        let kind = if self.is_custom { "custom" } else { "function" };
        let custom = self.is_custom.then_some(CalledCustom {
            name,
            input: &self.text,
        });
        let call = Call {
            index,
            id: begins.map(|begins| &*begins.id),
            kind: begins.map(|_| kind),
            function: custom.is_none().then_some(function),
            custom,
        };
        let delta = Delta {
            tool_calls: Some([call]),
            ..Delta::default()
        };
        (step, delta)
    }
}
