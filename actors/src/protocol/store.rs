//! The ports to the database. Every call is a job on the store runtime: dropping the future does not cancel the work.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::errors::{ErrorKind, GatewayError};
use super::ids::{ConversationId, InstanceId, RequestId};
use super::layer::Layer;
use super::orchestra_ids::EscalationId;
use super::record::CallRecord;

/// The answer of a store job.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Why a store job failed. The cause is for the log only.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another turn of the same conversation is running (in this or another process).
    #[error("another turn of this conversation is running")]
    ConversationBusy {
        /// When its lease ends at the latest.
        retry_after: Duration,
    },
    /// The conversation was deleted while the turn ran.
    #[error("the conversation was deleted while the turn ran")]
    ConversationDeleted,
    /// The client's message id belongs to a message of another text that was answered.
    #[error("the client's message id belongs to another message")]
    MessageMismatch,
    /// The id of a response that is to be stored belongs to another one.
    #[error("another response has this id")]
    ResponseMismatch,
    /// A report has too many groups, or a sum that cannot be held.
    #[error("the report is too large")]
    ReportTooLarge,
    /// The database did not answer in time or cannot be reached.
    #[error("the database cannot be reached")]
    Unavailable {
        /// What the driver said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The disk is full.
    #[error("the database's disk is full")]
    Full,
    /// A statement failed for a reason that trying again does not mend.
    #[error("the database refused a statement")]
    Failed {
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<StoreError> for GatewayError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ConversationBusy { retry_after } => Self::new(
                ErrorKind::ConversationBusy,
                "another message of this conversation is being answered; try again when it is done",
            )
            .with_retry_after(retry_after),
            StoreError::ConversationDeleted => Self::new(
                ErrorKind::NotFound,
                "the conversation was deleted while this message was being answered, and nothing of it is stored; send \
                 the message again to begin a new conversation",
            ),
            StoreError::MessageMismatch => Self::new(
                ErrorKind::IdempotencyMismatch,
                "this `clientMessageId` was answered for another text; use a new one for a new message",
            )
            .with_param("clientMessageId"),
            // The gateway makes these ids itself, and never the same again.
            StoreError::ResponseMismatch => Self::new(
                ErrorKind::Internal,
                "the gateway gave two responses the same id; send the request again",
            ),
            StoreError::ReportTooLarge => Self::new(
                ErrorKind::InvalidRequest,
                "the report is too large for one answer; ask for a shorter time, a longer interval or fewer groups",
            ),
            StoreError::Unavailable { .. } => Self::new(
                ErrorKind::StoreUnavailable,
                "the database cannot be reached; try again shortly",
            )
            .with_retry_after(Duration::from_secs(1)),
            StoreError::Full => Self::new(
                ErrorKind::InsufficientStorage,
                "the gateway's disk is full; its operator must free space",
            ),
            StoreError::Failed { .. } => Self::new(ErrorKind::Internal, "the gateway failed to use its database"),
        }
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// A model.
    Assistant,
}

impl Role {
    /// The role's spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageStatus {
    /// A user message whose answer is being made.
    Pending,
    /// A message that is part of the conversation; for a user message: answered.
    Done,
    /// A turn that came to nothing: the user message got no answer, the assistant message is empty.
    Failed,
}

impl MessageStatus {
    /// The status's spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its place in the conversation, from 1 and without gaps.
    pub seq: i64,
    /// Who wrote it.
    pub role: Role,
    /// Its text.
    pub content: Arc<str>,
    /// How far it has come.
    pub status: MessageStatus,
    /// When it was stored, in microseconds since 1970 (UTC).
    pub created_at: i64,
}

/// Opens a turn: stores the user message and takes the conversation's lease.
#[derive(Debug, Clone)]
pub struct OpenTurn {
    /// The conversation; created if it does not exist.
    pub conversation: ConversationId,
    /// The request whose turn it is.
    pub request: RequestId,
    /// The process that runs it.
    pub instance: InstanceId,
    /// Set when the conversation is created; a label.
    pub user_id: Option<Arc<str>>,
    /// Set when the conversation is created; a label.
    pub project_id: Option<Arc<str>>,
    /// The client's own id for the message: the same id is stored once.
    pub client_message_id: Option<Arc<str>>,
    /// The user's message.
    pub message: Arc<str>,
    /// For how long the turn may hold the conversation.
    pub lease: Duration,
    /// How many of the newest stored messages to return with it.
    pub history_limit: u32,
}

/// What opening a turn led to.
#[derive(Debug, Clone)]
pub enum TurnOpened {
    /// The message is stored, durable, and waits for its answer.
    Opened {
        /// The message's place.
        seq: i64,
        /// The newest messages that were answered before this one, oldest first, without failed turns.
        history: Vec<StoredMessage>,
        /// The dearest layer that has answered in the conversation.
        route_layer: Option<Layer>,
    },
    /// The same client message id was answered before: this is the answer.
    AlreadyAnswered {
        /// The stored answer.
        answer: StoredMessage,
    },
}

/// Closes a turn: stores the assistant message, marks the user message, gives the lease back. Idempotent by request.
#[derive(Debug, Clone)]
pub struct CloseTurn {
    /// The conversation.
    pub conversation: ConversationId,
    /// The request whose turn it was.
    pub request: RequestId,
    /// The place of the user message.
    pub user_seq: i64,
    /// The client's own id for the message.
    pub client_message_id: Option<Arc<str>>,
    /// The answer, or nothing when the turn failed.
    pub answer: Option<Arc<str>>,
    /// The layer that answered, where the gateway chose it: the conversation does not fall below it any more.
    pub route_layer: Option<Layer>,
}

/// Puts a better answer in the place of a stored one.
#[derive(Debug, Clone)]
pub struct AmendAnswer {
    /// The conversation.
    pub conversation: ConversationId,
    /// The place of the user message that it answers.
    pub user_seq: i64,
    /// The offer of it, which was made in the conversation and goes when that is deleted.
    pub offer: EscalationId,
    /// The request that made it.
    pub request: RequestId,
    /// The better answer.
    pub answer: Arc<str>,
    /// The layer that gave it, where the gateway chose it: the conversation does not fall below it any more.
    pub route_layer: Option<Layer>,
}

/// A page of a conversation.
#[derive(Debug, Clone, Default)]
pub struct ConversationPage {
    /// The newest summary of what came before, if there is one.
    pub summary: Option<String>,
    /// Messages in ascending order.
    pub messages: Vec<StoredMessage>,
    /// To-do lists as JSON texts.
    pub todos: Vec<String>,
    /// The dearest layer that has answered in the conversation, where the gateway chose it.
    pub route_layer: Option<Layer>,
    /// Ask with `before` set to this for the page that comes before; absent on the first page.
    pub next_before: Option<i64>,
}

/// The conversations in the database.
pub trait ConversationStore: fmt::Debug + Send + Sync {
    /// Opens a turn; durable when the future is ready.
    fn open_turn(&self, turn: OpenTurn) -> StoreFuture<TurnOpened>;

    /// Closes a turn; durable when the future is ready. One whose conversation was deleted meanwhile stores nothing, and
    /// leaves alone what has begun under its id since.
    fn close_turn(&self, turn: CloseTurn) -> StoreFuture<()>;

    /// Replaces the answer to a message, if it is the conversation's newest message, no turn holds the conversation and the
    /// offer is still kept with it; whether it did. Durable when the future is ready.
    fn amend_answer(&self, amendment: AmendAnswer) -> StoreFuture<bool>;

    /// Reads up to `limit` messages with a `seq` below `before` (or the newest); nothing for an unknown conversation.
    fn page(
        &self,
        conversation: ConversationId,
        limit: u32,
        before: Option<i64>,
    ) -> StoreFuture<Option<ConversationPage>>;

    /// Deletes a conversation, with its messages, summaries, to-do lists and offers; whether it was there. A turn that runs
    /// is not waited for. Its id is free again; call records stay. Durable when the future is ready.
    fn delete_conversation(&self, conversation: ConversationId) -> StoreFuture<bool>;
}

/// The call records in the database.
pub trait CallStore: fmt::Debug + Send + Sync {
    /// Inserts finished attempts. Idempotent by attempt id: a record that is already there is left as it is, save
    /// that a finished one replaces one found `interrupted`.
    fn insert_calls(&self, records: Vec<Arc<CallRecord>>) -> StoreFuture<()>;
}

/// Whether what must be written can be written.
pub trait StoreHealth: fmt::Debug + Send + Sync {
    /// Writes something that changes nothing, the same way that every write takes.
    ///
    /// # Errors
    /// What a write would be refused with.
    fn check(&self) -> StoreFuture<()>;
}
