//! What the tests of this dialect and of those close to it share.

use gateway_actors::protocol::{
    Capabilities, Capability, Dialect, Layer, MediaTokens, Model, ModelId, ProviderName, TokenUsage, TranslationError,
    UsageReport, Vendor,
};

use crate::dialects::neutral::{AnswerContext, Event, StreamReader};
use crate::dialects::sse::{EventText, Framing, Splitter};
use crate::fuzz::{Rng, pick};

/// A model of this provider.
pub(in crate::dialects) fn model_of(provider: &str, capabilities: &[Capability]) -> Model {
    // A vendor's own name stands for its service.
    let vendor = provider.parse().unwrap_or(Vendor::Other);
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from(provider),
        vendor,
        api_model: "the-model".into(),
        dialect: Dialect::OpenaiChat,
        layer: Layer::L0,
        capabilities: capabilities.iter().copied().collect::<Capabilities>(),
        context_window: 100_000,
        max_output_tokens: 10_000,
        price: None,
        media: MediaTokens::default(),
    }
}

/// What the answer to a request is written with.
pub(in crate::dialects) fn context() -> AnswerContext {
    AnswerContext {
        id: "0001".to_owned(),
        ..AnswerContext::new(&model_of("alpha", &[]), 1_760_000_000)
    }
}

/// The same with something changed.
pub(in crate::dialects) fn context_with(change: impl FnOnce(&mut AnswerContext)) -> AnswerContext {
    let mut context = context();
    change(&mut context);
    context
}

/// A text with all that is awkward in JSON and in server-sent events.
pub(in crate::dialects) fn some_text(rng: &mut Rng) -> String {
    let pieces = [
        "a",
        "é世界😀",
        "\"",
        "\\",
        "\n",
        "\r\n\n",
        "data: [DONE]\n\n",
        "{\"",
        "\u{0}",
        "",
        "word ",
    ];
    (0..rng.usize(..4)).map(|_| pick(rng, &pieces)).collect()
}

/// Usage that was reported, or was not.
pub(in crate::dialects) fn any_usage(rng: &mut Rng) -> UsageReport {
    if rng.u8(..4) == 0 {
        return UsageReport::Missing;
    }
    let (input, output) = (rng.u64(..1000), rng.u64(..1000));
    let cached_input = rng.u64(..=input);
    let cache_write_5m = rng.u64(..=input - cached_input);
    UsageReport::Reported(TokenUsage {
        input,
        cached_input,
        cache_write_5m,
        cache_write_1h: 0,
        // The dialect never says it.
        cache_write_untold: cache_write_5m,
        output,
        reasoning: rng.u64(..=output),
        ..TokenUsage::default()
    })
}

/// What a reader gives for a text, in words.
pub(in crate::dialects) fn read_events(
    reader: &mut dyn StreamReader,
    text: &str,
) -> Result<Vec<String>, TranslationError> {
    read_events_in(reader, [text.as_bytes()])
}

/// The same for a text in pieces.
pub(in crate::dialects) fn read_events_in<'a>(
    reader: &mut dyn StreamReader,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<String>, TranslationError> {
    let mut splitter = Splitter::new(Framing::Events);
    let (mut told, mut event) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        while let Some(end) = splitter.event_end(piece) {
            event.extend_from_slice(&piece[..end]);
            piece = &piece[end..];
            splitter.taken(end);
            let text = EventText::read(Framing::Events, &event);
            reader.read(&text, &mut |event| told.push(in_words(&event)))?;
            event.clear();
        }
        event.extend_from_slice(piece);
        splitter.next_chunk();
    }
    Ok(told)
}

/// An event in words.
pub(in crate::dialects) fn in_words(event: &Event<'_>) -> String {
    match event {
        Event::Begin { id, model } => format!("begin {id} {model}"),
        Event::Text(text) => format!("text {text}"),
        Event::Refusal(text) => format!("refusal {text}"),
        Event::Reasoning(text) => format!("reasoning {text}"),
        Event::Opaque(opaque) => format!("opaque {:?} {}", opaque.kind, opaque.data),
        Event::ToolCall { index, id, name } => format!("call {index} {id} {name}"),
        Event::Arguments { index, json } => format!("arguments {index} {json}"),
        Event::Finish(finish) => format!("finish {finish:?}"),
        Event::ServiceTier(tier) => format!("tier {tier}"),
        Event::Usage(UsageReport::Reported(usage)) => format!("usage {} {}", usage.input, usage.output),
        Event::Usage(other) => format!("usage {other:?}"),
    }
}
