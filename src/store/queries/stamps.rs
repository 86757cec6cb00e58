//! The order in which budgets, keys and rates change, by which every process looks for what is new.
//!
//! A change's stamp is the database's time, or one more than the newest stamp where the clock shows no more than that: it
//! may have been set back. Stamps of one order are given one at a time, each until its transaction has ended: whoever sees
//! one sees all that are less.

use diesel::dsl::max;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Connection, lock};
use crate::store::schema::{api_keys, budgets, rate_limits};
use crate::store::stamped::Stamped;

/// The stamp of a change inside the running transaction, which should not last much longer: others wait. `now` is in
/// microseconds since 1970, as stamps are.
pub(super) async fn next(connection: &mut Connection, what: Stamped, now: i64) -> QueryResult<i64> {
    lock::stamps(connection, what).await?;
    let newest: Option<i64> = match what {
        Stamped::Budgets => {
            let newest = budgets::table.select(max(budgets::updated_at));
            newest.first(connection).await?
        }
        Stamped::Keys => {
            let newest = api_keys::table.select(max(api_keys::updated_at));
            newest.first(connection).await?
        }
        Stamped::Limits => {
            let newest = rate_limits::table.select(max(rate_limits::updated_at));
            newest.first(connection).await?
        }
    };
    Ok(now.max(newest.unwrap_or(0).saturating_add(1)))
}
