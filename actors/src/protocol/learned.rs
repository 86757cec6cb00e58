//! What the LearningDirector is told and what it publishes: the calibration that applies, how often each model did well,
//! running experiments and stored heuristics. Cells read the published snapshot and ask nobody.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Message;
use gateway_routing::RoutingModel;

use super::ids::ModelId;
use super::layer::TaskType;
use super::notebook::{Experiment, Heuristic, ModelEdit};
use super::orchestra::Complexity;
use super::outcomes::{EarlierTests, OutcomeRow};

/// Tells what became of a request (one way).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct NoteOutcome(pub Box<OutcomeRow>);

/// Tells how tests of an earlier answer of a conversation went (one way).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct NoteTests(pub Box<EarlierTests>);

/// Asks that every outcome told of so far be written to the database (one way). The sender is used when none
/// waits any more: what cannot be stored, or a panic lost, is counted as dropped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FlushOutcomes(pub tokio::sync::oneshot::Sender<()>);

/// The calibration that applies.
#[derive(Debug, Clone)]
pub enum Calibration {
    /// The one that this build was made with.
    Shipped(&'static RoutingModel),
    /// One that was read from a file, or changed by what was learned.
    Own(Arc<RoutingModel>),
}

impl Deref for Calibration {
    type Target = RoutingModel;

    fn deref(&self) -> &RoutingModel {
        match self {
            Self::Shipped(model) => model,
            Self::Own(model) => model,
        }
    }
}

/// What cells decide by, as it is published.
#[derive(Debug, Clone)]
pub struct Learned {
    /// The calibration: the shipped one, the one of `routing.calibration`, or one that was applied on top.
    pub model: Calibration,
    /// The id of the calibration that was applied on top, if one was.
    pub calibration_id: Option<Arc<str>>,
    /// How often each model did well, by the kind of request.
    pub table: HashMap<(TaskType, Complexity), Vec<LearnedModel>>,
    /// The edits of models that the table was read with.
    pub edits: Vec<ModelEdit>,
    /// The experiments that run, oldest first.
    pub experiments: Vec<Arc<Experiment>>,
    /// The heuristics that apply, oldest first.
    pub heuristics: Vec<Arc<Heuristic>>,
}

impl Learned {
    /// Nothing but a calibration.
    #[must_use]
    pub fn of(model: Calibration) -> Self {
        Self {
            model,
            calibration_id: None,
            table: HashMap::new(),
            edits: Vec::new(),
            experiments: Vec::new(),
            heuristics: Vec::new(),
        }
    }
}

/// How often a model did well at one kind of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedModel {
    /// The model.
    pub model: ModelId,
    /// How many answers of it there were, most of which nobody may have judged.
    pub answers: u32,
    /// How often it did well.
    pub successes: u32,
    /// How often it did not.
    pub failures: u32,
}

/// What the LearningDirector counts for the statistics.
#[derive(Debug, Default)]
pub struct LearningTotals {
    dropped: AtomicU64,
}

impl LearningTotals {
    /// Counts outcomes that were not stored.
    pub fn drop_some(&self, outcomes: u64) {
        self.dropped.fetch_add(outcomes, Ordering::AcqRel);
    }

    /// How many outcomes were not stored since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Acquire)
    }
}
