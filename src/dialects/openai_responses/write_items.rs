//! The conversation of a request, written as items for a provider.

use std::borrow::Cow;
use std::collections::HashSet;

use gateway_actors::protocol::{GatewayError, Model};
use serde::Serialize;

use super::reasoning_state;
use crate::dialects::neutral::{
    Document, Feature, Image, Losses, Message, Opaque, OpaqueKind, Origin, PartKind, Role, Source, ToolResult,
};
use crate::dialects::shortened;

/// The longest id of a call ("Invalid 'input[n].call_id': string too long", "maximum length 64").
const MOST_CALL_ID_BYTES: usize = 64;

/// An item on the wire.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireItem<'a> {
    Message {
        role: &'static str,
        content: Vec<WirePart<'a>>,
    },
    Reasoning {
        #[serde(skip_serializing_if = "str::is_empty")]
        id: &'a str,
        summary: Vec<WirePart<'a>>,
        encrypted_content: &'a str,
    },
    FunctionCall {
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: &'a str,
    },
    CustomToolCall {
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: &'a str,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: Output<'a>,
    },
    CustomToolCallOutput {
        call_id: Cow<'a, str>,
        output: Output<'a>,
    },
}

/// A part of a message, of a result or of a summary.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WirePart<'a> {
    InputText {
        text: &'a str,
    },
    OutputText {
        text: &'a str,
    },
    SummaryText {
        text: &'a str,
    },
    Refusal {
        refusal: &'a str,
    },
    InputImage {
        image_url: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
    },
}

/// What came of a call.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<WirePart<'a>>),
}

/// Writes messages as items, in order.
///
/// # Errors
/// When a message holds what has no place in one of its role.
pub(super) fn write_items<'a>(
    messages: &'a [Message<'_>],
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<WireItem<'a>>, GatewayError> {
    let mut writer = Items {
        items: Vec::new(),
        custom_calls: HashSet::new(),
        reader: Origin::of(model),
        losses,
    };
    messages.iter().try_for_each(|message| writer.message(message))?;
    Ok(writer.items)
}

struct Items<'w, 'a> {
    items: Vec<WireItem<'a>>,
    /// The ids of calls whose results are told as those of custom tools.
    custom_calls: HashSet<&'a str>,
    /// Who is asked.
    reader: Origin,
    losses: &'w mut Losses,
}

impl<'a> Items<'_, 'a> {
    fn message(&mut self, message: &'a Message<'_>) -> Result<(), GatewayError> {
        let role = match message.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let is_models = message.role == Role::Assistant;
        let mut content = Vec::new();
        for part in &message.parts {
            if part.cache.is_some() {
                self.losses.drop(Feature::CacheMarks);
            }
            match &part.kind {
                PartKind::Text(text) if is_models => content.push(WirePart::OutputText { text }),
                PartKind::Refusal(refusal) if is_models => content.push(WirePart::Refusal { refusal }),
                PartKind::Refusal(text) => content.push(WirePart::InputText { text }),
                kind @ (PartKind::Text(_) | PartKind::Image(_) | PartKind::Document(_)) if !is_models => {
                    content.push(self.said(kind)?);
                }
                PartKind::Text(_) | PartKind::Image(_) | PartKind::Document(_) => {
                    return Err(self.losses.refuse(Feature::OtherContent));
                }
                kind => {
                    self.end_message(role, &mut content);
                    self.item(kind)?;
                }
            }
        }
        self.end_message(role, &mut content);
        Ok(())
    }

    /// Ends the item of a message, if anything is in it.
    fn end_message(&mut self, role: &'static str, content: &mut Vec<WirePart<'a>>) {
        if !content.is_empty() {
            self.items.push(WireItem::Message {
                role,
                content: std::mem::take(content),
            });
        }
    }

    /// Writes what is an item of its own.
    fn item(&mut self, kind: &'a PartKind<'_>) -> Result<(), GatewayError> {
        match kind {
            PartKind::Reasoning { text, opaque } => self.reasoning(text, opaque.as_ref()),
            PartKind::ToolCall(call) => {
                let name = call.name.flat();
                let call_id = shortened::call_id(&call.id, MOST_CALL_ID_BYTES);
                self.items.push(if call.is_custom {
                    self.custom_calls.insert(&call.id);
                    WireItem::CustomToolCall {
                        call_id,
                        name,
                        input: &call.arguments,
                    }
                } else {
                    WireItem::FunctionCall {
                        call_id,
                        name,
                        arguments: &call.arguments,
                    }
                });
            }
            PartKind::ToolResult(result) => {
                if result.is_error {
                    self.losses.drop(Feature::ToolResultError);
                }
                let output = self.output(result)?;
                let call_id = shortened::call_id(&result.call_id, MOST_CALL_ID_BYTES);
                self.items.push(if self.custom_calls.contains(&*result.call_id) {
                    WireItem::CustomToolCallOutput { call_id, output }
                } else {
                    WireItem::FunctionCallOutput { call_id, output }
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Reasoning goes back to its maker alone, and only with its encrypted content: the dialect takes no other.
    fn reasoning(&mut self, text: &'a str, opaque: Option<&'a Opaque<'_>>) {
        let state = opaque.and_then(|opaque| opaque.for_model(OpaqueKind::Encrypted, self.reader));
        if let Some(state) = state {
            let (id, encrypted_content) = reasoning_state::split(state);
            let summary = (!text.is_empty()).then_some(WirePart::SummaryText { text });
            self.items.push(WireItem::Reasoning {
                id,
                summary: summary.into_iter().collect(),
                encrypted_content,
            });
            return;
        }
        if opaque.is_some() {
            self.losses.drop(Feature::Opaque);
        }
        if !text.is_empty() {
            self.losses.drop(Feature::ReasoningText);
        }
    }

    fn output(&mut self, result: &'a ToolResult<'_>) -> Result<Output<'a>, GatewayError> {
        match result.content.as_slice() {
            [] => Ok(Output::Text(Cow::Borrowed(""))),
            [PartKind::Text(text)] => Ok(Output::Text(Cow::Borrowed(text))),
            several => {
                let parts: Result<Vec<_>, _> = several.iter().map(|part| self.said(part)).collect();
                parts.map(Output::Parts)
            }
        }
    }

    /// Text, an image or a file.
    fn said(&mut self, kind: &'a PartKind<'_>) -> Result<WirePart<'a>, GatewayError> {
        match kind {
            PartKind::Text(text) => Ok(WirePart::InputText { text }),
            PartKind::Image(image) => Ok(self.image(image)),
            PartKind::Document(document) => Ok(self.file(document)),
            _ => Err(self.losses.refuse(Feature::OtherContent)),
        }
    }

    fn image(&mut self, image: &'a Image<'_>) -> WirePart<'a> {
        let known = |detail: &&str| ["low", "high", "auto", "original"].contains(detail);
        let detail = image.detail.as_deref().filter(known);
        if detail.is_none() && image.detail.is_some() {
            self.losses.drop(Feature::ImageDetail);
        }
        WirePart::InputImage {
            image_url: match &image.source {
                Source::Url(url) => Cow::Borrowed(url),
                Source::Data { media_type, base64 } => Cow::Owned(data_url(media_type, base64)),
            },
            detail,
        }
    }

    fn file(&mut self, document: &'a Document<'_>) -> WirePart<'a> {
        match &document.source {
            Source::Url(url) => {
                // What is at an address has its name there.
                if document.name.is_some() {
                    self.losses.drop(Feature::DocumentName);
                }
                WirePart::InputFile {
                    filename: None,
                    file_data: None,
                    file_url: Some(url),
                }
            }
            Source::Data { media_type, base64 } => WirePart::InputFile {
                // The dialect wants a name for bytes.
                filename: Some(document.name.as_deref().unwrap_or(match &**media_type {
                    "text/plain" => "document.txt",
                    _ => "document.pdf",
                })),
                file_data: Some(data_url(media_type, base64)),
                file_url: None,
            },
        }
    }
}

fn data_url(media_type: &str, base64: &str) -> String {
    format!("data:{media_type};base64,{base64}")
}
