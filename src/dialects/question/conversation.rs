//! Who says what in a conversation, gone over once from its beginning to its end.
//!
//! One walk serves all dialects: a message of chat completions or Messages, and an item of Responses, are told apart by
//! their own words, and none of these means something else in another dialect.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::content::{Content, Part};
use super::cut::without_blocks;
use crate::dialects::json::{is_non_empty_container, is_object, text};

/// What of a conversation the question is made of.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    /// The content of the first instructions in it.
    pub(super) first_system: Option<Content<'a>>,
    /// The texts of the first of the user's messages that has any.
    pub(super) first_user: Vec<Cow<'a, str>>,
    /// What a model said first to it.
    pub(super) first_answer: Option<FirstAnswer<'a>>,
    /// How often a model has spoken since, what the user or tools said lying between.
    pub(super) answers: u32,
    /// The texts of the last user turn.
    pub(super) last: Vec<Cow<'a, str>>,
    /// How many user turns there are.
    pub(super) turns: u32,
    /// Whether a model called tools since the last of them.
    pub(super) in_loop: bool,
    /// How many results of tools at its end are errors.
    pub(super) tool_errors: u32,
    /// Whether there are images, documents or sounds.
    pub(super) has_media: bool,
    /// The newest settings of the answer's text within it.
    pub(super) update: Option<&'a RawValue>,
    /// Whether the user had the last word so far.
    is_users: bool,
    /// Whether a model had it.
    is_models: bool,
}

/// What tells one first answer from another: its words, and what its calls are known by.
#[derive(Debug)]
pub(super) struct FirstAnswer<'a> {
    content: Content<'a>,
    others: [Option<&'a RawValue>; 3],
}

impl FirstAnswer<'_> {
    /// Its marks, as far as it has any.
    pub(super) fn marks(&self) -> impl Iterator<Item = &str> {
        let ids = self.content.parts().iter().filter_map(|part| part.id);
        let others = self.others.into_iter().flatten().chain(ids).map(RawValue::get);
        let texts = self.content.texts().filter(|text| !text.is_empty());
        texts.chain(others)
    }
}

/// The members of messages and items of all dialects.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Content<'a>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

fn word(value: Option<&RawValue>) -> Cow<'_, str> {
    value.and_then(text).unwrap_or_default()
}

impl<'a> Conversation<'a> {
    /// One more user turn after this many, with nothing in it.
    pub(super) fn after(earlier: usize) -> Self {
        Self {
            turns: u32::try_from(earlier).unwrap_or(u32::MAX).saturating_add(1),
            ..Self::default()
        }
    }

    fn add(&mut self, item: Item<'a>) {
        match &*word(item.role) {
            "user" => self.said_by_user(item.content),
            "assistant" => self.said_by_model(item),
            "system" | "developer" => {
                self.first_system.get_or_insert(item.content);
            }
            "tool" | "function" => {
                self.look(item.content.parts());
                self.result(false);
            }
            _ => self.item(item),
        }
    }

    /// What has no role.
    fn item(&mut self, item: Item<'a>) {
        let kind = word(item.kind);
        if kind.ends_with("_output") {
            self.look(Content::of(item.output).parts());
            self.result(false);
        } else if kind.ends_with("_call") {
            self.model(true, item);
        } else if kind == "reasoning" {
            self.model(false, item);
        } else if kind == "configuration_update" {
            self.update = item.text.or(self.update);
        }
    }

    fn said_by_model(&mut self, item: Item<'a>) {
        let calls = item.tool_calls.is_some_and(is_non_empty_container) || item.function_call.is_some_and(is_object);
        let parts = item.content.parts();
        self.look(parts);
        let calls = calls || parts.iter().any(|part| part.kind().ends_with("tool_use"));
        self.model(calls, item);
    }

    fn said_by_user(&mut self, content: Content<'a>) {
        let parts = match content {
            Content::Text(text) => return self.user([text]),
            Content::Parts(parts) => parts,
            Content::Nothing => return,
        };
        self.look(&parts);
        let mut said = Vec::new();
        for part in parts {
            match part.kind() {
                "text" | "input_text" => said.extend(part.text.into_text()),
                "tool_result" => {
                    self.look(Content::of(part.content).parts());
                    self.result(part.is_error.is_some_and(|flag| flag.get() == "true"));
                }
                _ => {}
            }
        }
        self.user(said);
    }

    /// Looks for media.
    fn look(&mut self, parts: &[Part<'_>]) {
        self.has_media = self.has_media || parts.iter().any(Part::is_media);
    }

    fn user(&mut self, texts: impl IntoIterator<Item = Cow<'a, str>>) {
        let said = texts.into_iter().map(without_blocks);
        let said: Vec<_> = said.filter(|text| !text.trim().is_empty()).collect();
        if said.is_empty() {
            return;
        }
        if !self.is_users {
            self.turns = self.turns.saturating_add(1);
            self.last.clear();
        }
        if self.turns == 1 && self.last.is_empty() {
            self.first_user.clone_from(&said);
        }
        self.last.extend(said);
        (self.is_users, self.is_models) = (true, false);
        (self.in_loop, self.tool_errors) = (false, 0);
    }

    fn model(&mut self, calls: bool, item: Item<'a>) {
        let is_next = !self.is_models;
        (self.is_users, self.is_models) = (false, true);
        // What comes before the user's first words is a part of the beginning.
        if self.turns == 0 {
            return;
        }
        self.in_loop |= calls;
        self.answers = self.answers.saturating_add(u32::from(is_next));
        if self.first_answer.is_none() {
            let Item {
                content,
                tool_calls,
                function_call,
                id,
                call_id,
                ..
            } = item;
            let others = [tool_calls.or(function_call), id, call_id];
            self.first_answer = Some(FirstAnswer { content, others }).filter(|said| said.marks().next().is_some());
        }
    }

    fn result(&mut self, is_error: bool) {
        (self.is_users, self.is_models) = (false, false);
        self.tool_errors = if is_error {
            self.tool_errors.saturating_add(1)
        } else {
            0
        };
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Conversation<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ConversationVisitor)
    }
}

struct ConversationVisitor;

impl<'de> Visitor<'de> for ConversationVisitor {
    type Value = Conversation<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, messages or items")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Conversation<'de>, E> {
        Ok(input(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Conversation<'de>, E> {
        Ok(input(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Conversation<'de>, A::Error> {
        let mut conversation = Conversation::default();
        while let Some(OnlyObject(item)) = seq.next_element()? {
            conversation.add(item);
        }
        Ok(conversation)
    }
}

fn input(text: Cow<'_, str>) -> Conversation<'_> {
    let mut conversation = Conversation::default();
    conversation.user([text]);
    conversation
}

/// An item that is an object: a struct could be read from an array too.
struct OnlyObject<'a>(Item<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for OnlyObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = OnlyObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message or an item")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OnlyObject<'de>, A::Error> {
                Item::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(OnlyObject)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}
