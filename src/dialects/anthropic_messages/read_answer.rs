//! A provider's whole answer, read into the neutral form.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::stop::finish_reason;
use crate::dialects::json::{is_object, text};
use crate::dialects::neutral::{Answer, Choice, Opaque, OpaqueKind, PartKind, ToolCall, ToolName};
use crate::dialects::usage::of_anthropic;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_sequence: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_details: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// The members of blocks of all kinds.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// Reads an answer. Blocks of tools that the provider ran, and citations, are left out: nobody asked for them where a
/// translation is needed.
///
/// # Errors
/// When it is not of this dialect.
pub(in crate::dialects) fn read_answer(body: &str) -> Result<Answer<'_>, TranslationError> {
    const NO_MESSAGE: TranslationError = TranslationError("it is no message of Anthropic's dialect");
    let wire: Wire<'_> = serde_json::from_str(body).map_err(|_error| NO_MESSAGE)?;
    let mut parts = Vec::new();
    for block in wire.content.ok_or(NO_MESSAGE)? {
        let block: Block<'_> = serde_json::from_str(block.get()).map_err(|_error| NO_MESSAGE)?;
        parts.extend(part(&block)?);
    }
    if let Some(explanation) = wire.stop_details.and_then(explanation) {
        parts.push(PartKind::Refusal(explanation));
    }
    let has_calls = parts.iter().any(|part| matches!(part, PartKind::ToolCall(_)));
    let reason = wire.stop_reason.and_then(text);
    let finish = finish_reason(reason.as_deref(), wire.stop_sequence.and_then(text), has_calls);
    Ok(Answer {
        id: wire.id.and_then(text).unwrap_or_default(),
        model: wire.model.and_then(text).unwrap_or_default(),
        choices: vec![Choice { parts, finish }],
        usage: wire.usage.map_or(UsageReport::Missing, of_anthropic),
        service_tier: wire.usage.and_then(service_tier).unwrap_or_default(),
    })
}

fn part<'a>(block: &Block<'a>) -> Result<Option<PartKind<'a>>, TranslationError> {
    const BROKEN: TranslationError = TranslationError("a block of the answer lacks what its kind has");
    let needed = |value: Option<&'a RawValue>| value.and_then(text).ok_or(BROKEN);
    Ok(match block.kind.and_then(text).as_deref() {
        Some("text") => Some(needed(block.text)?)
            .filter(|text| !text.is_empty())
            .map(PartKind::Text),
        Some("thinking") => Some(PartKind::Reasoning {
            text: needed(block.thinking)?,
            opaque: signature(block.signature.and_then(text)),
        }),
        Some("redacted_thinking") => Some(PartKind::Reasoning {
            text: Cow::Borrowed(""),
            opaque: Some(opaque(OpaqueKind::Redacted, needed(block.data)?)),
        }),
        Some("tool_use") => {
            let input = block.input.filter(|input| is_object(input)).ok_or(BROKEN)?;
            Some(PartKind::ToolCall(ToolCall {
                id: needed(block.id)?,
                name: ToolName::plain(needed(block.name)?),
                arguments: Cow::Borrowed(input.get()),
                is_custom: false,
            }))
        }
        _ => None,
    })
}

/// The tier of service that a `usage` names, in OpenAI's words.
pub(super) fn service_tier(usage: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Usage<'a> {
        #[serde(borrow)]
        service_tier: Option<&'a RawValue>,
    }
    let usage: Usage<'_> = serde_json::from_str(usage.get()).ok()?;
    let tier = usage.service_tier.and_then(text)?;
    Some(if tier == "standard" {
        Cow::Borrowed("default")
    } else {
        tier
    })
}

/// The signature of a thinking block; models of others than Anthropic sign nothing.
pub(super) fn signature(field: Option<Cow<'_, str>>) -> Option<Opaque<'_>> {
    let field = field.filter(|field| !field.is_empty())?;
    Some(opaque(OpaqueKind::Signature, field))
}

/// Something opaque that comes straight from who made it.
pub(super) fn opaque(kind: OpaqueKind, data: Cow<'_, str>) -> Opaque<'_> {
    Opaque {
        kind,
        data,
        origin: None,
    }
}

/// Why the provider refuses to answer, from the value of a `stop_details` member.
pub(super) fn explanation(details: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Details<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<&'a RawValue>,
        #[serde(borrow)]
        explanation: Option<&'a RawValue>,
    }
    let details: Details<'_> = serde_json::from_str(details.get()).ok()?;
    let is_refusal = details.kind.and_then(text).is_some_and(|kind| kind == "refusal");
    let explanation = details.explanation.and_then(text).filter(|text| !text.is_empty());
    explanation.filter(|_| is_refusal)
}

#[cfg(test)]
#[path = "read_answer_tests.rs"]
mod tests;
