//! The call records.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::{QueryResult, SqliteConnection};
use gateway_actors::protocol::{CallRecord, CallStore, Outcome, StoreFuture};

use super::call_row::CallRow;
use super::now_us;
use super::schema::llm_calls;
use super::writer::Writer;

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
/// The insert is one statement for each record, prepared once: an upsert would be prepared anew every time, and
/// preparing costs more than inserting.
fn insert(connection: &mut SqliteConnection, records: &[Arc<CallRecord>], now: i64) -> QueryResult<()> {
    for record in records {
        let is_new = insert_new(connection, record, now)?;
        if !is_new && record.outcome != Outcome::Interrupted && forget_interrupted(connection, record)? {
            insert_new(connection, record, now)?;
        }
    }
    Ok(())
}

/// Whether the record was not there yet.
fn insert_new(connection: &mut SqliteConnection, record: &CallRecord, now: i64) -> QueryResult<bool> {
    Ok(CallRow::new(record, now).execute(connection)? > 0)
}

/// Whether the record was there, but only knew that its attempt was interrupted.
fn forget_interrupted(connection: &mut SqliteConnection, record: &CallRecord) -> QueryResult<bool> {
    let this = llm_calls::attempt_id.eq(record.dispatch.attempt.to_string());
    let interrupted = llm_calls::outcome.eq(Outcome::Interrupted.as_str());
    let deleted = diesel::delete(llm_calls::table.filter(this.and(interrupted))).execute(connection)?;
    Ok(deleted > 0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesel::prelude::*;
    use gateway_actors::protocol::CallRecord;

    use super::super::connection::{Access, BUSY_TIMEOUT, Database};
    use super::super::schema::llm_calls;
    use super::super::testing::{self, TestStore, dispatch, finished, finished_call};

    fn insert(test: &TestStore, records: Vec<Arc<CallRecord>>) {
        test.store.block_on(test.store.calls().insert_calls(records)).unwrap();
    }

    /// Id, outcome and cost of every row, in the order of the ids.
    fn rows(test: &TestStore) -> Vec<(String, String, i64)> {
        let database = Database::at(&testing::config(&test.dir).database, BUSY_TIMEOUT).unwrap();
        llm_calls::table
            .select((llm_calls::attempt_id, llm_calls::outcome, llm_calls::cost_nano_usd))
            .order(llm_calls::attempt_id)
            .load(&mut database.connect(Access::Read).unwrap())
            .unwrap()
    }

    #[test]
    fn a_record_keeps_what_it_says() {
        let test = TestStore::new();
        let record = finished_call();
        insert(&test, vec![Arc::clone(&record)]);
        let database = Database::at(&testing::config(&test.dir).database, BUSY_TIMEOUT).unwrap();
        let mut connection = database.connect(Access::Read).unwrap();
        let labels: (i32, i32, Option<String>, Option<String>, String) = llm_calls::table
            .select((
                llm_calls::ordinal,
                llm_calls::cell,
                llm_calls::conversation_id,
                llm_calls::project_id,
                llm_calls::task,
            ))
            .first(&mut connection)
            .unwrap();
        let project = "project \"one\"".to_owned();
        let conversation = "conv-1".to_owned();
        assert_eq!(
            labels,
            (1, 3, Some(conversation), Some(project), "create-project".into())
        );
        let tokens: (i64, i64, i64, i64, String) = llm_calls::table
            .select((
                llm_calls::input_tokens,
                llm_calls::cached_input_tokens,
                llm_calls::output_tokens,
                llm_calls::reasoning_tokens,
                llm_calls::usage_source,
            ))
            .first(&mut connection)
            .unwrap();
        assert_eq!(tokens, (10, 4, 20, 5, "reported".into()));
        let money: (i64, i64, Option<i64>, Option<i64>, Option<i64>) = llm_calls::table
            .select((
                llm_calls::cost_nano_usd,
                llm_calls::held_nano_usd,
                llm_calls::input_price_pico_usd,
                llm_calls::cached_input_price_pico_usd,
                llm_calls::output_price_pico_usd,
            ))
            .first(&mut connection)
            .unwrap();
        assert_eq!(money, (1_234, 5_000, Some(150_000), Some(75_000), Some(600_000)));
        let end: (bool, bool, bool, Option<i32>, Option<i64>) = llm_calls::table
            .select((
                llm_calls::success,
                llm_calls::estimated,
                llm_calls::streamed,
                llm_calls::status,
                llm_calls::first_byte_us,
            ))
            .first(&mut connection)
            .unwrap();
        assert_eq!(end, (true, false, true, Some(200), Some(120)));
    }

    #[test]
    fn a_record_that_is_there_stays_as_it_is() {
        let test = TestStore::new();
        let record = finished_call();
        let mut changed = CallRecord::clone(&record);
        changed.cost.0 = 9;
        let interrupted = CallRecord::interrupted(record.dispatch.clone());
        insert(&test, vec![Arc::clone(&record), Arc::new(changed)]);
        insert(&test, vec![Arc::clone(&record), Arc::new(interrupted)]);
        let id = record.dispatch.attempt.to_string();
        assert_eq!(rows(&test), [(id, "completed".to_owned(), 1_234)]);
    }

    #[test]
    fn a_finished_record_replaces_an_interrupted_one() {
        let test = TestStore::new();
        let dispatch = dispatch();
        let id = dispatch.attempt.to_string();
        insert(&test, vec![Arc::new(CallRecord::interrupted(dispatch.clone()))]);
        assert_eq!(rows(&test), [(id.clone(), "interrupted".to_owned(), 5_000)]);
        insert(&test, vec![Arc::new(finished(&dispatch))]);
        assert_eq!(rows(&test), [(id, "completed".to_owned(), 1_234)]);
    }

    #[test]
    fn counts_that_the_database_cannot_hold_are_stored_as_the_largest_it_can() {
        let test = TestStore::new();
        let mut record = CallRecord::clone(&finished_call());
        record.usage.input = u64::MAX;
        insert(&test, vec![Arc::new(record)]);
        let database = Database::at(&testing::config(&test.dir).database, BUSY_TIMEOUT).unwrap();
        let stored: i64 = llm_calls::table
            .select(llm_calls::input_tokens)
            .first(&mut database.connect(Access::Read).unwrap())
            .unwrap();
        assert_eq!(stored, i64::MAX);
    }
}
