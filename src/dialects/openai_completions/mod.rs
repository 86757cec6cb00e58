//! OpenAI's completions before chat (`/v1/completions`): a plain text is gone on with.
//!
//! A model with the capability `completions` gets what the client sent, byte for byte save what the gateway owns. Any
//! other is asked as in a conversation whose one message is the text, and what it answers is written as a completion.
//! Answers of providers are looked at by [`openai_chat`](super::openai_chat): they differ from chat completions by one
//! member.

mod grammar;
mod read_request;
mod request;
mod write_answer;
mod write_stream;

pub(super) use read_request::read_request;
pub use request::CompletionsRequest;
pub(super) use write_answer::write_answer;
pub(super) use write_stream::Writer;
