//! The server's clock, and how long it may work on a statement.

use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::Connection;

/// The server's time in microseconds since 1970 (UTC). Leases are taken and compared by it, since the clocks of the
/// machines that replicas run on differ.
pub(super) async fn now_us(connection: &mut Connection) -> QueryResult<i64> {
    diesel::select(sql::<BigInt>(
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    ))
    .get_result(connection)
    .await
}

/// Gives the statements of this transaction as much time as the job has.
pub(super) async fn be_patient(connection: &mut Connection, limit: Duration) -> QueryResult<()> {
    let statement = format!("SET LOCAL statement_timeout = {}", limit.as_millis());
    diesel::sql_query(statement).execute(connection).await?;
    Ok(())
}
