//! Between a client and a model that speak different dialects: the request is read into the neutral form and written from
//! it, the answer likewise the other way, whole or event by event.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerForm, AnswerTranslation, Dialect, GatewayError, Model, Operation, Outgoing, StreamTranslation, TokenBound,
    TranslationError, Vendor,
};
use serde_json::value::RawValue;

use super::bounds::{Bounding, Form};
use super::neutral::{Answer, AnswerContext, Event, Feature, Losses, Request, StreamReader, StreamWriter, ToolNames};
use super::provider_side::{framing, read_answer, stream_reader, write_request};
use super::sse::{EventText, Framing, Splitter};
use super::{anthropic_messages, estimate, gemini, openai_chat, openai_responses};

/// How the requests of one kind of client are read, and their answers written.
pub(super) struct ClientSide {
    /// The dialect by whose names the client knows the fields of its requests.
    pub(super) dialect: Dialect,
    /// Reads a request.
    pub(super) read_request: for<'a> fn(&'a str, &mut Losses) -> Result<Request<'a>, GatewayError>,
    /// Writes a whole answer.
    pub(super) write_answer: fn(&Answer<'_>, &AnswerContext) -> Result<Vec<u8>, TranslationError>,
    /// Begins a stream.
    pub(super) stream_writer: fn(Rc<AnswerContext>) -> Box<dyn StreamWriter>,
}

impl fmt::Debug for ClientSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSide")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

/// Clients of OpenAI chat completions.
pub(super) static CHAT: ClientSide = ClientSide {
    dialect: Dialect::OpenaiChat,
    read_request: openai_chat::read_request,
    write_answer: openai_chat::write_answer,
    stream_writer: |context| Box::new(openai_chat::Writer::new(context)),
};

/// Clients of OpenAI Responses.
pub(super) static RESPONSES: ClientSide = ClientSide {
    dialect: Dialect::OpenaiResponses,
    read_request: openai_responses::read_request,
    write_answer: openai_responses::write_answer,
    stream_writer: |context| Box::new(openai_responses::Writer::new(context)),
};

/// Clients of Anthropic Messages.
pub(super) static MESSAGES: ClientSide = ClientSide {
    dialect: Dialect::AnthropicMessages,
    read_request: anthropic_messages::read_request,
    write_answer: anthropic_messages::write_answer,
    stream_writer: |context| Box::new(anthropic_messages::Writer::new(context)),
};

/// Writes a client's request for a model that speaks another dialect, or the same where what the client sent cannot be
/// passed on as it is. `wants_usage`: whether a client of chat completions wants the usage of a stream.
///
/// # Errors
/// `invalid_request` naming what cannot be carried.
pub(super) fn write(
    client: &'static ClientSide,
    body: &Bytes,
    model: &Model,
    wants_usage: bool,
    bounding: Bounding<'_>,
) -> Result<Outgoing, GatewayError> {
    write_repeating(client, body, model, wants_usage, None, bounding)
}

/// The same where the answer repeats something of its request: `echo` is an object with the members that it repeats.
///
/// # Errors
/// `invalid_request` naming what cannot be carried.
pub(super) fn write_repeating(
    client: &'static ClientSide,
    body: &Bytes,
    model: &Model,
    wants_usage: bool,
    echo: Option<Box<RawValue>>,
    bounding: Bounding<'_>,
) -> Result<Outgoing, GatewayError> {
    let body = text(body)?;
    let mut losses = Losses::new(client.dialect, model.dialect);
    let mut request = read(client, body, &mut losses)?;
    let asked = request.max_output_tokens;
    request.max_output_tokens = bounding.cap(asked, model);
    if asked.is_some() && request.max_output_tokens != asked {
        losses.drop(Feature::MaxTokens);
    }
    let written = write_request(&request, model, &mut losses)?;
    let context = AnswerContext {
        wants_usage,
        tools: ToolNames::of(&request.tools),
        legacy_functions: request.legacy_functions,
        echo,
        ..AnswerContext::new(model, now())
    };
    let mut outgoing = Outgoing {
        body: written.into(),
        headers: Vec::new(),
        answer: AnswerForm::Translated(Rc::new(Translation {
            client,
            provider: model.dialect,
            vendor: model.vendor,
            context: Rc::new(context),
        })),
        dropped: losses.into_dropped(),
        bound: TokenBound::default(),
    };
    let form = Form::of(model.dialect, Operation::Generate);
    bounding.written(&mut outgoing, form, client.dialect, model)?;
    Ok(outgoing)
}

/// Writes the question of one of Anthropic's clients how many input tokens its request has, for a model that speaks
/// another dialect. Where that has no such question, the answer is an estimate.
///
/// # Errors
/// `invalid_request` naming what cannot be carried.
pub(super) fn write_count(body: &Bytes, model: &Model, bounding: Bounding<'_>) -> Result<Outgoing, GatewayError> {
    let body = text(body)?;
    let mut losses = Losses::new(MESSAGES.dialect, model.dialect);
    let request = read(&MESSAGES, body, &mut losses)?;
    let (written, answer) = if model.dialect == Dialect::Gemini {
        let written = gemini::write_count_request(&request, model, &mut losses)?;
        (written, AnswerForm::Translated(Rc::new(CountTranslation)))
    } else {
        let known = anthropic_messages::write_count_answer(estimate::tokens(body, &request));
        (Vec::new(), AnswerForm::Known(known))
    };
    let mut outgoing = Outgoing {
        body: written.into(),
        headers: Vec::new(),
        answer,
        dropped: losses.into_dropped(),
        bound: TokenBound::default(),
    };
    bounding.of_count(&mut outgoing, model);
    Ok(outgoing)
}

/// Reads a request. Members that nobody here knows are left out, and told.
fn read<'a>(client: &ClientSide, body: &'a str, losses: &mut Losses) -> Result<Request<'a>, GatewayError> {
    let request = (client.read_request)(body, losses)?;
    for name in &request.unknown {
        losses.drop_unknown(name);
    }
    Ok(request)
}

/// The seconds since 1970 (UTC).
fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

fn text(body: &Bytes) -> Result<&str, GatewayError> {
    std::str::from_utf8(body).map_err(|_read_before| GatewayError::invalid("body", "the body is not UTF-8"))
}

/// Turns the answers to one request into the client's dialect.
#[derive(Debug)]
struct Translation {
    client: &'static ClientSide,
    provider: Dialect,
    vendor: Vendor,
    context: Rc<AnswerContext>,
}

impl AnswerTranslation for Translation {
    fn whole(&self, body: &Bytes) -> Result<Bytes, TranslationError> {
        let text = std::str::from_utf8(body).map_err(|_error| TranslationError("it is not UTF-8"))?;
        let mut answer = read_answer(self.provider, self.vendor, text)?;
        if answer.model.is_empty() {
            answer.model = Cow::Borrowed(&self.context.model);
        }
        (self.client.write_answer)(&answer, &self.context).map(Bytes::from)
    }

    fn stream(&self) -> Box<dyn StreamTranslation> {
        Box::new(TranslatedStream {
            reader: stream_reader(self.provider, self.vendor),
            writer: (self.client.stream_writer)(Rc::clone(&self.context)),
            framing: framing(self.provider),
            begun: false,
            finished: false,
        })
    }
}

/// Turns the answer to the question how many tokens there are into Anthropic's.
#[derive(Debug)]
struct CountTranslation;

impl AnswerTranslation for CountTranslation {
    fn whole(&self, body: &Bytes) -> Result<Bytes, TranslationError> {
        let count = gemini::read_count(body).ok_or(TranslationError("it is no count of tokens"))?;
        Ok(anthropic_messages::write_count_answer(count))
    }

    fn stream(&self) -> Box<dyn StreamTranslation> {
        Box::new(NoStream)
    }
}

/// A count has no stream.
#[derive(Debug)]
struct NoStream;

impl StreamTranslation for NoStream {
    fn events(&mut self, _: &Bytes) -> Result<Bytes, TranslationError> {
        Err(TranslationError("a count has no stream"))
    }

    fn end(&mut self) -> Result<Bytes, TranslationError> {
        Ok(Bytes::new())
    }
}

/// One stream under way.
#[derive(Debug)]
struct TranslatedStream {
    reader: Box<dyn StreamReader>,
    writer: Box<dyn StreamWriter>,
    framing: Framing,
    /// Whether the first event was read, before which there may be a byte order mark.
    begun: bool,
    /// Whether the answer has ended.
    finished: bool,
}

impl StreamTranslation for TranslatedStream {
    fn events(&mut self, events: &Bytes) -> Result<Bytes, TranslationError> {
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
            splitter.taken(end);
            rest = after;
            let mark: &[u8] = if self.begun { b"" } else { b"\xef\xbb\xbf" };
            self.begun = true;
            let event = EventText::read(self.framing, event.strip_prefix(mark).unwrap_or(event));
            if !event.data.is_empty() {
                self.reader.read(&event, &mut give)?;
            }
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
