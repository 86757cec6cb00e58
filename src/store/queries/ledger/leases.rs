//! Leases: how one is opened and renewed, and what becomes of its slices at its end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{ExpiredSlice, InstanceId, LeaseId, NanoUsd};

use super::budgets::scope_of;
use super::{Connection, books};
use crate::store::error::{Fault, QueryError};
use crate::store::ledger::{Book, Event, LeaseKey, Missing, PeriodKey, SliceRow};
use crate::store::schema::{budget_leases, budget_slices};

/// Leases that one transaction ends.
const BATCH: i64 = 200;
/// How often the next number is tried: a job that runs twice at once takes two of them.
const TRIES: u32 = 4;

fn after(now: i64, time: Duration) -> i64 {
    now.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// Opens the instance's next lease inside the running transaction. `now` is in microseconds since 1970.
pub(in super::super::super) async fn open_lease(
    connection: &mut Connection,
    instance: InstanceId,
    ttl: Duration,
    now: i64,
) -> Result<LeaseId, QueryError> {
    let id = instance.to_string();
    for _ in 0..TRIES {
        let last: Option<i64> = budget_leases::table
            .filter(budget_leases::instance_id.eq(&id))
            .order(budget_leases::epoch.desc())
            .select(budget_leases::epoch)
            .first(connection)
            .await
            .optional()?;
        let epoch = last.unwrap_or(0).saturating_add(1);
        let opened = diesel::insert_into(budget_leases::table)
            .values((
                budget_leases::instance_id.eq(&id),
                budget_leases::epoch.eq(epoch),
                budget_leases::opened_at.eq(now),
                budget_leases::expires_at.eq(after(now, ttl)),
                budget_leases::state.eq("live"),
            ))
            .on_conflict_do_nothing()
            .execute(connection)
            .await?;
        if opened > 0 {
            let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
            return Ok(LeaseId { instance, epoch });
        }
    }
    Err(Fault::unavailable("another process opens leases of the same name").into())
}

/// Lets a lease last this long from now, inside the running transaction; whether it lived.
pub(in super::super::super) async fn renew_lease(
    connection: &mut Connection,
    lease: &LeaseKey,
    ttl: Duration,
    now: i64,
) -> Result<bool, QueryError> {
    let live = budget_leases::table
        .find((&*lease.instance, lease.epoch))
        .filter(budget_leases::state.eq("live"));
    let renewed = diesel::update(live)
        .set(budget_leases::expires_at.eq(after(now, ttl)))
        .execute(connection)
        .await?;
    Ok(renewed > 0)
}

/// Ends leases that ran out before `now` and the grace, inside the running transaction, and posts what their slices
/// hold; the slices, and the events that were raised. Leases that somebody uses just now are left for the next time.
pub(in super::super::super) async fn expire_leases(
    connection: &mut Connection,
    grace: Duration,
    now: i64,
) -> Result<(Vec<ExpiredSlice>, Vec<Event>), QueryError> {
    let grace = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
    let leases = books::lock_overdue_leases(connection, now.saturating_sub(grace), BATCH).await?;
    let mut expired = Vec::new();
    if leases.is_empty() {
        return Ok((expired, Vec::new()));
    }
    let (mut book, slices) = book_of(connection, &leases).await?;
    for (key, lease) in &slices {
        let posted = book.expire(key, lease);
        if posted > 0 {
            expired.push(ExpiredSlice {
                lease: LeaseId::try_from(lease)?,
                scope: scope_of(&key.scope)?,
                period: Arc::clone(&key.period),
                posted: NanoUsd(posted),
            });
        }
    }
    let raised = books::write(connection, book.into_changes()).await?;
    mark(connection, &leases, "expired").await?;
    Ok((expired, raised))
}

/// Ends all leases of processes whose call records are all stored, inside the running transaction.
pub(in super::super::super) async fn end_leases_of(
    connection: &mut Connection,
    instances: &[String],
) -> Result<(), QueryError> {
    let leases = books::lock_leases_of(connection, instances).await?;
    end(connection, leases).await
}

/// Ends one lease, all of whose call records are stored, inside the running transaction.
pub(in super::super::super) async fn end_lease(
    connection: &mut Connection,
    lease: &LeaseKey,
) -> Result<(), QueryError> {
    match books::lock_lease(connection, lease).await? {
        Some(state) if state != "ended" => end(connection, vec![lease.clone()]).await,
        _ => Ok(()),
    }
}

async fn end(connection: &mut Connection, leases: Vec<LeaseKey>) -> Result<(), QueryError> {
    if leases.is_empty() {
        return Ok(());
    }
    let (mut book, slices) = book_of(connection, &leases).await?;
    for (key, lease) in &slices {
        book.end(key, lease);
    }
    books::write(connection, book.into_changes()).await?;
    mark(connection, &leases, "ended").await
}

/// The books of the periods that slices of these leases hold something of, or have something posted to without need; and
/// those slices.
async fn book_of(
    connection: &mut Connection,
    leases: &[LeaseKey],
) -> Result<(Book, Vec<(PeriodKey, LeaseKey)>), QueryError> {
    let keys: BTreeSet<PeriodKey> = unsettled(connection, leases)
        .await?
        .iter()
        .map(SliceRow::period_key)
        .collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let locked = books::lock_periods(connection, &keys, Missing::Skip).await?;
    // Now that nobody else changes them. There are no others: nothing is granted to a lease that is locked.
    let slices = unsettled(connection, leases).await?;
    let these = slices
        .iter()
        .map(|slice| (slice.period_key(), slice.lease_key()))
        .collect();
    let of_lease = slices.into_iter().map(|slice| (slice, String::new())).collect();
    Ok((Book::new(locked, of_lease), these))
}

async fn unsettled(connection: &mut Connection, leases: &[LeaseKey]) -> QueryResult<Vec<SliceRow>> {
    let instances: BTreeSet<&str> = leases.iter().map(|lease| &*lease.instance).collect();
    let epochs: BTreeSet<i64> = leases.iter().map(|lease| lease.epoch).collect();
    let wanted: BTreeSet<(&str, i64)> = leases.iter().map(|lease| (&*lease.instance, lease.epoch)).collect();
    let mut slices: Vec<SliceRow> = budget_slices::table
        .filter(budget_slices::instance_id.eq_any(instances))
        .filter(budget_slices::epoch.eq_any(epochs))
        .filter(budget_slices::held.gt(0).or(budget_slices::expired.gt(0)))
        .select(SliceRow::as_select())
        .load(connection)
        .await?;
    slices.retain(|slice| wanted.contains(&(slice.instance_id.as_str(), slice.epoch)));
    Ok(slices)
}

async fn mark(connection: &mut Connection, leases: &[LeaseKey], state: &'static str) -> Result<(), QueryError> {
    for lease in leases {
        diesel::update(budget_leases::table.find((&*lease.instance, lease.epoch)))
            .set(budget_leases::state.eq(state))
            .execute(connection)
            .await?;
    }
    Ok(())
}
