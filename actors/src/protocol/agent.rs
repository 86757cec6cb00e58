//! What an edge hands to the pipeline for a code agent's task, and what it gets back.

use std::fmt;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chat::{CallContext, Served, TurnDialect};
use super::escalations::Amend;
use super::ids::ConversationId;
use super::layer::{UnknownWord, words};
use super::outgoing::OutgoingRequest;
use super::router::{Needs, PlanRequest};
use super::store::StoredMessage;
use super::todos::TodoList;

words! {
    /// How far a task came.
    AgentStatus {
        /// It is done.
        Done = "done",
        /// Some of its steps are still open.
        Partial = "partial",
    }
}

/// A code agent's task.
#[derive(Clone)]
pub struct AgentCall {
    /// The conversation whose turn it is, and the client's own id for the message.
    pub turn: Option<(ConversationId, Option<Arc<str>>)>,
    /// How the model is to work.
    pub instructions: Arc<str>,
    /// The task, with its files and context.
    pub message: Arc<str>,
    /// What to plan for; its needs are replaced by those of what is sent.
    pub plan: PlanRequest,
    /// Who asks, where, and until when.
    pub context: CallContext,
    /// How it is written and read.
    pub dialect: Rc<dyn AgentDialect>,
    /// Whether it is too small to be split into steps.
    pub is_trivial: bool,
    /// The user's message whose stored answer is replaced by a better one: no turn is opened then.
    pub amend: Option<Amend>,
}

impl fmt::Debug for AgentCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCall")
            .field("turn", &self.turn)
            .field("instructions_bytes", &self.instructions.len())
            .field("message_bytes", &self.message.len())
            .field("plan", &self.plan)
            .field("is_trivial", &self.is_trivial)
            .finish_non_exhaustive()
    }
}

/// Knows how a task, and each of its steps, is written for a provider.
pub trait AgentDialect: TurnDialect {
    /// The request that asks for one step after this history (oldest first) and these steps that are done, each with its
    /// result; and its needs.
    fn step(
        &self,
        history: &[StoredMessage],
        done: &[(String, String)],
        step: &str,
    ) -> (Rc<dyn OutgoingRequest>, Needs);
}

/// The answer to a code agent's task.
#[derive(Clone)]
pub struct AgentAnswer {
    /// The results, each under its step's heading.
    pub text: Arc<str>,
    /// The steps; nothing where the task was not split.
    pub todo: Option<TodoList>,
    /// How it came to be; nothing when the same client message id had been answered before.
    pub served: Option<Served>,
    /// How far it came.
    pub status: AgentStatus,
    /// The place of the user's message in its conversation.
    pub user_seq: Option<i64>,
    /// Whether the answer is stored in its conversation; true where there is none.
    pub stored: bool,
}

impl fmt::Debug for AgentAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentAnswer")
            .field("text_bytes", &self.text.len())
            .field("todo", &self.todo)
            .field("served", &self.served)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
