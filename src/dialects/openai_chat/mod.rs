//! The OpenAI chat completions dialect: reading requests, writing them for a provider, reading answers and streams.
//!
//! Between a client and a provider of this dialect, what the client sent is carried byte for byte; only the fields the
//! gateway owns are replaced ([`ChatCompletionsRequest`]), and answers are only looked at. For a client or a provider of
//! another dialect, requests, answers and streams are read into the neutral form and written from it. Nothing here knows
//! a socket or a runtime.

mod details;
mod error;
mod error_like;
mod event;
mod flavour;
mod foreign;
mod grammar;
mod messages;
mod native;
pub(super) mod owned;
mod plain_text;
mod read_answer;
mod read_request;
mod read_stream;
mod request;
mod response;
#[cfg(test)]
pub(super) mod samples;
pub(super) mod scan;
mod usage;
mod write_answer;
mod write_request;
mod write_stream;

pub use error::{error_body, error_event};
pub(super) use event::EventReader;
#[cfg(test)]
pub(super) use grammar::check_stream;
pub(super) use messages::text_bytes;
pub use native::ConversationRequest;
pub use plain_text::PlainText;
pub(super) use read_answer::read_answer;
pub(super) use read_stream::Reader;
pub use request::ChatCompletionsRequest;
pub use response::{AnswerText, answer_text, inspect};
pub use usage::usage_report;
pub(super) use write_answer::{Usage, answer_id, answer_model};
pub(super) use write_request::write_request;
pub(super) use {read_request::read_request, write_answer::write_answer, write_stream::Writer};

/// Tokens added for each message, whatever is in it: role, separators and the like.
pub(super) const TOKENS_PER_MESSAGE: u64 = 16;

/// A token is hardly ever longer than this many bytes, so that bytes divided by it are fewer tokens than there are.
pub(super) const BYTES_PER_TOKEN_AT_MOST: u64 = 8;
