//! The `messages` of a request: counted, measured and checked for a role while they are skipped.

use std::fmt;

use memchr::memchr_iter;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::scan::{Problem, stop};
use crate::dialects::json::{is_string, raw_text};

/// What the messages are, without their text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// How many there are.
    pub(super) count: u64,
    /// At most as many bytes as their text has: pictures and the like are not counted.
    pub(super) text_bytes: u64,
    /// Whether there is a picture among them.
    pub(super) has_images: bool,
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
                MessageField::Content => measure(map.next_value()?, found),
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

/// Adds up a message's content: a text, or parts of which some are text.
fn measure(content: &RawValue, found: &mut Messages) {
    if is_string(content) {
        found.text_bytes += text_bytes(content);
    } else if content.get().starts_with('[') {
        // Parts of an unknown kind are the provider's to judge: what cannot be read counts as nothing.
        if let Ok(parts) = serde_json::from_str::<Parts>(content.get()) {
            found.text_bytes += parts.text_bytes;
            found.has_images |= parts.has_images;
        }
    }
}

/// At most as many bytes as the text of a string has: an escape takes up to six bytes for what may be one, so five
/// are taken off for each.
pub(in crate::dialects) fn text_bytes(value: &RawValue) -> u64 {
    let raw = raw_text(value).unwrap_or_default().as_bytes();
    let escapes = memchr_iter(b'\\', raw).count();
    raw.len().saturating_sub(escapes.saturating_mul(5)) as u64
}

#[derive(Default)]
struct Parts {
    text_bytes: u64,
    has_images: bool,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor;

        impl<'de> Visitor<'de> for PartsVisitor {
            type Value = Parts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("content parts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Parts, A::Error> {
                let mut parts = Parts::default();
                while let Some(part) = seq.next_element::<Part<'_>>()? {
                    parts.text_bytes += part.text.map_or(0, text_bytes);
                    parts.has_images |= part.kind.and_then(raw_text) == Some("image_url");
                }
                Ok(parts)
            }
        }

        deserializer.deserialize_seq(PartsVisitor)
    }
}
