//! The one pass over a body that a budget pays for: every top-level field is looked up in its dialect's table.

use std::borrow::Cow;
use std::fmt;

use gateway_actors::protocol::{BoundRules, GatewayError, Model};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Form;
use super::cap::{Cap, Caps};
use super::content::Found;
use super::effect::{Effect, Field};
use super::object::Fields;
use super::refusal::{Names, refuse, refuse_named, shown};
use super::tools::{read_schema, read_tools};
use crate::dialects::json::{is_string, range_in, text};
use crate::dialects::neutral::Feature;
use crate::dialects::object::Text;
use crate::dialects::openai_chat::owned::MOST_ANSWERS;
use crate::dialects::place::At;

/// What a body says, as far as its price depends on it.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) json: &'a str,
    pub(super) form: Form,
    pub(super) model: &'a Model,
    pub(super) names: Names,
    rules: &'a BoundRules,
    pub(super) found: Found,
    /// Answers for every prompt.
    pub(super) answers: u64,
    pub(super) prompts: u64,
    pub(super) echoes: bool,
    pub(super) caps: Caps<'a>,
    /// The budget for thinking.
    thinking: Option<u64>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(json: &'a str, form: Form, model: &'a Model, rules: &'a BoundRules, names: Names) -> Self {
        Self {
            json,
            form,
            model,
            names,
            rules,
            found: Found::default(),
            answers: 1,
            prompts: 1,
            echoes: false,
            caps: Caps::default(),
            thinking: None,
        }
    }

    /// Reads the whole body.
    pub(super) fn read(&mut self) -> Result<(), GatewayError> {
        self.caps.object = self.json.find('{').unwrap_or_default();
        self.object(self.json, "the body", self.form.fields(), None)
    }

    /// The cap of every answer, and what has to be changed so that it is sent.
    pub(super) fn cap(&self) -> Result<Cap, GatewayError> {
        let cap = self.caps.forced(self.form, self.model, self.json)?;
        if self.thinking.is_some_and(|budget| budget >= u64::from(cap.tokens)) {
            let at = At::top("thinking").to_string() + ".budget_tokens";
            let what = "a thinking budget that is not below the output cap would make the window the only limit";
            let instead = format!(
                "lower it below {}, which is the cap of this model and request",
                cap.tokens
            );
            return Err(refuse(self.names, &at, Feature::ReasoningBudget, what, &instead));
        }
        Ok(cap)
    }

    /// Reads an object whose members are in a table.
    fn object(
        &mut self,
        json: &'a str,
        name: &'static str,
        table: &'static [Field],
        within: Option<&'static str>,
    ) -> Result<(), GatewayError> {
        let mut problem = None;
        let fields = Fields {
            reading: self,
            table,
            within,
            problem: &mut problem,
        };
        let read = fields.deserialize(&mut serde_json::Deserializer::from_str(json));
        match (problem, read) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(_)) => Err(GatewayError::invalid(name, format!("`{name}` must be an object"))),
        }
    }

    /// A field that is in no table is refused, unless the operator lets it pass.
    pub(super) fn unlisted(&self, name: &str, value: &RawValue) -> Result<(), GatewayError> {
        let is_passed = self.rules.pass_fields.iter().any(|passed| **passed == *name);
        if is_passed || value.get() == "null" {
            return Ok(());
        }
        let instead = "leave it out, or have the operator name it in the setting `budget.pass_fields`";
        let name = shown(name).map_or(Cow::Borrowed("a field without a plain name"), |name| {
            Cow::Owned(name.to_owned())
        });
        Err(refuse_named(name, "what this field costs is not known", instead))
    }

    /// Reads the value of a field that is no content.
    pub(super) fn field(&mut self, field: Field, value: &'a RawValue, at: &At<'_>) -> Result<(), GatewayError> {
        match field.effect {
            Effect::Free => {}
            // Content is walked through where it stands, and does not come here: if it did, it must not pass uncounted.
            Effect::Content => return Err(at.wrong("cannot be read")),
            Effect::Tools => read_tools(self, value, at)?,
            Effect::Schema => read_schema(&mut self.found, value),
            Effect::Prompt => self.prompts = self.texts(value),
            Effect::Input => {
                self.texts(value);
            }
            Effect::Cap => self.caps.note(field.name, range_in(self.json, value), value.get()),
            Effect::Answers => self.answers = self.answers.max(count(at, value)?),
            Effect::Echo => self.echoes = value.get() != "false",
            Effect::Thinking => self.thinking = self.thinking(value)?,
            Effect::Edits => self.edits(value)?,
            Effect::Words(words) => self.word(at, value, words)?,
            Effect::Values(values, instead) => {
                if !values.contains(&value.get()) {
                    let what = "what this costs is not known before";
                    return Err(refuse(self.names, at, Feature::OtherContent, what, instead));
                }
            }
            Effect::Nested(table) => {
                self.caps.object = range_in(self.json, value).start;
                self.object(value.get(), field.name, table, Some(field.name))?;
            }
            Effect::Refused(instead) => {
                let what = "what this costs is not known before";
                return Err(refuse(self.names, at, Feature::ProviderState, what, instead));
            }
        }
        Ok(())
    }

    /// How many texts these are, each of which may get tokens of its own: one text, texts, or tokens.
    fn texts(&mut self, value: &RawValue) -> u64 {
        let items: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
        let is_tokens = items
            .iter()
            .any(|item| item.get().starts_with(|first: char| first.is_ascii_digit()));
        let texts = if is_tokens { 1 } else { items.len().max(1) as u64 };
        self.found.pieces = self.found.pieces.saturating_add(texts);
        texts
    }

    fn word(&self, at: &At<'_>, value: &RawValue, words: &[&str]) -> Result<(), GatewayError> {
        if text(value).is_some_and(|word| words.contains(&&*word)) {
            return Ok(());
        }
        let instead = format!("leave it out, or say one of: {}", words.join(", "));
        let what = "any other has a price that the catalogue does not know";
        Err(refuse(self.names, at, Feature::ServiceTier, what, &instead))
    }

    /// The budget in tokens. It has to be less than the cap: else thinking would go on beyond it, between calls of tools.
    fn thinking(&self, value: &RawValue) -> Result<Option<u64>, GatewayError> {
        #[derive(Deserialize)]
        struct Thinking<'a> {
            #[serde(borrow)]
            budget_tokens: Option<&'a RawValue>,
        }
        let at = At::top("thinking");
        let wrong = || at.wrong("must be an object whose `budget_tokens` is a whole number");
        let thinking: Thinking<'_> = serde_json::from_str(value.get()).map_err(|_error| wrong())?;
        let budget = thinking
            .budget_tokens
            .map(RawValue::get)
            .filter(|&budget| budget != "null");
        budget
            .map(|budget| budget.parse().map_err(|_error| wrong()))
            .transpose()
    }

    /// Edits that leave something out make the input shorter; one that sums it up is another call.
    fn edits(&self, value: &RawValue) -> Result<(), GatewayError> {
        #[derive(Deserialize)]
        struct Edits<'a> {
            #[serde(borrow, default)]
            edits: Vec<Edit<'a>>,
        }
        #[derive(Deserialize)]
        struct Edit<'a> {
            #[serde(rename = "type", borrow)]
            kind: Cow<'a, str>,
        }
        let only_clear = serde_json::from_str::<Edits<'_>>(value.get())
            .is_ok_and(|edits| edits.edits.iter().all(|edit| edit.kind.starts_with("clear_")));
        if only_clear {
            return Ok(());
        }
        let what = "a conversation that the provider sums up is billed besides";
        let instead = "ask only for edits that clear something";
        let at = At::top("context_management");
        Err(refuse(self.names, &at, Feature::OtherContent, what, instead))
    }
}

/// A whole number of answers; one that is no whole number is taken for the next that is.
fn count(at: &At<'_>, value: &RawValue) -> Result<u64, GatewayError> {
    let wrong = || at.wrong(&format!("must be a whole number from 1 to {MOST_ANSWERS}"));
    let number: f64 = value.get().parse().map_err(|_error| wrong())?;
    if is_string(value) || number > f64::from(MOST_ANSWERS) {
        return Err(wrong());
    }
    // A negative number becomes 0.
    Ok((number.ceil() as u64).max(1))
}

/// The members of an object in order.
pub(super) struct Members<'a>(pub(super) Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
