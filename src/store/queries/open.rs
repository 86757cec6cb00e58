//! Opening a turn.
//!
//! The same client message id is stored once. What a second message with the id does depends on the first:
//! * answered: nothing is stored, its answer is returned; with another text it is refused;
//! * the newest turn, failed or left behind by a process that died: that turn is opened again, in its own place and with
//!   the text sent now (nobody has seen an answer to the other);
//! * failed, and other turns came after it: history is not rewritten, so it is stored as a new turn, which takes the id
//!   over from the old one.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{MessageStatus, OpenTurn, Role, StoredMessage, TurnOpened};

use super::{Connection, release};
use crate::store::error::{Fault, QueryError};
use crate::store::models::{self, MessageRow, NewMessage};
use crate::store::schema::{conversations, messages};

/// What the conversation's row says when a turn opens.
#[derive(Debug, Queryable)]
struct Head {
    next_seq: i64,
    lease_request: Option<String>,
    lease_expires_at: Option<i64>,
    route_layer: Option<String>,
}

/// A user message that a turn may be opened on again.
#[derive(Debug)]
struct Earlier {
    seq: i64,
    content: String,
    status: MessageStatus,
}

/// Opens a turn inside the running transaction. `now` is in microseconds since 1970.
pub(in super::super) async fn open(
    connection: &mut Connection,
    turn: &OpenTurn,
    now: i64,
) -> Result<TurnOpened, QueryError> {
    let request = turn.request.to_string();
    let head = lock_conversation(connection, turn, now).await?;
    let earlier = with_same_client_id(connection, turn).await?;
    if let Some(earlier) = &earlier
        && earlier.status == MessageStatus::Done
    {
        if earlier.content != *turn.message {
            return Err(QueryError::Mismatch);
        }
        let answer = message_at(connection, turn, earlier.seq + 1).await?;
        return Ok(TurnOpened::AlreadyAnswered { answer });
    }
    refuse_if_held(&head, &request, now)?;

    let newest = release::newest_user_seq(head.next_seq);
    let is_retry = earlier.as_ref().is_some_and(|earlier| Some(earlier.seq) == newest);
    let is_own = head.lease_request.as_deref() == Some(request.as_str());
    let seq = match newest {
        Some(newest) if is_retry || is_own => {
            reopen(connection, turn, &request, newest, now).await?;
            newest
        }
        _ => {
            if let Some(earlier) = earlier {
                forget_client_id(connection, turn, earlier.seq).await?;
            }
            if let Some(newest) = newest {
                release::close_if_pending(connection, turn.conversation.as_str(), newest, now).await?;
            }
            append(connection, turn, &request, now).await?
        }
    };
    take_lease(connection, turn, &request, now).await?;
    let history = history(connection, turn, seq).await?;
    Ok(TurnOpened::Opened {
        seq,
        history,
        route_layer: models::route_layer(head.route_layer.as_deref())?,
    })
}

/// Creates the conversation or reads it, taking its row's lock either way.
async fn lock_conversation(connection: &mut Connection, turn: &OpenTurn, now: i64) -> Result<Head, QueryError> {
    let head = diesel::insert_into(conversations::table)
        .values((
            conversations::id.eq(turn.conversation.as_str()),
            conversations::user_id.eq(turn.user_id.as_deref()),
            conversations::project_id.eq(turn.project_id.as_deref()),
            conversations::created_at.eq(now),
            conversations::updated_at.eq(now),
            conversations::next_seq.eq(1),
        ))
        .on_conflict(conversations::id)
        .do_update()
        .set(conversations::updated_at.eq(now))
        .returning((
            conversations::next_seq,
            conversations::lease_request,
            conversations::lease_expires_at,
            conversations::route_layer,
        ))
        .get_result(connection)
        .await?;
    Ok(head)
}

async fn with_same_client_id(connection: &mut Connection, turn: &OpenTurn) -> Result<Option<Earlier>, QueryError> {
    let Some(client_id) = turn.client_message_id.as_deref() else {
        return Ok(None);
    };
    let found: Option<(i64, String, String)> = messages::table
        .filter(messages::conversation_id.eq(turn.conversation.as_str()))
        .filter(messages::client_message_id.eq(client_id))
        .select((messages::seq, messages::content, messages::status))
        .first(connection)
        .await
        .optional()?;
    match found {
        Some((seq, content, status)) => Ok(Some(Earlier {
            seq,
            content,
            status: models::status(&status)?,
        })),
        None => Ok(None),
    }
}

/// Refuses while another request's lease lives. A request's own lease does not stop it: it opens its turn again.
fn refuse_if_held(head: &Head, request: &str, now: i64) -> Result<(), QueryError> {
    let held_by_other = head.lease_request.as_deref().is_some_and(|holder| holder != request);
    let left_us = head.lease_expires_at.unwrap_or(now).saturating_sub(now);
    match u64::try_from(left_us) {
        Ok(left_us) if held_by_other && left_us > 0 => Err(QueryError::Busy {
            retry_after: Duration::from_micros(left_us),
        }),
        _ => Ok(()),
    }
}

async fn reopen(
    connection: &mut Connection,
    turn: &OpenTurn,
    request: &str,
    seq: i64,
    now: i64,
) -> Result<(), QueryError> {
    diesel::update(messages::table.find((turn.conversation.as_str(), seq)))
        .set((
            messages::status.eq(MessageStatus::Pending.as_str()),
            messages::content.eq(&*turn.message),
            messages::request_id.eq(request),
            messages::created_at.eq(now),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

async fn forget_client_id(connection: &mut Connection, turn: &OpenTurn, seq: i64) -> Result<(), QueryError> {
    diesel::update(messages::table.find((turn.conversation.as_str(), seq)))
        .set(messages::client_message_id.eq(None::<&str>))
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores the user message at the next place, which it returns.
async fn append(connection: &mut Connection, turn: &OpenTurn, request: &str, now: i64) -> Result<i64, QueryError> {
    let next_seq: i64 = diesel::update(conversations::table.find(turn.conversation.as_str()))
        .set(conversations::next_seq.eq(conversations::next_seq + 1))
        .returning(conversations::next_seq)
        .get_result(connection)
        .await?;
    let seq = next_seq - 1;
    diesel::insert_into(messages::table)
        .values(NewMessage {
            conversation_id: turn.conversation.as_str(),
            seq,
            role: Role::User.as_str(),
            content: &turn.message,
            status: MessageStatus::Pending.as_str(),
            client_message_id: turn.client_message_id.as_deref(),
            request_id: Some(request),
            created_at: now,
        })
        .execute(connection)
        .await?;
    Ok(seq)
}

async fn take_lease(connection: &mut Connection, turn: &OpenTurn, request: &str, now: i64) -> Result<(), QueryError> {
    let lease_us = i64::try_from(turn.lease.as_micros()).unwrap_or(i64::MAX);
    diesel::update(conversations::table.find(turn.conversation.as_str()))
        .set((
            conversations::lease_request.eq(request),
            conversations::lease_instance.eq(turn.instance.to_string()),
            conversations::lease_expires_at.eq(now.saturating_add(lease_us)),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

async fn message_at(connection: &mut Connection, turn: &OpenTurn, seq: i64) -> Result<StoredMessage, QueryError> {
    let row: Option<MessageRow> = messages::table
        .find((turn.conversation.as_str(), seq))
        .select(MessageRow::as_select())
        .first(connection)
        .await
        .optional()?;
    let row = row.ok_or_else(|| Fault::failed("an answered message has no answer"))?;
    Ok(row.try_into()?)
}

/// The newest answered messages before this place, oldest first. Both messages of an answered turn are `done`, and
/// neither of any other turn is.
async fn history(connection: &mut Connection, turn: &OpenTurn, seq: i64) -> Result<Vec<StoredMessage>, QueryError> {
    let newest_first: Vec<MessageRow> = messages::table
        .filter(messages::conversation_id.eq(turn.conversation.as_str()))
        .filter(messages::seq.lt(seq))
        .filter(messages::status.eq(MessageStatus::Done.as_str()))
        .order(messages::seq.desc())
        .limit(turn.history_limit.into())
        .select(MessageRow::as_select())
        .load(connection)
        .await?;
    newest_first
        .into_iter()
        .rev()
        .map(|row| StoredMessage::try_from(row).map_err(QueryError::from))
        .collect()
}
