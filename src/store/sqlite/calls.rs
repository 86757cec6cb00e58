//! The call records.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::{QueryResult, SqliteConnection};
use gateway_actors::protocol::{CallRecord, CallStore, Outcome, StoreFuture};
use gateway_actors::runtime::{AbortPoint, pass};

use super::call_insert::{Insert, ROWS};
use super::queries;
use super::writer::Writer;
use crate::store::call_row::{CallRow, RowIds, are_charged, one_for_each_attempt};
use crate::store::ledger::{Posted, charges_of, told};
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
        told(self.writer.submit(move |connection| {
            // All of them in one hop to the connection's thread: a hop costs more than a row.
            Box::pin(async move {
                let mut raised = Vec::new();
                if are_charged(&records) {
                    let inserted =
                        connection.spawn_blocking(move |connection| insert_charged(connection, records, now_us()));
                    let posted = inserted.await?;
                    if !posted.is_empty() {
                        raised = queries::ledger::post(connection, &charges_of(&posted)).await?;
                        pass(AbortPoint::Committing);
                    }
                } else {
                    let inserted = connection.spawn_blocking(move |connection| insert(connection, &records, now_us()));
                    inserted.await?;
                }
                Ok(((), raised))
            })
        }))
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
        if !is_new && record.outcome != Outcome::Interrupted && forget_interrupted(connection, record)?.is_some() {
            insert_new(connection, [record], now)?;
        }
    }
    Ok(())
}

/// Inserts records, and returns those that were not there: what they cost has yet to be posted.
fn insert_charged(
    connection: &mut SqliteConnection,
    records: Vec<Arc<CallRecord>>,
    now: i64,
) -> QueryResult<Vec<Posted>> {
    let new = |record| Posted { record, before: None };
    match insert_if_all_new(connection, &records, now) {
        Ok(()) => return Ok(records.into_iter().map(new).collect()),
        // Not an error: some were there, or one was said twice.
        Err(DieselError::RollbackTransaction) => {}
        Err(error) => return Err(error),
    }
    let mut posted = Vec::new();
    for record in one_for_each_attempt(records) {
        if insert_new(connection, [&record], now)? > 0 {
            posted.push(new(record));
        } else if record.outcome != Outcome::Interrupted
            && let Some(before) = forget_interrupted(connection, &record)?
        {
            insert_new(connection, [&record], now)?;
            posted.push(Posted {
                record,
                before: Some(before),
            });
        }
    }
    Ok(posted)
}

/// Inserts records, none of which is there; otherwise nothing is inserted.
fn insert_if_all_new(connection: &mut SqliteConnection, records: &[Arc<CallRecord>], now: i64) -> QueryResult<()> {
    connection.transaction(|connection| {
        let (chunks, rest) = records.as_chunks::<ROWS>();
        let mut inserted = 0;
        for chunk in chunks {
            inserted += insert_new(connection, chunk.each_ref(), now)?;
            std::thread::yield_now();
        }
        for record in rest {
            inserted += insert_new(connection, [record], now)?;
        }
        match inserted == records.len() {
            true => Ok(()),
            false => Err(DieselError::RollbackTransaction),
        }
    })
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

/// Removes the record if it only knew that its attempt was interrupted; what it cost.
fn forget_interrupted(connection: &mut SqliteConnection, record: &CallRecord) -> QueryResult<Option<i64>> {
    let this = llm_calls::attempt_id.eq(record.dispatch.attempt.to_string());
    let interrupted = llm_calls::outcome.eq(Outcome::Interrupted.as_str());
    diesel::delete(llm_calls::table.filter(this.and(interrupted)))
        .returning(llm_calls::cost_nano_usd)
        .get_result(connection)
        .optional()
}
