//! Locking rows of the ledger that are to be changed, and writing them.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Connection;
use super::books_write::Write;
use crate::store::error::QueryError;
use crate::store::ledger::{BudgetRow, Changes, Event, LeaseKey, Locked, Missing, PeriodKey, PeriodRow};
use crate::store::schema::{budget_leases, budgets};

/// Time, scope, name, posted, held, recall; and of the scope's budget the limit, the kind of its periods, the percents.
type LockedRow = (
    i64,
    String,
    String,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
);

/// Locks these periods, in their order, until the transaction ends. They are in the order of scope and name.
pub(super) async fn lock_periods(
    connection: &mut Connection,
    keys: &[PeriodKey],
    missing: Missing,
) -> Result<Locked, QueryError> {
    if keys.is_empty() {
        let (now, periods) = (0, Vec::new());
        return Ok(Locked { now, periods });
    }
    let scopes: Vec<&str> = keys.iter().map(|key| &*key.scope).collect();
    let names: Vec<&str> = keys.iter().map(|key| &*key.period).collect();
    let lock = Lock {
        scopes: &scopes,
        names: &names,
        // Where one is to be made it must not come after locks that are had already.
        only_all: missing == Missing::Make,
    };
    let mut rows: Vec<LockedRow> = lock.load(connection).await?;
    if missing == Missing::Make && rows.len() < keys.len() {
        let make = Make {
            scopes: &scopes,
            names: &names,
        };
        make.execute(connection).await?;
        rows = lock.load(connection).await?;
    }
    let now = rows.as_slice().first().map_or(0, |row| row.0);
    let mut periods = Vec::with_capacity(rows.len());
    for (_, scope, period, posted, held, recall, limit, kind, percents) in rows {
        let key = PeriodKey {
            scope: scope.into(),
            period: period.into(),
        };
        let columns = (posted, held, recall, limit, kind, percents);
        periods.push(PeriodRow::new(key, columns)?);
    }
    Ok(Locked { now, periods })
}

/// Locks periods in the order of scope and name; with `only_all` none unless all are there.
#[derive(Debug, Clone, Copy)]
struct Lock<'a> {
    scopes: &'a [&'a str],
    names: &'a [&'a str],
    only_all: bool,
}

impl QueryFragment<Pg> for Lock<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, p.scope, p.period, p.posted, p.held,
                p.recall, b.limit_nano_usd, b.period_kind, b.alert_percents
             FROM unnest(",
        );
        self.push_keys(&mut pass)?;
        pass.push_sql(
            ") AS k (scope, period)
             JOIN budget_periods p ON p.scope = k.scope AND p.period = k.period
             LEFT JOIN budgets b ON b.scope = p.scope AND b.deleted_at IS NULL
             WHERE NOT ",
        );
        pass.push_bind_param::<diesel::sql_types::Bool, _>(&self.only_all)?;
        pass.push_sql(" OR NOT EXISTS (SELECT FROM unnest(");
        self.push_keys(&mut pass)?;
        pass.push_sql(
            ") AS k (scope, period) WHERE NOT EXISTS
                (SELECT FROM budget_periods q WHERE q.scope = k.scope AND q.period = k.period))
             ORDER BY p.scope, p.period FOR NO KEY UPDATE OF p",
        );
        Ok(())
    }
}

impl Lock<'_> {
    fn push_keys<'b>(&'b self, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_bind_param::<Array<Text>, _>(self.scopes)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(self.names)
    }
}

impl Query for Lock<'_> {
    type SqlType = (
        BigInt,
        Text,
        Text,
        BigInt,
        BigInt,
        BigInt,
        Nullable<BigInt>,
        Nullable<Text>,
        Nullable<Text>,
    );
}

impl QueryId for Lock<'_> {
    type QueryId = Lock<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Makes the periods that are not there and locks all of them, one after the other in the order of scope and name.
#[derive(Debug)]
struct Make<'a> {
    scopes: &'a [&'a str],
    names: &'a [&'a str],
}

impl QueryFragment<Pg> for Make<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "INSERT INTO budget_periods (scope, period, posted, held, created_at)
             SELECT k.scope, k.period, 0, 0, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
             FROM unnest(",
        );
        pass.push_bind_param::<Array<Text>, _>(self.scopes)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(self.names)?;
        pass.push_sql(
            ") AS k (scope, period)
             ORDER BY k.scope COLLATE \"C\", k.period COLLATE \"C\"
             ON CONFLICT (scope, period) DO UPDATE SET recall = budget_periods.recall",
        );
        Ok(())
    }
}

impl QueryId for Make<'_> {
    type QueryId = Make<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// The budgets of these scopes that were not deleted, which nobody changes until the transaction ends.
pub(super) async fn lock_budgets(connection: &mut Connection, scopes: &[String]) -> QueryResult<Vec<BudgetRow>> {
    let these = budgets::table
        .filter(budgets::scope.eq_any(scopes))
        .filter(budgets::deleted_at.is_null())
        .order(budgets::scope)
        .select(BudgetRow::as_select())
        .for_share();
    these.load(connection).await
}

/// Locks a lease and tells its state; nothing if there is none.
pub(super) async fn lock_lease(connection: &mut Connection, lease: &LeaseKey) -> QueryResult<Option<String>> {
    let state = budget_leases::table
        .find((&*lease.instance, lease.epoch))
        .select(budget_leases::state)
        .for_no_key_update();
    state.first(connection).await.optional()
}

/// Locks leases that live and ran out before this moment, at most so many, and none that is locked.
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
        .select((budget_leases::instance_id, budget_leases::epoch))
        .for_no_key_update()
        .skip_locked();
    Ok(LeaseKey::all(overdue.load(connection).await?))
}

/// Locks the leases of these instances that have not ended.
pub(super) async fn lock_leases_of(connection: &mut Connection, instances: &[String]) -> QueryResult<Vec<LeaseKey>> {
    let these = budget_leases::table
        .filter(budget_leases::instance_id.eq_any(instances))
        .filter(budget_leases::state.ne("ended"))
        .order((budget_leases::instance_id, budget_leases::epoch))
        .select((budget_leases::instance_id, budget_leases::epoch))
        .for_no_key_update();
    Ok(LeaseKey::all(these.load(connection).await?))
}

/// Writes what was changed, in one statement; the events that were raised by it, which nobody had raised before.
pub(super) async fn write(connection: &mut Connection, changes: Changes) -> QueryResult<Vec<Event>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let raised: Vec<String> = Write::from(&changes).load(connection).await?;
    let mut events = changes.events;
    events.retain(|event| raised.contains(&event.id));
    Ok(events)
}
