//! What dialects have in common: a request, an answer and a stream in no dialect.
//!
//! A reader turns a body into these types, borrowing its text; a writer turns them into a body of its own dialect. What a
//! writer has no place for it gives to [`Losses`]: a loss that changes what the model is asked is refused by the client's
//! own name for it, a harmless one is left out and told in a header. Nothing is lost in silence.

mod answer;
mod context;
mod event;
mod feature;
mod losses;
mod number;
mod opaque;
mod request;
mod tools;

pub(super) use answer::{Answer, Choice, FinishReason};
pub(super) use context::AnswerContext;
pub(super) use event::{Event, StreamReader, StreamWriter};
pub(super) use feature::Feature;
pub(super) use losses::Losses;
pub(super) use number::Number;
pub(super) use opaque::{Opaque, OpaqueKind, Origin, holds_marked, tell_lost};
pub(super) use request::{
    CacheMark, Document, Effort, Format, Image, Message, Part, PartKind, Reasoning, Request, Role, Schema, Source,
    ToolResult,
};
pub(super) use tools::{ObjectArguments, Tool, ToolCall, ToolChoice, ToolKind, ToolName, ToolNames, ToolSchema};
