//! What is looked up before a request is planned, and the plan as it is gone on with.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::cell::CellParts;
use super::super::payment::Payment;
use super::story::Planned;
use crate::protocol::{ChatCall, Confirmation, ConversationId, FindLoop, HandOffNote, Layer, Plan, Question, Target};

/// What was found out about a request before it is planned.
pub(super) struct Prepared {
    pub(super) question: Arc<Question>,
    /// The floor of a conversation that is known by its texts.
    pub(super) found: Option<Layer>,
    /// What its models are told of the answer before, where the request has a place for it.
    pub(super) note: Option<HandOffNote>,
}

/// Reads the question, and adds to the wish what the budgets and the conversation say; nothing where there is none.
pub(super) async fn prepare(
    cell: &CellParts,
    call: &mut ChatCall,
    conversation: Option<&ConversationId>,
) -> Option<Prepared> {
    let question = match &call.plan.question {
        Some(question) => Arc::clone(question),
        None => Arc::new(call.outgoing.question()?),
    };
    call.plan.question = Some(Arc::clone(&question));
    let payment = Payment::of(cell, &call.context, conversation);
    if let Some(most) = payment.max_layer() {
        // A layer that was asked for by name is refused by the budget, not by the plan.
        let most = match call.plan.target {
            Target::Layer(asked) => most.max(asked),
            _ => most,
        };
        call.plan.max_layer = Some(call.plan.max_layer.map_or(most, |max| max.min(most)));
    }
    let left = payment.left(cell).await;
    let wish = &mut call.plan.wish;
    wish.left = left;
    if wish.unit_user.is_none() {
        wish.unit_user.clone_from(&call.context.user_id);
    }
    if wish.unit_conversation.is_none() {
        wish.unit_conversation = conversation.map(|conversation| conversation.as_str().into());
    }
    let found = find_loop(cell, call, &question).await;
    let mut note = call.plan.wish.note.clone().map(HandOffNote);
    match note.as_ref().and_then(|note| call.outgoing.with_note(&note.0)) {
        Some(noted) => call.outgoing = noted,
        None => note = None,
    }
    Some(Prepared { question, found, note })
}

/// What is known of a conversation that has no id, where the request may go on with one.
async fn find_loop(cell: &CellParts, call: &mut ChatCall, question: &Question) -> Option<Layer> {
    let key = question
        .loop_key
        .filter(|_| question.in_loop || question.user_turns > 1)?;
    let wanted = FindLoop {
        tenant: call.context.caller.tenant(),
        conversation: key.conversation,
        now: Instant::now(),
    };
    // One that does not answer knows nothing: the same text is planned the same way.
    let note = cell.context.ask(wanted).await.ok()??;
    let wish = &mut call.plan.wish;
    wish.floor = wish.floor.max(Some(note.floor));
    wish.state.is(&note.provider);
    if question.in_loop && note.turn == key.turn {
        wish.stay = Some(note.model);
    }
    Some(note.floor)
}

/// A plan with its decision, and what would need leave; the plan as it is where nothing was decided.
pub(super) fn split(plan: Plan) -> Result<(Planned, Option<Confirmation>), Plan> {
    let Plan {
        candidates,
        rejected,
        decision,
        confirmation,
    } = plan;
    match decision {
        Some(decision) => Ok((
            Planned {
                decision: *decision,
                candidates,
                rejected,
            },
            confirmation,
        )),
        None => Err(Plan {
            candidates,
            rejected,
            decision: None,
            confirmation,
        }),
    }
}
