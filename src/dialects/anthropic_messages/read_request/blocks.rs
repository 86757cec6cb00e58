//! The blocks of a message's content.

use std::borrow::Cow;

use gateway_actors::protocol::GatewayError;

use super::wire::{Block, CacheControl, Content};
use super::{drop_others, wire};
use crate::dialects::neutral::{
    CacheMark, Document, Feature, Image, Losses, Opaque, OpaqueKind, Part, PartKind, Source, ToolCall, ToolName,
    ToolResult,
};
use crate::dialects::object::{Flag, Object, Text, TextOr};
use crate::dialects::place::At;

/// Reads instructions of the system: a text, or blocks of text.
pub(super) fn read_system<'a>(
    losses: &mut Losses,
    at: At<'_>,
    content: Content<'a>,
) -> Result<Vec<Part<'a>>, GatewayError> {
    let parts = read_content(losses, at, content)?;
    if let Some(place) = parts.iter().position(|part| !matches!(part.kind, PartKind::Text(_))) {
        return Err(at
            .item(place)
            .wrong("must be a block of type text: instructions have no other"));
    }
    Ok(parts)
}

/// Reads a content: a text, or blocks.
pub(super) fn read_content<'a>(
    losses: &mut Losses,
    at: At<'_>,
    content: Content<'a>,
) -> Result<Vec<Part<'a>>, GatewayError> {
    let blocks = match content {
        Content::Text(text) => return Ok(vec![PartKind::Text(text).into()]),
        Content::Blocks(blocks) => blocks.into_iter().enumerate(),
        Content::Object => return Err(no_content(at)),
    };
    blocks
        .map(|(place, block)| read_block(losses, at.item(place), block))
        .collect()
}

fn no_content(at: At<'_>) -> GatewayError {
    at.wrong("must be a string or an array of blocks")
}

fn read_block<'a>(losses: &mut Losses, at: At<'_>, mut block: Block<'a>) -> Result<Part<'a>, GatewayError> {
    let Some(Text(kind)) = block.kind.take() else {
        return Err(at.member("type").required());
    };
    let cache = cache_mark(at.member("cache_control"), block.cache_control.take())?;
    let others = std::mem::take(&mut block.others);
    let needed = |text: Option<Text<'a>>, name| text.map(|Text(text)| text).ok_or_else(|| at.member(name).required());
    let part = match &*kind {
        "text" => {
            drop_citations(losses, &block);
            PartKind::Text(needed(block.text, "text")?)
        }
        "image" => PartKind::Image(Image {
            source: read_source(losses, at, block.source)?,
            detail: None,
        }),
        "document" => read_document(losses, at, block)?,
        // One without a signature was made by a model that signs nothing.
        "thinking" => PartKind::Reasoning {
            text: needed(block.thinking, "thinking")?,
            opaque: block
                .signature
                .filter(|Text(signature)| !signature.is_empty())
                .map(|Text(signature)| Opaque::read(OpaqueKind::Signature, signature)),
        },
        "redacted_thinking" => PartKind::Reasoning {
            text: Cow::Borrowed(""),
            opaque: Some(Opaque::read(OpaqueKind::Redacted, needed(block.data, "data")?)),
        },
        "tool_use" if block.toolset_name.is_none() => PartKind::ToolCall(read_tool_use(losses, at, block)?),
        "tool_result" if block.toolset_name.is_none() => {
            drop_others(losses, "messages.tool_result", &others);
            return read_tool_result(losses, at, block, cache);
        }
        _ => return Err(refuse_content(losses, at)),
    };
    drop_others(losses, &format!("messages.{kind}"), &others);
    Ok(Part { kind: part, cache })
}

/// The refusal of content that only Anthropic's own models know.
fn refuse_content(losses: &Losses, at: At<'_>) -> GatewayError {
    losses.refuse_at(Feature::OtherContent, at.to_string())
}

/// The mark of a block, or of the whole request, that its provider is to keep the prompt up to there in its cache.
pub(super) fn cache_mark(at: At<'_>, mark: Option<CacheControl<'_>>) -> Result<Option<CacheMark>, GatewayError> {
    let Some(mark) = mark else {
        return Ok(None);
    };
    match mark.ttl.as_ref().map(|Text(ttl)| &**ttl) {
        None | Some("5m") => Ok(Some(CacheMark::Default)),
        Some("1h") => Ok(Some(CacheMark::OneHour)),
        Some(_) => Err(at.member("ttl").wrong("must be 5m or 1h")),
    }
}

fn drop_citations(losses: &mut Losses, block: &Block<'_>) {
    if block.citations.is_some() {
        losses.drop_unknown("messages.citations");
    }
}

type WireSource<'a> = Option<TextOr<'a, wire::Source<'a>>>;

/// Reads where the bytes of an image or a document are: at an address or here.
fn read_source<'a>(losses: &mut Losses, at: At<'_>, source: WireSource<'a>) -> Result<Source<'a>, GatewayError> {
    let here = at.member("source");
    let source = match source {
        Some(TextOr::Other(source)) => source,
        Some(TextOr::Text(_)) => return Err(here.wrong("must be an object")),
        None => return Err(here.required()),
    };
    drop_others(losses, "messages.source", &source.others);
    let needed = |text: Option<Text<'a>>, name| text.map(|Text(text)| text).ok_or_else(|| here.member(name).required());
    match source.kind.as_ref().map(|Text(kind)| &**kind) {
        Some("base64") => Ok(Source::Data {
            media_type: needed(source.media_type, "media_type")?,
            base64: needed(source.data, "data")?,
        }),
        Some("url") => Ok(Source::Url(needed(source.url, "url")?)),
        // What the provider keeps.
        Some("file") => Err(losses.refuse_at(Feature::ProviderState, here.to_string())),
        Some(_) => Err(refuse_content(losses, at)),
        None => Err(here.member("type").required()),
    }
}

/// Reads a document. One that is plain text is read as text, which every model takes.
fn read_document<'a>(losses: &mut Losses, at: At<'_>, block: Block<'a>) -> Result<PartKind<'a>, GatewayError> {
    drop_citations(losses, &block);
    if block.context.is_some_and(|Text(context)| !context.is_empty()) {
        let error = losses.refuse_value(Feature::Document, "a document's `context` is not carried to this model");
        return Err(error.with_param(at.member("context").to_string()));
    }
    if let Some(TextOr::Other(source)) = &block.source
        && source.kind.as_ref().is_some_and(|Text(kind)| kind == "text")
        && let Some(Text(text)) = &source.data
    {
        if block.title.is_some() {
            losses.drop(Feature::DocumentName);
        }
        return Ok(PartKind::Text(text.clone()));
    }
    Ok(PartKind::Document(Document {
        source: read_source(losses, at, block.source)?,
        name: block.title.map(|Text(title)| title),
    }))
}

fn read_tool_use<'a>(losses: &mut Losses, at: At<'_>, block: Block<'a>) -> Result<ToolCall<'a>, GatewayError> {
    let caller = block.caller.and_then(|caller| caller.kind);
    if caller.is_some_and(|Text(caller)| caller != "direct") {
        losses.drop_unknown("messages.tool_use.caller");
    }
    let Text(id) = block.id.ok_or_else(|| at.member("id").required())?;
    let Text(name) = block.name.ok_or_else(|| at.member("name").required())?;
    let Object(input) = block.input.ok_or_else(|| at.member("input").required())?;
    Ok(ToolCall {
        id,
        name: ToolName::plain(name),
        arguments: Cow::Borrowed(input.get()),
        is_custom: false,
    })
}

fn read_tool_result<'a>(
    losses: &mut Losses,
    at: At<'_>,
    block: Block<'a>,
    mut cache: Option<CacheMark>,
) -> Result<Part<'a>, GatewayError> {
    let Text(call_id) = block.tool_use_id.ok_or_else(|| at.member("tool_use_id").required())?;
    let here = at.member("content");
    let content = match block.content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![PartKind::Text(text)],
        Some(Content::Blocks(blocks)) => {
            let parts = blocks.into_iter().enumerate().map(|(place, block)| {
                let part = read_result_block(losses, here.item(place), block)?;
                // A mark within the result is as good as one behind it.
                cache = cache.or(part.cache);
                Ok(part.kind)
            });
            parts.collect::<Result<_, GatewayError>>()?
        }
        Some(Content::Object) => return Err(no_content(here)),
    };
    Ok(Part {
        kind: PartKind::ToolResult(ToolResult {
            call_id,
            content,
            is_error: block.is_error == Some(Flag(true)),
        }),
        cache,
    })
}

fn read_result_block<'a>(losses: &mut Losses, at: At<'_>, block: Block<'a>) -> Result<Part<'a>, GatewayError> {
    match block.kind.as_ref().map(|Text(kind)| &**kind) {
        Some("text" | "image" | "document") | None => read_block(losses, at, block),
        // The client says which of its tools were found; they are all offered from the start.
        Some("tool_reference") => {
            let Text(name) = block.tool_name.ok_or_else(|| at.member("tool_name").required())?;
            losses.drop_unknown("messages.tool_result.tool_reference");
            Ok(PartKind::Text(name).into())
        }
        Some(_) => Err(refuse_content(losses, at)),
    }
}
