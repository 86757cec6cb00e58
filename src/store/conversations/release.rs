//! Turns that a process left behind when it died.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::MessageStatus;

use super::super::connection::Connection;
use super::super::error::QueryError;
use super::super::schema::{conversations, messages};
use super::close;

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
        let held: Vec<(String, i64)> = conversations::table
            .filter(conversations::lease_instance.eq_any(instances))
            .select((conversations::id, conversations::next_seq))
            .load(connection)
            .await?;
        for (conversation, next_seq) in held {
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
