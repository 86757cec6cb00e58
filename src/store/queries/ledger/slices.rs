//! Slices: granting, giving back, posting what was spent of them.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{BudgetRule, GiveBack, Grant, GrantRequest, Recall};

use super::budgets::{key_of, scope_of};
use super::{Connection, books};
use crate::store::error::QueryError;
use crate::store::ledger::{Book, Charge, Event, LeaseKey, Missing, PeriodKey, SliceRow};
use crate::store::schema::{budget_leases, budget_periods, budget_slices};

/// A slice and the state of its lease.
type WithState = (SliceRow, String);

/// Grants more of some budgets inside the running transaction. `now` is in microseconds since 1970.
pub(in super::super::super) async fn grant(
    connection: &mut Connection,
    lease: &LeaseKey,
    wanted: &[GrantRequest],
    now: i64,
) -> Result<Vec<Grant>, QueryError> {
    // Locked: a lease that ends meanwhile would leave behind what it is granted, and a question that is asked twice at
    // once would be granted twice.
    if books::lock_lease(connection, lease).await?.as_deref() != Some("live") {
        return Ok(wanted.iter().map(|_| Grant::LeaseLost).collect());
    }
    let scopes: Vec<String> = wanted.iter().map(|one| one.scope.to_string()).collect();
    let mut rules: BTreeMap<String, BudgetRule> = BTreeMap::new();
    for row in books::lock_budgets(connection, &scopes).await? {
        rules.insert(row.scope.clone(), row.rule()?);
    }
    let keys: BTreeSet<PeriodKey> = rules
        .iter()
        .map(|(scope, rule)| key_of(scope, &rule.window.period_at(now)))
        .collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let mut locked = books::lock_periods(connection, &keys, Missing::Make).await?;
    // Where nothing had to be locked nobody looked at the clock.
    locked.now = locked.now.max(now);
    let slices = own_and_holding(connection, lease, &scopes).await?;
    let mut book = Book::new(locked, slices);
    let mut grants = Vec::with_capacity(wanted.len());
    for (wanted, scope) in wanted.iter().zip(&scopes) {
        let grant = match (book.granted_before(lease, wanted, scope), rules.get(scope)) {
            (Some(before), _) => before,
            (None, None) => Grant::NoBudget,
            (None, Some(rule)) => {
                let period = rule.window.period_at(now);
                let key = key_of(scope, &period);
                book.grant(lease, wanted, rule, period, &key)
            }
        };
        grants.push(grant);
    }
    books::write(connection, book.into_changes()).await?;
    Ok(grants)
}

/// Takes back parts of a lease's slices inside the running transaction.
pub(in super::super::super) async fn give_back(
    connection: &mut Connection,
    lease: &LeaseKey,
    parts: &[GiveBack],
) -> Result<(), QueryError> {
    let mut by_slice: BTreeMap<PeriodKey, Vec<&GiveBack>> = BTreeMap::new();
    for part in parts {
        let key = PeriodKey {
            scope: part.scope.to_string().into(),
            period: part.period.clone(),
        };
        by_slice.entry(key).or_default().push(part);
    }
    let keys: Vec<_> = by_slice.keys().cloned().collect();
    let locked = books::lock_periods(connection, &keys, Missing::Skip).await?;
    let slices = of_leases(connection, &keys, std::slice::from_ref(lease)).await?;
    let mut book = Book::new(locked, slices);
    for (key, parts) in &by_slice {
        for part in parts {
            book.give_back(key, lease, part.returned.0, part.recall);
        }
    }
    books::write(connection, book.into_changes()).await?;
    Ok(())
}

/// Posts what call records cost that were stored in the running transaction; the events that were raised.
pub(in super::super::super) async fn post(
    connection: &mut Connection,
    charges: &[Charge],
) -> Result<Vec<Event>, QueryError> {
    let keys: BTreeSet<PeriodKey> = charges.iter().map(|charge| charge.key.clone()).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let leases: BTreeSet<LeaseKey> = charges.iter().map(|charge| charge.lease.clone()).collect();
    let leases: Vec<_> = leases.into_iter().collect();
    let locked = books::lock_periods(connection, &keys, Missing::Make).await?;
    let slices = of_leases(connection, &keys, &leases).await?;
    let mut book = Book::new(locked, slices);
    for charge in charges {
        book.post(charge);
    }
    Ok(books::write(connection, book.into_changes()).await?)
}

/// The recalls that the lease's slices have not answered.
pub(in super::super::super) async fn recalls(
    connection: &mut Connection,
    lease: &LeaseKey,
) -> Result<Vec<Recall>, QueryError> {
    let same_scope = budget_periods::scope.eq(budget_slices::scope);
    let unanswered: Vec<(String, String, i64)> = budget_slices::table
        .inner_join(budget_periods::table.on(same_scope.and(budget_periods::period.eq(budget_slices::period))))
        .filter(budget_slices::instance_id.eq(&*lease.instance))
        .filter(budget_slices::epoch.eq(lease.epoch))
        .filter(budget_slices::held.gt(0))
        .filter(budget_periods::recall.gt(budget_slices::recall))
        .select((budget_slices::scope, budget_slices::period, budget_periods::recall))
        .load(connection)
        .await?;
    let mut recalls = Vec::with_capacity(unanswered.len());
    for (scope, period, number) in unanswered {
        recalls.push(Recall {
            scope: scope_of(&scope)?,
            period: period.into(),
            number,
        });
    }
    Ok(recalls)
}

/// The lease's slices of these scopes in every period, and the others that hold something.
async fn own_and_holding(
    connection: &mut Connection,
    lease: &LeaseKey,
    scopes: &[String],
) -> QueryResult<Vec<WithState>> {
    let is_own = budget_slices::instance_id
        .eq(&*lease.instance)
        .and(budget_slices::epoch.eq(lease.epoch));
    budget_slices::table
        .inner_join(budget_leases::table.on(of_slice()))
        .filter(budget_slices::scope.eq_any(scopes))
        .filter(is_own.or(budget_slices::held.gt(0)))
        .select((SliceRow::as_select(), budget_leases::state))
        .load(connection)
        .await
}

/// The slices of these periods that belong to these leases, and perhaps some more.
async fn of_leases(
    connection: &mut Connection,
    keys: &[PeriodKey],
    leases: &[LeaseKey],
) -> QueryResult<Vec<WithState>> {
    let scopes: BTreeSet<&str> = keys.iter().map(|key| &*key.scope).collect();
    let periods: BTreeSet<&str> = keys.iter().map(|key| &*key.period).collect();
    let instances: BTreeSet<&str> = leases.iter().map(|lease| &*lease.instance).collect();
    let epochs: BTreeSet<i64> = leases.iter().map(|lease| lease.epoch).collect();
    budget_slices::table
        .inner_join(budget_leases::table.on(of_slice()))
        .filter(budget_slices::scope.eq_any(scopes))
        .filter(budget_slices::period.eq_any(periods))
        .filter(budget_slices::instance_id.eq_any(instances))
        .filter(budget_slices::epoch.eq_any(epochs))
        .select((SliceRow::as_select(), budget_leases::state))
        .load(connection)
        .await
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of_slice() -> _ {
    budget_leases::instance_id
        .eq(budget_slices::instance_id)
        .and(budget_leases::epoch.eq(budget_slices::epoch))
}
