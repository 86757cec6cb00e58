//! A provider's answer on its way to a client, by the real translation.

use std::rc::Rc;

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerForm, AnswerTranslation, Capabilities, Dialect, GatewayError, Layer, MediaTokens, Model, ModelId, Outgoing,
    ProviderName, TranslationError, UsageReport, Vendor,
};
use serde_json::Value;

use super::reassemble;
use super::sample::Sample;
use crate::dialects::bounds::Bounding;
use crate::dialects::neutral::StreamReader;
use crate::dialects::provider_side::{framing, read_answer, stream_reader};
use crate::dialects::replay::{self, Told};
use crate::dialects::sse::Framing;
use crate::dialects::translation::{CHAT, ClientSide, MESSAGES, RESPONSES, write};
use crate::dialects::{anthropic_messages, openai_chat, openai_responses};

/// A model that is asked in this dialect.
pub(super) fn model(provider: Dialect) -> Model {
    let (name, vendor, api_model) = match provider {
        Dialect::OpenaiChat => ("router", Vendor::Openrouter, "the-model"),
        Dialect::OpenaiResponses => ("openai", Vendor::Openai, "the-model"),
        Dialect::AnthropicMessages => ("anthropic", Vendor::Anthropic, "claude-opus-4-8"),
        Dialect::Gemini => ("google", Vendor::Gemini, "gemini-3-flash-preview"),
        Dialect::Ollama => ("local", Vendor::Other, "the-model"),
    };
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from(name),
        vendor,
        api_model: api_model.into(),
        dialect: provider,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 200_000,
        max_output_tokens: 32_000,
        price: None,
        media: MediaTokens::default(),
    }
}

/// How clients of this dialect are read and written for.
pub(super) fn client_side(client: Dialect) -> &'static ClientSide {
    match client {
        Dialect::OpenaiResponses => &RESPONSES,
        Dialect::AnthropicMessages => &MESSAGES,
        _ => &CHAT,
    }
}

/// The least that a client asks: one message of a user, and two tools.
const REQUESTS: [(Dialect, &str); 3] = [
    (
        Dialect::OpenaiChat,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[
            {"type":"function","function":{"name":"weather","parameters":{"type":"object"}}},
            {"type":"function","function":{"name":"clock","parameters":{"type":"object"}}}]}"#,
    ),
    (
        Dialect::OpenaiResponses,
        r#"{"model":"m","input":"hi","tools":[
            {"type":"function","name":"weather","parameters":{"type":"object"},"strict":false},
            {"type":"function","name":"clock","parameters":{"type":"object"},"strict":false}]}"#,
    ),
    (
        Dialect::AnthropicMessages,
        r#"{"model":"m","max_tokens":1000,"messages":[{"role":"user","content":"hi"}],"tools":[
            {"name":"weather","input_schema":{"type":"object"}},{"name":"clock","input_schema":{"type":"object"}}]}"#,
    ),
];

/// What translates the answers of this model to the least that a client asks.
pub(super) fn translation(client: Dialect, model: &Model) -> Rc<dyn AnswerTranslation> {
    let (_, body) = REQUESTS.iter().find(|(dialect, _)| *dialect == client).unwrap();
    let sent = send(client, body, model);
    assert_eq!(
        sent.dropped,
        Vec::<String>::new(),
        "the least that is asked loses nothing"
    );
    match sent.answer {
        AnswerForm::Translated(translation) => translation,
        other => panic!("answers are translated, not {other:?}"),
    }
}

/// What the provider is sent for a client's body.
pub(super) fn send(client: Dialect, body: &str, model: &Model) -> Outgoing {
    try_send(client, body, model).unwrap()
}

/// The same where it may be refused.
///
/// # Errors
/// Why it is.
pub(super) fn try_send(client: Dialect, body: &str, model: &Model) -> Result<Outgoing, GatewayError> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    write(client_side(client), &body, model, true, Bounding::NONE)
}

/// What a client got for an answer and for the same as a stream.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) whole: Value,
    /// The stream as it was sent.
    pub(super) stream: String,
    /// The stream, put together as the dialect's own clients do.
    pub(super) reassembled: Value,
}

/// Translates an answer and its stream, checks both, and that they say the same.
///
/// # Errors
/// When the translation says that it cannot be told, whole or as a stream.
pub(super) fn run(client: Dialect, provider: Dialect, sample: &Sample) -> Result<Got, TranslationError> {
    let translation = translation(client, &model(provider));
    let whole = translation.whole(&Bytes::copy_from_slice(sample.whole.as_bytes()));
    let stream = streamed(&*translation, provider, &sample.stream);
    let (whole, stream) = match (whole, stream) {
        (Ok(whole), Ok(stream)) => (whole, stream),
        (Err(whole), Err(stream)) => {
            assert_eq!(whole, stream, "why it cannot be told");
            return Err(whole);
        }
        (whole, stream) => panic!("told whole or as a stream, but not both: {whole:?}, {stream:?}"),
    };
    let whole = std::str::from_utf8(&whole).unwrap();
    assert_eq!(check_stream(client, &stream), Ok(()), "{stream}");
    assert_eq!(
        without_lengths(told_by_stream(client, &stream)),
        without_lengths(replay::told_by_answer(
            &read_answer(client, Vendor::Other, whole).unwrap()
        )),
        "what {stream} tells is not what {whole} tells"
    );
    Ok(Got {
        whole: serde_json::from_str(whole).unwrap(),
        reassembled: reassemble::stream(client, &stream),
        stream,
    })
}

/// The client's stream for a provider's. Whether its events come alone or together makes no difference.
pub(super) fn streamed(
    translation: &dyn AnswerTranslation,
    provider: Dialect,
    stream: &str,
) -> Result<String, TranslationError> {
    let mut together = translation.stream();
    let mut all = together.events(&Bytes::copy_from_slice(stream.as_bytes()))?.to_vec();
    all.extend_from_slice(&together.end()?);
    let mut alone = translation.stream();
    let mut each = Vec::new();
    for event in replay::split(framing(provider), [stream.as_bytes()]) {
        each.extend_from_slice(&alone.events(&Bytes::from(event))?);
    }
    each.extend_from_slice(&alone.end()?);
    assert_eq!(all, each, "events that come alone say the same as all together");
    Ok(String::from_utf8(all).unwrap())
}

/// The oracle of the client's dialect.
pub(super) fn check_stream(client: Dialect, stream: &str) -> Result<(), String> {
    match client {
        Dialect::OpenaiResponses => openai_responses::check_stream(stream),
        Dialect::AnthropicMessages => anthropic_messages::check_stream(stream),
        _ => openai_chat::check_stream(stream),
    }
}

/// The same without a word of which cache writes it is said how long they stay: a stream of Anthropic's has no place for
/// that at its end.
fn without_lengths(mut told: Told) -> Told {
    if let UsageReport::Reported(usage) = told.usage {
        told.usage = UsageReport::Reported(usage.with_writes_told(false));
    }
    told
}

/// What the dialect's own reader of streams finds in one.
fn told_by_stream(client: Dialect, stream: &str) -> Told {
    let events = replay::split(Framing::Events, [stream.as_bytes()]);
    replay::told_by_events(
        &replay::read(Boxed(stream_reader(client, Vendor::Other)), Framing::Events, &events).unwrap(),
    )
}

#[derive(Debug)]
struct Boxed(Box<dyn StreamReader>);

impl StreamReader for Boxed {
    fn read(
        &mut self,
        event: &crate::dialects::sse::EventText<'_>,
        give: &mut dyn FnMut(crate::dialects::neutral::Event<'_>),
    ) -> Result<(), TranslationError> {
        self.0.read(event, give)
    }
}
