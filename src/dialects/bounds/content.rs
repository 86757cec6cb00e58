//! Messages, instructions and items: how many there are, and what in them is no text.

use std::borrow::Cow;
use std::fmt;

use gateway_actors::protocol::GatewayError;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Form;
use super::media::{Media, document_tokens, image_tokens};
use super::reading::Reading;
use super::refusal::{refuse, shown};
use super::stored_item::{SAYING, Saying};
use super::tools::{ToolTokens, read_tools};
use crate::dialects::json::{raw_text, text};
use crate::dialects::neutral::Feature;
use crate::dialects::object::Text;
use crate::dialects::place::At;
use crate::dialects::respelled::is_respelled;

/// What was found in a body beside text.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Messages, items and parts, each of which may get tokens of its own.
    pub(super) pieces: u64,
    pub(super) images: Media,
    pub(super) documents: Media,
    /// Bytes of images and documents, which are no text.
    pub(super) media_bytes: u64,
    pub(super) tools: ToolTokens,
}

/// What stands where the walk is, or in the array that does.
#[derive(Debug, Clone, Copy)]
enum Level {
    /// Messages, or items of the Responses dialect.
    Message,
    /// Parts of a content.
    Part,
}

/// What a kind of item or part is, as far as its price goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its bytes bound it.
    Text,
    /// The same, with JSON that a provider may write anew.
    Call,
    Image,
    Document,
    Audio,
    Video,
    /// Something that the provider keeps.
    State,
    Unknown,
}

fn kind(form: Form, word: &str) -> Kind {
    match (form, word) {
        (Form::Chat, "file" | "document_url") => Kind::Document,
        (Form::Chat, "text" | "refusal" | "thinking" | "redacted_thinking") => Kind::Text,
        (Form::Chat, "image_url") | (Form::Responses, "input_image") | (Form::Messages, "image") => Kind::Image,
        (Form::Responses, "input_text" | "output_text" | "refusal" | "summary_text" | "reasoning_text" | "text") => {
            Kind::Text
        }
        (
            Form::Responses,
            "message" | "reasoning" | "compaction" | "function_call_output" | "custom_tool_call_output",
        ) => Kind::Text,
        (Form::Responses, "function_call" | "custom_tool_call" | "tool_search_call") => Kind::Call,
        (Form::Responses, "additional_tools" | "tool_search_output") => Kind::Text,
        (Form::Responses, "input_file") | (Form::Messages, "document") => Kind::Document,
        (Form::Responses, "item_reference") | (Form::Messages, "container_upload") => Kind::State,
        (Form::Messages, "text" | "thinking" | "redacted_thinking" | "tool_result" | "search_result" | "content") => {
            Kind::Text
        }
        (Form::Messages, "tool_use") => Kind::Call,
        (_, "input_audio" | "audio" | "audio_url") => Kind::Audio,
        (_, "video_url" | "input_video" | "video") => Kind::Video,
        _ => Kind::Unknown,
    }
}

/// Walks through content: a text, or objects with texts in them.
#[derive(Debug)]
pub(super) struct Walk<'w, 'r, 'p> {
    reading: &'w mut Reading<'r>,
    at: &'w At<'p>,
    level: Level,
    problem: &'w mut Option<GatewayError>,
}

impl<'w, 'r, 'p> Walk<'w, 'r, 'p> {
    /// That of a field of the body.
    pub(super) fn of(reading: &'w mut Reading<'r>, at: &'w At<'p>, problem: &'w mut Option<GatewayError>) -> Self {
        // An instruction has parts; everything else, messages or items.
        let level = if at.is_top("system") || at.is_top("instructions") {
            Level::Part
        } else {
            Level::Message
        };
        Self {
            reading,
            at,
            level,
            problem,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, '_> {
    /// Whether there is anything in it; nothing for `null`.
    type Value = Option<bool>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<bool>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, '_> {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("content")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<bool>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<bool>, E> {
        self.reading.found.pieces += 1;
        Ok(Some(!text.is_empty()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<bool>, E> {
        Ok(Some(true))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<bool>, E> {
        Ok(Some(true))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Option<bool>, E> {
        Ok(Some(true))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<bool>, E> {
        Ok(Some(true))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<bool>, A::Error> {
        let (mut place, mut is_something) = (0, false);
        loop {
            let at = self.at.item(place);
            let walk = Walk {
                reading: &mut *self.reading,
                at: &at,
                level: self.level,
                problem: &mut *self.problem,
            };
            let Some(filled) = seq.next_element_seed(walk)? else {
                return Ok(Some(is_something));
            };
            is_something |= filled == Some(true);
            place += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<bool>, A::Error> {
        self.reading.found.pieces += 1;
        let is_item = self.reading.form == Form::Responses && matches!(self.level, Level::Message);
        let mut piece = Piece::default();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let within = match &*name {
                "content" => "content",
                "output" => "output",
                "parts" => "parts",
                "functionResponse" => "functionResponse",
                "type" => {
                    let kind: &RawValue = map.next_value()?;
                    piece.kinds.push(text(kind).unwrap_or_default());
                    continue;
                }
                "id" if is_item => {
                    let id: &RawValue = map.next_value()?;
                    piece.saying.has_id |= id.get() != "null";
                    continue;
                }
                "tool_calls" | "function_call" | "functionCall" | "arguments" | "input" | "response" => {
                    let value: &RawValue = map.next_value()?;
                    piece.json.push(value);
                    match &*name {
                        "arguments" => piece.saying.note("arguments", filled(value)),
                        "input" => piece.saying.note("input", filled(value)),
                        _ => {}
                    }
                    continue;
                }
                "tools" => {
                    let tools = map.next_value()?;
                    piece.tools.push(tools);
                    piece.saying.note("tools", filled(tools));
                    continue;
                }
                "citations" => {
                    piece.citations.push(map.next_value()?);
                    continue;
                }
                name => {
                    if let Some(said) = SAYING.iter().find(|said| **said == name).filter(|_| is_item) {
                        piece.saying.note(said, filled(map.next_value()?));
                        continue;
                    }
                    let is_other_id = is_item && (is_respelled(name, &["id"]) || is_respelled(name, SAYING));
                    match MEDIA.iter().find(|media| **media == name) {
                        Some(media) => piece.media.push((media, map.next_value()?)),
                        None if is_respelled(name, MEDIA) || is_respelled(name, DECIDING) || is_other_id => {
                            *self.problem = Some(self.at.wrong(OTHER_LETTERS));
                            return Err(A::Error::custom("stopped"));
                        }
                        None => map.next_value::<IgnoredAny>().map(drop)?,
                    }
                    continue;
                }
            };
            let at = self.at.member(within);
            let walk = Walk {
                reading: &mut *self.reading,
                at: &at,
                level: Level::Part,
                problem: &mut *self.problem,
            };
            let filled = map.next_value_seed(walk)?;
            if is_item {
                piece.saying.note(within, filled);
            }
        }
        let is_message = matches!(self.level, Level::Message);
        let weighed = piece.weigh(self.reading, self.at, is_message);
        weighed.map(|()| Some(true)).map_err(|error| {
            *self.problem = Some(error);
            A::Error::custom("stopped")
        })
    }
}

/// The members that hold something other than text, or stand for what a provider keeps.
const MEDIA: &[&str] = &[
    "image_url",
    "document_url",
    "images",
    "source",
    "inlineData",
    "fileData",
    "file_id",
    "file_data",
    "file_url",
    "file",
    "input_audio",
    "audio",
    "audio_url",
    "video_url",
    "video",
];

/// Other members that decide what an object costs.
const DECIDING: &[&str] = &["type", "content", "output", "parts", "tools", "citations"];

/// What is wrong with a member that a provider may read as another.
pub(super) const OTHER_LETTERS: &str =
    "has a member that is another's name in other letters; write it as it is documented";

/// What an object of the content says of its price.
#[derive(Debug, Default)]
struct Piece<'a> {
    kinds: Vec<Cow<'a, str>>,
    media: Vec<(&'static str, &'a RawValue)>,
    json: Vec<&'a RawValue>,
    tools: Vec<&'a RawValue>,
    citations: Vec<&'a RawValue>,
    /// What it says, if it is an item of the Responses dialect.
    saying: Saying,
}

/// Whether a value is a text with something in it; nothing for `null`.
fn filled(value: &RawValue) -> Option<bool> {
    let json = value.get();
    (json != "null").then(|| json.starts_with('"') && json != "\"\"")
}

impl<'a> Piece<'a> {
    fn weigh(mut self, reading: &mut Reading<'_>, at: &At<'_>, is_message: bool) -> Result<(), GatewayError> {
        let form = reading.form;
        self.media.retain(|(_, value)| value.get() != "null");
        let kind = match self.kinds.as_slice() {
            [] if self.saying.is_reference("") => Kind::State,
            // Its type may be `null`, which is no word.
            [one] if self.saying.is_reference(one) && (one.is_empty() || kind(form, one) != Kind::Unknown) => {
                Kind::State
            }
            // What has no kind in these dialects is told by its members.
            [] if is_message || matches!(form, Form::Gemini | Form::Ollama) => Kind::Text,
            // What came of a call in Gemini's dialect, and other things between.
            [one] => kind(form, one),
            [] => return Err(at.wrong("must have a `type`, so that its tokens can be counted")),
            _ => return Err(at.wrong("must have one `type`")),
        };
        if let Kind::Audio | Kind::Video | Kind::State | Kind::Unknown = kind {
            return Err(unbounded(reading, at, kind, self.kinds.first().map(|kind| &**kind)));
        }
        for json in &self.json {
            reading.found.tools.add_call(json.get());
        }
        for tools in &self.tools {
            read_tools(reading, tools, &at.member("tools"))?;
        }
        for citations in &self.citations {
            cited(reading, at, citations)?;
        }
        if self.media.is_empty() && matches!(kind, Kind::Image | Kind::Document) {
            return Err(unbounded(reading, at, kind, None));
        }
        for (name, value) in &self.media {
            medium(reading, at, kind, name, value)?;
        }
        Ok(())
    }
}

/// Something that is no text, or stands for what is elsewhere.
fn medium(
    reading: &mut Reading<'_>,
    at: &At<'_>,
    kind: Kind,
    name: &'static str,
    value: &RawValue,
) -> Result<(), GatewayError> {
    match (name, kind) {
        ("image_url", _) => add(reading, at, Kind::Image, value),
        ("images", _) => {
            let images: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
            if !value.get().starts_with('[') {
                return Err(unbounded(reading, at, Kind::Image, None));
            }
            images.iter().try_for_each(|image| add(reading, at, Kind::Image, image))
        }
        ("source", Kind::Image | Kind::Document) => source(reading, at, kind, value),
        // The address of a search result.
        ("source", _) if value.get().starts_with('"') => Ok(()),
        ("inlineData" | "fileData", _) => {
            let kind = match member(value, "mimeType").and_then(raw_text) {
                Some(mime) if mime.starts_with("image/") => Kind::Image,
                Some(mime) if mime.starts_with("audio/") => Kind::Audio,
                Some(mime) if mime.starts_with("video/") => Kind::Video,
                _ => Kind::Document,
            };
            add(reading, at, kind, value)
        }
        ("file_data" | "file_url" | "document_url", Kind::Document) => add(reading, at, Kind::Document, value),
        ("file", Kind::Document) if member(value, "file_id").is_none() => add(reading, at, Kind::Document, value),
        ("input_audio" | "audio" | "audio_url", _) => Err(unbounded(reading, at, Kind::Audio, None)),
        ("video_url" | "video", _) => Err(unbounded(reading, at, Kind::Video, None)),
        _ => Err(unbounded(reading, at, Kind::State, None)),
    }
}

/// A document that is to be cited is cut into sentences, each of which gets a mark: of how many tokens, Anthropic's guide
/// ("Citations") does not say. Nor does the text that counts for the rest of it bound them.
fn cited(reading: &mut Reading<'_>, at: &At<'_>, citations: &RawValue) -> Result<(), GatewayError> {
    // Of an answer they are an array, which is text.
    let is_wanted =
        citations.get().starts_with('{') && member(citations, "enabled").is_none_or(|on| on.get() != "false");
    if !is_wanted {
        return Ok(());
    }
    let Some(tokens) = document_tokens(reading.model) else {
        let what = "how many tokens a document has that is to be cited is not documented";
        let instead = "leave it out, or have the operator say `max_document_tokens` of the model";
        let at = at.member("citations");
        return Err(refuse(reading.names, &at, Feature::Document, what, instead));
    };
    reading.found.documents.add(tokens);
    Ok(())
}

/// Where an image or document of Anthropic's dialect is.
fn source(reading: &mut Reading<'_>, at: &At<'_>, kind: Kind, value: &RawValue) -> Result<(), GatewayError> {
    let at = at.member("source");
    match (member(value, "type").and_then(raw_text), kind) {
        (Some("text"), Kind::Document) => Ok(()),
        (Some("content"), Kind::Document) => {
            let content = member(value, "content");
            content.map_or(Ok(()), |content| read_parts(reading, content, &at.member("content")))
        }
        (Some("base64" | "url"), _) => add(reading, &at, kind, value),
        _ => Err(unbounded(reading, &at, Kind::State, None)),
    }
}

fn read_parts(reading: &mut Reading<'_>, content: &RawValue, at: &At<'_>) -> Result<(), GatewayError> {
    let mut problem = None;
    let walk = Walk {
        reading,
        at,
        level: Level::Part,
        problem: &mut problem,
    };
    let walked = walk.deserialize(&mut serde_json::Deserializer::from_str(content.get()));
    match (problem, walked) {
        (Some(error), _) => Err(error),
        (None, Ok(_)) => Ok(()),
        (None, Err(_)) => Err(at.wrong("cannot be read")),
    }
}

/// An image or document, if somebody says how many tokens it has at most.
fn add(reading: &mut Reading<'_>, at: &At<'_>, kind: Kind, value: &RawValue) -> Result<(), GatewayError> {
    let tokens = match kind {
        Kind::Image => image_tokens(reading.model),
        Kind::Document => document_tokens(reading.model),
        _ => None,
    };
    let Some(tokens) = tokens else {
        return Err(unbounded(reading, at, kind, None));
    };
    let found = &mut reading.found;
    found.media_bytes = found.media_bytes.saturating_add(data_bytes(value));
    if kind == Kind::Image {
        found.images.add(tokens);
    } else {
        found.documents.add(tokens);
    }
    Ok(())
}

/// The bytes of what is here in base64: as a data URL, or as the data of an object.
fn data_bytes(value: &RawValue) -> u64 {
    let inner = ["url", "data", "file_data"].iter().find_map(|name| member(value, name));
    let raw = inner.or(Some(value)).and_then(raw_text).unwrap_or_default();
    let is_address = raw.starts_with("http") || raw.starts_with("gs:");
    if is_address { 0 } else { raw.len() as u64 }
}

/// A member of an object, unless it is `null` or given twice.
fn member<'a>(value: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let super::reading::Members(members) = serde_json::from_str(value.get()).ok()?;
    let mut found = members.into_iter().filter(|(Text(member), _)| member == name);
    let (_, value) = found.next()?;
    (found.next().is_none() && value.get() != "null").then_some(value)
}

fn unbounded(reading: &Reading<'_>, at: &At<'_>, kind: Kind, word: Option<&str>) -> GatewayError {
    let (feature, what, instead) = match kind {
        Kind::Image => (
            Feature::ImageData,
            "how many tokens an image has at this model is not documented",
            "send none, or have the operator say `max_image_tokens` of the model",
        ),
        Kind::Document => (
            Feature::Document,
            "how many tokens a document has is not documented",
            "send its text, or have the operator say `max_document_tokens` of the model",
        ),
        Kind::Audio => (
            Feature::Audio,
            "how many tokens sound has is not documented, and they have a price of their own",
            "send what is said as text",
        ),
        Kind::Video => (
            Feature::OtherContent,
            "how many tokens a video has is not known before",
            "send single images, or text",
        ),
        Kind::State => (
            Feature::ProviderState,
            "how long something is that the provider keeps is not known here",
            "send what it stands for itself",
        ),
        Kind::Text | Kind::Call | Kind::Unknown => {
            let what = match word.and_then(shown) {
                Some(word) => format!("what content of the kind `{word}` costs is not known"),
                None => "what content of this kind costs is not known".to_owned(),
            };
            return refuse(reading.names, at, Feature::OtherContent, &what, "send text");
        }
    };
    refuse(reading.names, at, feature, what, instead)
}
