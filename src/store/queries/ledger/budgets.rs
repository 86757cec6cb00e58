//! Setting and reading budgets.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{Budget, BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, NanoUsd, Period, Scope};

use super::{Connection, books, opening, stamps};
use crate::store::error::{Fault, QueryError};
use crate::store::ledger::{Book, BudgetRow, Event, Missing, PeriodKey, json_of_percents};
use crate::store::schema::{budget_periods, budgets};
use crate::store::stamped::Stamped;

/// Sets a budget inside the running transaction; how it stands, and the events that were raised. `now` is in microseconds
/// since 1970.
///
/// A period of it that is new opens with what was spent in it already: in one that had a budget before, only with what
/// was not posted then. Set again, it is as it was.
pub(in super::super::super) async fn set_budget(
    connection: &mut Connection,
    scope: &Scope,
    rule: &BudgetRule,
    now: i64,
) -> Result<(BudgetStatus, Vec<Event>), QueryError> {
    let text = scope.to_string();
    let before = live(connection, &text).await?;
    let window_before = before.map(|row| row.window()).transpose()?;
    write_rule(connection, &text, rule, now).await?;
    let period = rule.window.period_at(now);
    let key = key_of(&text, &period);
    let locked = books::lock_periods(connection, std::slice::from_ref(&key), Missing::Make).await?;
    let mut book = Book::new(locked, Vec::new());
    if window_before != Some(rule.window) {
        open(connection, &mut book, scope, &period).await?;
    }
    book.tell_all(&key);
    let sums = book.sums(&key);
    let raised = books::write(connection, book.into_changes()).await?;
    stamp(connection, &text, now).await?;
    Ok((status(rule.clone(), period, sums), raised))
}

/// Counts once more, inside the running transaction, what the call records of a budget's present period show, and posts
/// what is not in the books. What is charged to the period is both in the records and in the books, or in neither: the
/// period's row is locked.
pub(in super::super::super) async fn recount(
    connection: &mut Connection,
    scope: &Scope,
    now: i64,
) -> Result<(Option<BudgetStatus>, Vec<Event>), QueryError> {
    let text = scope.to_string();
    let Some(row) = live(connection, &text).await? else {
        return Ok((None, Vec::new()));
    };
    let rule = row.rule()?;
    let period = rule.window.period_at(now);
    let key = key_of(&text, &period);
    let locked = books::lock_periods(connection, std::slice::from_ref(&key), Missing::Make).await?;
    let mut book = Book::new(locked, Vec::new());
    open(connection, &mut book, scope, &period).await?;
    let sums = book.sums(&key);
    let raised = books::write(connection, book.into_changes()).await?;
    Ok((Some(status(rule, period, sums)), raised))
}

/// Posts what was spent in a period, as far as it is not posted.
async fn open(connection: &mut Connection, book: &mut Book, scope: &Scope, period: &Period) -> Result<(), QueryError> {
    let key = key_of(&scope.to_string(), period);
    let spent = opening::spent_in(connection, scope, period).await?;
    let unexplained = opening::unexplained_in(connection, &key).await?;
    book.open(&key, spent, unexplained);
    Ok(())
}

async fn write_rule(connection: &mut Connection, scope: &str, rule: &BudgetRule, now: i64) -> Result<(), QueryError> {
    let what_holds = (
        budgets::limit_nano_usd.eq(rule.limit.0),
        budgets::period_kind.eq(rule.window.as_str()),
        budgets::on_exhausted.eq(rule.on_exhausted.as_str()),
        budgets::max_layer.eq(rule.max_layer.map(|layer| layer.as_str())),
        budgets::alert_percents.eq(json_of_percents(&rule.alert_percents)),
        budgets::deleted_at.eq(None::<i64>),
    );
    diesel::insert_into(budgets::table)
        .values((
            budgets::scope.eq(scope),
            budgets::created_at.eq(now),
            budgets::updated_at.eq(now),
            what_holds.clone(),
        ))
        .on_conflict(budgets::scope)
        .do_update()
        .set(what_holds)
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts a change that was written behind all that processes may have heard of: it ends the transaction, since the others
/// that change budgets wait from here on.
async fn stamp(connection: &mut Connection, scope: &str, now: i64) -> QueryResult<()> {
    let stamp = stamps::next(connection, Stamped::Budgets, now).await?;
    let this = budgets::table.find(scope);
    let stamped = diesel::update(this).set(budgets::updated_at.eq(stamp));
    stamped.execute(connection).await.map(drop)
}

/// Deletes a budget inside the running transaction; whether there was one.
pub(in super::super::super) async fn delete_budget(
    connection: &mut Connection,
    scope: &Scope,
    now: i64,
) -> Result<bool, QueryError> {
    let text = scope.to_string();
    let live = budgets::table.find(&text).filter(budgets::deleted_at.is_null());
    let deleted = diesel::update(live).set(budgets::deleted_at.eq(now));
    if deleted.execute(connection).await? == 0 {
        return Ok(false);
    }
    stamp(connection, &text, now).await?;
    Ok(true)
}

/// How a budget stands in the period that is now.
pub(in super::super::super) async fn budget(
    connection: &mut Connection,
    scope: &Scope,
    now: i64,
) -> Result<Option<BudgetStatus>, QueryError> {
    let text = scope.to_string();
    let Some(row) = live(connection, &text).await? else {
        return Ok(None);
    };
    let rule = row.rule()?;
    let period = rule.window.period_at(now);
    let sums: Option<(i64, i64)> = budget_periods::table
        .find((&text, &*period.id))
        .select((budget_periods::posted, budget_periods::held))
        .first(connection)
        .await
        .optional()?;
    Ok(Some(status(rule, period, sums.unwrap_or_default())))
}

/// The budgets that were set or deleted behind this place.
pub(in super::super::super) async fn budget_changes(
    connection: &mut Connection,
    from: BudgetCursor,
) -> Result<BudgetChanges, QueryError> {
    let rows: Vec<BudgetRow> = budgets::table
        .filter(budgets::updated_at.gt(from.0))
        .order((budgets::updated_at, budgets::scope))
        .select(BudgetRow::as_select())
        .load(connection)
        .await?;
    let mut changes = BudgetChanges {
        budgets: Vec::with_capacity(rows.len()),
        next: from,
        complete: from == BudgetCursor::default(),
    };
    for row in rows {
        let is_deleted = row.deleted_at.is_some();
        changes.next = changes.next.max(BudgetCursor(row.updated_at));
        // Who asks for all budgets need not hear of what is no more.
        if is_deleted && changes.complete {
            continue;
        }
        changes.budgets.push(Budget {
            scope: scope_of(&row.scope)?,
            rule: if is_deleted { None } else { Some(row.rule()?) },
        });
    }
    Ok(changes)
}

async fn live(connection: &mut Connection, scope: &str) -> QueryResult<Option<BudgetRow>> {
    budgets::table
        .find(scope)
        .filter(budgets::deleted_at.is_null())
        .select(BudgetRow::as_select())
        .first(connection)
        .await
        .optional()
}

/// The row of a period.
pub(super) fn key_of(scope: &str, period: &Period) -> PeriodKey {
    PeriodKey {
        scope: scope.into(),
        period: period.id.clone(),
    }
}

/// The scope with this spelling.
pub(super) fn scope_of(text: &str) -> Result<Scope, Fault> {
    text.parse()
        .map_err(|_invalid| Fault::failed("a budget is for a scope that is none"))
}

fn status(rule: BudgetRule, period: Period, (posted, held): (i64, i64)) -> BudgetStatus {
    BudgetStatus {
        rule,
        period,
        posted: NanoUsd(posted),
        held: NanoUsd(held),
    }
}
