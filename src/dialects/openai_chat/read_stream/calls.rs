//! The tool calls of a stream, of which each chunk has pieces.

use std::borrow::Cow;

use gateway_actors::protocol::TranslationError;

use super::super::read_answer::{Call, Called, arguments, new_call_id};
use super::Give;
use crate::dialects::json::text;
use crate::dialects::neutral::Event;
use crate::dialects::object::Text;

/// What opens the arguments of a tool of plain text, and closes them: they are told as those of a function with one
/// argument.
const OPENING: &str = r#"{"input":""#;
const CLOSING: &str = r#""}"#;

/// The calls of an answer, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<State>);

/// A call that has begun.
#[derive(Debug)]
struct State {
    /// The provider's number for it, as it stood.
    index: Option<String>,
    id: String,
    /// As far as it came, which with some providers is in pieces.
    name: String,
    /// Whether the client knows of it, which it does once the name is whole.
    told: bool,
    /// Arguments that came before the name.
    waiting: String,
    is_custom: bool,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in a piece of a call.
    ///
    /// # Errors
    /// When it gives another name to a call of which the client knows.
    pub(super) fn add(&mut self, call: Call<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        let index = call.index.map(|index| index.get());
        let id = call.id.and_then(text).filter(|id| !id.is_empty());
        let (name, input, is_custom) = match (call.function, call.custom) {
            (Some(function), _) => (function.name, function.arguments.map(arguments), false),
            (None, Some(custom)) => (custom.name, custom.input.map(|Text(input)| input), true),
            (None, None) => (None, None, false),
        };
        let name = name.map(|Text(name)| name).filter(|name| !name.is_empty());
        let place = self.place(index, id.as_deref(), name.as_deref(), is_custom, give);
        self.go_on(place, id, name, input, give)
    }

    /// Takes in a piece of the one call of the older form, which has neither number nor id.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub(super) fn add_function(&mut self, function: Called<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        let name = function.name.map(|Text(name)| name).filter(|name| !name.is_empty());
        let place = self.place(Some("0"), None, None, false, give);
        self.go_on(place, None, name, function.arguments.map(arguments), give)
    }

    /// Which call a piece belongs to. Providers that tell whole calls give them no numbers, or all the same one: there, a
    /// piece with another id and a name is another call.
    fn place(
        &mut self,
        index: Option<&str>,
        id: Option<&str>,
        name: Option<&str>,
        is_custom: bool,
        give: Give<'_>,
    ) -> usize {
        let is_same = |state: &State| {
            let same_number = index.is_none() || state.index.as_deref() == index;
            let begins = name.is_some() && id.is_some_and(|id| !state.id.is_empty() && state.id != id);
            let begins_alone = index.is_none() && id.is_none() && name.is_some() && !state.name.is_empty();
            same_number && !begins && !begins_alone
        };
        if let Some(place) = self.0.iter().rposition(is_same) {
            return place;
        }
        self.begin(give);
        self.0.push(State {
            index: index.map(str::to_owned),
            id: String::new(),
            name: String::new(),
            told: false,
            waiting: String::new(),
            is_custom,
        });
        self.0.len() - 1
    }

    fn go_on(
        &mut self,
        place: usize,
        id: Option<Cow<'_, str>>,
        name: Option<Cow<'_, str>>,
        input: Option<Cow<'_, str>>,
        give: Give<'_>,
    ) -> Result<(), TranslationError> {
        let Some(state) = self.0.get_mut(place) else {
            return Ok(());
        };
        let index = u32::try_from(place).unwrap_or(u32::MAX);
        if state.id.is_empty() {
            state.id = id.map(Cow::into_owned).unwrap_or_default();
        }
        // Some providers repeat the name in every piece.
        if let Some(more) = name.filter(|name| *name != state.name) {
            if state.told {
                return Err(TranslationError("a tool call in it has two names"));
            }
            state.name.push_str(&more);
        }
        let input = input.unwrap_or_default();
        if state.name.is_empty() {
            state.waiting.push_str(&input);
            return Ok(());
        }
        // As long as there are no arguments, more of the name may come.
        if !input.is_empty() || !state.waiting.is_empty() {
            state.begin(index, give);
            state.say(index, input, give);
        }
        Ok(())
    }

    /// Tells the client of the calls whose names are whole now, since something else comes.
    pub(super) fn begin(&mut self, give: Give<'_>) {
        for (index, state) in (0..).zip(&mut self.0) {
            if !state.name.is_empty() {
                state.begin(index, give);
            }
        }
    }

    /// Ends all calls.
    ///
    /// # Errors
    /// When one of them calls nothing.
    pub(super) fn finish(&mut self, give: Give<'_>) -> Result<(), TranslationError> {
        self.begin(give);
        for (index, state) in (0..).zip(&self.0) {
            if !state.told {
                return Err(TranslationError("a tool call in it has no name"));
            }
            if state.is_custom {
                give(Event::Arguments {
                    index,
                    json: Cow::Borrowed(CLOSING),
                });
            }
        }
        Ok(())
    }
}

impl State {
    /// Tells the client of the call, once, with the arguments that came before.
    fn begin(&mut self, index: u32, give: Give<'_>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        if self.id.is_empty() {
            self.id = new_call_id().into_owned();
        }
        give(Event::ToolCall {
            index,
            id: Cow::Borrowed(&self.id),
            name: Cow::Borrowed(&self.name),
        });
        if self.is_custom {
            give(Event::Arguments {
                index,
                json: Cow::Borrowed(OPENING),
            });
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.say(index, Cow::Owned(waiting), give);
    }

    /// Gives a piece of its arguments on, if there is anything in it.
    fn say(&self, index: u32, piece: Cow<'_, str>, give: Give<'_>) {
        if piece.is_empty() {
            return;
        }
        let json = if self.is_custom { escaped(&piece) } else { piece };
        give(Event::Arguments { index, json });
    }
}

/// A piece of a plain text as it stands within a JSON string.
fn escaped<'a>(text: &str) -> Cow<'a, str> {
    let string = serde_json::to_string(text).unwrap_or_default();
    let inner = string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Cow::Owned(inner.unwrap_or_default().to_owned())
}
