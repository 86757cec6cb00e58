//! The Gemini dialect, which providers speak: `generateContent`, `streamGenerateContent?alt=sse` and `countTokens` of
//! Google's API, version v1beta.
//!
//! The wire format is that of the published Python package `google-genai` 3.6.1 (`types.py`, and in `models.py` what its
//! `…_to_mldev` functions send), in camelCase. Limits and habits of single models are from the documentation at
//! <https://ai.google.dev/gemini-api/docs>, as of November 2026.
//!
//! What is carried how:
//! - Instructions of the system and of the developer, wherever they stand, are the `systemInstruction`. A conversation
//!   that has nothing else is asked as the user's.
//! - Neighbouring messages of one role are one content. Empty texts are left out.
//! - A tool's result needs the tool's name, which is that of the call with its id. A result that is a JSON object goes as
//!   it is, any other as `{"result": …}`, a failed one as `{"error": …}`.
//! - A thought signature stands, in the neutral form, in a reasoning part before the part that it belongs to.
//! - `parallel_tool_calls: false` is left out and told: the API has no such switch, and agents send it to every model they
//!   do not know.
//! - Token probabilities are refused: an answer in the neutral form has no place for them.

mod config;
mod contents;
mod count;
mod event;
mod family;
mod finish;
#[cfg(test)]
mod fuzz_tests;
mod glance;
mod inspect;
mod part;
mod read_answer;
mod read_stream;
#[cfg(test)]
mod testing;
mod usage;
mod wire;
mod write_request;

pub(in crate::dialects) use count::{read_count, write_count_request};
pub(in crate::dialects) use event::EventReader;
pub(in crate::dialects) use finish::unusable;
pub(in crate::dialects) use inspect::inspect;
pub(in crate::dialects) use read_answer::read_answer;
pub(in crate::dialects) use read_stream::Reader;
pub(in crate::dialects) use write_request::write_request;
