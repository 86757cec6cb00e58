//! Putting a better answer in the place of a stored one.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{AmendAnswer, MessageStatus};

use super::close::raise_route_layer;
use super::escalations::is_kept_with;
use super::{Connection, lock};
use crate::store::error::QueryError;
use crate::store::schema::{conversations, messages};

/// The place of the next message, and the request that holds the conversation.
type Head = (i64, Option<String>);

/// Replaces the answer inside the running transaction, if it is the conversation's newest message, no turn holds the
/// conversation and the offer is still kept with it; whether it did. `now` is in microseconds since 1970. A second call of
/// the same request changes nothing.
pub(in super::super) async fn amend(
    connection: &mut Connection,
    amendment: &AmendAnswer,
    now: i64,
) -> Result<bool, QueryError> {
    let conversation = amendment.conversation.as_str();
    let answer_seq = amendment.user_seq.saturating_add(1);
    let request = amendment.request.to_string();
    lock::conversation(connection, conversation).await?;
    let answer: Option<(String, Option<String>)> = messages::table
        .find((conversation, answer_seq))
        .select((messages::status, messages::request_id))
        .first(connection)
        .await
        .optional()?;
    let Some((status, writer)) = answer else {
        return Ok(false);
    };
    if writer.as_deref() == Some(&*request) {
        return Ok(true);
    }
    let head: Option<Head> = conversations::table
        .find(conversation)
        .select((conversations::next_seq, conversations::lease_request))
        .first(connection)
        .await
        .optional()?;
    let is_newest = head == Some((answer_seq.saturating_add(1), None));
    // A place that is no answer's has no message that is done, or one of the user's.
    let is_answer = status == MessageStatus::Done.as_str() && answer_seq % 2 == 0;
    if !is_newest || !is_answer || !is_kept_with(connection, amendment.offer, conversation).await? {
        return Ok(false);
    }
    diesel::update(messages::table.find((conversation, answer_seq)))
        .set((
            messages::content.eq(&*amendment.answer),
            messages::request_id.eq(&request),
            messages::created_at.eq(now),
        ))
        .execute(connection)
        .await?;
    diesel::update(conversations::table.find(conversation))
        .set(conversations::updated_at.eq(now))
        .execute(connection)
        .await?;
    if let Some(layer) = amendment.route_layer {
        raise_route_layer(connection, conversation, layer).await?;
    }
    Ok(true)
}
