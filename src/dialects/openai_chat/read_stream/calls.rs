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
    name: String,
    /// Whether the client knows of it, which it does once it has a name.
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
    pub(super) fn add(&mut self, call: Call<'_>, give: Give<'_>) {
        let index = call.index.map(|index| index.get());
        let id = call.id.and_then(text).filter(|id| !id.is_empty());
        let (name, input, is_custom) = match (call.function, call.custom) {
            (Some(function), _) => (function.name, function.arguments.map(arguments), false),
            (None, Some(custom)) => (custom.name, custom.input.map(|Text(input)| input), true),
            (None, None) => (None, None, false),
        };
        let name = name.map(|Text(name)| name).filter(|name| !name.is_empty());
        let place = self.place(index, id.as_deref(), name.as_deref(), is_custom);
        self.go_on(place, id, name, input, give);
    }

    /// Takes in a piece of the one call of the older form, which has neither number nor id.
    pub(super) fn add_function(&mut self, function: Called<'_>, give: Give<'_>) {
        let name = function.name.map(|Text(name)| name).filter(|name| !name.is_empty());
        let place = self.place(Some("0"), None, None, false);
        self.go_on(place, None, name, function.arguments.map(arguments), give);
    }

    /// Which call a piece belongs to. Providers that tell whole calls give them no numbers, or all the same one: there, a
    /// piece with another id and a name is another call.
    fn place(&mut self, index: Option<&str>, id: Option<&str>, name: Option<&str>, is_custom: bool) -> usize {
        let is_same = |state: &State| {
            let same_number = index.is_none() || state.index.as_deref() == index;
            let begins = name.is_some() && id.is_some_and(|id| !state.id.is_empty() && state.id != id);
            let begins_alone = index.is_none() && id.is_none() && name.is_some() && state.told;
            same_number && !begins && !begins_alone
        };
        if let Some(place) = self.0.iter().rposition(is_same) {
            return place;
        }
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
    ) {
        let Some(state) = self.0.get_mut(place) else { return };
        let index = u32::try_from(place).unwrap_or(u32::MAX);
        if state.id.is_empty() {
            state.id = id.map(Cow::into_owned).unwrap_or_default();
        }
        if !state.told {
            let Some(name) = name else {
                state.waiting.push_str(&input.unwrap_or_default());
                return;
            };
            state.told = true;
            state.name = name.into_owned();
            if state.id.is_empty() {
                state.id = new_call_id().into_owned();
            }
            give(Event::ToolCall {
                index,
                id: Cow::Borrowed(&state.id),
                name: Cow::Borrowed(&state.name),
            });
            if state.is_custom {
                give(Event::Arguments {
                    index,
                    json: Cow::Borrowed(OPENING),
                });
            }
        }
        for piece in [
            Cow::Owned(std::mem::take(&mut state.waiting)),
            input.unwrap_or_default(),
        ] {
            if piece.is_empty() {
                continue;
            }
            let json = if state.is_custom { escaped(&piece) } else { piece };
            give(Event::Arguments { index, json });
        }
    }

    /// Ends all calls.
    ///
    /// # Errors
    /// When one of them calls nothing.
    pub(super) fn finish(&mut self, give: Give<'_>) -> Result<(), TranslationError> {
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

/// A piece of a plain text as it stands within a JSON string.
fn escaped<'a>(text: &str) -> Cow<'a, str> {
    let string = serde_json::to_string(text).unwrap_or_default();
    let inner = string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Cow::Owned(inner.unwrap_or_default().to_owned())
}
