//! Events: raised once, told of, and delivered. Times are microseconds since 1970 by the database's clock.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{ClaimedEvent, GatewayEvent, NanoUsd, PURGE_BATCH, Period, Window};
use uuid::Uuid;

use super::reports::between;
use super::statement::Statement;
use super::{Connection, dialect};
use crate::store::error::QueryError;

/// An event that could not be delivered for so long is not any more: a day.
const STALE_US: i64 = 86_400_000_000;
/// Events are put off for ten minutes at most: what is due later was written before the clock was set back.
const PUT_OFF_US: i64 = 600_000_000;
/// Events that are looked at to find those of the present periods.
const LOOKED_AT: i64 = 500;

/// Raises an event, unless one with the same `once` was; whether it was raised.
pub(in super::super) async fn raise_event(
    connection: &mut Connection,
    kind: &str,
    once: &str,
    detail: &str,
    now: i64,
) -> Result<bool, QueryError> {
    let statement = Statement::new("INSERT INTO events (id, once, kind, detail, created_at, next_attempt_at) VALUES (")
        .text(Uuid::now_v7().simple().to_string())
        .sql(", ")
        .text(once)
        .sql(", ")
        .text(kind)
        .sql(", ")
        .text(detail)
        .sql(", ")
        .number(now)
        .sql(", ")
        .number(now)
        .sql(") ON CONFLICT (once) DO NOTHING");
    Ok(statement.build().execute(connection).await? > 0)
}

/// The events of the present periods, the newest first: their ids begin with the time.
pub(in super::super) async fn present_events(
    connection: &mut Connection,
    limit: u32,
    now: i64,
) -> Result<Vec<GatewayEvent>, QueryError> {
    let rows: Vec<EventRow> =
        Statement::new("SELECT id, once, kind, detail, created_at, attempts FROM events ORDER BY id DESC LIMIT ")
            .number(LOOKED_AT)
            .build()
            .load(connection)
            .await?;
    let periods: Vec<Period> = Window::ALL.iter().map(|window| window.period_at(now)).collect();
    let is_present = |row: &EventRow| {
        let mut parts = row.once.split('|');
        parts.any(|part| periods.iter().any(|period| &*period.id == part))
    };
    let present = rows.into_iter().filter(is_present).take(limit as usize);
    Ok(present.map(Into::into).collect())
}

/// Takes events that are to be delivered, inside the running transaction. Nobody else gets them before `until`.
pub(in super::super) async fn claim_events(
    connection: &mut Connection,
    limit: u32,
    until: i64,
    now: i64,
) -> Result<Vec<ClaimedEvent>, QueryError> {
    let rows: Vec<EventRow> = Statement::new(
        "SELECT id, once, kind, detail, created_at, attempts FROM events
         WHERE delivered_at IS NULL AND (next_attempt_at <= ",
    )
    .number(now)
    .sql(" OR next_attempt_at > ")
    .number(now.saturating_add(PUT_OFF_US))
    .sql(") AND created_at > ")
    .number(now.saturating_sub(STALE_US))
    // It follows from the line before, and is what the index is for.
    .sql(" AND next_attempt_at > ")
    .number(now.saturating_sub(STALE_US))
    .sql(" ORDER BY next_attempt_at, id LIMIT ")
    .number(limit.into())
    .sql(dialect::SKIP_LOCKED)
    .build()
    .load(connection)
    .await?;
    for row in &rows {
        Statement::new("UPDATE events SET attempts = attempts + 1, next_attempt_at = ")
            .number(until)
            .sql(" WHERE id = ")
            .text(row.id.as_str())
            .build()
            .execute(connection)
            .await?;
    }
    let claimed = rows.into_iter().map(|row| ClaimedEvent {
        attempts: u32::try_from(row.attempts).unwrap_or_default().saturating_add(1),
        event: row.into(),
    });
    Ok(claimed.collect())
}

/// Notes that an event was delivered.
pub(in super::super) async fn event_delivered(
    connection: &mut Connection,
    id: &str,
    now: i64,
) -> Result<(), QueryError> {
    let statement = Statement::new("UPDATE events SET next_attempt_at = NULL, delivered_at = ")
        .number(now)
        .sql(" WHERE delivered_at IS NULL AND id = ")
        .text(id);
    statement.build().execute(connection).await?;
    Ok(())
}

/// Notes when an event is to be tried again.
pub(in super::super) async fn put_off_event(
    connection: &mut Connection,
    id: &str,
    again_at: i64,
) -> Result<(), QueryError> {
    let statement = Statement::new("UPDATE events SET next_attempt_at = ")
        .number(again_at)
        .sql(" WHERE delivered_at IS NULL AND id = ")
        .text(id);
    statement.build().execute(connection).await?;
    Ok(())
}

/// Removes a batch of events inside the running transaction that were raised before then; how many they were. Those of
/// a budget whose period never ends stay: without them they would be raised again.
pub(in super::super) async fn purge_events(connection: &mut Connection, before: i64) -> Result<usize, QueryError> {
    let statement = Statement::new("DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at <= ")
        .number(before)
        .sql(" AND once NOT LIKE '%|total' AND once NOT LIKE '%|total|%' ORDER BY id LIMIT ")
        .number(i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX))
        .sql(")");
    Ok(statement.build().execute(connection).await?)
}

/// The day that is now, and what its call records cost.
pub(in super::super) async fn spent_today(
    connection: &mut Connection,
    now: i64,
) -> Result<(Period, NanoUsd), QueryError> {
    let today = Window::Daily.period_at(now);
    let statement =
        Statement::new("SELECT CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS total FROM llm_calls WHERE 1 = 1");
    let statement = between(statement, Some(today.starts_at), today.ends_at);
    let sum: TotalRow = statement.build().get_result(connection).await?;
    Ok((today, NanoUsd(sum.total)))
}

#[derive(Debug, QueryableByName)]
struct TotalRow {
    #[diesel(sql_type = BigInt)]
    total: i64,
}

#[derive(Debug, QueryableByName)]
struct EventRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    once: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    detail: String,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

impl From<EventRow> for GatewayEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            detail: row.detail,
            created_at: row.created_at,
        }
    }
}
