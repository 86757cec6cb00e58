//! For tests of dialects that providers speak: streams are replayed in any pieces, and what they say is compared with what
//! whole answers say.

use std::borrow::Cow;

use gateway_actors::protocol::{TranslationError, UsageReport};

use super::events::{BadEvent, Seen};
use super::neutral::{Answer, Event, FinishReason, Opaque, PartKind, StreamReader};
use super::sse::{EventText, Framing, Splitter};

/// The whole events of a text that comes in these pieces; what is left at the end is the last.
pub(super) fn split<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::new(framing);
    let (mut events, mut event) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        while let Some(end) = splitter.event_end(piece) {
            event.extend_from_slice(&piece[..end]);
            events.push(std::mem::take(&mut event));
            piece = &piece[end..];
            splitter.taken(end);
        }
        event.extend_from_slice(piece);
        splitter.next_chunk();
    }
    if !event.is_empty() {
        events.push(event);
    }
    events
}

/// What a reader gives for these events.
pub(super) fn read(
    mut reader: impl StreamReader,
    framing: Framing,
    events: &[Vec<u8>],
) -> Result<Vec<Event<'static>>, TranslationError> {
    let mut given = Vec::new();
    for event in events {
        reader.read(&EventText::read(framing, event), &mut |event| given.push(owned(event)))?;
    }
    Ok(given)
}

/// What the metering look sees in these events, one after the other.
pub(super) fn look(
    mut read: impl FnMut(&EventText<'_>) -> Result<Seen, BadEvent>,
    framing: Framing,
    events: &[Vec<u8>],
) -> Result<Vec<Seen>, BadEvent> {
    events
        .iter()
        .map(|event| read(&EventText::read(framing, event)))
        .collect()
}

fn owned(event: Event<'_>) -> Event<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    match event {
        Event::Begin { id, model } => Event::Begin {
            id: own(id),
            model: own(model),
        },
        Event::Text(text) => Event::Text(own(text)),
        Event::Refusal(text) => Event::Refusal(own(text)),
        Event::Reasoning(text) => Event::Reasoning(own(text)),
        Event::Opaque(opaque) => Event::Opaque(Opaque {
            kind: opaque.kind,
            data: own(opaque.data),
            origin: opaque.origin,
        }),
        Event::ToolCall { index, id, name } => Event::ToolCall {
            index,
            id: own(id),
            name: own(name),
        },
        Event::Arguments { index, json } => Event::Arguments { index, json: own(json) },
        Event::Finish(reason) => Event::Finish(own_reason(reason)),
        Event::ServiceTier(tier) => Event::ServiceTier(own(tier)),
        Event::Usage(usage) => Event::Usage(usage),
    }
}

fn own_reason(reason: FinishReason<'_>) -> FinishReason<'static> {
    match reason {
        FinishReason::Stop => FinishReason::Stop,
        FinishReason::StopText(text) => FinishReason::StopText(text.map(|text| Cow::Owned(text.into_owned()))),
        FinishReason::Length => FinishReason::Length,
        FinishReason::ToolCalls => FinishReason::ToolCalls,
        FinishReason::Refused => FinishReason::Refused,
        FinishReason::Paused => FinishReason::Paused,
    }
}

/// One thing that an answer says. Of texts that follow each other there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Refusal(String),
    Reasoning(String, Option<String>),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) pieces: Vec<Piece>,
    /// Nothing if it has not ended.
    pub(super) finish: Option<FinishReason<'static>>,
    pub(super) usage: UsageReport,
}

impl Told {
    /// Of nothing yet.
    pub(super) fn new(id: &str, model: &str) -> Self {
        Self {
            id: id.to_owned(),
            model: model.to_owned(),
            pieces: Vec::new(),
            finish: None,
            usage: UsageReport::Missing,
        }
    }

    /// Adds a piece, joining texts, and reasoning that has not ended.
    pub(super) fn add(&mut self, piece: Piece) {
        match (self.pieces.last_mut(), &piece) {
            (Some(Piece::Text(all)), Piece::Text(more)) | (Some(Piece::Refusal(all)), Piece::Refusal(more)) => {
                all.push_str(more);
            }
            (Some(Piece::Reasoning(all, end @ None)), Piece::Reasoning(more, opaque)) => {
                all.push_str(more);
                end.clone_from(opaque);
            }
            _ => self.pieces.push(piece),
        }
    }
}

/// What the first choice of a whole answer says.
pub(super) fn told_by_answer(answer: &Answer<'_>) -> Told {
    let mut told = Told::new(&answer.id, &answer.model);
    told.usage = answer.usage;
    let choice = &answer.choices[0];
    told.finish = Some(own_reason(choice.finish.clone()));
    for part in &choice.parts {
        told.add(match part {
            PartKind::Text(text) => Piece::Text(text.to_string()),
            PartKind::Refusal(text) => Piece::Refusal(text.to_string()),
            PartKind::Reasoning { text, opaque } => {
                let data = opaque.as_ref().map(|opaque| opaque.data.to_string());
                Piece::Reasoning(text.to_string(), data)
            }
            PartKind::ToolCall(call) => Piece::Call {
                id: call.id.to_string(),
                name: call.name.flat().into_owned(),
                arguments: call.arguments.to_string(),
            },
            other => panic!("{other:?} in an answer"),
        });
    }
    told
}

/// What a stream says. Panics where its events stand in an order that none may have.
pub(super) fn told_by_events(events: &[Event<'static>]) -> Told {
    let mut events = events.iter();
    let Some(Event::Begin { id, model }) = events.next() else {
        panic!("a stream begins")
    };
    let mut told = Told::new(id, model);
    let mut calls = 0;
    for event in events {
        assert!(
            told.finish.is_none() || matches!(event, Event::Usage(_) | Event::ServiceTier(_)),
            "{event:?} behind the end"
        );
        match event {
            Event::Begin { .. } => panic!("a stream begins once"),
            Event::Text(text) => told.add(Piece::Text(text.to_string())),
            Event::Refusal(text) => told.add(Piece::Refusal(text.to_string())),
            Event::Reasoning(text) => told.add(Piece::Reasoning(text.to_string(), None)),
            Event::Opaque(opaque) => told.add(Piece::Reasoning(String::new(), Some(opaque.data.to_string()))),
            Event::ToolCall { index, id, name } => {
                assert_eq!(*index, calls);
                calls += 1;
                told.add(Piece::Call {
                    id: id.to_string(),
                    name: name.to_string(),
                    arguments: String::new(),
                });
            }
            Event::Arguments { index, json } => {
                assert_eq!(*index + 1, calls);
                match told.pieces.last_mut() {
                    Some(Piece::Call { arguments, .. }) => arguments.push_str(json),
                    other => panic!("arguments behind {other:?}"),
                }
            }
            Event::Finish(reason) => told.finish = Some(reason.clone()),
            Event::Usage(usage) => told.usage = *usage,
            Event::ServiceTier(_) => {}
        }
    }
    told
}
