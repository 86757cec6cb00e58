//! The port to what people write down for the gateway: experiments, heuristics, bugs and calibrations.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::ModelId;
use super::layer::{Layer, TaskType, UnknownWord, words};
use super::money::NanoUsd;
use super::orchestra::{ArmSpec, Complexity};
use super::orchestra_ids::{ExperimentId, ImprovementId};
use super::store::StoreFuture;

words! {
    /// How far an experiment is.
    ExperimentStatus {
        /// It takes requests.
        Running = "running",
        /// It takes none for now.
        Paused = "paused",
        /// It is over.
        Stopped = "stopped",
    }
}

words! {
    /// What always meets the same arm.
    Sticky {
        /// A conversation.
        Conversation = "conversation",
        /// A user.
        User = "user",
        /// Nothing but the request itself.
        Request = "request",
    }
}

words! {
    /// What a note is.
    ImprovementKind {
        /// A rule for choosing models.
        Heuristic = "heuristic",
        /// A bug, for people.
        Bug = "bug",
    }
}

/// One of the ways that an experiment compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// Its name.
    pub name: Arc<str>,
    /// Its share of the requests, against the other arms': 1 to 1,000.
    pub weight: u32,
    /// What it does.
    #[serde(flatten)]
    pub spec: ArmSpec,
}

/// When an experiment is stopped by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardRails {
    /// When an arm's error rate is certainly above this, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_permille: Option<u16>,
    /// But not before an arm has this many requests.
    pub min_samples: u32,
    /// When all of it cost more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<NanoUsd>,
}

impl Default for GuardRails {
    fn default() -> Self {
        Self {
            max_error_permille: None,
            min_samples: 50,
            max_cost: None,
        }
    }
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Its id.
    pub id: ExperimentId,
    /// Its name.
    pub name: Arc<str>,
    /// How far it is.
    pub status: ExperimentStatus,
    /// The kind of task that it is for; all where there is none.
    pub task: Option<TaskType>,
    /// What always meets the same arm.
    pub sticky: Sticky,
    /// 2 to 8 arms; the first is what the others are compared with.
    pub arms: Vec<Arm>,
    /// When it is stopped by itself.
    pub guard: GuardRails,
    /// Why it was.
    pub stopped_reason: Option<Arc<str>>,
    /// When it was made, in microseconds since 1970 (UTC).
    pub created_at: i64,
    /// When it was changed last.
    pub updated_at: i64,
}

/// Which requests a heuristic is for: those for which all of this holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeuristicCase {
    /// The kind of task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskType>,
    /// How hard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity: Option<Complexity>,
    /// Bytes of the question at least.
    #[serde(default)]
    pub min_bytes: u32,
}

/// What a heuristic does, within what a request may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeuristicRule {
    /// The layer that is tried first.
    #[serde(rename = "startLayer", default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Layer>,
    /// Models that go before others.
    #[serde(default)]
    pub prefer: Vec<Arc<str>>,
    /// Models that go behind others.
    #[serde(default)]
    pub avoid: Vec<Arc<str>>,
}

/// A rule for choosing models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heuristic {
    /// Its id.
    pub id: ImprovementId,
    /// What it is called.
    pub title: Arc<str>,
    /// Which requests it is for.
    pub when: HeuristicCase,
    /// What it does.
    pub then: HeuristicRule,
}

/// A note as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Improvement {
    /// Its id.
    pub id: ImprovementId,
    /// What it is.
    pub kind: ImprovementKind,
    /// What it is called.
    pub title: Arc<str>,
    /// A JSON object: of a heuristic `{"when":…,"then":…}`, of a bug `{"pattern","cause","fix","test"?}`.
    pub data: Arc<str>,
    /// Whether it applies.
    pub enabled: bool,
    /// When it was made, in microseconds since 1970 (UTC).
    pub created_at: i64,
    /// When it was changed last.
    pub updated_at: i64,
}

impl Improvement {
    /// The heuristic that this is, if it is one that can be read.
    #[must_use]
    pub fn heuristic(&self) -> Option<Heuristic> {
        #[derive(Deserialize)]
        struct Data {
            when: HeuristicCase,
            then: HeuristicRule,
        }
        let data: Option<Data> = match self.kind {
            ImprovementKind::Heuristic => serde_json::from_str(&self.data).ok(),
            ImprovementKind::Bug => None,
        };
        data.map(|Data { when, then }| Heuristic {
            id: self.id,
            title: Arc::clone(&self.title),
            when,
            then,
        })
    }
}

/// A calibration that was applied on top of the file that the gateway started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCalibration {
    /// Its id.
    pub id: Arc<str>,
    /// A JSON object `{"layers":{"L0":b,…},"models":{"name":offset,…}}`.
    pub data: Arc<str>,
    /// What it was made of, and how good it is, as a JSON object.
    pub summary: Arc<str>,
    /// When it was made, in microseconds since 1970 (UTC).
    pub created_at: i64,
}

/// What administrators say of how well a model does, beside what outcomes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEdit {
    /// The model.
    pub model: ModelId,
    /// Its outcomes from before then do not count, in microseconds since 1970 (UTC); all count where there is none.
    pub since: Option<i64>,
    /// What counts besides: one of each kind of request at most.
    pub trials: Vec<Trials>,
    /// When it was made, in microseconds since 1970 (UTC).
    pub created_at: i64,
    /// When it was changed last.
    pub updated_at: i64,
}

/// Successes and failures at one kind of request that are no outcomes of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trials {
    /// The kind of task.
    pub task: TaskType,
    /// How hard.
    pub complexity: Complexity,
    /// How often it did well.
    pub successes: u32,
    /// How often it did not.
    pub failures: u32,
}

/// The notebook in the database.
pub trait NotebookStore: fmt::Debug + Send + Sync {
    /// Every experiment that is not deleted, oldest first.
    fn experiments(&self) -> StoreFuture<Vec<Experiment>>;

    /// Stores an experiment in the place of the one with its id, if there is one; whether it did. One that was deleted does
    /// not come back, and one that was stopped stays so.
    fn put_experiment(&self, experiment: Experiment) -> StoreFuture<bool>;

    /// Stops an experiment that runs or is paused; whether this did it.
    fn stop_experiment(&self, id: ExperimentId, reason: Arc<str>) -> StoreFuture<bool>;

    /// Deletes an experiment; whether there was one.
    fn delete_experiment(&self, id: ExperimentId) -> StoreFuture<bool>;

    /// Every note of this kind that is not deleted, oldest first.
    fn improvements(&self, kind: ImprovementKind) -> StoreFuture<Vec<Improvement>>;

    /// Stores a note in the place of the one with its id, if there is one; whether it did. One that was deleted does not
    /// come back.
    fn put_improvement(&self, improvement: Improvement) -> StoreFuture<bool>;

    /// Deletes a note; whether there was one.
    fn delete_improvement(&self, id: ImprovementId) -> StoreFuture<bool>;

    /// The edits of models, in the order of the models' ids.
    fn model_edits(&self) -> StoreFuture<Vec<ModelEdit>>;

    /// Stores an edit in the place of the model's, if there is one, whose `created_at` it keeps.
    fn put_model_edit(&self, edit: ModelEdit) -> StoreFuture<()>;

    /// Takes a model's edit back; whether there was one.
    fn delete_model_edit(&self, model: ModelId) -> StoreFuture<bool>;

    /// The calibration that applies.
    fn calibration(&self) -> StoreFuture<Option<StoredCalibration>>;

    /// Lets a calibration apply in the place of the one that does.
    fn put_calibration(&self, calibration: StoredCalibration) -> StoreFuture<()>;

    /// Lets the calibration that applies apply no more; whether there was one.
    fn revert_calibration(&self) -> StoreFuture<bool>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heuristic_is_read_from_its_note() {
        let mut note = Improvement {
            id: ImprovementId::generate(),
            kind: ImprovementKind::Heuristic,
            title: "long code".into(),
            data: r#"{"when":{"task":"code","minBytes":4000},"then":{"startLayer":"L1","prefer":["a"]}}"#.into(),
            enabled: true,
            created_at: 1,
            updated_at: 1,
        };
        let read = note.heuristic().unwrap();
        assert_eq!((read.when.task, read.when.min_bytes), (Some(TaskType::Code), 4_000));
        assert_eq!((read.then.start, read.then.prefer.len()), (Some(Layer::L1), 1));
        note.data = "[]".into();
        assert_eq!(note.heuristic(), None);
    }

    #[test]
    fn an_arm_is_kept_as_it_is_asked_for() {
        let arm = Arm {
            name: "value".into(),
            weight: 2,
            spec: ArmSpec::Layer(Layer::L1),
        };
        let text = serde_json::to_string(&arm).unwrap();
        assert_eq!(text, r#"{"name":"value","weight":2,"layer":"L1"}"#);
        assert_eq!(serde_json::from_str::<Arm>(&text).unwrap(), arm);
    }
}
