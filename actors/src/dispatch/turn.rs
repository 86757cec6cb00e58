//! A turn of a stored conversation: permit, user message, answer, assistant message.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::cell::CellParts;
use super::client::{Client, Patient, gone};
use super::run::{Run, client_left};
use super::shut_down;
use crate::protocol::{
    BeginTurn, ChatCall, CloseTurn, ContextError, ErrorKind, GatewayError, OpenTurn, StoreError, TurnAnswer, TurnCall,
    TurnOpened, TurnPermit,
};

/// Stored messages that go along with a new one.
const HISTORY: u32 = 50;

/// How much longer than the request's deadline a turn's lease on its conversation lasts.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// Pauses before the answer is stored again after the database failed.
const STORE_AGAIN: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_millis(2_000),
];

/// Runs a turn to its end, once it may begin: of one that nobody waits for any more by then nothing is stored or sent.
pub(super) async fn run(
    cell: Rc<CellParts>,
    call: TurnCall,
    client: &mut dyn Client,
) -> Result<TurnAnswer, GatewayError> {
    let _turn = cell.gauges.turns.enter();
    let _permit = tokio::select! {
        biased;
        () = cell.cut() => return Err(shut_down()),
        () = gone(client) => return Err(client_left()),
        permit = permit(&cell, &call) => permit?,
    };
    let opened = cell.conversations.open_turn(open(&cell, &call)).await;
    match opened.map_err(|error| store_error(error, &call))? {
        TurnOpened::AlreadyAnswered { answer } => Ok(TurnAnswer {
            text: answer.content,
            served: None,
        }),
        TurnOpened::Opened { seq, history } => {
            let (outgoing, needs) = call.dialect.request(&history);
            let mut plan = call.plan.clone();
            plan.needs = needs;
            let chat = ChatCall {
                plan,
                outgoing,
                context: call.context.clone(),
            };
            let mut run = Run::new(Rc::clone(&cell), chat, Some(call.conversation.clone()), false);
            let mut client = Patient;
            let answer = tokio::select! {
                biased;
                () = cell.cut() => Err(shut_down()),
                answer = run.complete(&mut client) => answer,
            };
            let answer = answer.and_then(|answer| {
                let text = call.dialect.answer_text(&answer.completion)?;
                Ok((Arc::<str>::from(text), answer.served))
            });
            let text = answer.as_ref().ok().map(|(text, _)| Arc::clone(text));
            let closed = close(&cell, &call, seq, text).await;
            let (text, served) = answer?;
            closed?;
            Ok(TurnAnswer {
                text,
                served: Some(served),
            })
        }
    }
}

/// Waits for the turn. A wait that ends without a permit means that the ContextActor was rebuilt: asks once more.
async fn permit(cell: &CellParts, call: &TurnCall) -> Result<TurnPermit, GatewayError> {
    for _ in 0..2 {
        let begin = BeginTurn {
            conversation: call.conversation.clone(),
            request: call.plan.request,
        };
        let waiting = match cell.context.ask(begin).await {
            Ok(Ok(waiting)) => waiting,
            Ok(Err(ContextError::Restarting)) | Err(_) => continue,
            Ok(Err(busy)) => return Err(busy.into()),
        };
        match timeout_at(call.context.deadline, waiting).await {
            Ok(Ok(permit)) => return Ok(permit),
            Ok(Err(_)) => {}
            Err(_) => {
                return Err(GatewayError::new(
                    ErrorKind::DeadlineExceeded,
                    "the deadline passed while earlier messages of this conversation were being answered",
                ));
            }
        }
    }
    Err(ContextError::Restarting.into())
}

fn open(cell: &CellParts, call: &TurnCall) -> OpenTurn {
    let left = call.context.deadline.saturating_duration_since(Instant::now());
    OpenTurn {
        conversation: call.conversation.clone(),
        request: call.plan.request,
        instance: cell.instance,
        user_id: call.context.user_id.clone(),
        project_id: call.context.project_id.clone(),
        client_message_id: call.client_message_id.clone(),
        message: Arc::clone(&call.message),
        lease: left + LEASE_MARGIN,
        history_limit: HISTORY,
    }
}

/// Stores how the turn ended. The answer may be acknowledged only when this succeeded.
async fn close(cell: &CellParts, call: &TurnCall, user_seq: i64, answer: Option<Arc<str>>) -> Result<(), GatewayError> {
    let mut pauses = STORE_AGAIN.iter();
    loop {
        let closed = cell.conversations.close_turn(CloseTurn {
            conversation: call.conversation.clone(),
            request: call.plan.request,
            user_seq,
            answer: answer.clone(),
        });
        match (closed.await, pauses.next()) {
            (Ok(()), _) => return Ok(()),
            (Err(StoreError::Unavailable { .. }), Some(pause)) => sleep(*pause).await,
            (Err(error), _) => return Err(store_error(error, call)),
        }
    }
}

fn store_error(error: StoreError, call: &TurnCall) -> GatewayError {
    let request = call.plan.request;
    match &error {
        // The client's doing, or another process's: nothing is wrong with the store.
        StoreError::ConversationBusy { .. } | StoreError::MessageMismatch => {
            tracing::info!(%request, %error, "a turn was refused");
        }
        StoreError::ResponseMismatch
        | StoreError::ReportTooLarge
        | StoreError::Unavailable { .. }
        | StoreError::Full
        | StoreError::Failed { .. } => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%request, %error, cause, "a turn could not be stored");
        }
    }
    error.into()
}
