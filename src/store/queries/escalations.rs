//! Storing offers, deciding about them once, and removing them.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{
    Decided, EscalationDecision, EscalationId, EscalationState, NewEscalation, PURGE_BATCH, StoredEscalation,
};

use super::{Connection, lock};
use crate::store::error::QueryError;
use crate::store::schema::{conversations, escalations};
use crate::store::transfer::EscalationRow;

/// Stores an offer, unless that was done before. One whose conversation was deleted since its answer is refused.
pub(in super::super) async fn offer(
    connection: &mut Connection,
    offer: &NewEscalation,
    now: i64,
) -> Result<(), QueryError> {
    if let Some(conversation) = &offer.conversation {
        lock::conversation(connection, conversation.as_str()).await?;
        let there: Option<String> = conversations::table
            .find(conversation.as_str())
            .select(conversations::id)
            .first(connection)
            .await
            .optional()?;
        if there.is_none() {
            return Err(QueryError::Deleted);
        }
    }
    diesel::insert_into(escalations::table)
        .values(EscalationRow::new(offer, now))
        .on_conflict(escalations::id)
        .do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// The offer of this id.
pub(in super::super) async fn find_offer(
    connection: &mut Connection,
    id: EscalationId,
) -> Result<Option<StoredEscalation>, QueryError> {
    let row: Option<EscalationRow> = escalations::table
        .find(id.to_string())
        .select(EscalationRow::as_select())
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(StoredEscalation::try_from).transpose()?)
}

/// Whether the offer is still kept with this conversation: it goes when that is deleted.
pub(super) async fn is_kept_with(
    connection: &mut Connection,
    id: EscalationId,
    conversation: &str,
) -> Result<bool, QueryError> {
    let kept: Option<String> = escalations::table
        .find(id.to_string())
        .filter(escalations::conversation_id.eq(conversation))
        .select(escalations::id)
        .first(connection)
        .await
        .optional()?;
    Ok(kept.is_some())
}

/// Decides about an offer inside the running transaction, and empties its texts. `now` is in microseconds since 1970.
///
/// Of several who decide at once one alone changes the row; the others wait for it and find it changed.
pub(in super::super) async fn decide(
    connection: &mut Connection,
    id: EscalationId,
    decision: EscalationDecision,
    now: i64,
) -> Result<Decided, QueryError> {
    let (id, pending) = (id.to_string(), EscalationState::Pending);
    let decided = match decision {
        EscalationDecision::Approve => EscalationState::Approved,
        EscalationDecision::Reject => EscalationState::Rejected,
    };
    let undecided = escalations::table
        .find(&id)
        .filter(escalations::state.eq(pending.as_str()))
        .filter(escalations::expires_at.gt(now));
    let offered: Option<EscalationRow> = diesel::update(undecided)
        .set((escalations::state.eq(decided.as_str()), escalations::decided_at.eq(now)))
        .returning(EscalationRow::as_returning())
        .get_result(connection)
        .await
        .optional()?;
    let Some(offered) = offered else {
        return why_not(connection, &id).await;
    };
    diesel::update(escalations::table.find(&id))
        .set((
            escalations::body.eq(""),
            escalations::note.eq(""),
            escalations::answer.eq(None::<&str>),
        ))
        .execute(connection)
        .await?;
    Ok(Decided::Done(Box::new(offered.try_into()?)))
}

/// Why an offer cannot be decided about.
async fn why_not(connection: &mut Connection, id: &str) -> Result<Decided, QueryError> {
    let state: Option<String> = escalations::table
        .find(id)
        .select(escalations::state)
        .first(connection)
        .await
        .optional()?;
    Ok(match state {
        None => Decided::Unknown,
        Some(state) if state == EscalationState::Pending.as_str() => Decided::Expired,
        Some(_) => Decided::Used,
    })
}

/// Removes a batch of those that ended before then, inside the running transaction; how many they were.
pub(in super::super) async fn purge_offers(connection: &mut Connection, before: i64) -> Result<usize, QueryError> {
    let limit = i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX);
    let ended: Vec<String> = escalations::table
        .filter(escalations::expires_at.le(before))
        .order(escalations::expires_at)
        .limit(limit)
        .select(escalations::id)
        .load(connection)
        .await?;
    if !ended.is_empty() {
        diesel::delete(escalations::table.filter(escalations::id.eq_any(&ended)))
            .execute(connection)
            .await?;
    }
    Ok(ended.len())
}
