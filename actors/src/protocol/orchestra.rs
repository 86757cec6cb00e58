//! What a request that the gateway may answer in several calls is decided by: the question, the caller's leave, and the
//! decision.
//!
//! Floats are for chances only; every amount is in nano-USD.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::catalogue::Model;
use super::escalations::NewEscalation;
use super::ids::ModelId;
use super::layer::{Layer, TaskType, UnknownWord, words};
use super::money::NanoUsd;
use super::outgoing::StateReader;
use super::router::Candidate;

words! {
    /// What a call was made for: kept with its record.
    LegRole {
        /// To answer.
        Answer = "answer",
        /// To answer beside others, whose answers are compared.
        Panel = "panel",
        /// To judge an answer.
        Review = "review",
        /// To settle what others disagree about.
        Arbiter = "arbiter",
        /// To say how hard the request is.
        Rating = "rating",
        /// To answer with a better model, told of the attempts before.
        Rise = "rise",
        /// To split a task into steps.
        Plan = "plan",
        /// To do one step of a task.
        Step = "step",
    }
}

impl LegRole {
    /// Whether the call was made to answer, as every call of a plain request is.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Answer)
    }
}

impl Default for LegRole {
    /// What calls were made for before there were others.
    fn default() -> Self {
        Self::Answer
    }
}

words! {
    /// How hard a request is.
    Complexity {
        /// A small model can do it.
        Simple = "simple",
        /// Most models can do it.
        Medium = "medium",
        /// It wants a good model.
        Complex = "complex",
    }
}

words! {
    /// What came of checking an answer.
    CheckStatus {
        /// It was not checked.
        Off = "off",
        /// Enough models said the same.
        Agreed = "agreed",
        /// They did not, and nobody settled it.
        Disagreed = "disagreed",
        /// A reviewer accepted it.
        Accepted = "accepted",
        /// A reviewer rejected it, and nothing better was to be had.
        Rejected = "rejected",
        /// Another model settled it.
        Arbitrated = "arbitrated",
        /// The check could not be made.
        Unavailable = "unavailable",
    }
}

words! {
    /// What speaks against an answer, or for a better model.
    Evidence {
        /// Models that were asked the same said different things.
        Disagreement = "disagreement",
        /// There was nothing in it.
        Empty = "empty",
        /// It was cut where the client set no limit.
        Truncated = "truncated",
        /// The model refused.
        Refusal = "refusal",
        /// JSON was asked for, and it is none.
        InvalidOutput = "invalid_output",
        /// It is not of the schema that was asked for.
        SchemaFailure = "schema_failure",
        /// Tools failed one after the other.
        ToolErrors = "tool_errors",
        /// The client's tests failed.
        FailedTests = "failed_tests",
        /// A reviewer rejected it.
        Rejected = "rejected_by_review",
        /// The request is too hard for the layers that may be used.
        TooHard = "complexity",
        /// The quality that was asked for wants a better layer than may be used.
        Quality = "quality",
        /// What was said is not likely enough to be right.
        Unconvincing = "low_confidence",
    }
}

words! {
    /// How the first model is chosen.
    Strategy {
        /// By the layer that the task's complexity and the quality asked for call for.
        Layers = "layers",
        /// By what a call adds to the chance of a right answer, against its price.
        Value = "value",
        /// By length and key words: a simple rule to compare with.
        Heuristic = "heuristic",
    }
}

words! {
    /// When several cheap models answer side by side.
    PanelUse {
        /// Where the quality or the complexity calls for it.
        Needed = "needed",
        /// Wherever their answers can be compared.
        Always = "always",
    }
}

words! {
    /// When a model is asked how hard a request is.
    SecondOpinion {
        /// Never.
        Off = "off",
        /// Where the signals do not tell.
        Unsure = "unsure",
        /// Always.
        Always = "always",
    }
}

/// Up to where money may be spent without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leave {
    /// As far as the operator's settings and the request itself say.
    #[default]
    Standing,
    /// Up to this layer: somebody approved it.
    UpTo(Layer),
}

/// What is known of a request from its text. Never holds a system text, a tool's result or a model's words.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// The text of the last user turn, at most 64 KiB: the head and the tail of it.
    pub text: Arc<str>,
    /// How many user turns the request has, this one included.
    pub user_turns: u32,
    /// What the conversation and the turn are known by where there is no conversation id.
    pub loop_key: Option<LoopKey>,
    /// Whether a model called tools after that text.
    pub in_loop: bool,
    /// How many tool results at the end of the loop, one after the other, are errors.
    pub tool_errors: u32,
    /// The form that the answer must have.
    pub shape: AnswerShape,
    /// Whether tools are offered.
    pub has_tools: bool,
    /// Whether there are images, documents or sounds.
    pub has_media: bool,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// How many answers are asked for.
    pub answers: u32,
    /// Whether the client limits the output.
    pub capped: bool,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("text_bytes", &self.text.len())
            .field("user_turns", &self.user_turns)
            .field("in_loop", &self.in_loop)
            .field("tool_errors", &self.tool_errors)
            .field("shape", &self.shape)
            .field("has_tools", &self.has_tools)
            .field("has_media", &self.has_media)
            .field("stream", &self.stream)
            .field("answers", &self.answers)
            .field("capped", &self.capped)
            .finish_non_exhaustive()
    }
}

/// The form that an answer must have.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum AnswerShape {
    /// Any.
    #[default]
    Free,
    /// A JSON object.
    Json,
    /// JSON of this schema, a JSON text.
    Schema(Arc<str>),
}

impl fmt::Debug for AnswerShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("Free"),
            Self::Json => f.write_str("Json"),
            Self::Schema(schema) => write!(f, "Schema({} bytes)", schema.len()),
        }
    }
}

/// What a conversation of a client that gives no id is known by, and its newest user turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoopKey {
    /// The conversation.
    pub conversation: ConversationMark,
    /// The first 16 bytes of SHA-256 over the conversation's beginning, the number of user turns and the text of the last
    /// one.
    pub turn: [u8; 16],
}

/// What a conversation of a client that gives no id is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConversationMark {
    /// The first 16 bytes of SHA-256 over the first system text, the first user text, and whom the client says the request
    /// is for. Conversations of different people may begin alike.
    pub beginning: [u8; 16],
    /// The same over the beginning and the first answer in it, once there is one: that tells them apart.
    pub answered: Option<[u8; 16]>,
    /// Whether no model has said anything after that answer: the conversation is known by nothing but its beginning yet.
    pub is_young: bool,
}

/// What the caller, its conversation and its budget add to a request's plan.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Whether the caller named the task, so that nothing is guessed.
    pub task_is_given: bool,
    /// Up to where money may be spent without asking.
    pub leave: Leave,
    /// What an experiment that sticks to conversations goes by.
    pub unit_conversation: Option<Arc<str>>,
    /// What an experiment that sticks to users goes by.
    pub unit_user: Option<Arc<str>>,
    /// The layer below which the conversation does not fall any more.
    pub floor: Option<Layer>,
    /// How hard a model said it is.
    pub rated: Option<Complexity>,
    /// About how much the budgets have left; nothing where none pays.
    pub left: Option<NanoUsd>,
    /// The model of the tool loop that the request goes on with.
    pub stay: Option<ModelId>,
    /// Who is given its opaque state: who answered in the conversation last, where that is known.
    pub state: StateReader,
    /// How the client's tests went.
    pub tests: Option<TestResults>,
    /// The layer of the answer that is there already: models up to it give no other, though they may judge one.
    pub above: Option<Layer>,
    /// What a better model is told of the attempts before; kept with the offer that was approved.
    pub note: Option<Arc<str>>,
    /// Whether the caller wants to see why.
    pub explain: bool,
}

impl Wish {
    /// Goes on with an offer that was approved. Whoever gave the answer so far, or could have, is not asked for it again: if
    /// no better model answers, that answer stays.
    pub fn redeem(&mut self, offer: &NewEscalation) {
        self.leave = Leave::UpTo(offer.to);
        self.floor = Some(offer.to);
        self.above = Some(offer.from);
        self.note = Some(Arc::clone(&offer.note)).filter(|note| !note.is_empty());
    }
}

/// How the client's tests of an answer went.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TestResults {
    /// How many passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// What they printed.
    pub output: Option<Arc<str>>,
}

impl fmt::Debug for TestResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResults")
            .field("passed", &self.passed)
            .field("failed", &self.failed)
            .field("output_bytes", &self.output.as_ref().map(|output| output.len()))
            .finish()
    }
}

/// What was decided about a request, and why.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The kind of task.
    pub task: TaskType,
    /// How hard it is.
    pub complexity: Complexity,
    /// Whether that was a close call.
    pub unsure: bool,
    /// How hard it is, on the calibration's scale: the greater, the harder.
    pub difficulty: f64,
    /// The signals that it was told by, with their weight; only where the caller wants to see why.
    pub signals: Vec<(&'static str, f64)>,
    /// The layer that is tried first.
    pub start: Layer,
    /// What outside the text lets it start at a higher layer than it would have.
    pub raised_by: Option<Evidence>,
    /// How the first model was chosen.
    pub strategy: Strategy,
    /// Layers that were passed over, and why.
    pub skipped: Vec<(Layer, &'static str)>,
    /// How the answer is checked.
    pub check: CheckPlan,
    /// The arm of an experiment that the request is in.
    pub arm: Option<ArmChosen>,
    /// The title of the stored heuristic that applied.
    pub heuristic: Option<Arc<str>>,
    /// What was expected of the candidates; only where the caller wants to see why.
    pub estimates: Vec<Estimate>,
}

/// How an answer is checked.
#[derive(Debug, Clone)]
pub enum CheckPlan {
    /// Not at all.
    Off,
    /// By several models that answer side by side.
    Panel(PanelPlan),
    /// By a model that judges it.
    Review {
        /// Who may judge it, best first.
        reviewers: Vec<Candidate>,
    },
}

impl CheckPlan {
    /// Why the answer is not checked where one model is asked at once, as it is told.
    pub const AT_ONCE: &str = "strongest_at_once";

    /// The best model, if it is asked at once, and nobody else.
    #[must_use]
    pub fn at_once(&self) -> Option<&Candidate> {
        match self {
            Self::Panel(panel) if panel.straight_to_top => panel.top.as_ref(),
            Self::Off | Self::Panel(_) | Self::Review { .. } => None,
        }
    }
}

/// Who answers side by side, and who is asked then. The offers of a `gateway_routing` plan are these, in this order:
/// members, between, top.
#[derive(Debug, Clone)]
pub struct PanelPlan {
    /// Who is asked together.
    pub members: Vec<Candidate>,
    /// By what their agreement is weighed.
    pub policy: PanelPolicy,
    /// The best model, if it may be used without asking.
    pub top: Option<Candidate>,
    /// The best model, if it wants nothing but leave: it is weighed as the last of the offers, and never asked.
    pub wanting_leave: Option<Candidate>,
    /// Who may be asked before the best model, cheapest first.
    pub between: Vec<Candidate>,
    /// Whether the best model is asked at once, and nobody else.
    pub straight_to_top: bool,
    /// What a call of the best model must add to the chance of a right answer to be worth its price.
    pub lambda: f64,
    /// What a call of the best model costs, whether or not it may be used: the unit that lambda speaks of.
    pub unit: NanoUsd,
    /// What a call of each is expected to cost: of the members, those between, the best model and the one that wants leave,
    /// in this order.
    pub costs: Vec<NanoUsd>,
}

/// By what the agreement of a panel is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelPolicy {
    /// The verdict that was fitted to these very models.
    Fitted,
    /// How often three models that agree are right, whichever they are.
    Table,
}

/// What was expected of a model.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The model.
    pub model: Arc<Model>,
    /// The chance of a right answer, 0 to 1.
    pub chance: f64,
    /// What a call costs.
    pub cost: NanoUsd,
    /// Whether the calibration knows the model; else its layer's line was used.
    pub known: bool,
}

/// What an experiment's arm does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArmSpec {
    /// The first model is chosen like this.
    Strategy(Strategy),
    /// This model is asked first.
    Model(Arc<str>),
    /// It starts at this layer.
    Layer(Layer),
}

/// The arm of an experiment that a request is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmChosen {
    /// The experiment's id as it is printed.
    pub experiment: Arc<str>,
    /// The arm's name.
    pub arm: Arc<str>,
    /// What the arm does.
    pub spec: ArmSpec,
    /// Whether none of the models that the arm would have answer can be called, as they have failed.
    pub is_shut: bool,
}

impl ArmChosen {
    /// Whether the arm would have this model answer, by itself and not for want of another; nothing where it names none.
    #[must_use]
    pub fn means(&self, model: &Model) -> Option<bool> {
        match &self.spec {
            ArmSpec::Strategy(_) => None,
            ArmSpec::Model(name) => Some(model.id.as_str() == &**name || model.api_model == *name),
            ArmSpec::Layer(layer) => Some(model.layer == *layer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_question_is_printed() {
        let question = Question {
            text: "my secret".into(),
            user_turns: 1,
            loop_key: None,
            in_loop: false,
            tool_errors: 0,
            shape: AnswerShape::Schema("{\"secret\":1}".into()),
            has_tools: false,
            has_media: false,
            stream: false,
            answers: 1,
            capped: false,
        };
        let printed = format!("{question:?}");
        assert!(
            !printed.contains("secret") && printed.contains("text_bytes: 9"),
            "{printed}"
        );
    }

    #[test]
    fn an_arm_is_written_as_one_member() {
        for (spec, text) in [
            (ArmSpec::Strategy(Strategy::Value), r#"{"strategy":"value"}"#),
            (ArmSpec::Model("a/b".into()), r#"{"model":"a/b"}"#),
            (ArmSpec::Layer(Layer::L2), r#"{"layer":"L2"}"#),
        ] {
            assert_eq!(serde_json::to_string(&spec).unwrap(), text);
            assert_eq!(serde_json::from_str::<ArmSpec>(text).unwrap(), spec);
        }
    }
}
