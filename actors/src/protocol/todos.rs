//! To-do lists of conversations, and the port to where they are.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ConversationId, ModelId, RequestId};
use super::layer::{UnknownWord, words};
use super::store::StoreFuture;

words! {
    /// How far a step is.
    TodoStatus {
        /// It is still to be done.
        Open = "open",
        /// It is done.
        Done = "done",
        /// It was tried and failed.
        Failed = "failed",
    }
}

/// A task in steps. Stored as its JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TodoList {
    /// Its id.
    pub id: Arc<str>,
    /// What the task is known by: a digest of its text, so that a list is gone on with by the same task alone.
    pub task: String,
    /// The steps, in order.
    pub steps: Vec<TodoStep>,
}

impl TodoList {
    /// Whether a step is still to be done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.steps.iter().any(|step| step.status == TodoStatus::Open)
    }

    /// The same as it is kept: without results that are too long for it.
    #[must_use]
    pub fn kept(mut self) -> Self {
        for step in &mut self.steps {
            step.result = step
                .result
                .take()
                .filter(|result| result.len() <= TodoStep::MOST_RESULT);
        }
        self
    }

    /// The same without what came of the steps: as it is told, and as it is stored once that is in an answer.
    #[must_use]
    pub fn without_results(mut self) -> Self {
        for step in &mut self.steps {
            step.result = None;
        }
        self
    }
}

impl fmt::Debug for TodoList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TodoList")
            .field("id", &self.id)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

/// A step of a task.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TodoStep {
    /// What is to be done.
    pub text: String,
    /// How far it is.
    pub status: TodoStatus,
    /// The model that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// What came of it, where the list is still to be gone on with. Stored up to [`MOST_RESULT`](Self::MOST_RESULT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Arc<str>>,
}

impl TodoStep {
    /// Bytes of a result that is stored. A longer one is not stored in part: half a result would be taken for all of it.
    pub const MOST_RESULT: usize = 128 * 1024;

    /// Ticks it: done by this model, with this result.
    pub fn done(&mut self, model: ModelId, result: Arc<str>) {
        self.status = TodoStatus::Done;
        self.model = Some(model);
        self.result = Some(result);
    }

    /// It is to be done again.
    pub fn reopen(&mut self) {
        self.status = TodoStatus::Open;
        self.model = None;
        self.result = None;
    }
}

impl fmt::Debug for TodoStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TodoStep")
            .field("text_bytes", &self.text.len())
            .field("status", &self.status)
            .field("model", &self.model)
            .field("result_bytes", &self.result.as_ref().map(|result| result.len()))
            .finish()
    }
}

/// The to-do lists in the database.
pub trait TodoStore: fmt::Debug + Send + Sync {
    /// The conversation's newest list, if a step of it is open.
    fn open_list(&self, conversation: ConversationId) -> StoreFuture<Option<TodoList>>;

    /// Stores a list of this request in the place of the one with its id, if there is one. The request must have written
    /// in the conversation: where it has not, that was deleted since.
    fn put(&self, conversation: ConversationId, request: RequestId, list: TodoList) -> StoreFuture<()>;
}
