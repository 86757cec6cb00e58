//! The Anthropic Messages dialect: reading requests, answers and streams, and writing them.
//!
//! Between a client and a provider of this dialect, what the client sent is carried byte for byte save the model's name
//! ([`MessagesRequest`]), and answers are only looked at. For a client or a provider of another dialect, requests, answers
//! and streams are read into the neutral form and written from it. Nothing here knows a socket or a runtime.
//!
//! The wire format is that of the published Python package `anthropic`, version 2.14.0: `MessageCreateParams`, `Message`
//! and `RawMessageStreamEvent` in its folder `types`, and their betas in `types/beta`. What older clients send besides is
//! that of version 0.x.

mod count;
mod error;
mod event;
mod foreign;
mod grammar;
mod ids;
mod inspect;
mod messages;
mod models;
mod read_answer;
mod read_request;
mod read_stream;
mod request;
mod scan;
mod stop;
#[cfg(test)]
mod testing;
mod usage;
mod wire;
mod write_answer;
mod write_request;
mod write_stream;

pub use count::write_count_answer;
pub use error::{error_body, error_event};
#[cfg(test)]
pub(super) use grammar::check_stream;
pub use request::MessagesRequest;
pub(super) use {
    count::read_count_answer, event::EventReader, inspect::inspect, read_answer::read_answer,
    read_request::read_request, read_stream::Reader, write_answer::write_answer, write_request::write_request,
    write_stream::Writer,
};

/// Tokens added for each message, whatever is in it: role, separators and the like.
const TOKENS_PER_MESSAGE: u64 = 16;

/// More tokens than a picture has, however large it is.
const TOKENS_PER_IMAGE: u64 = 5_000;

/// A token is hardly ever longer than this many bytes, so that bytes divided by it are fewer tokens than there are.
const BYTES_PER_TOKEN_AT_MOST: u64 = 8;
