//! A provider's stream, read into the neutral form event by event.
//!
//! Blocks of tools that the provider ran, and citations, are passed over. The input of a call that came with its start,
//! as some compatible servers send it, is given when the call ends, if no piece of it came; a call without any input gets
//! an empty object.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};
use serde_json::value::RawValue;

use super::read_answer::{explanation, opaque, service_tier, signature};
use super::stop::finish_reason;
use super::wire::{WireBlock, WireDelta, WireEvent};
use crate::dialects::json::{is_non_empty_container, text};
use crate::dialects::neutral::{Event, FinishReason, OpaqueKind, StreamReader};
use crate::dialects::sse::EventText;
use crate::dialects::usage::AnthropicUsage;

const NO_EVENT: TranslationError = TranslationError("an event of the stream is not one of Anthropic's dialect");

type Give<'g> = &'g mut dyn FnMut(Event<'_>);

/// Reads one stream.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Reader {
    has_begun: bool,
    is_finished: bool,
    usage: AnthropicUsage,
    /// The calls whose blocks are open: usually one.
    calls: Vec<OpenCall>,
    /// How many calls have begun.
    begun: u32,
}

/// A call whose block is open.
#[derive(Debug)]
struct OpenCall {
    /// The number of its block.
    block: u64,
    /// Its number among the calls.
    index: u32,
    /// The input that came with its start.
    input: String,
    has_pieces: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, event: &EventText<'_>, give: &mut dyn FnMut(Event<'_>)) -> Result<(), TranslationError> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if !data.starts_with(b"{") {
            return Err(NO_EVENT);
        }
        let wire: WireEvent<'_> = serde_json::from_slice(data).map_err(|_error| NO_EVENT)?;
        match wire.kind() {
            Some("message_start") => self.message_start(&wire, give),
            Some("content_block_start" | "content_block_delta") if self.is_finished => {
                Err(TranslationError("the stream goes on after the end of its answer"))
            }
            Some("content_block_start") => self.block_start(&wire, give),
            Some("content_block_delta") => self.block_delta(&wire, give),
            Some("content_block_stop") => self.block_stop(&wire, give),
            Some("message_delta") => {
                self.begin(give);
                self.message_delta(&wire, give);
                Ok(())
            }
            Some("message_stop") => {
                self.begin(give);
                self.finish(None, give);
                Ok(())
            }
            Some("error") => Err(TranslationError("the stream carries an error")),
            Some(_) => Ok(()),
            None => Err(NO_EVENT),
        }
    }
}

impl Reader {
    fn message_start(&mut self, wire: &WireEvent<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Err(TranslationError("the stream begins a second time"));
        }
        let message = wire.message.as_ref().ok_or(NO_EVENT)?;
        give(Event::Begin {
            id: message.id.and_then(text).unwrap_or_default(),
            model: message.model.and_then(text).unwrap_or_default(),
        });
        // Input, of which the end need not tell again.
        if let Some(usage) = message.usage {
            self.usage.start(usage);
            if let Some(tier) = service_tier(usage) {
                give(Event::ServiceTier(tier));
            }
        }
        Ok(())
    }

    /// Begins an answer whose provider does not.
    fn begin(&mut self, give: Give<'_>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            give(Event::Begin {
                id: Cow::Borrowed(""),
                model: Cow::Borrowed(""),
            });
        }
    }

    fn block_start(&mut self, wire: &WireEvent<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        self.begin(give);
        let block = wire.content_block.as_ref().ok_or(NO_EVENT)?;
        match block.kind.and_then(text).as_deref() {
            Some("text") => give_some(block.text.and_then(text), Event::Text, give),
            Some("thinking") => {
                give_some(block.thinking.and_then(text), Event::Reasoning, give);
                if let Some(state) = signature(block.signature.and_then(text)) {
                    give(Event::Opaque(state));
                }
            }
            Some("redacted_thinking") => {
                let data = block.data.and_then(text).ok_or(NO_EVENT)?;
                give(Event::Opaque(opaque(OpaqueKind::Redacted, data)));
            }
            Some("tool_use") => return self.call(wire, block, give),
            _ => {}
        }
        Ok(())
    }

    fn call(&mut self, wire: &WireEvent<'_>, block: &WireBlock<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        let index = self.begun;
        self.begun = index.saturating_add(1);
        let input = block.input.filter(|input| is_non_empty_container(input));
        self.calls.push(OpenCall {
            block: number(wire.index)?,
            index,
            input: input.map(|input| input.get().to_owned()).unwrap_or_default(),
            has_pieces: false,
        });
        give(Event::ToolCall {
            index,
            id: block.id.and_then(text).ok_or(NO_EVENT)?,
            name: block.name.and_then(text).ok_or(NO_EVENT)?,
        });
        Ok(())
    }

    fn block_delta(&mut self, wire: &WireEvent<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        self.begin(give);
        let delta = wire.delta.as_ref().ok_or(NO_EVENT)?;
        match delta.kind.and_then(text).as_deref() {
            Some("text_delta") => give_some(delta.text.and_then(text), Event::Text, give),
            Some("thinking_delta") => give_some(delta.thinking.and_then(text), Event::Reasoning, give),
            Some("signature_delta") => {
                if let Some(state) = signature(delta.signature.and_then(text)) {
                    give(Event::Opaque(state));
                }
            }
            Some("input_json_delta") => {
                let json = delta.partial_json.and_then(text).ok_or(NO_EVENT)?;
                let block = number(wire.index)?;
                // Another's call is one that the provider makes itself.
                let call = self.calls.iter_mut().find(|call| call.block == block);
                if let Some(call) = call.filter(|_| !json.is_empty()) {
                    call.has_pieces = true;
                    give(Event::Arguments {
                        index: call.index,
                        json,
                    });
                }
            }
            Some(_) => {}
            None => return Err(NO_EVENT),
        }
        Ok(())
    }

    fn block_stop(&mut self, wire: &WireEvent<'_>, give: Give<'_>) -> Result<(), TranslationError> {
        self.begin(give);
        let block = number(wire.index)?;
        if let Some(place) = self.calls.iter().position(|call| call.block == block) {
            self.calls.swap_remove(place).end(give);
        }
        Ok(())
    }

    fn message_delta(&mut self, wire: &WireEvent<'_>, give: Give<'_>) {
        if let Some(delta) = wire.delta.as_ref().filter(|delta| delta.stop_reason.is_some()) {
            self.finish(Some(delta), give);
        }
        self.tell_usage(wire.usage, give);
    }

    /// Ends the answer, once.
    fn finish(&mut self, delta: Option<&WireDelta<'_>>, give: Give<'_>) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        for call in self.calls.drain(..) {
            call.end(give);
        }
        let reason: FinishReason<'_> = match delta {
            Some(delta) => {
                give_some(delta.stop_details.and_then(explanation), Event::Refusal, give);
                let reason = delta.stop_reason.and_then(text);
                finish_reason(reason.as_deref(), delta.stop_sequence.and_then(text), self.begun > 0)
            }
            None => finish_reason(None, None, self.begun > 0),
        };
        give(Event::Finish(reason));
    }

    fn tell_usage(&mut self, usage: Option<&RawValue>, give: Give<'_>) {
        let Some(usage) = usage else { return };
        self.usage.merge(usage);
        let report = self.usage.report();
        if report != UsageReport::Missing {
            give(Event::Usage(report));
        }
    }
}

impl OpenCall {
    fn end(self, give: Give<'_>) {
        if self.has_pieces {
            return;
        }
        let json = if self.input.is_empty() { "{}" } else { &self.input };
        give(Event::Arguments {
            index: self.index,
            json: Cow::Borrowed(json),
        });
    }
}

/// Gives a text on, if there is one.
fn give_some<'a>(text: Option<Cow<'a, str>>, event: fn(Cow<'a, str>) -> Event<'a>, give: Give<'_>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        give(event(text));
    }
}

/// The number of a block.
fn number(value: Option<&RawValue>) -> Result<u64, TranslationError> {
    let number = value.and_then(|value| value.get().parse().ok());
    number.ok_or(NO_EVENT)
}

#[cfg(test)]
#[path = "read_stream_tests.rs"]
mod tests;
