//! A turn of a stored conversation: permit, user message, answer, assistant message.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::cell::CellParts;
use super::client::{Client, Patient, gone};
use super::run::client_left;
use super::{orchestrate, shut_down};
use crate::protocol::{
    Amend, AmendAnswer, BeginTurn, ChatCall, CloseTurn, ContextError, ConversationPage, EarlierTests, ErrorKind,
    GatewayError, Layer, MessageStatus, NoteTests, OpenTurn, RecordOwner, Served, StoreError, StoredMessage,
    TurnAnswer, TurnCall, TurnOpened, TurnPermit,
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
    if let Some(place) = call.amend {
        return amend(&cell, &call, place).await;
    }
    let opened = cell.conversations.open_turn(open(&cell, &call)).await;
    match opened.map_err(|error| store_error(error, &call))? {
        TurnOpened::AlreadyAnswered { answer } => Ok(TurnAnswer {
            text: answer.content,
            served: None,
            user_seq: None,
            stored: true,
        }),
        TurnOpened::Opened {
            seq,
            history,
            route_layer,
        } => {
            tell_tests(&cell, &call);
            let answer = answer(&cell, &call, &history, route_layer).await;
            let text = answer.as_ref().ok().map(|(text, _)| Arc::clone(text));
            let reached = answer.as_ref().ok().and_then(|(_, served)| chosen_layer(served));
            let closed = close(&cell, &call, seq, text, reached.max(route_layer)).await;
            let (text, served) = answer?;
            closed?;
            Ok(TurnAnswer {
                text,
                served: Some(served),
                user_seq: Some(seq),
                stored: true,
            })
        }
    }
}

/// Tells whoever learns how the client's tests of the conversation's newest answer went, if it says so. Nobody waits for
/// it. Where the turn goes on with an offer they were told with the request that it was made for.
pub(super) fn tell_tests(cell: &CellParts, call: &TurnCall) {
    let wish = &call.plan.wish;
    let (Some(learning), Some(tests), None) = (&cell.learning, &wish.tests, wish.above) else {
        return;
    };
    let earlier = EarlierTests {
        conversation: call.conversation.clone(),
        told_by: call.plan.request,
        owner: RecordOwner::judged_by(&call.context.caller),
        tests: (tests.passed, tests.failed),
    };
    if learning.tell(NoteTests(Box::new(earlier))).is_err() {
        tracing::debug!("nobody learns any more; tests are not noted");
    }
}

/// The answer to the turn's message after this history. A turn is carried to its end whether or not somebody waits.
async fn answer(
    cell: &Rc<CellParts>,
    call: &TurnCall,
    history: &[StoredMessage],
    route_layer: Option<Layer>,
) -> Result<(Arc<str>, Served), GatewayError> {
    let (outgoing, needs) = call.dialect.request(history);
    let mut plan = call.plan.clone();
    plan.needs = needs;
    plan.wish.floor = plan.wish.floor.max(route_layer);
    let chat = ChatCall {
        plan,
        outgoing,
        context: call.context.clone(),
    };
    let mut client = Patient;
    let conversation = Some(call.conversation.clone());
    let answer = tokio::select! {
        biased;
        () = cell.cut() => Err(shut_down()),
        answer = orchestrate::answer(Rc::clone(cell), chat, conversation, &mut client) => answer,
    }?;
    let text = call.dialect.answer_text(&answer.completion)?;
    let mut served = answer.served;
    served.end = served.end.or_else(|| call.dialect.answer_end(&answer.completion));
    Ok((text.into(), served))
}

/// The layer that answered, where the gateway chose it.
fn chosen_layer(served: &Served) -> Option<Layer> {
    served.routing.as_ref().map(|_| served.model.layer)
}

/// Has a message that was answered answered better. The answer is given whether or not it can be stored: it was paid for.
async fn amend(cell: &Rc<CellParts>, call: &TurnCall, place: Amend) -> Result<TurnAnswer, GatewayError> {
    let page = page_before(cell, call, place.user_seq).await?;
    let (text, served) = answer(cell, call, &page.messages, page.route_layer).await?;
    let stored = store_better(cell, call, place, &text, chosen_layer(&served)).await;
    Ok(TurnAnswer {
        text,
        served: Some(served),
        user_seq: Some(place.user_seq),
        stored,
    })
}

/// What was answered before a message that is to be answered better.
pub(super) async fn page_before(
    cell: &CellParts,
    call: &TurnCall,
    user_seq: i64,
) -> Result<ConversationPage, GatewayError> {
    let page = cell
        .conversations
        .page(call.conversation.clone(), HISTORY, Some(user_seq));
    // It was there when its offer was approved.
    let page = page.await.and_then(|page| page.ok_or(StoreError::ConversationDeleted));
    let mut page = page.map_err(|error| store_error(error, call))?;
    page.messages
        .retain(|message| message.status == MessageStatus::Done && message.seq < user_seq);
    Ok(page)
}

/// Puts the better answer in the place of the stored one; whether that was still possible.
pub(super) async fn store_better(
    cell: &CellParts,
    call: &TurnCall,
    place: Amend,
    answer: &Arc<str>,
    route_layer: Option<Layer>,
) -> bool {
    let mut pauses = STORE_AGAIN.iter();
    loop {
        let amended = cell.conversations.amend_answer(AmendAnswer {
            conversation: call.conversation.clone(),
            user_seq: place.user_seq,
            offer: place.offer,
            request: call.plan.request,
            answer: Arc::clone(answer),
            route_layer,
        });
        match (amended.await, pauses.next()) {
            (Ok(stored), _) => return stored,
            (Err(StoreError::Unavailable { .. }), Some(pause)) => sleep(*pause).await,
            (Err(error), _) => {
                let _told = store_error(error, call);
                return false;
            }
        }
    }
}

/// Waits for the turn. A wait that ends without a permit means that the ContextActor was rebuilt: asks once more.
pub(super) async fn permit(cell: &CellParts, call: &TurnCall) -> Result<TurnPermit, GatewayError> {
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

pub(super) fn open(cell: &CellParts, call: &TurnCall) -> OpenTurn {
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
pub(super) async fn close(
    cell: &CellParts,
    call: &TurnCall,
    user_seq: i64,
    answer: Option<Arc<str>>,
    route_layer: Option<Layer>,
) -> Result<(), GatewayError> {
    let mut pauses = STORE_AGAIN.iter();
    loop {
        let closed = cell.conversations.close_turn(CloseTurn {
            conversation: call.conversation.clone(),
            request: call.plan.request,
            user_seq,
            client_message_id: call.client_message_id.clone(),
            answer: answer.clone(),
            route_layer,
        });
        match (closed.await, pauses.next()) {
            (Ok(()), _) => return Ok(()),
            (Err(StoreError::Unavailable { .. }), Some(pause)) => sleep(*pause).await,
            (Err(error), _) => return Err(store_error(error, call)),
        }
    }
}

pub(super) fn store_error(error: StoreError, call: &TurnCall) -> GatewayError {
    let request = call.plan.request;
    match &error {
        // The client's doing, or another process's: nothing is wrong with the store.
        StoreError::ConversationBusy { .. } | StoreError::ConversationDeleted | StoreError::MessageMismatch => {
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
