//! Reading a page of a conversation.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{ConversationId, ConversationPage, StoredMessage};

use super::Connection;
use crate::store::error::QueryError;
use crate::store::models::{self, MessageRow};
use crate::store::schema::{context_summaries, conversations, messages, todo_lists};

/// Up to `limit` messages with a place below `before` (or the newest), with summary and to-do lists; nothing for an
/// unknown conversation.
pub(in super::super) async fn read(
    connection: &mut Connection,
    conversation: &ConversationId,
    limit: u32,
    before: Option<i64>,
) -> Result<Option<ConversationPage>, QueryError> {
    let id = conversation.as_str();
    let known: Option<Option<String>> = conversations::table
        .find(id)
        .select(conversations::route_layer)
        .first(connection)
        .await
        .optional()?;
    let Some(route_layer) = known else {
        return Ok(None);
    };
    let newest_first: Vec<MessageRow> = messages::table
        .filter(messages::conversation_id.eq(id))
        .filter(messages::seq.lt(before.unwrap_or(i64::MAX)))
        .order(messages::seq.desc())
        .limit(limit.into())
        .select(MessageRow::as_select())
        .load(connection)
        .await?;
    let mut messages = Vec::with_capacity(newest_first.len());
    for row in newest_first.into_iter().rev() {
        messages.push(StoredMessage::try_from(row)?);
    }
    let summary = context_summaries::table
        .filter(context_summaries::conversation_id.eq(id))
        .order(context_summaries::version.desc())
        .select(context_summaries::summary)
        .first(connection)
        .await
        .optional()?;
    let todos = todo_lists::table
        .filter(todo_lists::conversation_id.eq(id))
        .order((todo_lists::created_at.asc(), todo_lists::id.asc()))
        .select(todo_lists::todo_data)
        .load(connection)
        .await?;
    let next_before = messages
        .as_slice()
        .first()
        .map(|oldest| oldest.seq)
        .filter(|&seq| seq > 1);
    Ok(Some(ConversationPage {
        summary,
        messages,
        todos,
        route_layer: models::route_layer(route_layer.as_deref())?,
        next_before,
    }))
}
