//! The call records of a PostgreSQL database.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use gateway_actors::protocol::{CallRecord, CallStore, Outcome, StoreFuture};
use gateway_actors::runtime::{AbortPoint, pass};

use super::call_rows::{CallRows, OnlyNew};
use super::transactions::{Access, Transactions};
use super::{Connection, queries};
use crate::store::call_row::{RowIds, are_charged, one_for_each_attempt};
use crate::store::ledger::{Posted, charges_of, told};
use crate::store::now_us;
use crate::store::schema::llm_calls;

/// Records in one statement.
const CHUNK: usize = 500;

/// The call records of one database.
#[derive(Debug)]
pub(super) struct Calls {
    transactions: Transactions,
}

impl Calls {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl CallStore for Calls {
    fn insert_calls(&self, records: Vec<Arc<CallRecord>>) -> StoreFuture<()> {
        let records: Arc<[Arc<CallRecord>]> = one_for_each_attempt(records).into();
        if records.is_empty() {
            return std::future::ready(Ok(())).boxed();
        }
        told(self.transactions.submit(Access::Write, move |connection| {
            let records = Arc::clone(&records);
            async move {
                let now = now_us();
                let mut posted = Vec::new();
                for chunk in records.chunks(CHUNK) {
                    if are_charged(chunk) {
                        insert_charged(connection, chunk, now, &mut posted).await?;
                    } else {
                        let ids = ids_of(chunk);
                        CallRows::new(chunk, &ids, now).execute(connection).await?;
                    }
                }
                let mut raised = Vec::new();
                if !posted.is_empty() {
                    raised = queries::ledger::post(connection, &charges_of(&posted)).await?;
                    pass(AbortPoint::Committing);
                }
                Ok(((), raised))
            }
            .boxed()
        }))
    }
}

fn ids_of(records: &[Arc<CallRecord>]) -> Vec<RowIds> {
    records.iter().map(|record| RowIds::from(&**record)).collect()
}

/// Inserts records, and adds those to `posted` that were not there: what they cost has yet to be posted.
async fn insert_charged(
    connection: &mut Connection,
    records: &[Arc<CallRecord>],
    now: i64,
    posted: &mut Vec<Posted>,
) -> QueryResult<()> {
    let ids = ids_of(records);
    let new: Vec<String> = OnlyNew(CallRows::new(records, &ids, now)).load(connection).await?;
    let new: HashSet<String> = new.into_iter().collect();
    let mut there: Vec<Arc<CallRecord>> = Vec::new();
    for (record, ids) in records.iter().zip(&ids) {
        if new.contains(ids.attempt()) {
            posted.push(Posted {
                record: Arc::clone(record),
                before: None,
            });
        } else if record.outcome != Outcome::Interrupted {
            there.push(Arc::clone(record));
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    // Rare: found interrupted in a journal, and finished after all. Locked, so that the difference is posted once.
    let ids = ids_of(&there);
    let interrupted: Vec<(String, i64)> = llm_calls::table
        .filter(llm_calls::attempt_id.eq_any(ids.iter().map(RowIds::attempt)))
        .filter(llm_calls::outcome.eq(Outcome::Interrupted.as_str()))
        .order(llm_calls::attempt_id)
        .select((llm_calls::attempt_id, llm_calls::cost_nano_usd))
        .for_no_key_update()
        .load(connection)
        .await?;
    let interrupted: HashMap<String, i64> = interrupted.into_iter().collect();
    let before = |ids: &RowIds| interrupted.get(ids.attempt()).copied();
    let replaced = there.iter().zip(&ids).filter_map(|(record, ids)| {
        let record = Arc::clone(record);
        before(ids).map(|before| (record, before))
    });
    let (replacing, before): (Vec<_>, Vec<_>) = replaced.unzip();
    let ids = ids_of(&replacing);
    CallRows::new(&replacing, &ids, now).execute(connection).await?;
    posted.extend(replacing.into_iter().zip(before).map(|(record, before)| Posted {
        record,
        before: Some(before),
    }));
    Ok(())
}
