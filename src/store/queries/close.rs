//! Closing a turn.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{CloseTurn, Layer, MessageStatus, Role};

use super::{Connection, lock};
use crate::store::error::QueryError;
use crate::store::models::{self, NewMessage};
use crate::store::schema::{conversations, messages};

/// When a caller whose turn was taken over may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Another turn has taken the place of the one that is to be closed.
const TAKEN_OVER: QueryError = QueryError::Busy {
    retry_after: RETRY_AFTER,
};

/// The request that wrote a user message, the client's own id for it, and how far it has come.
type UserMessage = (Option<String>, Option<String>, String);

/// Closes a turn inside the running transaction. `now` is in microseconds since 1970.
///
/// A second call of the same request changes nothing. A turn that is no longer the request's (its lease ran out and
/// another turn took the conversation) is left alone, and an answer that comes for it is refused as busy; one whose
/// conversation was deleted is refused as that, whether or not another has begun under its id: success always means that
/// the request's answer is stored.
pub(in super::super) async fn close(connection: &mut Connection, turn: &CloseTurn, now: i64) -> Result<(), QueryError> {
    let request = turn.request.to_string();
    lock::conversation(connection, turn.conversation.as_str()).await?;
    let user: Option<UserMessage> = messages::table
        .find((turn.conversation.as_str(), turn.user_seq))
        .select((messages::request_id, messages::client_message_id, messages::status))
        .first(connection)
        .await
        .optional()?;
    let is_own = |writer: &Option<String>| writer.as_deref() == Some(request.as_str());
    let late = match user {
        Some((writer, _, status)) if is_own(&writer) => match models::status(&status)? {
            MessageStatus::Pending => {
                let conversation = turn.conversation.as_str();
                let answer = Some((&*request, turn.answer.as_deref()));
                end_turn(connection, conversation, turn.user_seq, answer, now).await?;
                return match turn.route_layer.filter(|_| turn.answer.is_some()) {
                    Some(layer) => raise_route_layer(connection, conversation, layer).await,
                    None => Ok(()),
                };
            }
            MessageStatus::Done => return Ok(()),
            MessageStatus::Failed => {
                let closed_by: Option<Option<String>> = messages::table
                    .find((turn.conversation.as_str(), turn.user_seq + 1))
                    .select(messages::request_id)
                    .first(connection)
                    .await
                    .optional()?;
                if closed_by.is_some_and(|writer| is_own(&writer)) {
                    return Ok(());
                }
                TAKEN_OVER
            }
        },
        // Only the same message sent again is stored in the place of another.
        Some((_, client_id, _)) if client_id.is_some() && client_id.as_deref() == turn.client_message_id.as_deref() => {
            TAKEN_OVER
        }
        _ => QueryError::Deleted,
    };
    match turn.answer {
        Some(_) => Err(late),
        None => Ok(()),
    }
}

/// Notes that this layer answered, if none above it did before.
pub(super) async fn raise_route_layer(
    connection: &mut Connection,
    conversation: &str,
    layer: Layer,
) -> Result<(), QueryError> {
    // The layers' names are in their order.
    let lower = conversations::route_layer
        .is_null()
        .or(conversations::route_layer.lt(layer.as_str()));
    let this = conversations::table.find(conversation).filter(lower);
    diesel::update(this)
        .set(conversations::route_layer.eq(layer.as_str()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the turn whose user message is at `user_seq` and pending: stores what the closing request says of the answer
/// (its id, and the text unless the turn failed), or that nobody could say anything. Gives the lease back.
///
/// The place of the answer may be taken by the empty answer of the same turn's earlier attempt, which it replaces.
pub(super) async fn end_turn(
    connection: &mut Connection,
    conversation: &str,
    user_seq: i64,
    closing: Option<(&str, Option<&str>)>,
    now: i64,
) -> Result<(), QueryError> {
    let text = closing.and_then(|(_, text)| text);
    let request = closing.map(|(request, _)| request);
    let status = match text {
        Some(_) => MessageStatus::Done,
        None => MessageStatus::Failed,
    };
    let content = text.unwrap_or_default();
    let answer_seq = user_seq + 1;
    diesel::update(messages::table.find((conversation, user_seq)))
        .set(messages::status.eq(status.as_str()))
        .execute(connection)
        .await?;
    diesel::insert_into(messages::table)
        .values(NewMessage {
            conversation_id: conversation,
            seq: answer_seq,
            role: Role::Assistant.as_str(),
            content,
            status: status.as_str(),
            client_message_id: None,
            request_id: request,
            created_at: now,
        })
        .on_conflict((messages::conversation_id, messages::seq))
        .do_update()
        .set((
            messages::content.eq(content),
            messages::status.eq(status.as_str()),
            messages::request_id.eq(request),
            messages::created_at.eq(now),
        ))
        .execute(connection)
        .await?;
    diesel::update(conversations::table.find(conversation))
        .set((
            conversations::next_seq.eq(answer_seq + 1),
            conversations::lease_request.eq(None::<&str>),
            conversations::lease_instance.eq(None::<&str>),
            conversations::lease_expires_at.eq(None::<i64>),
            conversations::updated_at.eq(now),
        ))
        .execute(connection)
        .await?;
    Ok(())
}
