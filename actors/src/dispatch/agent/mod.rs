//! A code agent's task: one answer where it is small, else split into steps, each answered like a request of its own.
//!
//! All calls of a task belong to one request, and share the places of their attempts. In a conversation the task is one
//! turn: what was done of it is stored as its answer, also where it stopped half-way.

mod steps;
mod told;
mod turn;
mod work;

use std::rc::Rc;

use self::work::{Work, WorkDone};
use super::cell::CellParts;
use super::client::Client;
use crate::protocol::{AgentAnswer, AgentCall, GatewayError};

/// Does a task.
pub(super) async fn run(
    cell: Rc<CellParts>,
    call: AgentCall,
    client: &mut dyn Client,
) -> Result<AgentAnswer, GatewayError> {
    if call.turn.is_some() {
        return Box::pin(turn::run(cell, call, client)).await;
    }
    let work = Work::new(&cell, &call, None, &[]);
    let done = Box::pin(work.done(client)).await?;
    Ok(answer(done, None, true))
}

/// The answer that tells of work that is done.
fn answer(done: WorkDone, user_seq: Option<i64>, stored: bool) -> AgentAnswer {
    AgentAnswer {
        text: done.text,
        todo: done.todo,
        served: done.served,
        status: done.status,
        user_seq,
        stored,
    }
}

#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod tests;
