//! Answers in another dialect than their provider's: read into the neutral form and written from it, whole or event by
//! event.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use gateway_actors::protocol::{AnswerTranslation, Dialect, StreamTranslation, TranslationError};

use super::neutral::{Answer, AnswerContext, Event, StreamReader, StreamWriter};
use super::provider_side::{framing, read_answer, stream_reader};
use super::sse::{EventText, Framing, Splitter};

/// How the answers of one dialect are written for its clients.
pub(super) struct ClientSide {
    /// Writes a whole answer.
    pub(super) write_answer: fn(&Answer<'_>, &AnswerContext) -> Result<Vec<u8>, TranslationError>,
    /// Begins a stream.
    pub(super) stream_writer: fn(Rc<AnswerContext>) -> Box<dyn StreamWriter>,
}

impl fmt::Debug for ClientSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSide").finish_non_exhaustive()
    }
}

/// The translation of the answers to one request.
#[derive(Debug)]
pub(super) struct Translation {
    client: &'static ClientSide,
    provider: Dialect,
    context: Rc<AnswerContext>,
}

impl Translation {
    /// From the dialect of a provider to a client's.
    pub(super) fn new(client: &'static ClientSide, provider: Dialect, context: AnswerContext) -> Self {
        Self {
            client,
            provider,
            context: Rc::new(context),
        }
    }
}

impl AnswerTranslation for Translation {
    fn whole(&self, body: &Bytes) -> Result<Bytes, TranslationError> {
        let text = std::str::from_utf8(body).map_err(|_error| TranslationError("it is not UTF-8"))?;
        let answer = read_answer(self.provider, text)?;
        (self.client.write_answer)(&answer, &self.context).map(Bytes::from)
    }

    fn stream(&self) -> Box<dyn StreamTranslation> {
        Box::new(TranslatedStream {
            reader: stream_reader(self.provider),
            writer: (self.client.stream_writer)(Rc::clone(&self.context)),
            framing: framing(self.provider),
            finished: false,
        })
    }
}

/// One stream under way.
#[derive(Debug)]
struct TranslatedStream {
    /// Nothing if no stream of the provider's dialect can be read.
    reader: Option<Box<dyn StreamReader>>,
    writer: Box<dyn StreamWriter>,
    framing: Framing,
    finished: bool,
}

impl StreamTranslation for TranslatedStream {
    fn events(&mut self, events: &Bytes) -> Result<Bytes, TranslationError> {
        let reader = self
            .reader
            .as_deref_mut()
            .ok_or(TranslationError("no stream is asked for in its dialect"))?;
        let (writer, finished) = (&mut self.writer, &mut self.finished);
        let mut out = Vec::with_capacity(events.len());
        let mut give = |event: Event<'_>| {
            *finished |= matches!(event, Event::Finish(_));
            writer.write(event, &mut out);
        };
        let mut splitter = Splitter::new(self.framing);
        let mut rest: &[u8] = events;
        while !rest.is_empty() {
            // The last event of a stream may come without what ends it.
            let end = splitter.event_end(rest).unwrap_or(rest.len());
            let (event, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            reader.read(&EventText::read(self.framing, event), &mut give)?;
            splitter.taken(end);
            rest = after;
        }
        Ok(Bytes::from(out))
    }

    fn end(&mut self) -> Result<Bytes, TranslationError> {
        if !self.finished {
            return Err(TranslationError("it ended before its answer did"));
        }
        let mut out = Vec::new();
        self.writer.end(&mut out);
        Ok(Bytes::from(out))
    }
}
