//! Turns that a process left behind when it died.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::MessageStatus;

use super::{Connection, close, lock};
use crate::store::error::QueryError;
use crate::store::schema::{conversations, messages};

/// Instances named in one statement.
const CHUNK: usize = 500;

/// Gives back every conversation that these processes hold and closes their turns as failed, inside the running
/// transaction. The answer is how many conversations were given back.
pub(in super::super) async fn release(
    connection: &mut Connection,
    instances: &[String],
    now: i64,
) -> Result<usize, QueryError> {
    let mut released = 0;
    for instances in instances.chunks(CHUNK) {
        // In one order, so that two that release at once do not wait for each other.
        let held: Vec<String> = conversations::table
            .filter(conversations::lease_instance.eq_any(instances))
            .order(conversations::id)
            .select(conversations::id)
            .load(connection)
            .await?;
        for conversation in held {
            lock::conversation(connection, &conversation).await?;
            let still_held: Option<i64> = conversations::table
                .find(&conversation)
                .filter(conversations::lease_instance.eq_any(instances))
                .select(conversations::next_seq)
                .first(connection)
                .await
                .optional()?;
            let Some(next_seq) = still_held else { continue };
            if let Some(newest) = newest_user_seq(next_seq) {
                close_if_pending(connection, &conversation, newest, now).await?;
            }
            released += 1;
        }
    }
    Ok(released)
}

/// The place of the newest user message, if there is one: the last odd place that is taken.
pub(super) fn newest_user_seq(next_seq: i64) -> Option<i64> {
    let last = next_seq - 1;
    let newest = if last % 2 == 0 { last - 1 } else { last };
    (newest > 0).then_some(newest)
}

/// Closes the turn at this place as failed if it is still open. Nobody answered it, so its answer has no request.
pub(super) async fn close_if_pending(
    connection: &mut Connection,
    conversation: &str,
    user_seq: i64,
    now: i64,
) -> Result<(), QueryError> {
    let status: String = messages::table
        .find((conversation, user_seq))
        .select(messages::status)
        .first(connection)
        .await?;
    if status == MessageStatus::Pending.as_str() {
        close::end_turn(connection, conversation, user_seq, None, now).await?;
    }
    Ok(())
}
