//! What a message or a tool's result says: a text, or parts of text, images and files.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;
use serde_json::value::RawValue;

use super::values::{Members, Place, elements};
use crate::dialects::json::{is_non_empty_container, text};
use crate::dialects::neutral::{CacheMark, Document, Feature, Image, Losses, Part, PartKind, Source};

/// Reads the value, and appends its parts. A text of nothing is no part.
pub(super) fn read_content<'a>(
    content: &'a RawValue,
    place: &Place<'_>,
    losses: &mut Losses,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), GatewayError> {
    if let Some(said) = text(content) {
        parts.extend((!said.is_empty()).then(|| PartKind::Text(said).into()));
        return Ok(());
    }
    let elements = elements(content, place).map_err(|_neither| place.must_be("a string or an array of parts"))?;
    for (number, part) in elements.into_iter().enumerate() {
        parts.push(read_part(part, &place.at(number), losses)?);
    }
    Ok(())
}

fn read_part<'a>(part: &'a RawValue, place: &Place<'_>, losses: &mut Losses) -> Result<Part<'a>, GatewayError> {
    let mut members = Members::read(part, place)?;
    let word = members.required("type", place)?;
    let kind = match &*word {
        "input_text" | "output_text" => {
            // Neither how likely it was nor what was cited has a place in other dialects' conversations.
            for (name, told) in [("logprobs", "input.logprobs"), ("annotations", "input.annotations")] {
                if members.take(name).is_some_and(is_non_empty_container) {
                    losses.drop_unknown(told);
                }
            }
            PartKind::Text(members.required("text", place)?)
        }
        "refusal" => PartKind::Refusal(members.required("refusal", place)?),
        "input_image" => PartKind::Image(read_image(&mut members, place, losses)?),
        "input_file" => PartKind::Document(read_file(&mut members, place, losses)?),
        "input_audio" => return Err(losses.refuse_at(Feature::Audio, place.to_string())),
        _ => return Err(losses.refuse_at(Feature::OtherContent, place.to_string())),
    };
    let cache = members
        .take("prompt_cache_breakpoint")
        .map(|mark| read_mark(mark, &place.member("prompt_cache_breakpoint")))
        .transpose()?;
    members
        .left()
        .for_each(|name| losses.drop_unknown(&format!("input.content.{name}")));
    Ok(Part { kind, cache })
}

fn read_image<'a>(members: &mut Members<'a>, place: &Place<'_>, losses: &Losses) -> Result<Image<'a>, GatewayError> {
    let detail = members.string("detail", place)?;
    let Some(url) = members.string("image_url", place)? else {
        return Err(stored(members, "image_url", place, losses));
    };
    Ok(Image {
        source: source(url, &place.member("image_url"))?,
        detail,
    })
}

fn read_file<'a>(
    members: &mut Members<'a>,
    place: &Place<'_>,
    losses: &mut Losses,
) -> Result<Document<'a>, GatewayError> {
    let name = members.string("filename", place)?;
    if members.take("detail").is_some() {
        losses.drop_unknown("input.input_file.detail");
    }
    if let Some(url) = members.string("file_url", place)? {
        return Ok(Document {
            source: Source::Url(url),
            name,
        });
    }
    let Some(data) = members.string("file_data", place)? else {
        return Err(stored(members, "file_data", place, losses));
    };
    let source = if data.starts_with("data:") {
        source(data, &place.member("file_data"))?
    } else {
        Source::Data {
            media_type: Cow::Borrowed(media_type_of(name.as_deref())),
            base64: data,
        }
    };
    Ok(Document { source, name })
}

/// The refusal of an image or a file that is not here.
fn stored(members: &mut Members<'_>, wanted: &'static str, place: &Place<'_>, losses: &Losses) -> GatewayError {
    if members.take("file_id").is_some() {
        return losses.refuse_at(Feature::ProviderState, place.member("file_id").to_string());
    }
    place.member(wanted).is_required()
}

/// An address, or the bytes themselves if it is a `data:` address.
fn source<'a>(url: Cow<'a, str>, place: &Place<'_>) -> Result<Source<'a>, GatewayError> {
    let Some(rest) = url.strip_prefix("data:") else {
        return Ok(Source::Url(url));
    };
    let Some((head, data)) = rest.split_once(',') else {
        return Err(place.must_be("an address, or `data:TYPE;base64,DATA`"));
    };
    let Some(media_type) = head.strip_suffix(";base64").filter(|media_type| !media_type.is_empty()) else {
        return Err(place.must_be("an address, or `data:TYPE;base64,DATA`"));
    };
    // What may stand behind the type, such as a character set, no other dialect takes.
    let media_type = media_type.split(';').next().unwrap_or_default();
    Ok(match &url {
        Cow::Borrowed(url) => Source::Data {
            media_type: Cow::Borrowed(url.get(5..5 + media_type.len()).unwrap_or_default()),
            base64: Cow::Borrowed(url.get(url.len() - data.len()..).unwrap_or_default()),
        },
        Cow::Owned(_) => Source::Data {
            media_type: Cow::Owned(media_type.to_owned()),
            base64: Cow::Owned(data.to_owned()),
        },
    })
}

/// The type of a file that does not say it.
fn media_type_of(name: Option<&str>) -> &'static str {
    let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("txt" | "md" | "csv") => "text/plain",
        _ => "application/pdf",
    }
}

/// A mark for the provider's cache: 30 minutes, or 12 hours.
fn read_mark(mark: &RawValue, place: &Place<'_>) -> Result<CacheMark, GatewayError> {
    let ttl = Members::read(mark, place)?.string("ttl", place)?;
    Ok(match ttl.as_deref() {
        Some("12h") => CacheMark::OneHour,
        _ => CacheMark::Default,
    })
}
