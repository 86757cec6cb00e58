//! What a message says: a text, or parts.

use std::borrow::Cow;
use std::ops::Range;

use gateway_actors::protocol::GatewayError;

use super::{drop_others, wire};
use crate::dialects::neutral::{CacheMark, Document, Feature, Image, Losses, Part, PartKind, Source};
use crate::dialects::object::{List, Text, TextOr};
use crate::dialects::place::At;

/// A content: a text, or parts. The message's own cache mark is its last part's.
pub(super) fn read_content<'a>(
    losses: &mut Losses,
    at: At<'_>,
    content: TextOr<'a, List<wire::Part<'a>>>,
    mark: Option<CacheMark>,
) -> Result<Vec<Part<'a>>, GatewayError> {
    let mut read = match content {
        TextOr::Text(text) => vec![PartKind::Text(text).into()],
        TextOr::Other(List(parts)) => {
            let mut read = Vec::with_capacity(parts.len());
            for (place, part) in parts.into_iter().enumerate() {
                read.push(read_part(losses, at.item(place), part)?);
            }
            read
        }
    };
    if let Some(last) = read.last_mut() {
        last.cache = last.cache.or(mark);
    }
    Ok(read)
}

fn read_part<'a>(losses: &mut Losses, at: At<'_>, part: wire::Part<'a>) -> Result<Part<'a>, GatewayError> {
    drop_others(losses, "messages.content", &part.others);
    let Some(Text(kind)) = &part.kind else {
        return Err(at.member("type").required());
    };
    let missing = |name| move || at.member(name).required();
    let read = match &**kind {
        "text" => PartKind::Text(part.text.ok_or_else(missing("text"))?.0),
        "refusal" => PartKind::Refusal(part.refusal.ok_or_else(missing("refusal"))?.0),
        "image_url" => {
            let image = part.image_url.ok_or_else(missing("image_url"))?;
            read_image(losses, at.member("image_url"), image)?
        }
        "file" => read_file(losses, at.member("file"), part.file.ok_or_else(missing("file"))?)?,
        "input_audio" => return Err(losses.refuse_at(Feature::Audio, at.to_string())),
        _ => return Err(losses.refuse_at(Feature::OtherContent, at.to_string())),
    };
    Ok(Part {
        kind: read,
        cache: cache_mark(part.cache_control).or(cache_mark(part.prompt_cache_breakpoint)),
    })
}

fn read_image<'a>(losses: &mut Losses, at: At<'_>, image: wire::ImageUrl<'a>) -> Result<PartKind<'a>, GatewayError> {
    drop_others(losses, "messages.content.image_url", &image.others);
    let at = at.member("url");
    let Text(url) = image.url.ok_or_else(|| at.required())?;
    Ok(PartKind::Image(Image {
        source: read_url(at, url)?,
        detail: image.detail.map(|Text(detail)| detail),
    }))
}

fn read_file<'a>(losses: &mut Losses, at: At<'_>, file: wire::File<'a>) -> Result<PartKind<'a>, GatewayError> {
    drop_others(losses, "messages.content.file", &file.others);
    if file.file_id.is_some() {
        let param = at.member("file_id").to_string();
        return Err(losses.refuse_at(Feature::ProviderState, param));
    }
    let at = at.member("file_data");
    let Text(data) = file.file_data.ok_or_else(|| at.required())?;
    let name = file.filename.map(|Text(name)| name);
    let is_address = ["data:", "http://", "https://"]
        .into_iter()
        .any(|scheme| has_scheme(&data, scheme));
    let source = if is_address {
        read_url(at, data)?
    } else {
        // What the reference calls base64 data, without saying of which type: of the one that all examples have.
        let is_pdf = |name: &str| name.to_ascii_lowercase().ends_with(".pdf");
        if !name.as_deref().is_none_or(is_pdf) {
            return Err(at.wrong("must begin with its type, as in data:text/plain;base64,…"));
        }
        Source::Data {
            media_type: Cow::Borrowed("application/pdf"),
            base64: data,
        }
    };
    Ok(PartKind::Document(Document { source, name }))
}

/// Where an address leads: elsewhere, or to the data that is in it.
fn read_url<'a>(at: At<'_>, url: Cow<'a, str>) -> Result<Source<'a>, GatewayError> {
    if !has_scheme(&url, "data:") {
        return Ok(Source::Url(url));
    }
    let Some((media_type, data)) = data_in(&url) else {
        return Err(at.wrong("must be data in base64 with its type, as in data:image/png;base64,…"));
    };
    Ok(match url {
        Cow::Borrowed(url) => Source::Data {
            media_type: Cow::Borrowed(url.get(media_type).unwrap_or_default()),
            base64: Cow::Borrowed(url.get(data..).unwrap_or_default()),
        },
        Cow::Owned(url) => Source::Data {
            media_type: Cow::Owned(url.get(media_type).unwrap_or_default().to_owned()),
            base64: Cow::Owned(url.get(data..).unwrap_or_default().to_owned()),
        },
    })
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    let start = url.get(..scheme.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Where the media type of a `data:` address stands, and where its base64 begins.
fn data_in(url: &str) -> Option<(Range<usize>, usize)> {
    let comma = url.find(',')?;
    let mut words = url.get("data:".len()..comma)?.split(';');
    let media_type = words.next().filter(|media_type| media_type.contains('/'))?;
    let is_base64 = words.next_back()?.trim().eq_ignore_ascii_case("base64");
    let start = "data:".len();
    is_base64.then_some((start..start + media_type.len(), comma + 1))
}

/// A cache mark of either kind. One of OpenAI's for twelve hours is one for as long as there is.
pub(super) fn cache_mark(mark: Option<wire::CacheControl<'_>>) -> Option<CacheMark> {
    let ttl = mark?.ttl;
    let is_long = ttl.is_some_and(|Text(ttl)| matches!(&*ttl, "1h" | "12h"));
    Some(if is_long {
        CacheMark::OneHour
    } else {
        CacheMark::Default
    })
}
