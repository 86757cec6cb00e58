//! Between a client and a model that speak different dialects: the request one way, the answer the other.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerForm, AnswerTranslation, Dialect, GatewayError, Model, Outgoing, StreamTranslation, TranslationError,
};

use super::neutral::{Answer, AnswerContext, Event, Losses, Request, StreamReader, StreamWriter, ToolNames};
use super::sse::{EventText, Framing, Splitter};
use super::{anthropic_messages, gemini, ollama, openai_chat, openai_responses};

/// Writes a client's request for a model that speaks another dialect, or the same where what the client sent cannot be
/// passed on as it is. `wants_usage`: whether a client of chat completions wants the usage of a stream.
///
/// # Errors
/// `invalid_request` naming what cannot be carried.
pub(super) fn write(
    client: Dialect,
    body: &Bytes,
    model: &Model,
    wants_usage: bool,
) -> Result<Outgoing, GatewayError> {
    let body = text(body)?;
    let mut losses = Losses::new(client, model.dialect);
    let request = read_request(client, body, &mut losses)?;
    let written = write_request(&request, model, &mut losses)?;
    for name in &request.unknown {
        losses.drop_unknown(name);
    }
    let mut context = AnswerContext::new(model, now());
    context.wants_usage = wants_usage;
    context.tools = ToolNames::of(&request.tools);
    if client == Dialect::OpenaiResponses {
        context.echo = Some(openai_responses::echo(body));
    }
    let translation = Translation {
        model: model.dialect,
        client,
        context: Rc::new(context),
    };
    Ok(Outgoing {
        body: written.into(),
        headers: Vec::new(),
        answer: AnswerForm::Translated(Rc::new(translation)),
        dropped: losses.into_dropped(),
    })
}

/// Writes the question how many input tokens a client's request has, for a model that speaks another dialect. Where that
/// has no such question, the answer is an estimate.
///
/// # Errors
/// `invalid_request` naming what cannot be carried.
pub(super) fn write_count(client: Dialect, body: &Bytes, model: &Model) -> Result<Outgoing, GatewayError> {
    let body = text(body)?;
    let mut losses = Losses::new(client, model.dialect);
    let request = read_request(client, body, &mut losses)?;
    for name in &request.unknown {
        losses.drop_unknown(name);
    }
    let (written, answer) = if model.dialect == Dialect::Gemini {
        let written = gemini::write_count_request(&request, model, &mut losses)?;
        (written, AnswerForm::Translated(Rc::new(CountTranslation)))
    } else {
        let known = anthropic_messages::write_count_answer(estimate(body));
        (Vec::new(), AnswerForm::Known(known))
    };
    Ok(Outgoing {
        body: written.into(),
        headers: Vec::new(),
        answer,
        dropped: losses.into_dropped(),
    })
}

/// About how many tokens a request has: its bytes divided by 3.5, rounded up. English text and code have between three and
/// four bytes for each token, and the JSON around them makes up for what is more.
fn estimate(body: &str) -> u64 {
    (body.len() as u64 * 2).div_ceil(7)
}

/// The seconds since 1970 (UTC).
fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

fn text(body: &Bytes) -> Result<&str, GatewayError> {
    std::str::from_utf8(body).map_err(|_read_before| GatewayError::invalid("body", "the body is not UTF-8"))
}

/// Reads a request of a dialect that clients speak.
pub(super) fn read_request<'a>(
    client: Dialect,
    body: &'a str,
    losses: &mut Losses,
) -> Result<Request<'a>, GatewayError> {
    match client {
        Dialect::OpenaiResponses => openai_responses::read_request(body, losses),
        Dialect::AnthropicMessages => anthropic_messages::read_request(body, losses),
        // No client speaks the last two.
        Dialect::OpenaiChat | Dialect::Gemini | Dialect::Ollama => openai_chat::read_request(body, losses),
    }
}

/// Writes a request in the dialect of its model.
pub(super) fn write_request(
    request: &Request<'_>,
    model: &Model,
    losses: &mut Losses,
) -> Result<Vec<u8>, GatewayError> {
    match model.dialect {
        Dialect::OpenaiChat => openai_chat::write_request(request, model, losses),
        Dialect::OpenaiResponses => openai_responses::write_request(request, model, losses),
        Dialect::AnthropicMessages => anthropic_messages::write_request(request, model, losses),
        Dialect::Gemini => gemini::write_request(request, model, losses),
        Dialect::Ollama => ollama::write_request(request, model, losses),
    }
}

fn read_answer(model: Dialect, body: &str) -> Result<Answer<'_>, TranslationError> {
    match model {
        Dialect::OpenaiChat => openai_chat::read_answer(body),
        Dialect::OpenaiResponses => openai_responses::read_answer(body),
        Dialect::AnthropicMessages => anthropic_messages::read_answer(body),
        Dialect::Gemini => gemini::read_answer(body),
        Dialect::Ollama => ollama::read_answer(body),
    }
}

fn write_answer(client: Dialect, answer: &Answer<'_>, context: &AnswerContext) -> Result<Vec<u8>, TranslationError> {
    match client {
        Dialect::OpenaiResponses => openai_responses::write_answer(answer, context),
        Dialect::AnthropicMessages => anthropic_messages::write_answer(answer, context),
        Dialect::OpenaiChat | Dialect::Gemini | Dialect::Ollama => openai_chat::write_answer(answer, context),
    }
}

fn stream_reader(model: Dialect) -> Box<dyn StreamReader> {
    match model {
        Dialect::OpenaiChat => Box::new(openai_chat::Reader::default()),
        Dialect::OpenaiResponses => Box::new(openai_responses::Reader::default()),
        Dialect::AnthropicMessages => Box::new(anthropic_messages::Reader::default()),
        Dialect::Gemini => Box::new(gemini::Reader::default()),
        Dialect::Ollama => Box::new(ollama::Reader::default()),
    }
}

fn stream_writer(client: Dialect, context: Rc<AnswerContext>) -> Box<dyn StreamWriter> {
    match client {
        Dialect::OpenaiResponses => Box::new(openai_responses::Writer::new(context)),
        Dialect::AnthropicMessages => Box::new(anthropic_messages::Writer::new(context)),
        Dialect::OpenaiChat | Dialect::Gemini | Dialect::Ollama => Box::new(openai_chat::Writer::new(context)),
    }
}

/// How the events of a provider of this dialect are told from each other.
fn framing(model: Dialect) -> Framing {
    match model {
        Dialect::Ollama => Framing::Lines,
        _ => Framing::Events,
    }
}

/// Turns the answers to one request into the client's dialect.
#[derive(Debug)]
struct Translation {
    model: Dialect,
    client: Dialect,
    context: Rc<AnswerContext>,
}

impl AnswerTranslation for Translation {
    fn whole(&self, body: &Bytes) -> Result<Bytes, TranslationError> {
        let body = std::str::from_utf8(body).map_err(|_error| TranslationError("it is not UTF-8"))?;
        let mut answer = read_answer(self.model, body)?;
        if answer.model.is_empty() {
            answer.model = Cow::Borrowed(&self.context.model);
        }
        write_answer(self.client, &answer, &self.context).map(Bytes::from)
    }

    fn stream(&self) -> Box<dyn StreamTranslation> {
        Box::new(TranslatedStream {
            splitter: Splitter::new(framing(self.model)),
            framing: framing(self.model),
            reader: stream_reader(self.model),
            writer: stream_writer(self.client, Rc::clone(&self.context)),
            begun: false,
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

/// Turns one stream into the client's dialect.
#[derive(Debug)]
struct TranslatedStream {
    splitter: Splitter,
    framing: Framing,
    reader: Box<dyn StreamReader>,
    writer: Box<dyn StreamWriter>,
    /// Whether the first event was read, before which there may be a byte order mark.
    begun: bool,
}

impl StreamTranslation for TranslatedStream {
    fn events(&mut self, events: &Bytes) -> Result<Bytes, TranslationError> {
        let mut out = Vec::with_capacity(events.len());
        let mut rest: &[u8] = events;
        while !rest.is_empty() {
            // The last event of a stream may have no end.
            let end = self.splitter.event_end(rest).unwrap_or(rest.len());
            self.splitter.taken(end);
            let event = rest.get(..end).unwrap_or_default();
            rest = rest.get(end..).unwrap_or_default();
            let mark: &[u8] = if self.begun { b"" } else { b"\xef\xbb\xbf" };
            self.begun = true;
            let event = EventText::read(self.framing, event.strip_prefix(mark).unwrap_or(event));
            if event.data.is_empty() {
                continue;
            }
            let writer = &mut self.writer;
            self.reader.read(&event, &mut |event: Event<'_>| writer.write(event, &mut out))?;
        }
        self.splitter = Splitter::new(self.framing);
        Ok(Bytes::from(out))
    }

    fn end(&mut self) -> Result<Bytes, TranslationError> {
        let mut out = Vec::new();
        self.writer.end(&mut out);
        Ok(Bytes::from(out))
    }
}
