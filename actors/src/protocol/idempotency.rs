//! Requests that carry an `Idempotency-Key`, and the port to where their answers are kept: the same key has the same
//! work done once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ids::{InstanceId, RequestId};
use super::store::StoreFuture;

/// What a request is known by that may be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyName {
    /// Who asked, by tenant, and where: `tenant|route`. Nobody else's key is this one.
    pub owner: Arc<str>,
    /// The client's key: 1 to 255 visible ASCII characters.
    pub key: Arc<str>,
}

/// A request that wants to be the one that does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// What it is known by.
    pub name: IdempotencyName,
    /// SHA-256 of its body, in hexadecimal digits.
    pub body_hash: Arc<str>,
    /// The request.
    pub request: RequestId,
    /// The process that serves it.
    pub instance: InstanceId,
    /// How long it may take. After that, by the database's clock, the work counts as abandoned.
    pub running_for: Duration,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The work is to be done by this request.
    Run,
    /// It was done: this was answered.
    Answered(KeptAnswer),
    /// Another request is doing it.
    Running,
    /// The key belongs to a request with another body.
    OtherBody,
}

/// An answer that is kept for those who ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Its header fields that are sent again: a JSON array of pairs of name and value.
    pub headers: Arc<str>,
    /// Its body; none if that was too large to be kept.
    pub body: Option<Bytes>,
}

/// The answers to requests with an idempotency key, in the database. A row that has expired is as good as gone.
pub trait IdempotencyStore: fmt::Debug + Send + Sync {
    /// Claims the work; durable when the future is ready. Idempotent by request.
    fn claim(&self, claim: IdempotencyClaim) -> StoreFuture<Claimed>;

    /// Lets the request go on for so long from now. Nothing happens when it no longer has the claim.
    fn prolong(&self, name: IdempotencyName, request: RequestId, running_for: Duration) -> StoreFuture<()>;

    /// Keeps the answer for so long; durable when the future is ready. Nothing happens when the request no longer has
    /// the claim.
    fn keep(&self, name: IdempotencyName, request: RequestId, answer: KeptAnswer, ttl: Duration) -> StoreFuture<()>;

    /// Gives the claim up: nothing was done, and the next request does it. Nothing happens when the request no longer
    /// has the claim.
    fn give_up(&self, name: IdempotencyName, request: RequestId) -> StoreFuture<()>;

    /// Removes those that expired first, at most [`PURGE_BATCH`](super::PURGE_BATCH); how many they were. Fewer than
    /// that: none is left.
    fn purge_expired(&self) -> StoreFuture<usize>;
}
