//! Reading rows of the ledger that are to be changed, and writing them. Nothing is locked: the transaction holds the
//! whole file.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Connection;
use super::books_rows::{period, write_all};
use crate::store::error::QueryError;
use crate::store::ledger::{BudgetRow, Changes, Event, LeaseKey, Locked, Missing, PeriodKey, PeriodRow};
use crate::store::now_us;
use crate::store::schema::{budget_leases, budgets};

/// Reads these periods.
pub(super) async fn lock_periods(
    connection: &mut Connection,
    keys: &[PeriodKey],
    missing: Missing,
) -> Result<Locked, QueryError> {
    let (keys, now) = (keys.to_vec(), now_us());
    let found = connection.spawn_blocking(move |connection| {
        let found = keys.into_iter().filter_map(|key| {
            let row = period(connection, &key, missing, now).transpose()?;
            Some(row.map(|row| (key, row)))
        });
        found.collect::<QueryResult<Vec<_>>>()
    });
    let mut periods = Vec::new();
    for (key, columns) in found.await? {
        periods.push(PeriodRow::new(key, columns)?);
    }
    Ok(Locked { now, periods })
}

/// The budgets of these scopes that were not deleted.
pub(super) async fn lock_budgets(connection: &mut Connection, scopes: &[String]) -> QueryResult<Vec<BudgetRow>> {
    let these = budgets::table
        .filter(budgets::scope.eq_any(scopes))
        .filter(budgets::deleted_at.is_null())
        .select(BudgetRow::as_select());
    these.load(connection).await
}

/// The state of a lease; nothing if there is none.
pub(super) async fn lock_lease(connection: &mut Connection, lease: &LeaseKey) -> QueryResult<Option<String>> {
    let state = budget_leases::table
        .find((&*lease.instance, lease.epoch))
        .select(budget_leases::state);
    state.first(connection).await.optional()
}

/// Leases that live and ran out before this moment, at most so many.
pub(super) async fn lock_overdue_leases(
    connection: &mut Connection,
    before: i64,
    most: i64,
) -> QueryResult<Vec<LeaseKey>> {
    let overdue = budget_leases::table
        .filter(budget_leases::state.eq("live"))
        .filter(budget_leases::expires_at.le(before))
        .order((budget_leases::instance_id, budget_leases::epoch))
        .limit(most)
        .select((budget_leases::instance_id, budget_leases::epoch));
    Ok(LeaseKey::all(overdue.load(connection).await?))
}

/// The leases of these instances that have not ended.
pub(super) async fn lock_leases_of(connection: &mut Connection, instances: &[String]) -> QueryResult<Vec<LeaseKey>> {
    let these = budget_leases::table
        .filter(budget_leases::instance_id.eq_any(instances))
        .filter(budget_leases::state.ne("ended"))
        .select((budget_leases::instance_id, budget_leases::epoch));
    Ok(LeaseKey::all(these.load(connection).await?))
}

/// Writes what was changed; the events that were raised by it, which nobody had raised before.
pub(super) async fn write(connection: &mut Connection, changes: Changes) -> QueryResult<Vec<Event>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    // In one hop to the connection's thread: a hop costs more than a row.
    connection
        .spawn_blocking(move |connection| write_all(connection, changes))
        .await
}
