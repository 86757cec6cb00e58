//! The call records of a PostgreSQL database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use gateway_actors::protocol::{AttemptId, CallRecord, CallStore, Outcome, StoreFuture};

use super::call_rows::CallRows;
use super::transactions::{Access, Transactions};
use crate::store::call_row::RowIds;
use crate::store::now_us;

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
        self.transactions.submit(Access::Write, move |connection| {
            let records = Arc::clone(&records);
            async move {
                let now = now_us();
                for chunk in records.chunks(CHUNK) {
                    let ids: Vec<RowIds> = chunk.iter().map(|record| RowIds::from(&**record)).collect();
                    CallRows::new(chunk, &ids, now).execute(connection).await?;
                }
                Ok(())
            }
            .boxed()
        })
    }
}

/// What is left of these records when each attempt has one, in the order of the attempts' ids: the first, save that a
/// finished one replaces one found interrupted. One statement cannot insert a row and replace it too; and replicas that
/// insert the same rows in the same order do not wait for each other in a circle.
fn one_for_each_attempt(records: Vec<Arc<CallRecord>>) -> Vec<Arc<CallRecord>> {
    let mut kept: HashMap<AttemptId, Arc<CallRecord>> = HashMap::with_capacity(records.len());
    for record in records {
        match kept.entry(record.dispatch.attempt) {
            Entry::Vacant(place) => {
                place.insert(record);
            }
            Entry::Occupied(mut place) => {
                if place.get().outcome == Outcome::Interrupted && record.outcome != Outcome::Interrupted {
                    place.insert(record);
                }
            }
        }
    }
    let mut records: Vec<_> = kept.into_values().collect();
    records.sort_unstable_by_key(|record| {
        (
            record.dispatch.attempt.request.to_string(),
            record.dispatch.attempt.ordinal,
        )
    });
    records
}
