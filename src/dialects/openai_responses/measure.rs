//! The `input` of a request: counted and measured while it is skipped.

use std::fmt;

use memchr::memchr_iter;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::scan::Problem;
use crate::dialects::json::{is_non_empty_container, is_string, raw_text};

/// What the input is, without its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Input {
    /// How many items it has; 1 for a text.
    pub(super) count: u64,
    /// At most as many bytes as its text has: pictures and the like are not counted.
    pub(super) text_bytes: u64,
    /// Whether there is a picture in it.
    pub(super) has_images: bool,
    /// Whether items offer tools.
    pub(super) has_tools: bool,
    /// Whether it is there at all: not `null`.
    pub(super) is_given: bool,
}

/// Reads the value, whatever it is.
pub(super) struct InputSeed<'p> {
    pub(super) problem: &'p mut Problem,
}

impl<'de> DeserializeSeed<'de> for InputSeed<'_> {
    type Value = Input;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Input, D::Error> {
        *self.problem = Problem::Input;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for InputSeed<'_> {
    type Value = Input;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of items")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Input, E> {
        *self.problem = Problem::Body;
        Ok(Input::default())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Input, E> {
        *self.problem = Problem::Body;
        Ok(Input {
            count: 1,
            text_bytes: text.len() as u64,
            is_given: true,
            ..Input::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
        let Self { problem } = self;
        let mut input = Input {
            is_given: true,
            ..Input::default()
        };
        loop {
            *problem = Problem::Item(input.count);
            let Some(item) = seq.next_element::<Item<'_>>()? else {
                break;
            };
            input.count += 1;
            item.measure(&mut input);
        }
        *problem = Problem::Body;
        Ok(input)
    }
}

/// What of an item may hold text. What it says of pictures and tools is believed.
struct Item<'a>(Leaves<'a>);

#[derive(Deserialize)]
struct Leaves<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Item<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyObjects;

        impl<'de> Visitor<'de> for OnlyObjects {
            type Value = Item<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an item")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Item<'de>, A::Error> {
                Leaves::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Item)
            }
        }

        // A struct can be read from an array too.
        deserializer.deserialize_map(OnlyObjects)
    }
}

impl Item<'_> {
    fn measure(&self, input: &mut Input) {
        let Self(leaves) = self;
        for text in [leaves.content, leaves.output, leaves.arguments, leaves.input] {
            text.into_iter().for_each(|text| measure(text, input));
        }
        let offers = matches!(
            leaves.kind.and_then(raw_text),
            Some("additional_tools" | "tool_search_output")
        );
        input.has_tools |= offers && leaves.tools.is_some_and(is_non_empty_container);
    }
}

/// Adds up a text, or parts of which some are text.
fn measure(content: &RawValue, input: &mut Input) {
    if is_string(content) {
        input.text_bytes += text_bytes(content);
    } else if content.get().starts_with('[') {
        // Parts of an unknown kind are the provider's to judge: what cannot be read counts as nothing.
        if let Ok(parts) = serde_json::from_str::<Parts>(content.get()) {
            input.text_bytes += parts.text_bytes;
            input.has_images |= parts.has_images;
        }
    }
}

/// At most as many bytes as the text of a string has: an escape takes up to six bytes for what may be one, so five
/// are taken off for each.
pub(super) fn text_bytes(value: &RawValue) -> u64 {
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
                    parts.has_images |= part.kind.and_then(raw_text) == Some("input_image");
                }
                Ok(parts)
            }
        }

        deserializer.deserialize_seq(PartsVisitor)
    }
}
