//! The `messages` of a request: counted, measured and checked for a role while they are skipped.

use std::fmt;

use memchr::memchr_iter;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::foreign::{Maker, maker};
use super::scan::{Problem, stop};
use crate::dialects::json::{is_string, raw_text};

/// What the messages are, without their text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// How many there are.
    pub(super) count: u64,
    /// At most as many bytes as their text has: pictures and the like are not counted.
    pub(super) text_bytes: u64,
    /// How many pictures there are, those that tools gave among them.
    pub(super) images: u64,
    /// Whether there is reasoning that a model of another dialect made.
    pub(super) has_marked_reasoning: bool,
    /// Whether there is reasoning that nobody signed.
    pub(super) has_unsigned_reasoning: bool,
}

/// Reads the array.
pub(super) struct MessagesSeed<'p> {
    pub(super) problem: &'p mut Problem,
}

impl<'de> DeserializeSeed<'de> for MessagesSeed<'_> {
    type Value = Messages;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Messages, D::Error> {
        *self.problem = Problem::Messages;
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for MessagesSeed<'_> {
    type Value = Messages;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Messages, A::Error> {
        let Self { problem } = self;
        let mut found = Messages::default();
        loop {
            *problem = Problem::Message(found.count);
            let seed = MessageSeed {
                found: &mut found,
                problem,
            };
            if seq.next_element_seed(seed)?.is_none() {
                break;
            }
            found.count += 1;
        }
        if found.count == 0 {
            return Err(stop(problem, Problem::NoMessages));
        }
        *problem = Problem::Body;
        Ok(found)
    }
}

/// Reads one message.
struct MessageSeed<'s> {
    found: &'s mut Messages,
    problem: &'s mut Problem,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum MessageField {
    Role,
    Content,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { found, problem } = self;
        let mut roles = 0_u32;
        let mut texts = 0_u32;
        while let Some(field) = map.next_key()? {
            match field {
                MessageField::Role => {
                    roles += 1;
                    texts += u32::from(is_string(map.next_value()?));
                }
                MessageField::Content => {
                    let content = Content::of(map.next_value()?);
                    found.text_bytes += content.text_bytes;
                    found.images += content.images;
                    found.has_marked_reasoning |= content.has_marked_reasoning;
                    found.has_unsigned_reasoning |= content.has_unsigned_reasoning;
                }
                MessageField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if (roles, texts) == (1, 1) {
            Ok(())
        } else {
            Err(stop(problem, Problem::Role(found.count)))
        }
    }
}

/// What a content is: a text, or blocks of which some are text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// At most as many bytes as its text has.
    pub(super) text_bytes: u64,
    images: u64,
    has_marked_reasoning: bool,
    has_unsigned_reasoning: bool,
}

impl Content {
    /// Measures a content. Blocks of an unknown kind are the provider's to judge: what cannot be read counts as nothing.
    pub(super) fn of(content: &RawValue) -> Self {
        if is_string(content) {
            Self {
                text_bytes: text_bytes(content),
                ..Self::default()
            }
        } else if content.get().starts_with('[') {
            serde_json::from_str(content.get()).unwrap_or_default()
        } else {
            Self::default()
        }
    }

    fn add(&mut self, block: &Block<'_>) {
        self.text_bytes += block.text.map_or(0, text_bytes);
        match block.kind.and_then(raw_text) {
            Some("image") => self.images += 1,
            Some("tool_result") => {
                let inner = block.content.map(Self::of).unwrap_or_default();
                self.text_bytes += inner.text_bytes;
                self.images += inner.images;
            }
            Some("thinking") => self.note(maker(block.signature)),
            Some("redacted_thinking") => self.note(maker(block.data)),
            _ => {}
        }
    }

    fn note(&mut self, maker: Maker) {
        self.has_marked_reasoning |= maker == Maker::OtherDialect;
        self.has_unsigned_reasoning |= maker == Maker::Nobody;
    }
}

/// At most as many bytes as the text of a string has: an escape takes up to six bytes for what may be one, so five
/// are taken off for each.
fn text_bytes(value: &RawValue) -> u64 {
    let raw = raw_text(value).unwrap_or_default().as_bytes();
    let escapes = memchr_iter(b'\\', raw).count();
    raw.len().saturating_sub(escapes.saturating_mul(5)) as u64
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;

        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("content blocks")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut content = Content::default();
                while let Some(block) = seq.next_element::<Block<'_>>()? {
                    content.add(&block);
                }
                Ok(content)
            }
        }

        deserializer.deserialize_seq(ContentVisitor)
    }
}
