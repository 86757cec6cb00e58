//! The call records.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::{QueryResult, SqliteConnection};
use gateway_actors::protocol::{CallRecord, CallStore, Outcome, StoreFuture};

use super::call_insert::{Insert, ROWS};
use super::writer::Writer;
use crate::store::call_row::{CallRow, RowIds};
use crate::store::now_us;
use crate::store::schema::llm_calls;

/// The call records of one database.
#[derive(Debug)]
pub(super) struct Calls {
    writer: Writer,
}

impl Calls {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer }
    }
}

impl CallStore for Calls {
    fn insert_calls(&self, records: Vec<Arc<CallRecord>>) -> StoreFuture<()> {
        if records.is_empty() {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.writer.submit(move |connection| {
            // All of them in one hop to the connection's thread: a hop costs more than a row.
            let inserted = connection.spawn_blocking(move |connection| insert(connection, &records, now_us()));
            Box::pin(async move { Ok(inserted.await?) })
        })
    }
}

/// Inserts records in the order given, on the connection's own thread. One that is there already stays as it is, save
/// that a finished attempt replaces one that was found interrupted.
///
/// The statements are prepared once: an upsert would be prepared anew every time, and preparing costs more than
/// inserting.
fn insert(connection: &mut SqliteConnection, records: &[Arc<CallRecord>], now: i64) -> QueryResult<()> {
    let (chunks, rest) = records.as_chunks::<ROWS>();
    for chunk in chunks {
        // Records that are there already are rare: they are looked at one by one.
        if insert_new(connection, chunk.each_ref(), now)? < ROWS {
            insert_each(connection, chunk, now)?;
        }
        // A thousand rows take some ten milliseconds. A request whose worker waits for this processor is not to wait as long.
        std::thread::yield_now();
    }
    insert_each(connection, rest, now)
}

fn insert_each(connection: &mut SqliteConnection, records: &[Arc<CallRecord>], now: i64) -> QueryResult<()> {
    for record in records {
        let is_new = insert_new(connection, [record], now)? > 0;
        if !is_new && record.outcome != Outcome::Interrupted && forget_interrupted(connection, record)? {
            insert_new(connection, [record], now)?;
        }
    }
    Ok(())
}

/// Inserts the records that are not there yet; how many were not.
fn insert_new<const N: usize>(
    connection: &mut SqliteConnection,
    records: [&Arc<CallRecord>; N],
    now: i64,
) -> QueryResult<usize> {
    let records = records.map(|record| (record, RowIds::from(&**record)));
    let rows = records.each_ref().map(|(record, ids)| CallRow::new(record, ids, now));
    Insert(rows).execute(connection)
}

/// Whether the record was there, but only knew that its attempt was interrupted.
fn forget_interrupted(connection: &mut SqliteConnection, record: &CallRecord) -> QueryResult<bool> {
    let this = llm_calls::attempt_id.eq(record.dispatch.attempt.to_string());
    let interrupted = llm_calls::outcome.eq(Outcome::Interrupted.as_str());
    let deleted = diesel::delete(llm_calls::table.filter(this.and(interrupted))).execute(connection)?;
    Ok(deleted > 0)
}
