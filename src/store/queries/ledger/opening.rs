//! What was spent before there was a budget.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{KeyId, Period, Scope};

use super::super::reports::conversations_named;
use super::Connection;
use crate::store::error::QueryError;
use crate::store::ledger::PeriodKey;
use crate::store::schema::{budget_slices, llm_calls};

const NANO_PER_USD: i64 = 1_000_000_000;

/// What the calls cost that were begun in this period and belong to this scope.
pub(super) async fn spent_in(connection: &mut Connection, scope: &Scope, period: &Period) -> Result<i64, QueryError> {
    let mut calls = llm_calls::table
        .filter(llm_calls::started_at.ge(period.starts_at))
        // In two parts, since a sum must not be larger than its column; both are read alike by both databases.
        .select((
            sql::<BigInt>("CAST(coalesce(sum(cost_nano_usd / 1000000000), 0) AS BIGINT)"),
            sql::<BigInt>("CAST(coalesce(sum(cost_nano_usd % 1000000000), 0) AS BIGINT)"),
        ))
        .into_boxed();
    if let Some(end) = period.ends_at {
        calls = calls.filter(llm_calls::started_at.lt(end));
    }
    calls = match scope {
        Scope::Global => calls,
        Scope::Project(id) => calls.filter(llm_calls::project_id.eq(id.to_string())),
        Scope::User(id) => calls.filter(llm_calls::user_id.eq(id.to_string())),
        Scope::Key(id) => calls.filter(llm_calls::key_id.eq(KeyId::as_str(id).to_owned())),
        Scope::Conversation(id) if id.has_tenant() => {
            calls.filter(llm_calls::conversation_id.eq(id.as_str().to_owned()))
        }
        // Every tenant's of this name.
        Scope::Conversation(id) => {
            let ([first, second, end], [name, of_a_tenant]) = conversations_named(id);
            calls.filter(
                sql::<Bool>(&first)
                    .bind::<Text, _>(name)
                    .sql(&second)
                    .bind::<Text, _>(of_a_tenant)
                    .sql(&end),
            )
        }
    };
    let (usd, nano): (i64, i64) = calls.first(connection).await?;
    Ok(usd.saturating_mul(NANO_PER_USD).saturating_add(nano))
}

/// What was posted to this period because leases ran out, and is explained by no record yet.
pub(super) async fn unexplained_in(connection: &mut Connection, key: &PeriodKey) -> QueryResult<i64> {
    let of_slices: Vec<i64> = budget_slices::table
        .filter(budget_slices::scope.eq(key.scope.to_string()))
        .filter(budget_slices::period.eq(key.period.to_string()))
        .filter(budget_slices::expired.gt(0))
        .select(budget_slices::expired)
        .load(connection)
        .await?;
    Ok(of_slices.into_iter().fold(0, i64::saturating_add))
}
