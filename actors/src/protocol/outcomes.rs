//! The port to outcomes: what became of requests that the gateway chose the model for, and what people said of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::errors::ErrorKind;
use super::ids::{ConversationId, ModelId, RequestId};
use super::layer::{Layer, QualityLevel, TaskType, UnknownWord, words};
use super::money::NanoUsd;
use super::orchestra::{CheckStatus, Complexity, Evidence, Strategy};
use super::orchestra_ids::ExperimentId;
use super::reports::RecordOwner;
use super::store::StoreFuture;
use super::tenancy::KeyId;

words! {
    /// How a request ended.
    OutcomeEnd {
        /// A model's answer was given.
        Answered = "answered",
        /// No model answered, and a provider was to blame.
        Failed = "failed",
        /// No model answered, and nothing was wrong with any: a budget, a limit, the deadline, the request itself, or the
        /// gateway.
        Refused = "refused",
        /// The client left before the answer was there.
        Left = "left",
    }
}

impl OutcomeEnd {
    /// How a request ended that got this error.
    #[must_use]
    pub const fn of_error(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::ClientClosed => Self::Left,
            ErrorKind::UpstreamError
            | ErrorKind::UpstreamMalformed
            | ErrorKind::UpstreamAuth
            | ErrorKind::UpstreamEmpty
            | ErrorKind::UpstreamTimeout
            | ErrorKind::UpstreamRateLimited
            | ErrorKind::NoProviderAvailable => Self::Failed,
            _ => Self::Refused,
        }
    }
}

/// What became of a request. No text of it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeRow {
    /// The request.
    pub request: RequestId,
    /// The virtual key that asked.
    pub key_id: Option<KeyId>,
    /// The user.
    pub user_id: Option<Arc<str>>,
    /// The project.
    pub project_id: Option<Arc<str>>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The endpoint that was asked.
    pub endpoint: Arc<str>,
    /// The kind of task.
    pub task: TaskType,
    /// How hard it was thought to be; nothing for a named model.
    pub complexity: Option<Complexity>,
    /// How much the answer mattered.
    pub quality: QualityLevel,
    /// How hard it is on the calibration's scale; stored in thousandths.
    pub difficulty: Option<f64>,
    /// The layer that was tried first.
    pub start: Option<Layer>,
    /// The layer that answered; where none did, that of the model.
    pub layer: Layer,
    /// The model that answered; where none did, the one that was to be tried first.
    pub model: ModelId,
    /// How the first model was chosen.
    pub strategy: Option<Strategy>,
    /// What came of the check.
    pub check: CheckStatus,
    /// How many models said what the answer says.
    pub votes: Option<u8>,
    /// The chance that the answer is right, 0 to 1; stored in thousandths.
    pub confidence: Option<f64>,
    /// What speaks against the answer that was given.
    pub evidence: Option<Evidence>,
    /// Whether a better model's answer was taken.
    pub escalated: bool,
    /// The first model whose answer was replaced because something spoke against it.
    pub replaced: Option<ModelId>,
    /// How it ended.
    pub ended: OutcomeEnd,
    /// Whether the caller took the answer.
    pub accepted: Option<bool>,
    /// What the caller thought of it: -1, 0 or 1.
    pub rating: Option<i8>,
    /// How many of the caller's tests passed, and failed.
    pub tests: Option<(u32, u32)>,
    /// The experiment that it was in, and its arm.
    pub experiment: Option<(ExperimentId, Arc<str>)>,
    /// Whether another model answered because none of its arm's own did: they failed, or were left alone as they had failed
    /// before.
    pub arm_failed: bool,
    /// What all of it cost. A call that still ran when the request ended counts with what was held for it, which is more
    /// than it will have cost.
    pub cost: NanoUsd,
    /// When it ended, in microseconds since 1970 (UTC).
    pub created_at: i64,
}

impl OutcomeRow {
    /// Whether the caller said anything of the answer, by a rating other than 0, by taking it or not, or by tests.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.accepted.is_some() || self.rating.is_some_and(|rating| rating != 0) || self.tests.is_some()
    }

    /// Whether the caller spoke against the answer, by a rating, by not taking it, or by a test that failed.
    #[must_use]
    pub fn is_disliked(&self) -> bool {
        let disliked = self.rating.is_some_and(|rating| rating < 0) || self.accepted == Some(false);
        disliked || self.tests.is_some_and(|(_, failed)| failed > 0)
    }

    /// Whether something speaks against the answer that was given: evidence, or what the caller said of it.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.is_disliked() || self.evidence.is_some()
    }

    /// Whether it says anything of how well its arm does: nobody refused the request, and nobody left.
    #[must_use]
    pub const fn counts(&self) -> bool {
        matches!(self.ended, OutcomeEnd::Answered | OutcomeEnd::Failed)
    }

    /// Whether it counts against its arm: a provider failed, be it that another model answered for it, or something speaks
    /// against the answer.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.counts() && (self.ended == OutcomeEnd::Failed || self.arm_failed || self.is_bad())
    }
}

/// What a caller says of an answer. Said again, it replaces what was said before.
#[derive(Clone, PartialEq, Eq)]
pub struct Feedback {
    /// The request that was answered.
    pub request: RequestId,
    /// -1, 0 or 1.
    pub rating: Option<i8>,
    /// Whether the answer was taken.
    pub accepted: Option<bool>,
    /// How many tests passed, and failed.
    pub tests: Option<(u32, u32)>,
    /// A remark.
    pub comment: Option<Arc<str>>,
}

impl fmt::Debug for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feedback")
            .field("request", &self.request)
            .field("rating", &self.rating)
            .field("accepted", &self.accepted)
            .field("tests", &self.tests)
            .field("comment_bytes", &self.comment.as_ref().map(|comment| comment.len()))
            .finish()
    }
}

/// How a caller's tests of an earlier answer went, told with a later request of the same conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierTests {
    /// The conversation.
    pub conversation: ConversationId,
    /// The request that tells of it: the answer that was tested is the newest of the conversation before it.
    pub told_by: RequestId,
    /// Whose calls the caller may judge.
    pub owner: RecordOwner,
    /// How many passed, and failed.
    pub tests: (u32, u32),
}

/// How often a model did well at one kind of request, by the rule of [`Judgement`](super::Judgement): answers that nobody judged
/// count as neither. What counts with a share is rounded to whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccessRow {
    /// The kind of task.
    pub task: TaskType,
    /// How hard.
    pub complexity: Complexity,
    /// The model.
    pub model: ModelId,
    /// How many answers of it were given, or replaced by a better model's, whoever said something of them or not.
    pub answers: u32,
    /// How often it did well.
    pub successes: u32,
    /// How often it did not.
    pub failures: u32,
    /// What all requests cost that it answered or was to answer.
    pub cost: NanoUsd,
}

/// What the requests of one arm of an experiment come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmSum {
    /// The arm.
    pub arm: Arc<str>,
    /// Those that count: answered, or failed by a provider.
    pub count: u64,
    /// Those among them that count against it, as [`OutcomeRow::is_failure`] says.
    pub failures: u64,
    /// What all of them cost, those that do not count too.
    pub cost: NanoUsd,
}

/// The outcomes in the database.
pub trait OutcomeStore: fmt::Debug + Send + Sync {
    /// Inserts outcomes. Idempotent by request: one that is there is left as it is.
    fn insert(&self, outcomes: Vec<OutcomeRow>) -> StoreFuture<()>;

    /// Notes what a caller says of a request whose calls it may see; whether there is such a request. One without an
    /// outcome gets one made of its call records.
    fn feedback(&self, feedback: Feedback, owner: RecordOwner) -> StoreFuture<bool>;

    /// Notes how tests of an earlier answer went, and leaves what else was said of it; whether there is such an answer, whose
    /// calls the caller may judge. One without an outcome gets one made of its call records.
    fn note_tests(&self, earlier: EarlierTests) -> StoreFuture<bool>;

    /// How often each model did well since then (microseconds since 1970, UTC).
    fn table(&self, since: i64) -> StoreFuture<Vec<SuccessRow>>;

    /// What an experiment's arms come to, over every outcome that is kept, in the order of their names.
    fn experiment_sums(&self, experiment: ExperimentId) -> StoreFuture<Vec<ArmSum>>;

    /// The newest outcomes of an experiment, newest first, at most so many.
    fn of_experiment(&self, experiment: ExperimentId, most: u32) -> StoreFuture<Vec<OutcomeRow>>;

    /// Outcomes since then in the order of their requests' ids, behind this one, at most so many.
    fn page(&self, since: i64, after: Option<Arc<str>>, most: u32) -> StoreFuture<Vec<OutcomeRow>>;
}
