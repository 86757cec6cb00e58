//! The OpenAI chat completions dialect: reading requests, writing them for a provider, reading answers and streams.
//!
//! What a client sent is carried to the provider byte for byte; only the fields the gateway owns are replaced
//! ([`ChatCompletionsRequest`]). Nothing here knows a socket or a runtime.

mod error;
mod event;
mod messages;
mod native;
mod plain_text;
mod request;
mod response;
mod scan;
mod usage;

pub use error::{error_body, error_event};
pub(super) use event::read_event;
pub use native::ConversationRequest;
pub use plain_text::PlainText;
pub use request::ChatCompletionsRequest;
pub use response::{AnswerText, answer_text, inspect};
pub use usage::usage_report;

/// Tokens added for each message, whatever is in it: role, separators and the like.
const TOKENS_PER_MESSAGE: u64 = 16;

/// A token is hardly ever longer than this many bytes, so that bytes divided by it are fewer tokens than there are.
const BYTES_PER_TOKEN_AT_MOST: u64 = 8;
