//! The statement that inserts outcomes.

use std::collections::HashSet;
use std::sync::Arc;

use diesel::prelude::*;

use super::Connection;
use crate::store::schema::outcomes;
use crate::store::transfer::StoredOutcome;

/// Inserts the rows that are not there; the ids of their requests. All of them in one hop to the connection's thread: a
/// hop costs more than a row.
pub(super) async fn insert(connection: &mut Connection, rows: &Arc<[StoredOutcome]>) -> QueryResult<HashSet<String>> {
    let rows = Arc::clone(rows);
    let inserted = connection.spawn_blocking(move |connection| {
        let mut new = HashSet::with_capacity(rows.len());
        for row in &*rows {
            let inserted = diesel::insert_into(outcomes::table)
                .values(row)
                .on_conflict(outcomes::request_id)
                .do_nothing()
                .execute(connection)?;
            if inserted > 0 {
                new.insert(row.request_id.clone());
            }
        }
        Ok(new)
    });
    inserted.await
}
