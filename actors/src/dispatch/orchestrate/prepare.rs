//! What is looked up before a request is planned, and the plan as it is gone on with.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::cell::CellParts;
use super::super::payment::Payment;
use super::story::Planned;
use crate::protocol::{ChatCall, Confirmation, ConversationId, FindLoop, Layer, Plan, Question, Target};

/// Reads the question, and adds to the wish what the budgets and the conversation say; nothing where there is none. With
/// it comes the floor of a conversation that is known by its texts.
pub(super) async fn prepare(
    cell: &CellParts,
    call: &mut ChatCall,
    conversation: Option<&ConversationId>,
) -> Option<(Arc<Question>, Option<Layer>)> {
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
    if let Some(note) = call.plan.wish.note.clone()
        && let Some(noted) = call.outgoing.with_note(&note)
    {
        call.outgoing = noted;
    }
    Some((question, found))
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
