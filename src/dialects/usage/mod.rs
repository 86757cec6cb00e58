//! What providers say about usage, in one form: readers of each family's `usage` value.
//!
//! Providers disagree about what contains what. OpenAI, and whoever is compatible with it, counts cache reads within the
//! prompt and reasoning within the completion; xAI counts reasoning beside it. Anthropic counts cache reads and writes
//! beside the input, Gemini thoughts beside the candidates. A [`TokenUsage`] contains every part in its total.
//!
//! All of them are read with the same distrust: a count is a whole number from 0 to 10^12, or a string that is one, and
//! an explicit 0 is a count. A count that is absent or `null` is not there; where one that must be is not there, the
//! usage is [`Missing`]. Anything else, a contradiction included, makes it [`Absurd`]. Details that are no object are as
//! good as none. Parts that are more than their total are cut to it.
//!
//! [`TokenUsage`]: gateway_actors::protocol::TokenUsage
//! [`Missing`]: gateway_actors::protocol::UsageReport::Missing
//! [`Absurd`]: gateway_actors::protocol::UsageReport::Absurd

mod anthropic;
mod count;
mod embeddings;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;
#[cfg(test)]
mod testing;

pub use anthropic::{AnthropicUsage, of_anthropic};
pub use embeddings::{of_embeddings, of_input_count};
pub use gemini::of_gemini;
pub use ollama::of_ollama;
pub use openai_chat::{ReasoningTokens, of_openai_chat};
pub use openai_responses::of_openai_responses;
