//! What the answer to a request needs to know of it.

use gateway_actors::protocol::Model;
use serde_json::value::RawValue;

use super::opaque::Origin;
use super::tools::ToolNames;

/// What is kept of a request until its answer is written in the client's dialect.
#[derive(Debug)]
pub(in crate::dialects) struct AnswerContext {
    /// The id of the answer where the provider gave none: unique, without a dialect's prefix.
    pub(in crate::dialects) id: String,
    /// The provider's name for the model that was asked.
    pub(in crate::dialects) model: String,
    /// Who answers.
    pub(in crate::dialects) origin: Origin,
    /// When it was asked, in seconds since 1970 (UTC).
    pub(in crate::dialects) created: i64,
    /// Whether a client of chat completions wants the usage of a stream.
    pub(in crate::dialects) wants_usage: bool,
    /// The client's names for its tools.
    pub(in crate::dialects) tools: ToolNames,
    /// Whether a client of chat completions offered its tools as `functions`, and wants calls in that older form.
    pub(in crate::dialects) legacy_functions: bool,
    /// What the Responses dialect repeats of a request in its answer: an object without `id`, `object`, `created_at`,
    /// `status`, `model`, `output`, `error`, `incomplete_details` and `usage`. Nothing for other dialects.
    pub(in crate::dialects) echo: Option<Box<RawValue>>,
}

impl AnswerContext {
    /// What is kept for an answer of this model to a request that was made at `created`, in seconds since 1970 (UTC).
    pub(in crate::dialects) fn new(model: &Model, created: i64) -> Self {
        Self {
            id: uuid::Uuid::now_v7().simple().to_string(),
            model: model.api_model.to_string(),
            origin: Origin::of(model),
            created,
            wants_usage: true,
            tools: ToolNames::default(),
            legacy_functions: false,
            echo: None,
        }
    }
}
