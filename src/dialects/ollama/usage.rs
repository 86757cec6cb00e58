//! Token counts, which stand among the other members of the object that ends an answer.

pub(super) use crate::dialects::usage::of_ollama;
