//! One scope's meter, which every worker shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gateway_actors::protocol::RateLimits;
use tokio::sync::{Mutex, mpsc};

use super::core::{Level, Need, Place, Refused, ScopeCore};
use super::shared::{Ask, SharedLimits, Told};
use super::window::Span;

/// How far the two limits of a minute are used, where there are such limits.
pub(super) type Levels = (Option<Level>, Option<Level>);

/// What is known later of a request's tokens: more or fewer than it was charged.
type Correction = (Place, i64);

/// A scope's meter. Who has the lock decides; while one asks the shared counts, the others wait for the same answer.
#[derive(Debug)]
pub(super) struct Meter {
    name: Arc<str>,
    core: Mutex<(ScopeCore, mpsc::UnboundedReceiver<Correction>)>,
    corrections: mpsc::UnboundedSender<Correction>,
    running: AtomicU64,
    /// Whether it is among those that are looked after for what they took of the shared counts.
    is_kept: AtomicBool,
}

impl Meter {
    pub(super) fn new(name: Arc<str>, span: Span) -> Self {
        let (corrections, received) = mpsc::unbounded_channel();
        Self {
            name,
            core: Mutex::new((ScopeCore::new(span), received)),
            corrections,
            running: AtomicU64::new(0),
            is_kept: AtomicBool::new(false),
        }
    }

    /// Admits a request that needs so many tokens, or not.
    pub(super) async fn admit(
        &self,
        limits: RateLimits,
        tokens: u64,
        now: Duration,
        shared: Option<&dyn SharedLimits>,
    ) -> Result<(Place, Levels), (Refused, Levels)> {
        let mut guard = self.core.lock().await;
        let (core, corrections) = &mut *guard;
        while let Ok((place, delta)) = corrections.try_recv() {
            core.correct(place, delta, now);
        }
        // Only who has the lock lets one more in.
        let running = self.running.load(Ordering::Acquire);
        let need = Need { tokens, running };
        let mut admitted = core.check(limits, need, now);
        if admitted.is_ok()
            && let Some(shared) = shared
        {
            admitted = self.take(core, limits, need, now, shared).await;
        }
        match admitted {
            Ok(()) => {
                let place = core.admit(limits, need, now);
                self.running.fetch_add(1, Ordering::AcqRel);
                Ok((place, core.levels(limits, now)))
            }
            Err(refused) => Err((refused, core.levels(limits, now))),
        }
    }

    /// Takes what is needed of the shared counts. While they are away what this process knows decides.
    async fn take(
        &self,
        core: &mut ScopeCore,
        limits: RateLimits,
        need: Need,
        now: Duration,
        shared: &dyn SharedLimits,
    ) -> Result<(), Refused> {
        // Another namespace may begin in between, once.
        for _ in 0..2 {
            let Some(namespace) = shared.namespace() else {
                return Ok(());
            };
            let Some(ask) = core.ask(limits, need, &namespace, now)? else {
                return Ok(());
            };
            let ask = Ask {
                scope: Arc::clone(&self.name),
                ..ask
            };
            match shared.take(ask).await {
                Some(Told::Granted(granted)) => return core.granted(&granted, need, now),
                Some(Told::Namespace(_)) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes a request back that another scope has no room for.
    pub(super) async fn take_back(&self, place: Place, now: Duration) {
        self.core.lock().await.0.take_back(place, now);
        self.leave();
    }

    /// A request of the scope has ended.
    pub(super) fn leave(&self) {
        // One that is not there cannot leave.
        let _ = self
            .running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| running.checked_sub(1));
    }

    /// A request used so many tokens more, or fewer, than it was charged.
    pub(super) fn correct(&self, place: Place, delta: i64) {
        if delta != 0 {
            // The receiver lives as long as this.
            let _ = self.corrections.send((place, delta));
        }
    }

    /// Whether this call made it one that is looked after.
    pub(super) fn begin_keeping(&self) -> bool {
        !self.is_kept.swap(true, Ordering::AcqRel)
    }

    /// Gives back to the shared counts what was not used. Whether there may be more to give back later.
    pub(super) async fn settle(&self, now: Duration, shared: &dyn SharedLimits) -> bool {
        let mut guard = self.core.lock().await;
        let (core, corrections) = &mut *guard;
        while let Ok((place, delta)) = corrections.try_recv() {
            core.correct(place, delta, now);
        }
        let running = self.running.load(Ordering::Acquire);
        if let Some(mut settle) = core.settle(running, now)
            && shared.namespace().is_some()
        {
            settle.scope = Arc::clone(&self.name);
            // Under the lock, so that what is told of requests under way comes in order.
            shared.settle(settle).await;
        }
        if core.is_settled() && running == 0 {
            self.is_kept.store(false, Ordering::Release);
            return false;
        }
        true
    }

    /// Whether it can be forgotten. One that is in use just now is not.
    pub(super) fn is_idle(&self, now: Duration) -> bool {
        let is_idle = |core: &mut ScopeCore| core.is_idle(now);
        self.running.load(Ordering::Acquire) == 0
            && !self.is_kept.load(Ordering::Acquire)
            && self.core.try_lock().is_ok_and(|mut guard| is_idle(&mut guard.0))
    }
}
