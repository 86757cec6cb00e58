//! What everyone shares: ids, money, usage, the catalogue, errors, one message file per receiving actor, and the ports.

mod budget;
mod budget_book;
mod catalogue;
mod chat;
mod context;
mod cost;
mod dialect;
mod errors;
mod events;
mod gauges;
mod health;
mod id_map;
mod id_text;
mod idempotency;
mod ids;
mod journal;
mod keys;
mod layer;
mod ledger;
mod money;
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
mod supervisor;
mod tenancy;
#[cfg(test)]
pub(crate) mod testkit;
mod upstream;
mod usage;
mod vendor;

pub use budget::{BudgetError, BudgetTotals, Hold, Refill, ReloadBudgets, Reserve, Spending};
pub use budget_book::{BudgetBook, BudgetEntry, BudgetPath, Holdings, Payer};
pub use catalogue::{Alias, Catalogue, MediaTokens, Model};
pub use chat::{
    Answer, AnswerStream, AttemptTrace, CallContext, CallStep, CallWatcher, ChatCall, Served, TokenMeter, TurnAnswer,
    TurnCall, TurnDialect,
};
pub use context::{BeginTurn, ContextError, EndTurn, PermitSender, RunningTurn, TurnPermit, TurnSink};
pub use cost::{CellTotals, CostError, FlushCalls, RecordCall, Totals};
pub use dialect::{Dialect, Operation};
pub use errors::{ErrorKind, GatewayError};
pub use events::{ClaimedEvent, EventStore, GatewayEvent};
pub use gauges::{Gauge, GaugeGuard, Gauges};
pub use health::{
    Gate, HealthSnapshot, LastResort, ModelHealth, Passage, ProbePermit, ProviderHealth, ProviderTrouble,
};
pub use id_map::{IdHasher, IdMap, IdSet};
pub use id_text::IdText;
pub use idempotency::{Claimed, IdempotencyClaim, IdempotencyName, IdempotencyStore, KeptAnswer};
pub use ids::{AttemptId, CellId, ConversationId, InstanceId, InvalidId, ModelId, ProviderName, RequestId};
pub use journal::{AttemptJournal, JournalContents, JournalError, JournalSeq};
pub use keys::{
    CHANGES_OVERLAP, HashSecret, KeyChange, KeyChanges, KeyHash, KeyStore, LimitRules, NewKey, PreviousHash, Rotation,
    StoredKey,
};
pub use layer::{Capabilities, Capability, Layer, QualityLevel, TaskType, UnknownWord};
pub use ledger::{
    Budget, BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore, Charges, ExpiredSlice, GiveBack, Grant,
    GrantRequest, LeaseId, LedgerStore, OnExhausted, Recall,
};
pub use money::NanoUsd;
pub use outgoing::{
    AnswerForm, AnswerTranslation, BoundRules, Outgoing, OutgoingBody, OutgoingRequest, StreamTranslation, TokenBound,
    TranslationError,
};
pub use price::{LongContext, PicoUsdPerToken, Price, Rates};
pub use prober::{ProbeAnswer, Prober};
pub use provider::{Acquire, InFlight, Lease, OutcomeReport, Report, Unavailable, Verdict};
pub use record::{CallRecord, DispatchRecord, Outcome};
pub use reports::{
    CallFilter, CallSums, Dimension, Interval, MOST_DIMENSIONS, RecordOwner, ReportGroup, ReportQuestion, ReportStore,
    ReportedCall,
};
pub use responses::{CHAIN_BYTES, Chain, PURGE_BATCH, ResponseId, ResponseStore, StoredResponse};
pub use router::{
    Candidate, Complexity, Confirmation, CrossCheck, HealthNote, Needs, Plan, PlanRequest, Reason, RejectReason,
    Rejected, RouteError, Selection, Target,
};
pub use scope::{Period, Scope, Window};
pub use slice::{LeaseTerm, Reserved, Shortage, Slice};
pub use store::{
    CallStore, CloseTurn, ConversationPage, ConversationStore, MessageStatus, OpenTurn, Role, StoreError, StoreFuture,
    StoreHealth, StoredMessage, TurnOpened,
};
pub use supervisor::{ActorHealth, GetSystemHealth, SupervisorError, SystemHealth};
pub use tenancy::{AccessRole, Caller, KeyId, KeyIdentity, RateLimits};
pub use upstream::{
    Billing, Completion, FailureKind, StreamFrame, Upstream, UpstreamCall, UpstreamFailure, UpstreamReply,
    UpstreamStream,
};
pub use usage::{TokenUsage, UsageReport, UsageSource};
pub use vendor::Vendor;
