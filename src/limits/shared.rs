//! The port to the counts that replicas share.
//!
//! A process takes parts of what is left of a scope's minute, and admits requests out of its part without asking again,
//! for a fraction of a second; what it did not use it gives back. The counts live in a **namespace**: a new one begins
//! when the old counts may be wrong, after the server was away or came back with an old copy of its data. Whoever finds
//! that another namespace has begun tells it what it has admitted itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// How long a part of a minute may be used after it was asked for.
pub const PART_TTL: Duration = Duration::from_millis(500);
/// How long the shared count of requests under way counts after it was told last.
pub const RUNNING_TTL: Duration = Duration::from_secs(10);

/// Asks for a part of what is left of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The scope, as text.
    pub scope: Arc<str>,
    /// The namespace that the asker knows.
    pub namespace: Arc<str>,
    /// Requests, if they are limited and more are needed.
    pub requests: Option<Wanted>,
    /// Tokens, likewise.
    pub tokens: Option<Wanted>,
    /// Requests under way, likewise.
    pub running: Option<WantedRunning>,
}

/// What is wanted of a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The limit.
    pub limit: u64,
    /// The least that is of use.
    pub need: u64,
    /// What was used without having been asked for, and is to be counted in any case.
    pub debt: u64,
    /// What this process has admitted that a new namespace does not know yet: ages in slots, and amounts.
    pub opening: Vec<(u64, u64)>,
}

/// How many requests the process wants to have under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedRunning {
    /// The limit.
    pub limit: u64,
    /// The least that is of use, those that are under way included.
    pub need: u64,
}

/// What came of an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// These parts.
    Granted(Granted),
    /// Another namespace has begun; nothing was counted.
    Namespace(Arc<str>),
}

/// Parts that were granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// The slot that they are counted in, by the server's clock.
    pub slot: u64,
    /// Requests.
    pub requests: Option<Part>,
    /// Tokens.
    pub tokens: Option<Part>,
    /// How many requests the process may have under way.
    pub running: Option<u64>,
}

/// A part of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// How much of it; 0 if that little is not left.
    pub amount: u64,
    /// What is left for others.
    pub left: u64,
    /// How long until what was needed is left, if it is not now.
    pub wait: Duration,
    /// How long until all is left again, if nothing more is asked for.
    pub full: Duration,
}

/// What is given back or told without waiting for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// The scope, as text.
    pub scope: Arc<str>,
    /// The namespace that it was taken from: of another one nothing changes.
    pub namespace: Arc<str>,
    /// Requests that were not used, by the slots they are counted in.
    pub requests: Vec<(u64, u64)>,
    /// Tokens that were not used, likewise.
    pub tokens: Vec<(u64, u64)>,
    /// Tokens that were used without having been asked for.
    pub debt: u64,
    /// How many requests the process has under way from now on, if that is to be told.
    pub running: Option<u64>,
}

/// The shared counts. Nothing here takes longer than a fraction of a second.
pub trait SharedLimits: fmt::Debug + Send + Sync {
    /// The namespace that counts now; none while the server is away.
    fn namespace(&self) -> Option<Arc<str>>;

    /// Takes parts; nothing when the server is away.
    fn take(&self, ask: Ask) -> BoxFuture<'static, Option<Told>>;

    /// Gives back; what cannot be given back is lost, and counts for its minute.
    fn settle(&self, settle: Settle) -> BoxFuture<'static, ()>;
}
