//! Deleting a conversation.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::ConversationId;

use super::{Connection, lock};
use crate::store::error::QueryError;
use crate::store::schema::{conversations, escalations};

/// Deletes the conversation inside the running transaction, and the offers that were made in it; whether it was there.
/// Messages, summaries and to-do lists go with its row, and so does the lease of a turn that runs: what that turn does
/// later finds no message of its own.
pub(in super::super) async fn forget(
    connection: &mut Connection,
    conversation: &ConversationId,
) -> Result<bool, QueryError> {
    let id = conversation.as_str();
    lock::conversation(connection, id).await?;
    diesel::delete(escalations::table.filter(escalations::conversation_id.eq(id)))
        .execute(connection)
        .await?;
    let deleted = diesel::delete(conversations::table.find(id))
        .execute(connection)
        .await?;
    Ok(deleted > 0)
}
