//! The actix side of the cost tracker.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use super::core::{CostCore, FromJournal, Limits, Pass};
use crate::protocol::{
    AreStored, AttemptId, AttemptJournal, CallRecord, CallStore, CellTotals, CostError, FlushCalls, RecordCall,
    StoreError,
};
use crate::runtime::{AbortPoint, CrashReporter, Guard, accept_injected_faults, pass, tell};

/// How often and how much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostSettings {
    /// How long a record waits for company at most. Default 200 ms.
    pub flush_period: Duration,
    /// Records in one batch. Default 1,024.
    pub batch: usize,
    /// Records in memory while the database is away; beyond it they are left to the journal. Default 20,000.
    pub backlog: usize,
}

impl Default for CostSettings {
    fn default() -> Self {
        Self {
            flush_period: Duration::from_millis(200),
            batch: 1_024,
            backlog: 20_000,
        }
    }
}

/// Takes its cell's finished attempts to the database.
#[derive(Debug)]
pub struct CostTracker {
    guard: Guard<CostCore>,
    journal: Rc<dyn AttemptJournal>,
    store: Arc<dyn CallStore>,
    settings: CostSettings,
    waiting: Vec<oneshot::Sender<()>>,
}

/// The store has answered (to itself).
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct BatchEnded {
    attempts: Vec<AttemptId>,
    result: Result<(), StoreError>,
}

impl CostTracker {
    /// A tracker that publishes to `totals` and recovers from its cell's journal.
    #[must_use]
    pub fn new(
        settings: CostSettings,
        journal: Rc<dyn AttemptJournal>,
        store: Arc<dyn CallStore>,
        totals: Arc<CellTotals>,
        crashes: CrashReporter,
    ) -> Self {
        let limits = Limits {
            batch: settings.batch,
            backlog: settings.backlog,
        };
        let source = Rc::clone(&journal);
        let rebuild = move || recover(limits, &*source, Arc::clone(&totals));
        Self {
            guard: Guard::new("cost", crashes, rebuild),
            journal,
            store,
            settings,
            waiting: Vec::new(),
        }
    }

    fn write_next(&mut self, ctx: &mut Context<Self>) {
        let Ok(Some(batch)) = self.guard.run(CostCore::next_batch) else {
            return;
        };
        let attempts: Vec<AttemptId> = batch
            .iter()
            .map(|record: &Arc<CallRecord>| record.dispatch.attempt)
            .collect();
        let written = self.store.insert_calls(batch);
        let myself = ctx.address();
        actix_rt::spawn(async move {
            let result = written.await;
            if tell(&myself, BatchEnded { attempts, result }).is_err() {
                tracing::debug!("the cost tracker ended before its last batch; the journal still holds it");
            }
        });
    }

    fn release_waiting(&mut self) {
        let settled = self.guard.run(|core| core.is_settled()).unwrap_or(false);
        if settled {
            for waiting in self.waiting.drain(..) {
                // Whoever waited may have given up.
                let _ = waiting.send(());
            }
        }
    }
}

/// The core that the journal and the published totals amount to.
fn recover(limits: Limits, journal: &dyn AttemptJournal, totals: Arc<CellTotals>) -> CostCore {
    let uncounted = Pass {
        after: totals.load().counted,
        most: usize::MAX,
    };
    let read = |pass| {
        read_back(journal, pass).unwrap_or_else(|| {
            totals.note_left_behind();
            Vec::new()
        })
    };
    let (uncounted, first) = (read(uncounted), read(limits.first_pass()));
    CostCore::recover(limits, &uncounted, first, totals)
}

/// A part of the journal, or nothing if it cannot be read: what it holds is then left to the next start.
fn read_back(journal: &dyn AttemptJournal, pass: Pass) -> Option<FromJournal> {
    let read = journal.finished_after(pass.after, pass.most);
    read.inspect_err(|error| {
        let cause = &error.source;
        tracing::error!(error = %error, cause = %cause, "the journal cannot be read back; its call records are stored at the next start");
    })
    .ok()
}

impl Actor for CostTracker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.settings.flush_period, |actor, ctx| actor.write_next(ctx));
    }
}

impl Handler<RecordCall> for CostTracker {
    type Result = ();

    fn handle(&mut self, call: RecordCall, ctx: &mut Self::Context) {
        // A record lost to a panic is read back from the journal by the rebuild.
        let full = self.guard.run(|core| {
            core.record(call);
            core.has_full_batch()
        });
        if full.unwrap_or(false) {
            self.write_next(ctx);
        }
    }
}

impl Handler<BatchEnded> for CostTracker {
    type Result = ();

    fn handle(&mut self, ended: BatchEnded, ctx: &mut Self::Context) {
        if let Err(error) = ended.result {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(error = %error, cause, records = ended.attempts.len(), "call records could not be written; trying again");
            // The next tick tries again. A rebuilt core forgot that it was writing, which is the same.
            let _ = self.guard.run(CostCore::not_written);
            return;
        }
        pass(AbortPoint::Committed);
        self.journal.acknowledge(&ended.attempts);
        let journal = Rc::clone(&self.journal);
        let full = self.guard.run(|core| {
            core.written(&ended.attempts);
            if let Some(pass) = core.wants_spilled() {
                match read_back(&*journal, pass) {
                    Some(records) => core.take_spilled(pass, records),
                    None => core.leave_spilled(),
                }
            }
            core.has_full_batch()
        });
        // Who has given up no longer hurries the rest: under load there is always a record that has just come.
        self.waiting.retain(|waiting| !waiting.is_closed());
        if full.unwrap_or(false) || !self.waiting.is_empty() {
            self.write_next(ctx);
        }
        self.release_waiting();
    }
}

impl Handler<FlushCalls> for CostTracker {
    type Result = Result<oneshot::Receiver<()>, CostError>;

    fn handle(&mut self, _: FlushCalls, ctx: &mut Self::Context) -> Self::Result {
        let (waiting, done) = oneshot::channel();
        self.waiting.push(waiting);
        self.write_next(ctx);
        self.release_waiting();
        Ok(done)
    }
}

impl Handler<AreStored> for CostTracker {
    type Result = Result<bool, CostError>;

    fn handle(&mut self, AreStored { epoch }: AreStored, ctx: &mut Self::Context) -> Self::Result {
        let stored = self.guard.run(|core| core.has_stored(epoch));
        if matches!(stored, Ok(false)) {
            self.write_next(ctx);
        }
        stored.or(Err(CostError::Restarting))
    }
}

accept_injected_faults!(CostTracker);
