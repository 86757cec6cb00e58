//! The OpenAI Responses dialect: reading requests, writing them for a provider, reading and writing answers and streams.
//!
//! The wire format is that of the published schema, the types of the Python package `openai` 3.57.0 (`types/responses`),
//! and of what Codex 0.171.0 sends and takes: tools in namespaces, `additional_tools` and `configuration_update` items,
//! a search for tools that the client runs, custom tools. Where both are silent, what is read is skipped or refused, and
//! nothing is made up.
//!
//! A request whose provider speaks the dialect too is carried byte for byte save what the gateway owns
//! ([`ResponsesRequest`]). Nothing here knows a socket or a runtime.

mod continued;
mod custom_input;
mod echo;
mod emit;
mod error;
mod event;
mod extent;
mod foreign_items;
mod grammar;
mod inspect;
mod measure;
mod needs;
mod open_call;
mod open_item;
mod output_item;
mod read_answer;
mod read_content;
mod read_items;
mod read_request;
mod read_stream;
mod read_tools;
mod reasoning_state;
mod request;
#[cfg(test)]
mod request_fuzz_tests;
mod response;
#[cfg(test)]
mod samples;
mod scan;
mod sealed_items;
mod stored;
#[cfg(test)]
mod stream_fuzz_tests;
mod takes;
mod tool_search;
mod unsupported;
mod values;
mod write_answer;
mod write_items;
mod write_request;
mod write_stream;
mod write_tools;

pub use error::{error_body, error_event, next_sequence_number};
pub(in crate::dialects) use event::EventReader;
#[cfg(test)]
pub(in crate::dialects) use grammar::tests::check_stream;
pub(in crate::dialects) use inspect::inspect;
pub(in crate::dialects) use read_answer::read_answer;
pub(in crate::dialects) use read_request::read_request;
pub(in crate::dialects) use read_stream::Reader;
pub use request::ResponsesRequest;
pub use sealed_items::sealed_items;
pub use stored::{final_response, with_item_ids};
pub(in crate::dialects) use write_answer::write_answer;
pub(in crate::dialects) use write_request::write_request;
pub(in crate::dialects) use write_stream::Writer;

/// Tokens added for each item, whatever is in it: role, separators and the like.
const TOKENS_PER_ITEM: u64 = 16;

/// A token is hardly ever longer than this many bytes, so that bytes divided by it are fewer tokens than there are.
const BYTES_PER_TOKEN_AT_MOST: u64 = 8;
