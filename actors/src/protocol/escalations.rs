//! The port to offers: what a request could be answered better with, until somebody approves or rejects it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ConversationId, RequestId};
use super::keys::HashSecret;
use super::layer::{Layer, UnknownWord, words};
use super::money::NanoUsd;
use super::orchestra::Evidence;
use super::orchestra_ids::EscalationId;
use super::store::StoreFuture;

words! {
    /// How far an offer has come.
    EscalationState {
        /// Nobody has decided.
        Pending = "pending",
        /// It was approved, once.
        Approved = "approved",
        /// It was rejected.
        Rejected = "rejected",
    }
}

words! {
    /// What is decided about an offer.
    EscalationDecision {
        /// Go on with the better layer.
        Approve = "approve",
        /// Leave it at the answer so far.
        Reject = "reject",
    }
}

/// An offer as it is stored. Its texts are in the database as long as it is undecided.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEscalation {
    /// Its id.
    pub id: EscalationId,
    /// A digest of who was offered it.
    pub caller: [u8; 16],
    /// The endpoint that was asked.
    pub endpoint: Arc<str>,
    /// The request that was answered.
    pub request: RequestId,
    /// Its conversation.
    pub conversation: Option<ConversationId>,
    /// The place of the user's message in it.
    pub user_seq: Option<i64>,
    /// The request's body as it came.
    pub body: Arc<str>,
    /// A digest of what the request means.
    pub request_digest: [u8; 16],
    /// The layer that answered.
    pub from: Layer,
    /// The layer that could answer better.
    pub to: Layer,
    /// What speaks for it.
    pub reason: Evidence,
    /// What it may cost.
    pub estimated: NanoUsd,
    /// What the better model would be told.
    pub note: Arc<str>,
    /// The answer so far, where whoever decides may still want it.
    pub answer: Option<Arc<str>>,
    /// When the offer ends, in microseconds since 1970 (UTC).
    pub expires_at: i64,
}

impl fmt::Debug for NewEscalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEscalation")
            .field("id", &self.id)
            .field("endpoint", &self.endpoint)
            .field("request", &self.request)
            .field("body_bytes", &self.body.len())
            .field("note_bytes", &self.note.len())
            .field("from", &self.from)
            .field("to", &self.to)
            .field("reason", &self.reason)
            .field("estimated", &self.estimated)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Where the better answer of an approved offer belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amend {
    /// The offer.
    pub offer: EscalationId,
    /// The place of the user's message that is answered again.
    pub user_seq: i64,
}

impl NewEscalation {
    /// Where its better answer belongs; nothing where no answer is stored.
    #[must_use]
    pub fn amend(&self) -> Option<Amend> {
        let offer = self.id;
        self.user_seq.map(|user_seq| Amend { offer, user_seq })
    }
}

/// An offer as it is read back. Of one that is decided, body and note are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEscalation {
    /// What was offered.
    pub new: NewEscalation,
    /// How far it has come.
    pub state: EscalationState,
}

/// What became of deciding about an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It is decided now, and this was offered, body and note included.
    Done(Box<StoredEscalation>),
    /// It had been decided before.
    Used,
    /// It had ended before.
    Expired,
    /// There is none of this id.
    Unknown,
}

/// The offers in the database.
pub trait EscalationStore: fmt::Debug + Send + Sync {
    /// What tokens are signed with: random, made once for each database.
    fn secret(&self) -> StoreFuture<HashSecret>;

    /// Stores an offer; refused if the conversation that it was made in was deleted.
    fn offer(&self, offer: NewEscalation) -> StoreFuture<()>;

    /// Reads an offer.
    fn find(&self, id: EscalationId) -> StoreFuture<Option<StoredEscalation>>;

    /// Decides about an offer that is undecided and has not ended; durable when the future is ready. Of several who decide
    /// at once one alone is told that it is done.
    fn decide(&self, id: EscalationId, decision: EscalationDecision) -> StoreFuture<Decided>;
}
