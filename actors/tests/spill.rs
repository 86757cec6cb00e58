//! What a cost tracker does with more records than it keeps in memory.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor as _;
use gateway_actors::cost::{CostSettings, CostTracker};
use gateway_actors::protocol::{AttemptId, AttemptJournal, CallStore, CellTotals, FlushCalls, RecordCall};
use gateway_actors::runtime::{CrashReporter, LocalAddr, RestartPolicy, tell};
use gateway_actors::testkit::samples::{dispatch, finished};
use gateway_actors::testkit::{MemoryJournal, MemoryStore};

const SETTINGS: CostSettings = CostSettings {
    flush_period: Duration::from_millis(1),
    batch: 4,
    backlog: 8,
};
const RECORDS: usize = 500;

#[actix::test]
async fn after_an_outage_the_journal_is_read_back_once_in_parts() {
    let (journal, store) = (Rc::<MemoryJournal>::default(), Arc::<MemoryStore>::default());
    let totals = Arc::<CellTotals>::default();
    let (log, calls): (Rc<dyn AttemptJournal>, Arc<dyn CallStore>) = (journal.clone(), store.clone());
    let crashes = CrashReporter::new(RestartPolicy::default());
    let tracker = CostTracker::new(SETTINGS, log, calls, Arc::clone(&totals), crashes).start();
    store.set_away(true);
    let mut made = HashSet::new();
    let finish = |made: &mut HashSet<AttemptId>| {
        let record = finished(&dispatch());
        made.insert(record.dispatch.attempt);
        journal.dispatched(&record.dispatch).unwrap();
        let journalled = Some(journal.finished(&record).unwrap());
        let record = Arc::new(record);
        tell(&tracker, RecordCall { record, journalled }).unwrap();
    };
    for number in 0..RECORDS {
        finish(&mut made);
        if number % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    store.set_away(false);
    // Traffic goes on while the journal is read back.
    while store.calls().len() < RECORDS / 2 {
        finish(&mut made);
        tokio::task::yield_now().await;
    }
    let flushed = LocalAddr::new(tracker.clone()).ask(FlushCalls).await.unwrap();
    flushed.unwrap().await.unwrap();

    let stored: HashSet<AttemptId> = store.calls().iter().map(|record| record.dispatch.attempt).collect();
    assert_eq!(stored, made);
    assert_eq!(totals.load().calls, u64::try_from(made.len()).unwrap());
    assert!(
        journal.contents().unwrap().finished.is_empty(),
        "what is stored is acknowledged"
    );
    let read_back = journal.read_back();
    assert!(read_back <= made.len(), "{read_back} read back of {}", made.len());
    assert!(read_back >= RECORDS - SETTINGS.backlog);
}
