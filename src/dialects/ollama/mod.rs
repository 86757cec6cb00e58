//! The Ollama dialect, which providers speak: `/api/chat` of Ollama's own API.
//!
//! The wire format is that of the repository `ollama/ollama` at v0.33.0-rc2 (`api/types.go`, `docs/api.md`,
//! `docs/capabilities`, and `server/routes.go` for what the server does with it). A stream is one JSON object on each line,
//! of which the last has `done: true`. There is no count of tokens.
//!
//! What is carried how:
//! - Texts and images of a message are one message; each result of a tool is one of its own. The texts of a message are
//!   joined by line ends, those of the model, which may be pieces of one text, as they are.
//! - Calls and results have both the id and the tool's name, by which older servers tie them together.
//! - The choice of tools is not there: `none` leaves the tools out, a forced call is refused. Neither is the switch for
//!   parallel calls: `false` is left out and told, since agents send it to every model they do not know.
//! - A conversation that is too long is an error (`truncate: false`): by default the server leaves its beginning out.
//! - Levels of thinking are told to `gpt-oss` models alone. Others are told at most not to think: a model that cannot think
//!   refuses to be told to, and one that can does so by itself.
//! - Token probabilities are refused: an answer in the neutral form has no place for them.

mod event;
#[cfg(test)]
mod fuzz_tests;
mod glance;
mod inspect;
mod message;
mod options;
mod read_answer;
mod read_stream;
#[cfg(test)]
mod testing;
mod usage;
mod wire;
mod write_request;

pub(in crate::dialects) use event::EventReader;
pub(in crate::dialects) use inspect::inspect;
pub(in crate::dialects) use read_answer::read_answer;
pub(in crate::dialects) use read_stream::Reader;
pub(in crate::dialects) use write_request::write_request;
