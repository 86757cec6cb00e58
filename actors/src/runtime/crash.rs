//! Counting panics: how many are too many, and telling the process when they are.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How many panics the process lives through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// So many within the window are mended; one more ends the process.
    pub most: usize,
    /// The window.
    pub window: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            most: 5,
            window: Duration::from_secs(30),
        }
    }
}

/// The panics of the process so far.
#[derive(Debug, Default)]
pub struct CrashLog {
    recent: VecDeque<Instant>,
    restarts: Vec<(&'static str, u32)>,
    fatal: Option<String>,
}

impl CrashLog {
    /// Panics that were mended, by actor.
    #[must_use]
    pub fn restarts(&self) -> &[(&'static str, u32)] {
        &self.restarts
    }

    /// Why the process must drain and end, once it must.
    #[must_use]
    pub fn fatal(&self) -> Option<&str> {
        self.fatal.as_deref()
    }

    fn crashed(&mut self, actor: &'static str, now: Instant, policy: RestartPolicy) {
        match self.restarts.iter_mut().find(|(name, _)| *name == actor) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.restarts.push((actor, 1)),
        }
        while self
            .recent
            .front()
            .is_some_and(|&at| now.saturating_duration_since(at) > policy.window)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.recent.len() > policy.most && self.fatal.is_none() {
            self.fatal = Some(format!(
                "{} panics within {} s, the last one in the {actor} actor",
                self.recent.len(),
                policy.window.as_secs()
            ));
        }
    }
}

/// Where actors report their panics. A handle: clones report to the same log.
#[derive(Clone)]
pub struct CrashReporter {
    log: Arc<watch::Sender<CrashLog>>,
    policy: RestartPolicy,
}

impl CrashReporter {
    /// A fresh log under this policy.
    #[must_use]
    pub fn new(policy: RestartPolicy) -> Self {
        Self {
            log: Arc::new(watch::Sender::new(CrashLog::default())),
            policy,
        }
    }

    /// Follows the log.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<CrashLog> {
        self.log.subscribe()
    }

    /// A panic was caught in a handler, and the core rebuilt.
    pub fn crashed(&self, actor: &'static str, what: &str) {
        tracing::error!(actor, panic = what, "actor panicked; its state was rebuilt");
        let now = Instant::now();
        self.log.send_modify(|log| log.crashed(actor, now, self.policy));
    }

    /// A panic left a handler or a rebuild: the actor is gone and cannot come back at its address.
    pub fn escaped(&self, actor: &'static str) {
        tracing::error!(actor, "actor is lost; the process will drain and end");
        self.log.send_modify(|log| {
            log.fatal
                .get_or_insert_with(|| format!("the {actor} actor was lost to a panic"));
        });
    }
}

impl fmt::Debug for CrashReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashReporter")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash_at(log: &mut CrashLog, start: Instant, seconds: u64) -> bool {
        let at = start + Duration::from_secs(seconds);
        log.crashed("router", at, RestartPolicy::default());
        log.fatal().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn the_sixth_panic_within_thirty_seconds_is_fatal() {
        let (mut log, start) = (CrashLog::default(), Instant::now());
        for second in 0..5 {
            assert!(!crash_at(&mut log, start, second));
        }
        assert!(crash_at(&mut log, start, 29));
    }

    #[tokio::test(start_paused = true)]
    async fn panics_that_are_far_apart_are_lived_through() {
        let (mut log, start) = (CrashLog::default(), Instant::now());
        for nth in 0..100 {
            assert!(!crash_at(&mut log, start, nth * 7));
        }
        assert_eq!(log.restarts(), &[("router", 100)]);
    }
}
