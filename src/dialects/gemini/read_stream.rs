//! A stream, read.

use gateway_actors::protocol::{TranslationError, UsageReport};

use super::finish::Finish;
use super::usage::usage_report;
use super::wire::{BLOCKED, CallIds, Candidate, FAILED, IS_AN_ERROR, Response, Said};
use crate::dialects::neutral::{Event, FinishReason, StreamReader};
use crate::dialects::sse::EventText;

const BEHIND_THE_END: TranslationError = TranslationError("it goes on behind its end");

/// Reads a stream of `streamGenerateContent`, whose every chunk is like a whole answer of its own. Calls come whole.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Reader {
    /// Once the answer has begun.
    ids: Option<CallIds>,
    has_finished: bool,
    usage: UsageReport,
}

impl StreamReader for Reader {
    fn read(&mut self, event: &EventText<'_>, give: &mut dyn FnMut(Event<'_>)) -> Result<(), TranslationError> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        let response = Response::read(data)?;
        if event.name == Some(b"error") {
            return Err(IS_AN_ERROR);
        }
        if self.ids.is_none() {
            let (id, model) = (response.id(), response.model());
            self.ids = Some(CallIds::of(&id));
            give(Event::Begin { id, model });
        }
        self.usage(&response, give);
        if response.is_blocked() && !self.has_finished {
            self.has_finished = true;
            give(Event::Refusal(BLOCKED.into()));
            give(Event::Finish(FinishReason::Refused));
        }
        // There is one: more are never asked for.
        match response.candidates().next() {
            Some(candidate) => self.candidate(candidate, give),
            None => Ok(()),
        }
    }
}

impl Reader {
    /// Every chunk tells the usage, most of them the same.
    fn usage(&mut self, response: &Response<'_>, give: &mut dyn FnMut(Event<'_>)) {
        let usage = response.usage_metadata.map_or(UsageReport::Missing, usage_report);
        if usage != UsageReport::Missing && usage != self.usage {
            self.usage = usage;
            give(Event::Usage(usage));
        }
    }

    fn candidate(
        &mut self,
        candidate: &Candidate<'_>,
        give: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), TranslationError> {
        for part in candidate.parts() {
            let said = part.said()?;
            let signature = part.signature();
            let says_nothing = signature.is_none() && matches!(said, Said::Nothing);
            if self.has_finished && !says_nothing {
                return Err(BEHIND_THE_END);
            }
            let rest = match said {
                Said::Thought(text) => {
                    give(Event::Reasoning(text));
                    Said::Nothing
                }
                other => other,
            };
            if let Some(signature) = signature {
                give(Event::Opaque(signature));
            }
            match rest {
                Said::Nothing | Said::Thought(_) => {}
                Said::Text(text) => give(Event::Text(text)),
                Said::Call { id, name, args } => {
                    let (index, id) = self.ids.get_or_insert_default().next(id);
                    give(Event::ToolCall { index, id, name });
                    let json = args.into();
                    give(Event::Arguments { index, json });
                }
            }
        }
        match Finish::read(candidate.finish_reason) {
            Some(finish) if !self.has_finished => {
                let has_calls = self.ids.as_ref().is_some_and(CallIds::has_given);
                let reason = finish.reason(has_calls).ok_or(FAILED)?;
                self.has_finished = true;
                give(Event::Finish(reason));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "read_stream_tests.rs"]
mod tests;
