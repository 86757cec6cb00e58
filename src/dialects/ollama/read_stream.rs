//! A stream, read.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};

use super::glance::usage;
use super::wire::{CallIds, NOT_AN_ANSWER, Response};
use crate::dialects::neutral::{Event, StreamReader};
use crate::dialects::sse::EventText;

const BEHIND_THE_END: TranslationError = TranslationError("it goes on behind its end");

/// Reads a stream of `/api/chat`, line by line. Calls come whole.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Reader {
    /// Once the answer has begun.
    ids: Option<CallIds>,
    is_done: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, event: &EventText<'_>, give: &mut dyn FnMut(Event<'_>)) -> Result<(), TranslationError> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        let response = Response::read(data)?;
        if self.is_done {
            return Err(BEHIND_THE_END);
        }
        if self.ids.is_none() {
            self.ids = Some(CallIds::of(response.created_at()));
            give(Event::Begin {
                id: Cow::Borrowed(""),
                model: response.model(),
            });
        }
        if let Some(message) = &response.message {
            let (thinking, content) = (message.thinking()?, message.content()?);
            if !thinking.is_empty() {
                give(Event::Reasoning(thinking));
            }
            if !content.is_empty() {
                give(Event::Text(content));
            }
            for call in message.calls()? {
                let (index, id) = self.ids.get_or_insert_default().next(call.id);
                give(Event::ToolCall {
                    index,
                    id,
                    name: call.name,
                });
                give(Event::Arguments {
                    index,
                    json: call.arguments,
                });
            }
        }
        let has_calls = self.ids.as_ref().is_some_and(CallIds::has_given);
        let finish = response.finish(has_calls)?;
        if response.message.is_none() && finish.is_none() {
            return Err(NOT_AN_ANSWER);
        }
        if let Some(reason) = finish {
            self.is_done = true;
            let usage = usage(data);
            if usage != UsageReport::Missing {
                give(Event::Usage(usage));
            }
            give(Event::Finish(reason));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "read_stream_tests.rs"]
mod tests;
