//! The parts of a message's content.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;
use serde::Serialize;

use super::super::flavour::{Documents, Flavour};
use super::messages::CacheControl;
use crate::dialects::neutral::{Document, Feature, Image, Losses, Source};

/// A part as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<ImageUrl<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_url: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Serialize)]
struct ImageUrl<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct File<'a> {
    filename: &'a str,
    file_data: Cow<'a, str>,
}

impl<'a> Part<'a> {
    const fn of(kind: &'static str) -> Self {
        Self {
            kind,
            text: None,
            image_url: None,
            file: None,
            document_url: None,
            document_name: None,
            cache_control: None,
        }
    }

    pub(super) fn text(text: Cow<'a, str>, mark: Option<CacheControl>) -> Self {
        Self {
            text: Some(text),
            cache_control: mark,
            ..Self::of("text")
        }
    }

    pub(super) fn with_mark(mut self, mark: Option<CacheControl>) -> Self {
        self.cache_control = mark;
        self
    }

    /// Whether it is a text and nothing else.
    pub(super) fn is_plain_text(&self) -> bool {
        self.text.is_some() && self.cache_control.is_none()
    }

    pub(super) fn into_text(self) -> Option<Cow<'a, str>> {
        self.text
    }
}

pub(super) fn write_image<'r>(image: &'r Image<'_>) -> Part<'r> {
    Part {
        image_url: Some(ImageUrl {
            url: address(&image.source),
            detail: image.detail.as_deref(),
        }),
        ..Part::of("image_url")
    }
}

/// Writes a document in the form that the provider has for one. What is text is told as that: OpenAI and most others take
/// PDF alone (guide "File inputs").
///
/// # Errors
/// When the provider takes none, or none of which it has only the address.
pub(super) fn write_document<'r>(
    document: &'r Document<'_>,
    flavour: Flavour,
    losses: &mut Losses,
) -> Result<Part<'r>, GatewayError> {
    if let Some(text) = document.text() {
        if document.name.is_some() {
            losses.drop(Feature::DocumentName);
        }
        return Ok(Part::text(Cow::Owned(text), None));
    }
    let is_elsewhere = matches!(document.source, Source::Url(_));
    match flavour.documents() {
        Documents::Files { at_addresses } if at_addresses || !is_elsewhere => Ok(Part {
            file: Some(File {
                // A name is needed.
                filename: document.name.as_deref().unwrap_or("document"),
                file_data: address(&document.source),
            }),
            ..Part::of("file")
        }),
        Documents::Addresses => Ok(Part {
            document_url: Some(address(&document.source)),
            document_name: document.name.as_deref().filter(|name| !name.is_empty()),
            ..Part::of("document_url")
        }),
        Documents::Files { .. } | Documents::Nothing => Err(losses.refuse(Feature::Document)),
    }
}

fn address<'r>(source: &'r Source<'_>) -> Cow<'r, str> {
    match source {
        Source::Url(url) => Cow::Borrowed(url),
        Source::Data { media_type, base64 } => Cow::Owned(format!("data:{media_type};base64,{base64}")),
    }
}
