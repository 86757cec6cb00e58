//! Removing leases that have ended, and slices that nothing can come of any more. The ledger and the periods stay.

use std::collections::BTreeSet;

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{PURGE_BATCH, Period};

use super::super::statement::Statement;
use super::{Connection, books};
use crate::store::error::QueryError;
use crate::store::ledger::{Missing, PeriodKey};
use crate::store::schema::{budget_leases, budget_slices};

/// Scope, period, instance and epoch of a slice.
type SliceKey = (String, String, String, i64);

/// Removes a batch of slices inside the running transaction, as many as the answer says or fewer: another process may
/// have removed some meanwhile. `before` is in microseconds since 1970.
///
/// Those whose lease has ended and would have run out before then; and those of whichever lease whose period was over
/// before then and that hold nothing. What is posted to them later changes no slice, as it would not if they were there.
pub(in super::super::super) async fn purge_slices(
    connection: &mut Connection,
    before: i64,
) -> Result<usize, QueryError> {
    let names: Vec<String> = budget_slices::table
        .select(budget_slices::period)
        .distinct()
        .load(connection)
        .await?;
    let is_over = |name: &String| {
        let ends_at = Period::of_id(name).and_then(|period| period.ends_at);
        ends_at.is_some_and(|end| end <= before)
    };
    let over: Vec<String> = names.into_iter().filter(is_over).collect();
    let of_slice = budget_leases::instance_id
        .eq(budget_slices::instance_id)
        .and(budget_leases::epoch.eq(budget_slices::epoch));
    let its_lease_ended = exists(
        budget_leases::table
            .filter(of_slice)
            .filter(budget_leases::state.eq("ended"))
            .filter(budget_leases::expires_at.le(before)),
    );
    let found: Vec<SliceKey> = budget_slices::table
        .filter(budget_slices::held.eq(0).and(budget_slices::expired.eq(0)))
        .filter(budget_slices::period.eq_any(over).or(its_lease_ended))
        .order((
            budget_slices::scope,
            budget_slices::period,
            budget_slices::instance_id,
            budget_slices::epoch,
        ))
        .limit(batch())
        .select((
            budget_slices::scope,
            budget_slices::period,
            budget_slices::instance_id,
            budget_slices::epoch,
        ))
        .load(connection)
        .await?;
    if found.is_empty() {
        return Ok(0);
    }
    let periods: BTreeSet<PeriodKey> = found.iter().map(period_of).collect();
    let periods: Vec<_> = periods.into_iter().collect();
    // Whoever posts to a period reads its slices under this lock, and writes them back.
    books::lock_periods(connection, &periods, Missing::Skip).await?;
    let mut delete = Statement::new(
        "DELETE FROM budget_slices WHERE held = 0 AND expired = 0
            AND (scope, period, instance_id, epoch) IN (VALUES ",
    );
    for (place, (scope, period, instance, epoch)) in found.iter().enumerate() {
        delete = delete
            .sql(if place == 0 { "(" } else { ", (" })
            .text(scope)
            .sql(", ")
            .text(period)
            .sql(", ")
            .text(instance)
            .sql(", ")
            .number(*epoch)
            .sql(")");
    }
    delete.sql(")").build().execute(connection).await?;
    Ok(found.len())
}

/// Removes a batch of leases inside the running transaction that have ended and would have run out before then, have no
/// slice any more, and whose process has none that has not ended: so that no number is given to a lease twice.
pub(in super::super::super) async fn purge_leases(
    connection: &mut Connection,
    before: i64,
) -> Result<usize, QueryError> {
    let others = diesel::alias!(budget_leases as others);
    let slices = budget_slices::table
        .filter(budget_slices::instance_id.eq(budget_leases::instance_id))
        .filter(budget_slices::epoch.eq(budget_leases::epoch));
    let not_ended = others
        .filter(others.field(budget_leases::instance_id).eq(budget_leases::instance_id))
        .filter(others.field(budget_leases::state).ne("ended"));
    let found: Vec<(String, i64)> = budget_leases::table
        .filter(budget_leases::state.eq("ended"))
        .filter(budget_leases::expires_at.le(before))
        .filter(diesel::dsl::not(exists(slices)))
        .filter(diesel::dsl::not(exists(not_ended)))
        .order((budget_leases::instance_id, budget_leases::epoch))
        .limit(batch())
        .select((budget_leases::instance_id, budget_leases::epoch))
        .load(connection)
        .await?;
    for (instance, epoch) in &found {
        diesel::delete(budget_leases::table.find((instance, epoch)))
            .execute(connection)
            .await?;
    }
    Ok(found.len())
}

fn batch() -> i64 {
    i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX)
}

fn period_of((scope, period, ..): &SliceKey) -> PeriodKey {
    PeriodKey {
        scope: scope.as_str().into(),
        period: period.as_str().into(),
    }
}
