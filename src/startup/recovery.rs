//! Takes over what dead processes left in their journals.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use gateway_actors::protocol::{CallRecord, CallStore, InstanceId};
use tokio::time::Instant;

use super::ServeError;
use crate::store::{JournalOpenError, Store, count_left, recover_dead};

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
    /// Whether nothing is missing from this process's own journal, if it was among them.
    pub(crate) whole: bool,
}

impl Recovered {
    /// Nothing could be taken over: everything is left for the next start.
    pub(super) fn nothing_yet() -> Self {
        Self {
            processes: 0,
            records: 0,
            all: false,
            whole: true,
        }
    }
}

/// Stores the call records of dead processes, and gives back the conversations and the parts of budgets that they held,
/// however long it takes.
pub(crate) fn recover(store: &Store, journal_dir: &Path) -> Result<(), ServeError> {
    recover_until(store, journal_dir, None, None).map(drop)
}

/// Does the same until the deadline, after which it begins no further job; without one, until nothing is left. `myself`
/// is this process where it may have ended its own journal by now: the log tells of it in other words.
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
        whole: true,
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
        if dead.is_whole() {
            store
                .block_on(store.ledger().end_leases_of(vec![dead.instance]))
                .map_err(ServeError::Recovery)?;
        } else {
            // Others' journals say nothing of this process's own calls.
            recovered.whole &= !is_me;
            // What is missing may have been paid for: what the process held is posted in full when its lease runs out.
            tracing::warn!(
                instance = %dead.instance,
                "a journal cannot be read whole, or the machine has started again since it was written, or an earlier \
                 version wrote it: what its process held of budgets will be counted as spent"
            );
        }
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

/// Warns of journals that nobody takes over here: those of dead processes in the folders of other databases. This may
/// be the same database under an earlier address, or what an earlier version left, which told databases apart by less.
/// On a thread of its own: there may be much to read, and the start need not wait for it.
pub(super) fn look_at_others(journal_dir: &Path) {
    let own = journal_dir.to_owned();
    let looking = thread::Builder::new().name("other-journals".to_owned());
    if let Err(error) = looking.spawn(move || warn_of_others(&own)) {
        tracing::warn!(%error, "nobody looks whether call records wait in the journals of other databases");
    }
}

fn warn_of_others(own: &Path) {
    let others = match others(own) {
        Ok(others) => others,
        Err(error) => {
            tracing::warn!(%error, "the folder of the journals cannot be read");
            return;
        }
    };
    for path in others {
        match count_left(&path) {
            Ok(0) => {}
            Ok(call_records) => tracing::warn!(
                path = %path.display(),
                call_records,
                "call records wait in the journal of another database, of this one under another address or path, or \
                 of an earlier version; bring them into this one with `ai-mcp-gateway migrate --journal FOLDER`, or \
                 start a gateway on the other"
            ),
            Err(error) => tracing::warn!(error = %error, "another database's journal cannot be read"),
        }
    }
}

/// The folders beside this one, by name; none before there are any journals.
fn others(own: &Path) -> Result<Vec<PathBuf>, JournalOpenError> {
    let parent = own.parent().unwrap_or(Path::new(""));
    let in_parent = |source| JournalOpenError {
        path: parent.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(in_parent(error)),
    };
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut others = paths.map_err(in_parent)?;
    others.retain(|path| path.is_dir() && path.file_name() != own.file_name());
    others.sort();
    Ok(others)
}
