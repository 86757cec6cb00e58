//! The call records.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl as _;
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{CallRecord, CallStore, Outcome, StoreFuture};

use super::connection::Connection;
use super::error::QueryError;
use super::models::CallRow;
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
        self.writer
            .submit(move |connection| Box::pin(async move { insert(connection, &records, now_us()).await }))
    }
}

/// Inserts records in the order given. One that is there already stays as it is, save that a finished attempt replaces
/// one that was found interrupted.
async fn insert(connection: &mut Connection, records: &[Arc<CallRecord>], now: i64) -> Result<(), QueryError> {
    let interrupted = Outcome::Interrupted.as_str();
    for record in records {
        let row = CallRow::new(record, now);
        diesel::insert_into(llm_calls::table)
            .values(row)
            .on_conflict(llm_calls::attempt_id)
            .do_update()
            .set((
                llm_calls::input_tokens.eq(excluded(llm_calls::input_tokens)),
                llm_calls::cached_input_tokens.eq(excluded(llm_calls::cached_input_tokens)),
                llm_calls::output_tokens.eq(excluded(llm_calls::output_tokens)),
                llm_calls::reasoning_tokens.eq(excluded(llm_calls::reasoning_tokens)),
                llm_calls::usage_source.eq(excluded(llm_calls::usage_source)),
                llm_calls::cost_nano_usd.eq(excluded(llm_calls::cost_nano_usd)),
                llm_calls::estimated.eq(excluded(llm_calls::estimated)),
                llm_calls::outcome.eq(excluded(llm_calls::outcome)),
                llm_calls::status.eq(excluded(llm_calls::status)),
                llm_calls::success.eq(excluded(llm_calls::success)),
                llm_calls::first_byte_us.eq(excluded(llm_calls::first_byte_us)),
                llm_calls::duration_us.eq(excluded(llm_calls::duration_us)),
            ))
            .filter(llm_calls::outcome.eq(interrupted))
            .filter(excluded(llm_calls::outcome).ne(interrupted))
            .execute(connection)
            .await?;
    }
    Ok(())
}
