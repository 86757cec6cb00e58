//! Rate limits: requests and tokens in a minute, and requests at once, of keys, projects and users.
//!
//! Every process counts by itself; where replicas share counts (`shared`), it also takes parts of those, so that all of
//! them together admit no more than one might. While the shared counts are away each process goes on with its own.
//! `window` and `core` decide, and wait for nothing.

mod core;
mod meter;
mod shared;
mod table;
mod window;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway_actors::protocol::{Caller, ErrorKind, GatewayError, LimitRules, RateLimits, Scope, TokenMeter};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::core::{Place, Refused};
use self::meter::{Levels, Meter};
use self::table::Table;

pub use self::core::{Kind, Level};
pub use self::shared::{Ask, Granted, PART_TTL, Part, RUNNING_TTL, Settle, SharedLimits, Told, Wanted, WantedRunning};
pub use self::window::Span;

/// How often what was taken of the shared counts is looked through.
const KEEP_EVERY: Duration = Duration::from_millis(100);
/// Bytes of input to a token, for what a request is charged before its tokens are known.
const BYTES_PER_TOKEN: u64 = 4;

/// The limits of a process.
#[derive(Debug)]
pub struct Limits {
    started: Instant,
    span: Span,
    rules: Arc<ArcSwap<LimitRules>>,
    table: Table,
    shared: Option<Arc<dyn SharedLimits>>,
    /// Meters that took something of the shared counts.
    to_keep: mpsc::UnboundedSender<Arc<Meter>>,
    kept: tokio::sync::Mutex<mpsc::UnboundedReceiver<Arc<Meter>>>,
}

impl Limits {
    /// Limits of projects and users by these rules; those of keys come with the keys. With shared counts
    /// [`Limits::keep`] must run.
    #[must_use]
    pub fn new(rules: Arc<ArcSwap<LimitRules>>, span: Span, shared: Option<Arc<dyn SharedLimits>>) -> Self {
        let (to_keep, kept) = mpsc::unbounded_channel();
        Self {
            started: Instant::now(),
            span,
            rules,
            table: Table::new(span),
            shared,
            to_keep,
            kept: tokio::sync::Mutex::new(kept),
        }
    }

    /// Whether the shared counts are there; nothing where there are none.
    #[must_use]
    pub fn shared_is_there(&self) -> Option<bool> {
        self.shared.as_ref().map(|shared| shared.namespace().is_some())
    }

    /// The scopes of this caller that have limits.
    fn scopes(&self, caller: &Caller) -> Vec<(Scope, RateLimits)> {
        let Some(key) = caller.key() else {
            return Vec::new();
        };
        let mut scopes = Vec::new();
        if key.limits != RateLimits::default() {
            scopes.push((Scope::Key(key.id.clone()), key.limits));
        }
        let rules = self.rules.load();
        if rules.is_empty() {
            return scopes;
        }
        let project = key.project.clone().map(Scope::Project);
        let user = key.user.clone().map(Scope::User);
        for scope in [project, user].into_iter().flatten() {
            if let Some(limits) = rules.of(&scope) {
                scopes.push((scope, limits));
            }
        }
        scopes
    }

    /// Admits a request whose input has so many bytes, in all scopes of its caller or in none. Nothing for a caller
    /// without limits.
    ///
    /// # Errors
    /// [`OverLimit`] when one of them has no room.
    pub async fn enter(&self, caller: &Caller, input_bytes: u64) -> Result<Option<Arc<Entered>>, OverLimit> {
        let scopes = self.scopes(caller);
        if scopes.is_empty() {
            return Ok(None);
        }
        let shared = self.shared.as_deref();
        let tokens = input_bytes / BYTES_PER_TOKEN;
        let mut entered = Entered::default();
        for (scope, limits) in scopes {
            let now = self.started.elapsed();
            let meter = self.table.of(&scope, now).await;
            if shared.is_some() && meter.begin_keeping() {
                // Who looks after them lives as long as the process; without it parts are not given back.
                let _ = self.to_keep.send(Arc::clone(&meter));
            }
            match meter.admit(limits, tokens, now, shared).await {
                Ok((place, levels)) => {
                    entered.standing.note(levels);
                    entered.taken.push((meter, place));
                }
                Err((mut refused, levels)) => {
                    entered.standing.note(levels);
                    let standing = entered.standing;
                    for (meter, place) in entered.taken.drain(..) {
                        meter.take_back(place, now).await;
                    }
                    // Clients wait no longer than a minute. What was just taken of the shared counts counts for a fraction
                    // of a second more: that is waited for here, so that what they are told is true.
                    if let Some(beyond) = refused.beyond(self.span.minute()) {
                        sleep(beyond).await;
                    }
                    return Err(OverLimit::new(refused, &scope, standing));
                }
            }
        }
        Ok(Some(Arc::new(entered)))
    }

    /// Gives back to the shared counts what was not used, and says what is under way, as long as this is awaited.
    pub async fn keep(self: Arc<Self>) {
        let Some(shared) = self.shared.clone() else {
            return;
        };
        let mut kept = self.kept.lock().await;
        let mut meters: Vec<Arc<Meter>> = Vec::new();
        let mut tick = interval(KEEP_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            while let Ok(meter) = kept.try_recv() {
                meters.push(meter);
            }
            let mut open = Vec::with_capacity(meters.len());
            for meter in meters {
                if meter.settle(self.started.elapsed(), &*shared).await {
                    open.push(meter);
                }
            }
            meters = open;
        }
    }
}

/// How far the tightest limits of a caller are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Requests in a minute.
    pub requests: Option<Level>,
    /// Tokens in a minute.
    pub tokens: Option<Level>,
}

impl Standing {
    fn note(&mut self, (requests, tokens): Levels) {
        for (known, level) in [(&mut self.requests, requests), (&mut self.tokens, tokens)] {
            if let Some(level) = level
                && known.is_none_or(|known| level.remaining < known.remaining)
            {
                *known = Some(level);
            }
        }
    }
}

/// A request that has no room in one of its caller's scopes.
#[derive(Debug, Clone)]
pub struct OverLimit {
    /// What its client is told.
    pub error: GatewayError,
    /// How far the limits are used.
    pub standing: Standing,
}

impl OverLimit {
    fn new(refused: Refused, scope: &Scope, standing: Standing) -> Self {
        let what = match refused.kind {
            Kind::Requests => "requests in a minute",
            Kind::Tokens => "tokens in a minute",
            Kind::Running => "requests at once",
        };
        let whose = match scope {
            Scope::Project(_) => "project",
            Scope::User(_) => "user",
            _ => "key",
        };
        let Some(retry_after) = refused.retry_after else {
            let message = format!("this {whose} has a limit of 0 {what}: nothing is let in until it is raised");
            let error = GatewayError::new(ErrorKind::RateLimited, message);
            return Self { error, standing };
        };
        let retry_after = retry_after.max(Duration::from_millis(1));
        let seconds = retry_after.as_millis().div_ceil(1_000);
        let message = format!("this {whose} has reached its limit of {what}; try again in {seconds} s");
        let error = GatewayError::new(ErrorKind::RateLimited, message);
        Self {
            error: error.with_retry_after(retry_after),
            standing,
        }
    }
}

/// A request that was admitted. It is under way until this is dropped.
#[derive(Default)]
pub struct Entered {
    taken: Vec<(Arc<Meter>, Place)>,
    standing: Standing,
    /// Whether something is known of the tokens it used.
    is_metered: AtomicBool,
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered")
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl Entered {
    /// How far the limits were used with this request.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

impl TokenMeter for Entered {
    fn used(&self, tokens: Option<u64>) {
        let is_first = !self.is_metered.swap(true, Ordering::AcqRel);
        // What nobody knows stays as it was charged.
        let Some(tokens) = tokens else { return };
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        for (meter, place) in &self.taken {
            let charged = if is_first {
                i64::try_from(place.tokens).unwrap_or(i64::MAX)
            } else {
                0
            };
            if place.tokens > 0 {
                meter.correct(*place, tokens.saturating_sub(charged));
            }
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let was_metered = *self.is_metered.get_mut();
        for (meter, place) in &self.taken {
            if !was_metered {
                // Nobody was asked.
                meter.correct(*place, -i64::try_from(place.tokens).unwrap_or(i64::MAX));
            }
            meter.leave();
        }
    }
}

#[cfg(test)]
mod tests;
