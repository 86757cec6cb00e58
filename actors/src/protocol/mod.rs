//! What everyone shares: ids, money, usage, the catalogue, errors, one message file per receiving actor, and the ports.

mod agent;
mod budget;
mod budget_book;
mod catalogue;
mod chat;
mod context;
mod cost;
mod dialect;
mod errors;
mod escalations;
mod events;
mod fence;
mod gauges;
mod health;
mod id_map;
mod id_text;
mod idempotency;
mod ids;
mod journal;
mod judgement;
mod keys;
mod layer;
mod learned;
mod ledger;
mod money;
mod notebook;
mod orchestra;
mod orchestra_ids;
mod outcomes;
mod outgoing;
mod price;
mod prober;
mod provider;
mod record;
mod reports;
mod responses;
mod router;
mod scope;
mod slice;
mod store;
mod story;
mod supervisor;
mod tenancy;
#[cfg(test)]
pub(crate) mod testkit;
mod todos;
mod upstream;
mod usage;
mod vendor;

pub use agent::{AgentAnswer, AgentCall, AgentDialect, AgentStatus};
pub use budget::{BudgetError, BudgetTotals, Hold, LookAt, Refill, ReloadBudgets, Reserve, Spending};
pub use budget_book::{BudgetBook, BudgetEntry, BudgetPath, Holdings, LostLease, Payer};
pub use catalogue::{Alias, Catalogue, MediaTokens, Model};
pub use chat::{
    Answer, AnswerStream, AttemptTrace, CallContext, CallStep, CallWatcher, ChatCall, Served, TokenMeter, TurnAnswer,
    TurnCall, TurnDialect,
};
pub use context::{
    BeginTurn, ContextError, EndTurn, FindLoop, KeepLoop, LoopNote, PermitSender, RunningTurn, TurnPermit, TurnSink,
};
pub use cost::{AreStored, CellTotals, CostError, FlushCalls, RecordCall, StoredCalls, Totals};
pub use dialect::{Dialect, Operation};
pub use errors::{ErrorKind, GatewayError};
pub use escalations::{
    Amend, Decided, EscalationDecision, EscalationState, EscalationStore, NewEscalation, StoredEscalation,
};
pub use events::{ClaimedEvent, EventStore, GatewayEvent};
pub use fence::code_fence;
pub(crate) use fence::fence;
pub use gauges::{Gauge, GaugeGuard, Gauges};
pub use health::{
    Gate, HealthSnapshot, LastResort, ModelHealth, Passage, ProbePermit, ProviderHealth, ProviderTrouble,
};
pub use id_map::{IdHasher, IdMap, IdSet};
pub use id_text::IdText;
pub use idempotency::{Claimed, IdempotencyClaim, IdempotencyName, IdempotencyStore, KeptAnswer};
pub use ids::{AttemptId, CellId, ConversationId, InstanceId, InvalidId, ModelId, ProviderName, RequestId};
pub use journal::{AttemptJournal, JournalContents, JournalError, JournalSeq};
pub use judgement::{JudgedShare, Judgement, OutcomeGroup, Said, add_trials, count_successes};
pub use keys::{
    HashSecret, KeyChange, KeyChanges, KeyCursor, KeyHash, KeyStore, LimitRules, NewKey, PreviousHash, Rotation,
    StoredKey,
};
pub use layer::{Capabilities, Capability, Layer, QualityLevel, TaskType, UnknownWord};
pub use learned::{Calibration, FlushOutcomes, Learned, LearnedModel, LearningTotals, NoteOutcome, NoteTests};
pub use ledger::{
    Budget, BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, Charges, ExpiredSlice, GiveBack, Grant,
    GrantRequest, LeaseId, LedgerStore, OnExhausted, Recall,
};
pub use money::NanoUsd;
pub use notebook::{
    Arm, Experiment, ExperimentStatus, GuardRails, Heuristic, HeuristicCase, HeuristicRule, Improvement,
    ImprovementKind, ModelEdit, NotebookStore, Sticky, StoredCalibration, Trials,
};
pub use orchestra::{
    AnswerShape, ArmChosen, ArmSpec, CheckPlan, CheckStatus, Complexity, ConversationMark, Decision, Estimate,
    Evidence, Leave, LegRole, LoopKey, PanelPlan, PanelPolicy, PanelUse, Question, SecondOpinion, Strategy,
    TestResults, Wish,
};
pub use orchestra_ids::{EscalationId, ExperimentId, ImprovementId, Ordinals};
pub use outcomes::{ArmSum, EarlierTests, Feedback, OutcomeEnd, OutcomeRow, OutcomeStore, SuccessRow};
pub use outgoing::{
    AnswerFault, AnswerForm, AnswerTranslation, BoundRules, Outgoing, OutgoingBody, OutgoingRequest, StateReader,
    StreamTranslation, TokenBound, TranslationError,
};
pub use price::{LongContext, PicoUsdPerToken, Price, Rates};
pub use prober::{ProbeAnswer, Prober};
pub use provider::{Acquire, InFlight, Lease, OutcomeReport, Report, Unavailable, Verdict};
pub use record::{CallRecord, DispatchRecord, Excess, Outcome};
pub use reports::{
    CallFilter, CallSums, Dimension, Interval, MOST_DIMENSIONS, RecordOwner, ReportGroup, ReportQuestion, ReportStore,
    ReportedCall,
};
pub use responses::{CHAIN_BYTES, Chain, PURGE_BATCH, ResponseId, ResponseStore, StoredResponse};
pub use router::{
    Candidate, Confirmation, HealthNote, Needs, Plan, PlanRequest, Reason, RejectReason, Rejected, RouteError,
    Selection, Target,
};
pub use scope::{Period, Scope, Window};
pub use slice::{LeaseTerm, Reserved, Shortage, Slice};
pub use store::{
    AmendAnswer, CallStore, CloseTurn, ConversationPage, ConversationStore, MessageStatus, OpenTurn, Role, StoreError,
    StoreFuture, StoreHealth, StoredMessage, TurnOpened,
};
pub use story::{
    AnswerEnd, AnswerRead, EscalationNeed, HandOff, HandOffAttempt, HandOffNote, LegTrace, OwnPrompt, RoutingStory,
    Scribe,
};
pub use supervisor::{ActorHealth, GetSystemHealth, SupervisorError, SystemHealth};
pub use tenancy::{AccessRole, Caller, KeyId, KeyIdentity, RateLimits};
pub use todos::{TodoList, TodoStatus, TodoStep, TodoStore};
pub use upstream::{
    Billing, Completion, FailureKind, StreamFrame, Upstream, UpstreamCall, UpstreamFailure, UpstreamReply,
    UpstreamStream,
};
pub use usage::{Tier, TokenUsage, UsageReport, UsageSource};
pub use vendor::Vendor;
