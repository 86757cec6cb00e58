//! Wire formats: parse, render, stream.

pub mod openai_chat;
pub mod usage;
