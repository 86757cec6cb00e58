//! The request pipeline of a cell: plan, lease, hold, attempts, stream pump, settle.
//!
//! * **Owns** the requests of its cell while they are under way, each in a task of its own: the future that an edge
//!   awaits may be dropped at any time, and the attempt is settled all the same. When the process ends and waits no
//!   longer, it drops these tasks itself, while the actors that keep the books still live.
//! * **Talks to** the actors of its own cell (asks for a plan, a lease, a hold; tells reports, settlements, records)
//!   and, for a conversation, to the ContextActor and the store. It alone asks; no actor awaits another.
//! * **On a panic** in a request's task that request ends, and its attempt is booked at its worst case.

mod account;
mod agent;
mod attempt;
mod candidates;
mod cell;
mod client;
mod failure;
mod orchestrate;
mod payment;
mod pump;
mod retry;
mod run;
mod settings;
mod settlement;
mod state;
mod turn;

use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};

pub use cell::{PipelineParts, ProviderHandle};
pub use settings::{AmbiguousFailover, DispatchSettings, OrchestrationSettings};

use crate::protocol::{
    AgentAnswer, AgentCall, Answer, AnswerStream, Billing, ChatCall, ConversationId, ErrorKind, FailureKind,
    GatewayError, OutcomeEnd, Plan, TurnAnswer, TurnCall, UpstreamFailure, UpstreamReply,
};
#[cfg(feature = "testkit")]
use crate::protocol::{PlanRequest, RouteError};
use cell::CellParts;
use orchestrate::Streamed;
use run::Begun;

/// Takes requests through the actors of one cell. Cheap to clone; stays on its cell's thread.
#[derive(Debug, Clone)]
pub struct Pipeline {
    cell: Rc<CellParts>,
}

impl Pipeline {
    /// A pipeline over these parts.
    #[must_use]
    pub fn new(parts: PipelineParts) -> Self {
        Self {
            cell: Rc::new(CellParts::new(parts)),
        }
    }

    /// Has requests planned by this and not by the router, where it gives a plan. For tests of what is done with a plan.
    #[cfg(feature = "testkit")]
    pub fn plan_by(&self, plan: impl Fn(&PlanRequest) -> Option<Result<Plan, RouteError>> + 'static) {
        self.cell.plan_by(cell::Planner(Box::new(plan)));
    }

    /// Gets a whole answer. The attempt goes on, and is settled, when the returned future is dropped.
    ///
    /// # Errors
    /// When no candidate could answer; see [`ErrorKind`].
    pub async fn complete(&self, call: ChatCall) -> Result<Answer, GatewayError> {
        let (mut reply, answer) = oneshot::channel();
        let cell = Rc::clone(&self.cell);
        spawn(async move {
            let result = tokio::select! {
                biased;
                () = cell.cut() => Err(shut_down()),
                result = orchestrate::answer(Rc::clone(&cell), call, None, &mut reply) => result,
            };
            // Whoever waited may have left.
            let _ = reply.send(result);
        });
        answer.await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// Gets a stream whose first meaningful event is there.
    ///
    /// # Errors
    /// When no candidate could begin one; see [`ErrorKind`].
    pub async fn stream(&self, call: ChatCall) -> Result<AnswerStream, GatewayError> {
        let (reply, answer) = oneshot::channel();
        let cell = Rc::clone(&self.cell);
        spawn(async move {
            tokio::select! {
                biased;
                // Whoever reads the stream knows by itself that the process ends.
                () = cell.cut() => {}
                () = stream(Rc::clone(&cell), call, reply) => {}
            }
        });
        answer.await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// Runs a turn of a stored conversation: the message is durable before a model is asked, the answer before it
    /// is returned.
    ///
    /// # Errors
    /// When the turn could not begin, no candidate could answer or the answer could not be stored.
    pub async fn turn(&self, call: TurnCall) -> Result<TurnAnswer, GatewayError> {
        let (mut reply, answer) = oneshot::channel();
        let cell = Rc::clone(&self.cell);
        spawn(async move {
            let result = turn::run(cell, call, &mut reply).await;
            // Whoever waited may have left; the turn is stored.
            let _ = reply.send(result);
        });
        answer.await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// Does a code agent's task, in steps where it is not small.
    ///
    /// # Errors
    /// When no candidate could answer, or the turn could not begin or be stored.
    pub async fn agent(&self, call: AgentCall) -> Result<AgentAnswer, GatewayError> {
        let (mut reply, answer) = oneshot::channel();
        let cell = Rc::clone(&self.cell);
        spawn(async move {
            let result = agent::run(cell, call, &mut reply).await;
            // Whoever waited may have left; what was stored is stored.
            let _ = reply.send(result);
        });
        answer.await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// What would be done for a request, without doing it.
    ///
    /// # Errors
    /// When there is no plan for it.
    pub async fn explain(&self, call: ChatCall, conversation: Option<ConversationId>) -> Result<Plan, GatewayError> {
        orchestrate::explain(&self.cell, call, conversation).await
    }

    /// The request's task ended without an answer.
    fn lost(&self) -> GatewayError {
        if self.cell.is_cut() {
            return shut_down();
        }
        GatewayError::new(
            ErrorKind::Internal,
            "the gateway failed while answering; the request may have been billed",
        )
    }
}

/// Runs a request's task. It is boxed first: a task is moved several times while it is made and once more when it is over,
/// and one of these has two kilobytes.
fn spawn(task: impl Future<Output = ()> + 'static) {
    actix_rt::spawn(Box::pin(task));
}

async fn stream(cell: Rc<CellParts>, call: ChatCall, mut reply: oneshot::Sender<Result<AnswerStream, GatewayError>>) {
    let _gauge = cell.gauges.streams.enter();
    let begun = orchestrate::stream(&cell, call, &mut reply).await;
    let Streamed {
        begun,
        routing,
        outcome,
    } = match begun {
        Ok(streamed) => streamed,
        Err(error) => {
            let _ = reply.send(Err(error));
            return;
        }
    };
    let answer = match begun {
        Begun {
            attempt,
            candidate,
            reply: UpstreamReply::Stream(frames),
            dropped,
        } => {
            let (client, events) = mpsc::channel(pump::CHANNEL);
            let model = candidate.model;
            // A client that left meanwhile drops the receiver, which the pump sees.
            let _ = reply.send(Ok(AnswerStream {
                model,
                dropped,
                routing,
                events,
            }));
            let (end, finished) = pump::pump(cell, attempt, frames, client).await;
            if let Some(outcome) = outcome {
                outcome.ended(end, finished.cost);
            }
            return;
        }
        Begun { attempt, .. } => {
            let failure = UpstreamFailure::new(FailureKind::Malformed, Billing::Ambiguous, "no stream");
            let finished = attempt.failed(&failure);
            if let Some(outcome) = outcome {
                outcome.ended(OutcomeEnd::Failed, finished.cost);
            }
            Err(failure::told(&failure))
        }
    };
    let _ = reply.send(answer);
}

/// The process ended before the answer was there.
fn shut_down() -> GatewayError {
    let message = "the gateway shut down before the answer was there; send the request again";
    GatewayError::new(ErrorKind::Draining, message)
}
