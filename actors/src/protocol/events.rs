//! The port to events: what operators are told of, once each, and whether their webhook has it.

use std::fmt;
use std::time::Duration;

use super::money::NanoUsd;
use super::scope::Period;
use super::store::StoreFuture;

/// What operators are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayEvent {
    /// A UUID of version 7: the same however often it is delivered.
    pub id: String,
    /// What kind of event it is, for example `cost_alert` or `budget_threshold`.
    pub kind: String,
    /// What it tells, a JSON object.
    pub detail: String,
    /// When it was raised, in microseconds since 1970 (UTC).
    pub created_at: i64,
}

/// An event that this process delivers now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedEvent {
    /// The event.
    pub event: GatewayEvent,
    /// How often its delivery was tried, this time included.
    pub attempts: u32,
}

/// The events in the database, which all processes share.
pub trait EventStore: fmt::Debug + Send + Sync {
    /// Raises an event once for all processes: it is raised unless one with the same `once` was. Whether it was raised.
    fn raise(&self, kind: &'static str, once: String, detail: String) -> StoreFuture<bool>;

    /// The events of the periods that are now, the newest first: what they were raised once for names `total`, this day,
    /// this week or this month.
    fn present(&self, limit: u32) -> StoreFuture<Vec<GatewayEvent>>;

    /// Takes events that are to be delivered, the oldest first; another process does not get them within `hold`. Who does
    /// not say what came of one within that time has it delivered again. Events older than a day are not delivered.
    fn claim(&self, limit: u32, hold: Duration) -> StoreFuture<Vec<ClaimedEvent>>;

    /// The webhook has it.
    fn delivered(&self, id: String) -> StoreFuture<()>;

    /// It could not be delivered, and is tried again after this time.
    fn put_off(&self, id: String, pause: Duration) -> StoreFuture<()>;

    /// The day that is now by the database's clock, and what all call records of it cost.
    fn spent_today(&self) -> StoreFuture<(Period, NanoUsd)>;
}
