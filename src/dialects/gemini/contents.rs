//! The conversation: `contents` and `systemInstruction`.

use std::borrow::Cow;
use std::collections::HashMap;

use gateway_actors::protocol::{GatewayError, Model};

use super::family::{Family, Thinking};
use super::part::{Blob, Content, FunctionCall, FunctionResponse, Outcome, Part, ResponsePart};
use crate::dialects::neutral::{
    Document, Feature, Image, Losses, Message, OpaqueKind, Origin, Part as NeutralPart, PartKind, Role, Source,
    ToolCall, ToolResult,
};

/// What stands for the thought signature of a call that another model made, or that came without: Google's own word for
/// it, in "Thought signatures" of the documentation, under the questions about history from other models.
const FOREIGN_SIGNATURE: &str = "skip_thought_signature_validator";

/// The conversation as it is being written.
pub(super) struct Conversation<'a, 'l> {
    family: Family,
    origin: Origin,
    losses: &'l mut Losses,
    system: Vec<Part<'a>>,
    contents: Vec<Content<'a>>,
    /// The names of the tools that were called so far, by the ids of the calls.
    called: HashMap<&'a str, Cow<'a, str>>,
}

impl<'a, 'l> Conversation<'a, 'l> {
    /// Writes the messages of a request to this model.
    ///
    /// # Errors
    /// `invalid_request` if something in them cannot be carried.
    pub(super) fn write(
        messages: &'a [Message<'_>],
        model: &Model,
        losses: &'l mut Losses,
    ) -> Result<(Option<Content<'a>>, Vec<Content<'a>>), GatewayError> {
        let mut conversation = Self {
            family: Family::of(&model.api_model),
            origin: Origin::of(model),
            losses,
            system: Vec::new(),
            contents: Vec::new(),
            called: HashMap::new(),
        };
        for (place, message) in messages.iter().enumerate() {
            conversation.message(place, message)?;
        }
        conversation.end()
    }

    fn end(self) -> Result<(Option<Content<'a>>, Vec<Content<'a>>), GatewayError> {
        let Self {
            system,
            mut contents,
            losses,
            ..
        } = self;
        if contents.is_empty() && system.is_empty() {
            let why = "this model cannot be asked without any text";
            return Err(losses.refuse_value(Feature::Text, why));
        }
        if contents.is_empty() {
            contents.push(Content {
                role: Some("user"),
                parts: system,
            });
            return Ok((None, contents));
        }
        let system = (!system.is_empty()).then_some(Content {
            role: None,
            parts: system,
        });
        Ok((system, contents))
    }

    fn message(&mut self, place: usize, message: &'a Message<'_>) -> Result<(), GatewayError> {
        if message.parts.iter().any(|part| part.cache.is_some()) {
            self.losses.drop(Feature::CacheMarks);
        }
        match message.role {
            Role::System | Role::Developer => self.instructions(&message.parts),
            Role::User => self.parts("user", place, &message.parts),
            Role::Assistant => self.parts("model", place, &message.parts),
        }
    }

    fn instructions(&mut self, parts: &'a [NeutralPart<'_>]) -> Result<(), GatewayError> {
        for part in parts {
            match &part.kind {
                PartKind::Text(text) if text.is_empty() => {}
                PartKind::Text(text) => self.system.push(Part::text(text)),
                _ => return Err(self.losses.refuse(Feature::OtherContent)),
            }
        }
        Ok(())
    }

    fn parts(&mut self, role: &'static str, place: usize, parts: &'a [NeutralPart<'_>]) -> Result<(), GatewayError> {
        // The signature of the part that comes next.
        let mut signature: Option<&'a str> = None;
        let mut has_called = false;
        for (index, part) in parts.iter().enumerate() {
            match &part.kind {
                PartKind::Reasoning { text, opaque } => {
                    self.thought(role, text);
                    let Some(opaque) = opaque else { continue };
                    match opaque.for_model(OpaqueKind::ThoughtSignature, self.origin) {
                        None => self.losses.drop(Feature::Opaque),
                        Some(next) => {
                            if let Some(before) = signature.replace(next) {
                                self.push(role, Part::text(""), Some(before));
                            }
                        }
                    }
                }
                PartKind::Text(text) | PartKind::Refusal(text) if text.is_empty() => {}
                PartKind::Text(text) | PartKind::Refusal(text) => {
                    let rest = parts.get(index + 1..).unwrap_or_default();
                    let is_of_call = self.family.demands_signatures && !has_called && call_comes_first(rest);
                    let own = if is_of_call { None } else { signature.take() };
                    self.push(role, Part::text(text), own);
                }
                PartKind::ToolCall(call) => {
                    has_called = true;
                    self.call(role, call, signature.take());
                }
                PartKind::Image(image) => {
                    self.drop_detail(image);
                    let part = Part::media(&image.source, self.family.fetches)
                        .ok_or_else(|| self.losses.refuse(Feature::ImageUrl))?;
                    self.push(role, part, signature.take());
                }
                PartKind::Document(document) => {
                    self.drop_name(document);
                    let part = Part::media(&document.source, self.family.fetches)
                        .ok_or_else(|| self.losses.refuse(Feature::Document))?;
                    self.push(role, part, signature.take());
                }
                PartKind::ToolResult(result) => {
                    let part = self.result(place, result)?;
                    self.push(role, part, None);
                }
            }
        }
        if signature.is_some() {
            self.push(role, Part::text(""), signature);
        }
        Ok(())
    }

    /// Adds a part to the turn of this side.
    fn push(&mut self, role: &'static str, mut part: Part<'a>, signature: Option<&'a str>) {
        part.thought_signature = signature;
        match self.contents.last_mut() {
            Some(last) if last.role == Some(role) => last.parts.push(part),
            _ => self.contents.push(Content {
                role: Some(role),
                parts: vec![part],
            }),
        }
    }

    /// Models that do not think cannot be told what another thought.
    fn thought(&mut self, role: &'static str, text: &'a str) {
        if text.is_empty() {
            return;
        }
        if self.family.thinking == Thinking::No {
            self.losses.drop(Feature::ReasoningText);
            return;
        }
        let part = Part {
            thought: true,
            ..Part::text(text)
        };
        self.push(role, part, None);
    }

    fn call(&mut self, role: &'static str, call: &'a ToolCall<'_>, signature: Option<&'a str>) {
        self.called.insert(&call.id, call.name.flat());
        let last = self.contents.last().filter(|last| last.role == Some(role));
        let is_first = last.is_none_or(|last| last.parts.iter().all(|part| part.function_call.is_none()));
        let stand_in = (is_first && self.family.demands_signatures).then_some(FOREIGN_SIGNATURE);
        let part = Part {
            function_call: Some(FunctionCall {
                id: &call.id,
                name: call.name.flat(),
                args: call.object(),
            }),
            ..Part::default()
        };
        self.push(role, part, signature.or(stand_in));
    }

    fn result(&mut self, place: usize, result: &'a ToolResult<'_>) -> Result<Part<'a>, GatewayError> {
        let Some(name) = self.called.get(&*result.call_id) else {
            let place = place + 1;
            let why = format!(
                "message {place} holds the result of a call that is in no message before it, and this model is told results \
                 by the name of what was called"
            );
            return Err(self.losses.refuse_value(Feature::ToolResults, &why));
        };
        let name = name.clone();
        let mut texts: Vec<&'a str> = Vec::new();
        let mut parts = Vec::new();
        for kind in &result.content {
            match kind {
                PartKind::Text(text) | PartKind::Refusal(text) => texts.push(text),
                PartKind::Image(image) => {
                    self.drop_detail(image);
                    parts.push(self.result_media(&image.source)?);
                }
                PartKind::Document(document) => {
                    self.drop_name(document);
                    parts.push(self.result_media(&document.source)?);
                }
                PartKind::Reasoning { .. } | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {
                    return Err(self.losses.refuse(Feature::OtherContent));
                }
            }
        }
        let text = match texts.as_slice() {
            [one] => Cow::Borrowed(*one),
            several => Cow::Owned(several.join("\n")),
        };
        Ok(Part {
            function_response: Some(FunctionResponse {
                id: &result.call_id,
                name,
                response: Outcome {
                    text,
                    is_error: result.is_error,
                },
                parts,
            }),
            ..Part::default()
        })
    }

    /// An image or a document as a part of a result.
    fn result_media(&self, source: &'a Source<'_>) -> Result<ResponsePart<'a>, GatewayError> {
        match source {
            Source::Data { media_type, base64 } if self.family.reads_media_results => Ok(ResponsePart {
                inline_data: Blob {
                    mime_type: media_type,
                    data: base64,
                },
            }),
            _ => Err(self.losses.refuse(Feature::ToolResultMedia)),
        }
    }

    fn drop_detail(&mut self, image: &Image<'_>) {
        if image.detail.as_ref().is_some_and(|detail| detail != "auto") {
            self.losses.drop(Feature::ImageDetail);
        }
    }

    fn drop_name(&mut self, document: &Document<'_>) {
        if document.name.is_some() {
            self.losses.drop(Feature::DocumentName);
        }
    }
}

/// Whether a call comes before anything that may have a signature of its own. A step's first call always has one, so that
/// a signature before both a text and that call is the call's: a client's dialect may have put the text between them.
fn call_comes_first(parts: &[NeutralPart<'_>]) -> bool {
    let next = parts.iter().find_map(|part| match &part.kind {
        PartKind::ToolCall(_) => Some(true),
        PartKind::Reasoning { opaque: Some(_), .. } => Some(false),
        _ => None,
    });
    next.unwrap_or(false)
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
