//! Storing, reading, deleting and purging responses.
//!
//! One that has expired is as good as gone, whether it was purged yet or not: nobody reads it, and its id is free.

use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{PURGE_BATCH, ResponseId, StoredResponse};

use super::Connection;
use crate::store::error::{Fault, QueryError};
use crate::store::models::{NewResponse, ResponseRow};
use crate::store::schema::responses;

/// Stores a response inside the running transaction. `now` is in microseconds since 1970.
///
/// A second call with the same response changes nothing; one with another response of the same id is refused.
pub(in super::super) async fn put_response(
    connection: &mut Connection,
    response: &StoredResponse,
    now: i64,
) -> Result<(), QueryError> {
    let request = response.request.to_string();
    let row = NewResponse::new(response, &request);
    let over_an_expired_one = diesel::insert_into(responses::table)
        .values(&row)
        .on_conflict(responses::id)
        .do_update()
        .set(&row);
    let over_an_expired_one = methods::FilterDsl::filter(over_an_expired_one, responses::expires_at.le(now));
    let written = over_an_expired_one.execute(connection).await?;
    if written > 0 {
        return Ok(());
    }
    // The row that was in the way is locked by the attempt.
    let there: Option<ResponseRow> = responses::table
        .find(response.id.as_str())
        .first(connection)
        .await
        .optional()?;
    let there = there.ok_or_else(|| Fault::failed("a response that is there is not there"))?;
    match StoredResponse::try_from(there)? == *response {
        true => Ok(()),
        false => Err(QueryError::ResponseMismatch),
    }
}

/// The response of this id, unless it has expired.
pub(in super::super) async fn find_response(
    connection: &mut Connection,
    id: &ResponseId,
    now: i64,
) -> Result<Option<StoredResponse>, QueryError> {
    let found: Option<ResponseRow> = responses::table
        .find(id.as_str())
        .filter(responses::expires_at.gt(now))
        .first(connection)
        .await
        .optional()?;
    Ok(found.map(StoredResponse::try_from).transpose()?)
}

/// Deletes the response of this id inside the running transaction; whether it was there and had not expired.
pub(in super::super) async fn delete_response(
    connection: &mut Connection,
    id: &ResponseId,
    now: i64,
) -> Result<bool, QueryError> {
    let this = responses::table.find(id.as_str()).filter(responses::expires_at.gt(now));
    Ok(diesel::delete(this).execute(connection).await? > 0)
}

/// Removes a batch of those that expired first, inside the running transaction. The answer is how many had expired,
/// some of which another process may have removed meanwhile.
pub(in super::super) async fn purge_responses(connection: &mut Connection, now: i64) -> Result<usize, QueryError> {
    let limit = i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX);
    let expired: Vec<String> = responses::table
        .filter(responses::expires_at.le(now))
        .order(responses::expires_at)
        .limit(limit)
        .select(responses::id)
        .load(connection)
        .await?;
    if !expired.is_empty() {
        // An id may have been given to another response since it was looked up.
        let these = responses::id.eq_any(&expired).and(responses::expires_at.le(now));
        diesel::delete(responses::table.filter(these))
            .execute(connection)
            .await?;
    }
    Ok(expired.len())
}
