//! The judgement over the process.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::{ActorHealth, SystemHealth};
use crate::runtime::{Beats, CrashLog};

/// What the SupervisorActor judges with; it keeps no state of its own.
#[derive(Debug, Default)]
pub(super) struct SupervisorCore;

impl SupervisorCore {
    /// The health of the actor system, from the panics so far and the beats of the threads.
    pub(super) fn assess(&self, log: &CrashLog, beats: &Beats, now: Instant) -> SystemHealth {
        let actors = log
            .restarts()
            .iter()
            .map(|&(name, restarts)| ActorHealth { name, restarts });
        SystemHealth {
            actors: actors.collect(),
            fatal: log.fatal().map(ToOwned::to_owned),
            lag: beats.slowest(now).map_or(Duration::ZERO, |(_, lag)| whole_tenths(lag)),
        }
    }
}

/// Cut to tenths of a second, so that a small wobble is no news.
fn whole_tenths(lag: Duration) -> Duration {
    let tenths = u64::try_from(lag.as_millis() / 100).unwrap_or(u64::MAX);
    Duration::from_millis(tenths.saturating_mul(100))
}
