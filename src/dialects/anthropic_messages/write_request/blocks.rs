//! The blocks of a turn.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;
use serde::Serialize;

use super::super::ids::wire_id;
use super::super::models::Takes;
use crate::dialects::neutral::{
    CacheMark, Document, Feature, Image, Losses, ObjectArguments, Opaque, OpaqueKind, Origin, Part, PartKind, Source,
    ToolResult,
};

/// The media types of images that are taken.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// A block of a turn's content.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Image {
        source: Bytes<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Document {
        source: Bytes<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: ObjectArguments<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
}

impl Block<'_> {
    /// Where the mark stands that it bears; of reasoning there is none.
    pub(super) fn mark_place(&mut self) -> Option<&mut Option<Mark>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => cache_control.is_some().then_some(cache_control),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => None,
        }
    }
}

/// Where the bytes of an image or a document are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Bytes<'a> {
    Url { url: &'a str },
    Base64 { media_type: &'a str, data: &'a str },
    Text { media_type: &'static str, data: String },
}

/// A mark up to which the prompt is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Mark {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl From<CacheMark> for Mark {
    fn from(mark: CacheMark) -> Self {
        Self {
            kind: "ephemeral",
            ttl: (mark == CacheMark::OneHour).then_some("1h"),
        }
    }
}

/// The model that is to read what is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    pub(super) origin: Origin,
    pub(super) takes: Takes,
}

/// The block of a part; none for a part that says nothing, or that this model must not be given back.
pub(super) fn block<'a>(
    part: &'a Part<'_>,
    reader: Reader,
    losses: &mut Losses,
) -> Result<Option<Block<'a>>, GatewayError> {
    let cache_control = part.cache.map(Mark::from);
    let mut written = block_of(part, cache_control, reader, losses)?;
    // What is not there cannot be marked, nor can reasoning.
    if part.cache.is_some() && written.as_mut().and_then(Block::mark_place).is_none() {
        losses.drop(Feature::CacheMarks);
    }
    Ok(written)
}

fn block_of<'a>(
    part: &'a Part<'_>,
    cache_control: Option<Mark>,
    reader: Reader,
    losses: &mut Losses,
) -> Result<Option<Block<'a>>, GatewayError> {
    Ok(match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            let says_something = !text.trim().is_empty();
            says_something.then_some(Block::Text {
                text: Cow::Borrowed(text),
                cache_control,
            })
        }
        PartKind::Image(image) => Some(Block::Image {
            source: image_source(image, losses)?,
            cache_control,
        }),
        PartKind::Document(document) => Some(Block::Document {
            source: document_source(document, losses)?,
            title: document.name.as_deref(),
            cache_control,
        }),
        PartKind::Reasoning { text, opaque } => reasoning(text, opaque.as_ref(), reader, losses),
        PartKind::ToolCall(call) => Some(Block::ToolUse {
            id: wire_id(&call.id),
            name: call.name.flat(),
            input: call.object(),
            cache_control,
        }),
        PartKind::ToolResult(result) => Some(result_block(result, cache_control, losses)?),
    })
}

/// Reasoning as its maker signed it. Unsigned, or signed by another, it goes to models that ask for no signature.
fn reasoning<'a>(
    text: &'a str,
    opaque: Option<&'a Opaque<'_>>,
    reader: Reader,
    losses: &mut Losses,
) -> Option<Block<'a>> {
    if let Some(opaque) = opaque {
        if let Some(signature) = opaque.for_model(OpaqueKind::Signature, reader.origin) {
            return Some(Block::Thinking {
                thinking: text,
                signature,
            });
        }
        if let Some(data) = opaque.for_model(OpaqueKind::Redacted, reader.origin) {
            return Some(Block::RedactedThinking { data });
        }
        losses.drop(Feature::Opaque);
    }
    if text.is_empty() {
        return None;
    }
    if reader.takes.signed_thinking {
        losses.drop(Feature::ReasoningText);
        return None;
    }
    Some(Block::Thinking {
        thinking: text,
        signature: "",
    })
}

fn result_block<'a>(
    result: &'a ToolResult<'_>,
    cache_control: Option<Mark>,
    losses: &mut Losses,
) -> Result<Block<'a>, GatewayError> {
    let mut content = Vec::with_capacity(result.content.len());
    for kind in &result.content {
        let block = match kind {
            PartKind::Text(text) => {
                let says_something = !text.trim().is_empty();
                says_something.then_some(Block::Text {
                    text: Cow::Borrowed(text),
                    cache_control: None,
                })
            }
            PartKind::Image(image) => Some(Block::Image {
                source: image_source(image, losses)?,
                cache_control: None,
            }),
            PartKind::Document(document) => Some(Block::Document {
                source: document_source(document, losses)?,
                title: document.name.as_deref(),
                cache_control: None,
            }),
            _ => return Err(losses.refuse(Feature::OtherContent)),
        };
        content.extend(block);
    }
    Ok(Block::ToolResult {
        tool_use_id: wire_id(&result.call_id),
        content,
        is_error: result.is_error,
        cache_control,
    })
}

fn image_source<'a>(image: &'a Image<'_>, losses: &mut Losses) -> Result<Bytes<'a>, GatewayError> {
    if image.detail.as_ref().is_some_and(|detail| detail != "auto") {
        losses.drop(Feature::ImageDetail);
    }
    match &image.source {
        Source::Url(url) => Ok(Bytes::Url { url }),
        Source::Data { media_type, base64 } => {
            // What everybody means by it.
            let known = if media_type == "image/jpg" {
                "image/jpeg"
            } else {
                media_type
            };
            let Some(media_type) = IMAGES.iter().find(|image| image.eq_ignore_ascii_case(known)) else {
                let why = "this model takes images as JPEG, PNG, GIF or WebP";
                return Err(losses.refuse_value(Feature::ImageData, why));
            };
            Ok(Bytes::Base64 {
                media_type,
                data: base64,
            })
        }
    }
}

fn document_source<'a>(document: &'a Document<'_>, losses: &Losses) -> Result<Bytes<'a>, GatewayError> {
    match &document.source {
        Source::Url(url) => Ok(Bytes::Url { url }),
        Source::Data { media_type, base64 } if media_type.eq_ignore_ascii_case("application/pdf") => {
            Ok(Bytes::Base64 {
                media_type: "application/pdf",
                data: base64,
            })
        }
        Source::Data { .. } => {
            let Some(data) = document.text() else {
                let why = "this model takes documents as PDF or as text in UTF-8";
                return Err(losses.refuse_value(Feature::Document, why));
            };
            Ok(Bytes::Text {
                media_type: "text/plain",
                data,
            })
        }
    }
}
