//! A task as a turn of its conversation.

use std::rc::Rc;
use std::sync::Arc;

use super::answer;
use super::work::{self, Work, WorkDone};
use crate::dispatch::cell::CellParts;
use crate::dispatch::client::{Client, Patient, gone};
use crate::dispatch::run::client_left;
use crate::dispatch::shut_down;
use crate::dispatch::turn::{close, open, page_before, permit, store_better, store_error, tell_tests};
use crate::protocol::{
    AgentAnswer, AgentCall, AgentStatus, Amend, ErrorKind, GatewayError, TodoList, TodoStatus, TurnCall, TurnOpened,
};

/// Runs a task's turn to its end, once it may begin.
pub(super) async fn run(
    cell: Rc<CellParts>,
    call: AgentCall,
    client: &mut dyn Client,
) -> Result<AgentAnswer, GatewayError> {
    let Some(turn) = as_turn(&call) else {
        let message = "a task without a conversation was taken for a turn";
        return Err(GatewayError::new(ErrorKind::Internal, message));
    };
    let _turn = cell.gauges.turns.enter();
    let _permit = tokio::select! {
        biased;
        () = cell.cut() => return Err(shut_down()),
        () = gone(client) => return Err(client_left()),
        permit = permit(&cell, &turn) => permit?,
    };
    if let Some(place) = call.amend {
        return better(&cell, &call, &turn, place).await;
    }
    let opened = cell.conversations.open_turn(open(&cell, &turn)).await;
    match opened.map_err(|error| store_error(error, &turn))? {
        TurnOpened::AlreadyAnswered { answer } => {
            // A task that was left half-way is told as such: what goes on with it is a message of its own.
            let todo = work::open_list(&cell, &call, &turn.conversation).await;
            let is_open = todo.is_some();
            Ok(AgentAnswer {
                text: answer.content,
                todo,
                served: None,
                status: if is_open {
                    AgentStatus::Partial
                } else {
                    AgentStatus::Done
                },
                user_seq: None,
                stored: true,
            })
        }
        TurnOpened::Opened {
            seq,
            history,
            route_layer,
        } => {
            tell_tests(&cell, &turn);
            let work = Work::new(&cell, &call, Some(&turn.conversation), &history).not_below(route_layer);
            let done = Box::pin(work.done(&mut Patient)).await;
            let (text, reached) = match &done {
                Ok(done) => (Some(Arc::clone(&done.text)), done.layer()),
                Err(_) => (None, None),
            };
            let closed = close(&cell, &turn, seq, text, reached.max(route_layer)).await;
            let done = done?;
            closed?;
            if let Some(list) = done.todo.as_ref().filter(|list| !list.is_open()) {
                // What came of its steps is in the answer.
                work::keep(&cell, &call, &turn.conversation, list.clone().without_results()).await;
            }
            Ok(answer(done, Some(seq), true))
        }
    }
}

/// Does a task again, better, and puts the answer in the place of the one that is stored. The one before is lost only
/// once the better one is there as a whole: half a task is no better than what is there.
async fn better(
    cell: &Rc<CellParts>,
    call: &AgentCall,
    turn: &TurnCall,
    place: Amend,
) -> Result<AgentAnswer, GatewayError> {
    let page = page_before(cell, turn, place.user_seq).await?;
    let work = Work::new(cell, call, Some(&turn.conversation), &page.messages).not_below(page.route_layer);
    let done = Box::pin(work.done(&mut Patient)).await?;
    let is_whole = done.status == AgentStatus::Done;
    let stored = is_whole && store_better(cell, turn, place, &done.text, done.layer()).await;
    if stored && let Some(list) = replaced(cell, call, turn, &done).await {
        work::keep(cell, call, &turn.conversation, list).await;
    }
    Ok(answer(done, Some(place.user_seq), stored))
}

/// The list that goes with the better answer, so that nobody goes on with the one of the answer before.
async fn replaced(cell: &CellParts, call: &AgentCall, turn: &TurnCall, done: &WorkDone) -> Option<TodoList> {
    if let Some(list) = &done.todo {
        return Some(list.clone().without_results());
    }
    let mut left = work::open_list(cell, call, &turn.conversation).await?;
    for step in &mut left.steps {
        step.status = TodoStatus::Done;
    }
    Some(left.without_results())
}

/// The same as a turn, whose answer is made elsewhere.
fn as_turn(call: &AgentCall) -> Option<TurnCall> {
    let (conversation, client_message_id) = call.turn.clone()?;
    let dialect = Rc::clone(&call.dialect);
    Some(TurnCall {
        conversation,
        client_message_id,
        message: Arc::clone(&call.message),
        plan: call.plan.clone(),
        dialect,
        context: call.context.clone(),
        amend: call.amend,
    })
}
