//! The actix side of the learning director.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::director_core::DirectorCore;
use super::look::Look;
use super::looks::Found;
use crate::protocol::{
    Calibration, EarlierTests, EventStore, FlushOutcomes, Learned, LearningTotals, NoteOutcome, NoteTests,
    NotebookStore, OutcomeRow, OutcomeStore, StoreError,
};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults, tell};

/// How long an outcome waits for company at most.
const FLUSH: Duration = Duration::from_millis(500);
/// How long what somebody writes into the notebook waits for this process at most.
const LOOK: Duration = Duration::from_secs(10);
/// The table of successes is read at one look in so many, once a minute, and when an edit of a model was met.
const LOOKS_FOR_TABLE: u32 = 6;

/// What the director is wired to.
#[derive(Debug)]
pub struct LearningParts {
    /// The stored outcomes.
    pub outcomes: Arc<dyn OutcomeStore>,
    /// The stored experiments, heuristics and calibrations.
    pub notebook: Arc<dyn NotebookStore>,
    /// What operators are told of.
    pub events: Arc<dyn EventStore>,
    /// The calibration that the gateway started with.
    pub calibration: Calibration,
    /// Where what was learned is published; the calibration is there already.
    pub learned: Arc<ArcSwap<Learned>>,
    /// What is counted for the statistics.
    pub totals: Arc<LearningTotals>,
    /// Whether cells draw models by how often each did well (`routing.adaptive`): else nobody wants that summed up.
    pub is_adaptive: bool,
}

/// Takes outcomes to the database, and what is learned from them to the cells. One per process, on the control arbiter.
#[derive(Debug)]
pub struct LearningDirector {
    guard: Guard<DirectorCore>,
    parts: LearningParts,
    /// Whether the database is being asked: one look at a time.
    is_looking: bool,
    looks: u32,
    /// Who waits for what was told so far to be stored.
    flushing: Vec<oneshot::Sender<()>>,
}

/// The database was looked at (to itself).
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Looked {
    found: Found,
    trouble: Option<StoreError>,
}

/// The store has answered (to itself).
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct BatchEnded {
    batch: Vec<OutcomeRow>,
    result: Result<(), StoreError>,
}

/// Tests of earlier answers were noted, save these, which are tried again (to itself).
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct TestsNoted(Vec<EarlierTests>);

impl LearningDirector {
    /// A director that has heard of nothing yet.
    #[must_use]
    pub fn new(parts: LearningParts, crashes: CrashReporter) -> Self {
        let totals = Arc::clone(&parts.totals);
        let rebuild = move || DirectorCore::new(Arc::clone(&totals));
        Self {
            guard: Guard::new("learning", crashes, rebuild),
            parts,
            is_looking: false,
            looks: 0,
            flushing: Vec::new(),
        }
    }

    fn look(&mut self, ctx: &Context<Self>) {
        if self.is_looking {
            return;
        }
        self.is_looking = true;
        let look = Look {
            outcomes: Arc::clone(&self.parts.outcomes),
            notebook: Arc::clone(&self.parts.notebook),
            events: Arc::clone(&self.parts.events),
            with_table: self.parts.is_adaptive && self.looks.is_multiple_of(LOOKS_FOR_TABLE),
            edits: self.parts.is_adaptive.then(|| self.parts.learned.load().edits.clone()),
        };
        self.looks = self.looks.wrapping_add(1);
        let myself = ctx.address();
        actix_rt::spawn(async move {
            let (found, trouble) = look.run().await;
            if tell(&myself, Looked { found, trouble }).is_err() {
                tracing::debug!("the learning director ended before its last look");
            }
        });
    }

    fn write_next(&mut self, ctx: &Context<Self>) {
        let Ok(Some(batch)) = self.guard.run(DirectorCore::next_batch) else {
            self.tell_flushed();
            return;
        };
        let written = self.parts.outcomes.insert(batch.clone());
        let myself = ctx.address();
        actix_rt::spawn(async move {
            let result = written.await;
            if tell(&myself, BatchEnded { batch, result }).is_err() {
                tracing::debug!("the learning director ended before its last batch");
            }
        });
    }

    /// Notes tests of earlier answers. Those of an answer that nobody knows are dropped.
    fn note_tests(&mut self, ctx: &Context<Self>) {
        let is_flushing = !self.flushing.is_empty();
        let due = self.guard.run(|core| core.tests.next(is_flushing)).unwrap_or_default();
        if due.is_empty() {
            return;
        }
        let outcomes = Arc::clone(&self.parts.outcomes);
        let myself = ctx.address();
        actix_rt::spawn(async move {
            let mut again = Vec::new();
            for earlier in due {
                match outcomes.note_tests(earlier.clone()).await {
                    Ok(_) => {}
                    Err(StoreError::Unavailable { .. } | StoreError::Full) => again.push(earlier),
                    Err(error) => tracing::warn!(%error, "tests of an earlier answer could not be noted"),
                }
            }
            if tell(&myself, TestsNoted(again)).is_err() {
                tracing::debug!("the learning director ended before its last tests were noted");
            }
        });
    }

    /// Tells those who wait once there is nothing left to be stored.
    fn tell_flushed(&mut self) {
        if !self.flushing.is_empty() && self.guard.run(|core| core.is_idle()).unwrap_or(false) {
            for waiting in self.flushing.drain(..) {
                // Whoever waited may have given up.
                let _ = waiting.send(());
            }
        }
    }
}

impl Actor for LearningDirector {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(FLUSH, |director, ctx| {
            director.write_next(ctx);
            director.note_tests(ctx);
        });
        self.look(ctx);
        ctx.run_interval(LOOK, |director, ctx| director.look(ctx));
    }
}

impl Handler<NoteOutcome> for LearningDirector {
    type Result = ();

    fn handle(&mut self, NoteOutcome(outcome): NoteOutcome, ctx: &mut Self::Context) {
        // An outcome lost to a panic is counted by the rebuild.
        let full = self.guard.run(|core| {
            core.note(*outcome);
            core.has_full_batch()
        });
        if full.unwrap_or(false) {
            self.write_next(ctx);
        }
    }
}

impl Handler<NoteTests> for LearningDirector {
    type Result = ();

    fn handle(&mut self, NoteTests(earlier): NoteTests, _: &mut Self::Context) {
        if self.guard.run(|core| core.tests.add(*earlier)).is_ok_and(|kept| !kept) {
            tracing::debug!("too many tests of earlier answers wait; those of one are not kept");
        }
    }
}

impl Handler<TestsNoted> for LearningDirector {
    type Result = ();

    fn handle(&mut self, TestsNoted(again): TestsNoted, ctx: &mut Self::Context) {
        let is_over = again.is_empty();
        // What a panic lost is lost.
        let _ = self.guard.run(|core| core.tests.noted(again));
        // What could not be noted is tried at the next tick.
        if is_over && !self.flushing.is_empty() {
            self.note_tests(ctx);
            self.tell_flushed();
        }
    }
}

impl Handler<BatchEnded> for LearningDirector {
    type Result = ();

    fn handle(&mut self, BatchEnded { batch, result }: BatchEnded, ctx: &mut Self::Context) {
        if let Err(error) = &result {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(%error, cause, outcomes = batch.len(), "outcomes could not be written");
        }
        // The next tick tries again what may be tried again.
        let again = matches!(result, Err(StoreError::Unavailable { .. } | StoreError::Full));
        let is_flushing = !self.flushing.is_empty();
        let more = self.guard.run(|core| match result {
            Ok(()) => {
                core.written();
                core.has_full_batch() || is_flushing
            }
            Err(_) => {
                core.not_written(batch, again);
                false
            }
        });
        if more.unwrap_or(false) {
            self.write_next(ctx);
        }
    }
}

impl Handler<FlushOutcomes> for LearningDirector {
    type Result = ();

    fn handle(&mut self, FlushOutcomes(waiting): FlushOutcomes, ctx: &mut Self::Context) {
        self.flushing.push(waiting);
        self.note_tests(ctx);
        self.write_next(ctx);
    }
}

impl Handler<Looked> for LearningDirector {
    type Result = ();

    fn handle(&mut self, Looked { found, trouble }: Looked, _: &mut Self::Context) {
        self.is_looking = false;
        let (published, base) = (&self.parts.learned, &self.parts.calibration);
        // What a panic lost is found again at the next look.
        let _ = self.guard.run(|core| {
            core.note_trouble(trouble.as_ref());
            let next = found.next(&published.load(), base);
            if let Some((id, error)) = next.unreadable {
                core.note_unreadable(&id, &error);
            }
            published.store(Arc::new(next.learned));
        });
    }
}

accept_injected_faults!(LearningDirector);

#[cfg(test)]
#[cfg(feature = "testkit")]
#[path = "director_tests.rs"]
mod tests;
