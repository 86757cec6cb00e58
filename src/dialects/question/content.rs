//! The content of a message or an item: a text, or parts. What is neither holds nothing: the provider judges it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How many parts of one content are kept. Nobody writes so many, and each takes more room than it has in the body.
const MOST_PARTS: usize = 4_096;

/// A content, read where it stands.
#[derive(Debug, Default)]
pub(super) enum Content<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Parts, in order.
    Parts(Vec<Part<'a>>),
    /// Something else.
    #[default]
    Nothing,
}

/// What of parts and blocks of all dialects is looked at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Content<'a>,
    /// What it says.
    #[serde(borrow, default)]
    pub(super) text: Content<'a>,
    /// What came of a call.
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    /// Whether that is an error.
    #[serde(borrow)]
    pub(super) is_error: Option<&'a RawValue>,
    /// What a call is known by.
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
}

impl Part<'_> {
    /// What it is; nothing if it does not say so.
    pub(super) fn kind(&self) -> &str {
        self.kind.text().unwrap_or_default()
    }

    /// Whether it is an image, a document or a sound.
    pub(super) fn is_media(&self) -> bool {
        const KINDS: [&str; 12] = [
            "image",
            "image_url",
            "input_image",
            "computer_screenshot",
            "document",
            "file",
            "input_file",
            "audio",
            "audio_url",
            "input_audio",
            "input_video",
            "video_url",
        ];
        KINDS.contains(&self.kind())
    }

    /// Whether there is nothing in it: no text, where it is one, or not even a kind.
    fn is_empty(&self) -> bool {
        self.text.text().is_none_or(str::is_empty) && matches!(self.kind(), "" | "text" | "input_text" | "output_text")
    }
}

impl<'a> Content<'a> {
    /// The content that a value is; only parts are told.
    pub(super) fn of(value: Option<&'a RawValue>) -> Self {
        let parts = value.filter(|value| value.get().starts_with('['));
        parts
            .and_then(|parts| serde_json::from_str(parts.get()).ok())
            .unwrap_or_default()
    }

    /// Its parts; none if it is a text.
    pub(super) fn parts(&self) -> &[Part<'a>] {
        match self {
            Self::Parts(parts) => parts,
            Self::Text(_) | Self::Nothing => &[],
        }
    }

    /// Its text; nothing if it is no text.
    pub(super) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Parts(_) | Self::Nothing => None,
        }
    }

    /// Its texts: one, or those of its parts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let parts = self.parts().iter().map(|part| &part.text);
        std::iter::once(self).chain(parts).filter_map(Self::text)
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Parts(_) | Self::Nothing => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(AnyVisitor)? {
            Any::Text(text) => Self::Text(text),
            Any::Parts(parts) => Self::Parts(parts),
            Any::Part(_) | Any::Nothing => Self::Nothing,
        })
    }
}

/// Any value.
enum Any<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
    Part(Part<'a>),
    Nothing,
}

/// An element of a content. What is no object is a part that says nothing.
struct Element<'a>(Part<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(AnyVisitor)? {
            Any::Part(part) => Self(part),
            Any::Text(_) | Any::Parts(_) | Any::Nothing => Self(Part::default()),
        })
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a content")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any<'de>, A::Error> {
        let (mut parts, mut has_media) = (Vec::new(), false);
        while let Some(Element(part)) = seq.next_element()? {
            // What says nothing is not kept: there may be millions of it in a body. Neither is what is behind so much
            // else that it says nothing more of the question, but that there is something to see or to hear.
            let is_news = parts.len() < MOST_PARTS || (!has_media && part.is_media());
            if is_news && !part.is_empty() {
                has_media |= part.is_media();
                parts.push(part);
            }
        }
        Ok(Any::Parts(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Any<'de>, A::Error> {
        Part::deserialize(MapAccessDeserializer::new(map)).map(Any::Part)
    }

    fn visit_unit<E: Error>(self) -> Result<Any<'de>, E> {
        Ok(Any::Nothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Any<'de>, E> {
        Ok(Any::Nothing)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Any<'de>, E> {
        Ok(Any::Nothing)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Any<'de>, E> {
        Ok(Any::Nothing)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Any<'de>, E> {
        Ok(Any::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(json: &str) -> Content<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_content_is_a_text_or_parts_and_anything_else_holds_nothing() {
        assert_eq!(content(r#""a\n""#).texts().collect::<Vec<_>>(), ["a\n"]);
        let parts = r#"[{"type":"text","text":"a"},{"text":"b","type":7},{"type":"image","text":null,"x":[1e999]}]"#;
        let parts = content(parts);
        assert_eq!(parts.texts().collect::<Vec<_>>(), ["a", "b"]);
        let kinds: Vec<&str> = parts.parts().iter().map(Part::kind).collect();
        assert_eq!(kinds, ["text", "", "image"]);
        for nothing in ["null", "7", "-7", "0.5", "true", "{}", r#"{"type":"text","text":"a"}"#] {
            assert!(matches!(content(nothing), Content::Nothing), "{nothing}");
            assert!(
                Content::of(Some(serde_json::from_str(nothing).unwrap()))
                    .parts()
                    .is_empty()
            );
        }
    }

    #[test]
    fn parts_that_say_nothing_are_not_kept() {
        let parts = r#"[0,{},[],null,"a",{"type":{"type":"text"}},{"text":[{"text":"b"}]},{"type":""},{"type":"text","text":""},{"type":"text"}]"#;
        assert!(content(parts).parts().is_empty());
        let parts = content(r#"[{"type":"tool_result"},{"text":"a"},{"type":"text","text":" "}]"#);
        assert_eq!(parts.parts().len(), 3);
    }

    #[test]
    fn of_very_many_parts_the_first_are_kept_and_the_first_medium_behind_them() {
        let tiny = |count| vec![r#"{"type":"text","text":"a"}"#; count].join(",");
        let kept = |json: &str| {
            let content = content(json);
            let last = content.parts().last().unwrap().kind().to_owned();
            (content.parts().len(), last)
        };
        assert_eq!(
            kept(&format!("[{}]", tiny(MOST_PARTS))),
            (MOST_PARTS, "text".to_owned())
        );
        assert_eq!(
            kept(&format!("[{}]", tiny(20 * MOST_PARTS))),
            (MOST_PARTS, "text".to_owned())
        );
        let images = [r#"{"type":"image"}"#; 3].join(",");
        let json = format!("[{},{images},{}]", tiny(MOST_PARTS + 1), tiny(2));
        assert_eq!(kept(&json), (MOST_PARTS + 1, "image".to_owned()));
    }
}
