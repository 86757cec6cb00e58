//! Claiming, keeping and purging the answers to requests with an idempotency key.
//!
//! A row whose time has run out is as good as gone, whether it was purged yet or not: the next request with its key does
//! the work. While the work is under way that time is when it counts as abandoned.

use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{Claimed, IdempotencyClaim, IdempotencyName, KeptAnswer, PURGE_BATCH, RequestId};

use super::Connection;
use crate::store::error::{Fault, QueryError};
use crate::store::idempotency_row::{ClaimRow, KeptRow};
use crate::store::schema::idempotency::dsl;

/// Instances named in one statement.
const CHUNK: usize = 500;

/// Claims the work inside the running transaction. `now` is in microseconds since 1970.
pub(in super::super) async fn claim_work(
    connection: &mut Connection,
    claim: &IdempotencyClaim,
    now: i64,
) -> Result<Claimed, QueryError> {
    let (request, instance) = (claim.request.to_string(), claim.instance.to_string());
    let row = ClaimRow::new(claim, &request, &instance, now);
    let over_an_expired_one = diesel::insert_into(dsl::idempotency)
        .values(&row)
        .on_conflict((dsl::owner, dsl::idempotency_key))
        .do_update()
        .set(&row);
    let over_an_expired_one = methods::FilterDsl::filter(over_an_expired_one, dsl::expires_at.le(now));
    if over_an_expired_one.execute(connection).await? > 0 {
        return Ok(Claimed::Run);
    }
    // The row that was in the way is locked by the attempt.
    let there: Option<KeptRow> = dsl::idempotency
        .find((&*claim.name.owner, &*claim.name.key))
        .select(KeptRow::as_select())
        .first(connection)
        .await
        .optional()?;
    let there = there.ok_or_else(|| Fault::failed("an idempotency key that is there is not there"))?;
    Ok(there.claimed_by(claim, &request)?)
}

/// Lets the work go on for so long, inside the running transaction.
pub(in super::super) async fn prolong_work(
    connection: &mut Connection,
    name: &IdempotencyName,
    request: RequestId,
    until: i64,
) -> Result<(), QueryError> {
    let request = request.to_string();
    let this = dsl::idempotency
        .find((&*name.owner, &*name.key))
        .filter(dsl::request_id.eq(request).and(dsl::status.is_null()));
    diesel::update(this)
        .set(dsl::expires_at.eq(until))
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps the answer until then, inside the running transaction. The second time finds the work done, and changes
/// nothing.
pub(in super::super) async fn keep_answer(
    connection: &mut Connection,
    name: &IdempotencyName,
    request: RequestId,
    answer: &KeptAnswer,
    until: i64,
) -> Result<(), QueryError> {
    let request = request.to_string();
    let this = dsl::idempotency
        .find((&*name.owner, &*name.key))
        .filter(dsl::request_id.eq(request).and(dsl::status.is_null()));
    diesel::update(this)
        .set((
            dsl::status.eq(i32::from(answer.status)),
            dsl::headers.eq(&*answer.headers),
            dsl::body.eq(answer.body.as_deref()),
            dsl::expires_at.eq(until),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives the claim up, inside the running transaction.
pub(in super::super) async fn give_up_work(
    connection: &mut Connection,
    name: &IdempotencyName,
    request: RequestId,
) -> Result<(), QueryError> {
    let request = request.to_string();
    let this = dsl::idempotency
        .find((&*name.owner, &*name.key))
        .filter(dsl::request_id.eq(request).and(dsl::status.is_null()));
    diesel::delete(this).execute(connection).await?;
    Ok(())
}

/// Gives up what these dead processes had claimed, inside the running transaction.
pub(in super::super) async fn abandon_work_of(
    connection: &mut Connection,
    instances: &[String],
) -> Result<(), QueryError> {
    for instances in instances.chunks(CHUNK) {
        let theirs = dsl::idempotency.filter(dsl::status.is_null().and(dsl::instance_id.eq_any(instances)));
        diesel::delete(theirs).execute(connection).await?;
    }
    Ok(())
}

/// Removes a batch of those that expired first, inside the running transaction. The answer is how many had expired,
/// some of which another process may have removed meanwhile.
pub(in super::super) async fn purge_answers(connection: &mut Connection, now: i64) -> Result<usize, QueryError> {
    let limit = i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX);
    let expired: Vec<(String, String)> = dsl::idempotency
        .filter(dsl::expires_at.le(now))
        .order(dsl::expires_at)
        .limit(limit)
        .select((dsl::owner, dsl::idempotency_key))
        .load(connection)
        .await?;
    for (owner, key) in &expired {
        // The key may have been claimed anew since it was looked up.
        let this = dsl::idempotency.find((owner, key)).filter(dsl::expires_at.le(now));
        diesel::delete(this).execute(connection).await?;
    }
    Ok(expired.len())
}
