//! Where tools hand their requests in: the way to the pipeline of the MCP edge's own cell.
//!
//! A pipeline stays on its cell's thread, and the protocol's tasks are on another. So a request crosses as an [`Order`],
//! and its answer comes back the same way.

use std::rc::Rc;

use gateway_actors::dispatch::Pipeline;
use gateway_actors::protocol::{AgentAnswer, AgentCall, Amend, CallContext, ConversationId, GatewayError, PlanRequest};
use tokio::sync::{mpsc, oneshot};

use crate::agent::AgentText;

/// Orders that wait to be taken to the pipeline. They are taken at once, and the slots bound how many there are.
const WAITING: usize = 16;

/// A task, and all that is needed to do it.
#[derive(Debug)]
pub(crate) struct Task {
    /// How the task is written for a provider.
    pub(crate) text: AgentText,
    /// The conversation it is a turn of.
    pub(crate) conversation: Option<ConversationId>,
    /// What to plan for, with the needs left open.
    pub(crate) plan: PlanRequest,
    /// Who asks, where, and until when.
    pub(crate) context: CallContext,
    /// Whether it is too small to be split, as far as its size tells.
    pub(crate) is_small: bool,
    /// The message whose stored answer this is to replace.
    pub(crate) amend: Option<Amend>,
}

#[derive(Debug)]
struct Order {
    task: Task,
    reply: oneshot::Sender<Result<AgentAnswer, GatewayError>>,
}

/// Takes tasks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk(mpsc::Sender<Order>);

/// The tasks handed in, for the thread of the cell.
#[derive(Debug)]
pub(crate) struct Orders(mpsc::Receiver<Order>);

impl Desk {
    /// A desk, and what is handed in at it.
    pub(crate) fn new() -> (Self, Orders) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), Orders(receiver))
    }

    /// Gets an answer. When the returned future is dropped nobody waits any more, but a call that was sent is settled.
    ///
    /// # Errors
    /// See `ErrorKind`; `component_failed` when the cell is gone.
    pub(crate) async fn ask(&self, task: Task) -> Result<AgentAnswer, GatewayError> {
        let (reply, answer) = oneshot::channel();
        let gone = || GatewayError::component_failed("worker");
        let order = Order { task, reply };
        self.0.send(order).await.map_err(|_order| gone())?;
        answer.await.unwrap_or_else(|_dropped| Err(gone()))
    }
}

impl Orders {
    /// Takes every order to the pipeline. Runs on the thread of the pipeline's cell, until the desk is gone.
    pub(crate) async fn serve(mut self, pipeline: Pipeline) {
        while let Some(Order { task, mut reply }) = self.0.recv().await {
            let pipeline = pipeline.clone();
            actix_rt::spawn(async move {
                let answered = tokio::select! {
                    answered = pipeline.agent(call(task)) => answered,
                    // The pipeline carries on what must be carried on.
                    () = reply.closed() => return,
                };
                // Whoever waited may have left.
                let _ = reply.send(answered);
            });
        }
    }
}

fn call(task: Task) -> AgentCall {
    let Task {
        text,
        conversation,
        plan,
        context,
        is_small,
        amend,
    } = task;
    AgentCall {
        turn: conversation.map(|conversation| (conversation, None)),
        instructions: text.instructions(),
        message: text.message(),
        plan,
        context,
        dialect: Rc::new(text),
        is_trivial: is_small,
        amend,
    }
}

#[cfg(test)]
impl Orders {
    /// Answers every task by this, in the pipeline's place.
    pub(crate) async fn answer_by(mut self, answer: impl Fn(Task) -> Result<AgentAnswer, GatewayError>) {
        while let Some(Order { task, reply }) = self.0.recv().await {
            let _ = reply.send(answer(task));
        }
    }
}
