//! What everyone shares: ids, money, usage, the catalogue, errors, one message file per receiving actor, and the ports.

mod catalogue;
mod errors;
mod ids;
mod journal;
mod layer;
mod money;
mod record;
mod router;
mod store;
mod upstream;
mod usage;

pub use catalogue::{Alias, Catalogue, Model};
pub use errors::{ErrorKind, GatewayError};
pub use ids::{AttemptId, CellId, ConversationId, InstanceId, InvalidId, ModelId, ProviderName, RequestId};
pub use journal::{AttemptJournal, JournalContents, JournalError, JournalSeq};
pub use layer::{Capabilities, Capability, Layer, QualityLevel, TaskType, UnknownWord};
pub use money::{NanoUsd, PicoUsdPerToken, Price};
pub use record::{CallRecord, DispatchRecord, Outcome};
pub use router::{
    Candidate, Complexity, Confirmation, CrossCheck, HealthNote, Needs, Plan, PlanRequest, Reason, RejectReason,
    Rejected, RouteError, Selection, Target,
};
pub use store::{
    CallStore, CloseTurn, ConversationPage, ConversationStore, MessageStatus, OpenTurn, Role, StoreError, StoreFuture,
    StoreHealth, StoredMessage, TurnOpened,
};
pub use upstream::{
    Billing, Completion, FailureKind, OutgoingRequest, StreamFrame, Upstream, UpstreamCall, UpstreamFailure,
    UpstreamReply, UpstreamStream,
};
pub use usage::{TokenUsage, UsageReport, UsageSource};
