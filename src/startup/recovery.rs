//! Takes over what dead processes left in their journals.

use std::path::Path;
use std::sync::Arc;

use gateway_actors::protocol::{CallRecord, CallStore, InstanceId};
use tokio::time::Instant;

use super::ServeError;
use crate::store::{Store, recover_dead};

/// Records in one job, and so in one transaction: few enough that a slow database stores them in the time of one.
const RECORDS_IN_A_JOB: usize = 1_000;

/// What was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Processes that had died.
    pub(crate) processes: usize,
    /// Their call records, some of which the database may have had.
    pub(crate) records: usize,
    /// Whether nothing is left for the next start.
    pub(crate) all: bool,
}

/// Stores the call records of dead processes and gives back the conversations they held. However much it is.
pub(crate) fn recover(store: &Store, journal_dir: &Path) -> Result<(), ServeError> {
    recover_until(store, journal_dir, None, None).map(drop)
}

/// Does the same, of a process that may itself be among those that have ended, and begins nothing more after the
/// deadline. What is begun by then takes no longer than a job may.
pub(crate) fn recover_until(
    store: &Store,
    journal_dir: &Path,
    myself: Option<InstanceId>,
    deadline: Option<Instant>,
) -> Result<Recovered, ServeError> {
    let calls = store.calls();
    let mut recovered = Recovered {
        processes: 0,
        records: 0,
        all: true,
    };
    for mut dead in recover_dead(journal_dir)? {
        let mut found = 0;
        let is_me = myself == Some(dead.instance);
        if !is_me {
            tracing::info!(instance = %dead.instance, files = dead.files(), "storing what a process that had died left");
        }
        for records in dead.records() {
            for job in jobs(records?) {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    recovered.all = false;
                    return Ok(recovered);
                }
                found += job.len();
                insert(store, &*calls, job)?;
            }
        }
        let released = store
            .block_on(store.release_leases_of(&[dead.instance]))
            .map_err(ServeError::Recovery)?;
        if is_me {
            tracing::info!(
                call_records = found,
                conversations = released,
                "stored what was left in this process's journal"
            );
        } else {
            tracing::info!(instance = %dead.instance, call_records = found, conversations = released, "took over from a process that had died");
        }
        dead.discard()?;
        recovered.processes += 1;
        recovered.records += found;
    }
    Ok(recovered)
}

fn insert(store: &Store, calls: &dyn CallStore, job: Vec<Arc<CallRecord>>) -> Result<(), ServeError> {
    store.block_on(calls.insert_calls(job)).map_err(ServeError::Recovery)
}

/// The same records, in parts that a job has time for.
fn jobs(records: Vec<CallRecord>) -> impl Iterator<Item = Vec<Arc<CallRecord>>> {
    let mut records = records.into_iter().map(Arc::new);
    std::iter::from_fn(move || {
        let job: Vec<_> = records.by_ref().take(RECORDS_IN_A_JOB).collect();
        (!job.is_empty()).then_some(job)
    })
}
