//! Messages of the SupervisorActor and what it publishes.

use std::time::Duration;

use actix::Message;

/// The health of one kind of actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorHealth {
    /// Its name, for example `router`.
    pub name: &'static str,
    /// Panics since the process started, each followed by a rebuild.
    pub restarts: u32,
}

/// The health of the actor system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemHealth {
    /// Each kind of actor that has panicked.
    pub actors: Vec<ActorHealth>,
    /// Whether the process must drain and end, and why.
    pub fatal: Option<String>,
    /// How far the slowest thread's beat lags behind.
    pub lag: Duration,
}

/// Asks for the health of the actor system.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<SystemHealth, SupervisorError>")]
pub struct GetSystemHealth;

/// Why the supervisor cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupervisorError {
    /// The SupervisorActor is being rebuilt.
    #[error("the supervisor is restarting; try again")]
    Restarting,
}
