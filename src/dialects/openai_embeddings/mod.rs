//! OpenAI's embeddings (`/v1/embeddings`): texts become vectors.
//!
//! A provider of OpenAI's dialects gets what the client sent, byte for byte save the model's name; Gemini and Ollama are
//! asked in their own ways. Whatever a provider answers, its vectors are told in the encoding that the client asked for.
//! The wire formats are those of the `openai` Python package, version 3.57.0 (`types/embedding_create_params.py` and
//! `types/create_embedding_response.py`), of Gemini's `batchEmbedContents` (ai.google.dev/api/embeddings) and of Ollama's
//! `/api/embed` (docs.ollama.com/api/embed).

mod answer;
mod encode;
mod gemini;
mod inspect;
mod ollama;
mod request;

pub use encode::Encoding;
pub(super) use inspect::inspect;
pub use request::EmbeddingsRequest;
