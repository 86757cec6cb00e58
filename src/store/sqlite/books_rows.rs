//! Rows of the ledger, read and written on the connection's own thread.

use diesel::prelude::*;

use crate::store::ledger::{Changes, Entry, Event, Missing, PeriodColumns, PeriodKey};
use crate::store::schema::{budget_ledger, budget_periods, budget_slices, budgets, events};

/// A period, made if it is missing and that is wanted.
pub(super) fn period(
    connection: &mut SqliteConnection,
    key: &PeriodKey,
    missing: Missing,
    now: i64,
) -> QueryResult<Option<PeriodColumns>> {
    if let Some(row) = find(connection, key)? {
        return Ok(Some(row));
    }
    if missing == Missing::Skip {
        return Ok(None);
    }
    let made = diesel::insert_into(budget_periods::table).values((
        budget_periods::scope.eq(&*key.scope),
        budget_periods::period.eq(&*key.period),
        budget_periods::posted.eq(0),
        budget_periods::held.eq(0),
        budget_periods::created_at.eq(now),
    ));
    made.execute(connection)?;
    find(connection, key)
}

fn find(connection: &mut SqliteConnection, key: &PeriodKey) -> QueryResult<Option<PeriodColumns>> {
    let of_scope = budgets::scope
        .eq(budget_periods::scope)
        .and(budgets::deleted_at.is_null());
    let this = budget_periods::table
        .left_join(budgets::table.on(of_scope))
        .filter(budget_periods::scope.eq(&*key.scope))
        .filter(budget_periods::period.eq(&*key.period))
        .select((
            budget_periods::posted,
            budget_periods::held,
            budget_periods::recall,
            budgets::limit_nano_usd.nullable(),
            budgets::period_kind.nullable(),
            budgets::alert_percents.nullable(),
        ));
    this.first(connection).optional()
}

/// Writes what was changed; the events that were raised by it, which nobody had raised before.
pub(super) fn write_all(connection: &mut SqliteConnection, changes: Changes) -> QueryResult<Vec<Event>> {
    for row in &changes.periods {
        let this = budget_periods::table.find((&*row.key.scope, &*row.key.period));
        let update = diesel::update(this).set((
            budget_periods::posted.eq(row.posted),
            budget_periods::held.eq(row.held),
            budget_periods::recall.eq(row.recall),
        ));
        update.execute(connection)?;
    }
    for row in &changes.slices {
        let key = (&row.scope, &row.period, &row.instance_id, row.epoch);
        let update = diesel::update(budget_slices::table.find(key)).set(row);
        if update.execute(connection)? == 0 {
            let insert = diesel::insert_into(budget_slices::table).values(row);
            insert.execute(connection)?;
        }
    }
    for entry in &changes.entries {
        insert_entry(connection, entry, changes.now)?;
    }
    let mut raised = Vec::new();
    for event in changes.events {
        let insert = diesel::insert_or_ignore_into(events::table).values((
            events::id.eq(&event.id),
            events::once.eq(&event.once),
            events::kind.eq(event.kind),
            events::detail.eq(&event.detail),
            events::created_at.eq(changes.now),
            events::next_attempt_at.eq(changes.now),
        ));
        if insert.execute(connection)? > 0 {
            raised.push(event);
        }
    }
    Ok(raised)
}

fn insert_entry(connection: &mut SqliteConnection, entry: &Entry, now: i64) -> QueryResult<()> {
    let lease = entry.lease.as_ref();
    let insert = diesel::insert_into(budget_ledger::table).values((
        budget_ledger::id.eq(&entry.id),
        budget_ledger::scope.eq(&*entry.key.scope),
        budget_ledger::period.eq(&*entry.key.period),
        budget_ledger::kind.eq(entry.kind),
        budget_ledger::posted_delta.eq(entry.posted_delta),
        budget_ledger::held_delta.eq(entry.held_delta),
        budget_ledger::instance_id.eq(lease.map(|lease| &*lease.instance)),
        budget_ledger::epoch.eq(lease.map(|lease| lease.epoch)),
        budget_ledger::calls.eq(entry.calls),
        budget_ledger::created_at.eq(now),
    ));
    insert.execute(connection).map(drop)
}
