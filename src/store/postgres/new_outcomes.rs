//! The statement that inserts outcomes.

use std::collections::HashSet;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Connection;
use crate::store::schema::outcomes;
use crate::store::transfer::StoredOutcome;

/// Rows in one statement, each with 32 values: a statement has 65,535 at most.
const CHUNK: usize = 500;

/// Inserts the rows that are not there; the ids of their requests.
pub(super) async fn insert(connection: &mut Connection, rows: &Arc<[StoredOutcome]>) -> QueryResult<HashSet<String>> {
    let mut new = HashSet::with_capacity(rows.len());
    for rows in rows.chunks(CHUNK) {
        let inserted: Vec<String> = diesel::insert_into(outcomes::table)
            .values(rows)
            .on_conflict(outcomes::request_id)
            .do_nothing()
            .returning(outcomes::request_id)
            .load(connection)
            .await?;
        new.extend(inserted);
    }
    Ok(new)
}
