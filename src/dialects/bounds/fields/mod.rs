//! The fields of every dialect: one table each. What is in none is refused under a budget, unless the operator lets it
//! pass.

mod openai;
mod others;

pub(super) use openai::{CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES};
pub(super) use others::{GEMINI, GEMINI_EMBEDDINGS, MESSAGES, OLLAMA, OLLAMA_EMBEDDINGS};
