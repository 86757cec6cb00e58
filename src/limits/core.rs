//! The decisions about one scope: what was admitted in this process, and the parts that it took from the shared counts.
//!
//! Times are counted from any moment that stays the same. Nothing here waits.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::RateLimits;

use super::shared::{Ask, Granted, PART_TTL, Part, RUNNING_TTL, Settle, Wanted, WantedRunning};
use super::window::{Span, Window};

/// After a refusal by the shared counts nobody asks them again for so long: others may give back meanwhile.
const REFUSAL_TTL: Duration = Duration::from_millis(100);
/// When to try again where too many requests are under way: nobody knows when one of them ends.
const RUNNING_RETRY: Duration = Duration::from_secs(1);

/// What a request needs of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// Tokens, by an estimate.
    pub(super) tokens: u64,
    /// Requests of the scope under way without this one.
    pub(super) running: u64,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests in a minute.
    Requests,
    /// Tokens in a minute.
    Tokens,
    /// Requests at once.
    Running,
}

/// A limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) kind: Kind,
    /// When there may be room again; nothing where waiting does not help.
    pub(super) retry_after: Option<Duration>,
}

impl Refused {
    /// Takes off how much longer than this is to be waited.
    pub(super) fn beyond(&mut self, most: Duration) -> Option<Duration> {
        let wait = self.retry_after?;
        self.retry_after = Some(wait.min(most));
        wait.checked_sub(most).filter(|beyond| !beyond.is_zero())
    }
}

/// How far a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When all of it will be left again, if nothing more is asked for.
    pub reset: Duration,
}

/// Where an admitted request is counted, so that what it did not use can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// In this process.
    slot: u64,
    /// In the shared counts of this generation of the namespace.
    shared: Option<(u64, u64)>,
    /// The tokens that it is charged.
    pub(super) tokens: u64,
}

/// A scope's state.
#[derive(Debug, Default)]
pub(super) struct ScopeCore {
    span: Span,
    requests: Counted,
    tokens: Counted,
    /// How many requests the shared counts let this process have under way, and until when.
    running: u64,
    running_until: Duration,
    /// The namespace that the parts were taken from.
    namespace: Option<Arc<str>>,
    /// How many namespaces there were.
    generation: u64,
}

/// One of the two that are counted by the minute.
#[derive(Debug, Default)]
struct Counted {
    window: Window,
    /// What may be used of the shared counts without asking.
    part: u64,
    part_until: Duration,
    part_slot: u64,
    /// What was left beside the part when the shared counts were asked last, when all will be left again by them, and until
    /// when they are believed.
    elsewhere: u64,
    full_at: Duration,
    told_until: Duration,
    /// Until when the shared counts need not be asked, and when there is room again.
    refused_until: Duration,
    room_at: Duration,
    /// Used without having been asked for.
    debt: u64,
    /// To be given back, by slot.
    unused: Vec<(u64, u64)>,
    /// Whether the namespace does not know yet what was admitted before it began.
    is_new: bool,
}

impl Counted {
    fn new(span: Span) -> Self {
        Self {
            window: Window::new(span),
            ..Self::default()
        }
    }

    /// A part that can no longer be used is to be given back.
    fn expire(&mut self, now: Duration) {
        if self.part > 0 && now >= self.part_until {
            self.unused.push((self.part_slot, std::mem::take(&mut self.part)));
        }
    }

    fn forget_shared(&mut self) {
        self.part = 0;
        self.debt = 0;
        self.unused.clear();
        self.refused_until = Duration::ZERO;
        self.told_until = Duration::ZERO;
        self.is_new = true;
    }

    /// What is to be asked of the shared counts, if anything; when there will be room, if they have none.
    fn wanted(&self, limit: u64, need: u64, now: Duration) -> Result<Option<Wanted>, Duration> {
        if self.part >= need && now < self.part_until {
            return Ok(None);
        }
        if now < self.refused_until {
            return Err(self.room_at.saturating_sub(now));
        }
        Ok(Some(Wanted {
            limit,
            need: need - self.part.min(need),
            debt: self.debt,
            opening: if self.is_new {
                self.window.by_age(now)
            } else {
                Vec::new()
            },
        }))
    }

    fn granted(&mut self, part: Part, slot: u64, asked_at: Duration) -> Result<(), Duration> {
        self.debt = 0;
        self.is_new = false;
        self.elsewhere = part.left;
        self.full_at = asked_at + part.full;
        self.told_until = asked_at + PART_TTL;
        if part.amount == 0 {
            self.refused_until = asked_at + REFUSAL_TTL;
            self.room_at = asked_at + part.wait;
            return Err(part.wait);
        }
        self.part = self.part.saturating_add(part.amount);
        self.part_until = asked_at + PART_TTL;
        self.part_slot = slot;
        Ok(())
    }

    fn level(&self, limit: u64, now: Duration) -> Level {
        let mut level = Level {
            limit,
            remaining: limit.saturating_sub(self.window.sum()),
            reset: self.window.until_nothing(now),
        };
        // Others have used what this process knows nothing of.
        if now < self.told_until {
            level.remaining = level.remaining.min(self.part.saturating_add(self.elsewhere));
            level.reset = level.reset.max(self.full_at.saturating_sub(now));
        }
        level
    }
}

impl ScopeCore {
    pub(super) fn new(span: Span) -> Self {
        Self {
            span,
            requests: Counted::new(span),
            tokens: Counted::new(span),
            ..Self::default()
        }
    }

    /// What a request is charged: an input that is larger than the limit itself takes all of it.
    fn charge(limit: u64, tokens: u64) -> u64 {
        tokens.clamp(1, limit.max(1))
    }

    /// Whether what this process has admitted leaves room.
    pub(super) fn check(&mut self, limits: RateLimits, need: Need, now: Duration) -> Result<(), Refused> {
        for counted in [&mut self.requests, &mut self.tokens] {
            counted.window.advance(now);
            counted.expire(now);
        }
        if let Some(most) = limits.max_concurrent
            && need.running >= u64::from(most)
        {
            return Err(Refused {
                kind: Kind::Running,
                retry_after: (most > 0).then_some(RUNNING_RETRY),
            });
        }
        let room = |counted: &Counted, limit: u64, need: u64, kind: Kind| {
            let wanted = counted.window.sum().saturating_add(need);
            if wanted <= limit {
                return Ok(());
            }
            // With a limit of nothing there never is.
            let retry_after = counted.window.until_without(wanted - limit, now);
            Err(Refused {
                kind,
                retry_after: retry_after.filter(|_| limit > 0),
            })
        };
        if let Some(rpm) = limits.rpm {
            room(&self.requests, rpm.into(), 1, Kind::Requests)?;
        }
        if let Some(tpm) = limits.tpm {
            room(&self.tokens, tpm, Self::charge(tpm, need.tokens), Kind::Tokens)?;
        }
        Ok(())
    }

    /// What is to be asked of the shared counts before the request may be admitted, if anything.
    pub(super) fn ask(
        &mut self,
        limits: RateLimits,
        need: Need,
        namespace: &Arc<str>,
        now: Duration,
    ) -> Result<Option<Ask>, Refused> {
        if self.namespace.as_ref() != Some(namespace) {
            self.adopt(Arc::clone(namespace));
        }
        let wanted = |counted: &Counted, limit: Option<u64>, need: u64, kind: Kind| match limit {
            Some(limit) => counted.wanted(limit, need, now).map_err(|retry_after| Refused {
                kind,
                retry_after: Some(retry_after),
            }),
            None => Ok(None),
        };
        let requests = wanted(&self.requests, limits.rpm.map(u64::from), 1, Kind::Requests)?;
        let charge = limits.tpm.map_or(0, |tpm| Self::charge(tpm, need.tokens));
        let tokens = wanted(&self.tokens, limits.tpm, charge, Kind::Tokens)?;
        let running = limits.max_concurrent.and_then(|most| {
            let is_enough = self.running > need.running && now < self.running_until;
            (!is_enough).then_some(WantedRunning {
                limit: most.into(),
                need: need.running + 1,
            })
        });
        if requests.is_none() && tokens.is_none() && running.is_none() {
            return Ok(None);
        }
        Ok(Some(Ask {
            scope: Arc::from(""),
            namespace: Arc::clone(namespace),
            requests,
            tokens,
            running,
        }))
    }

    fn adopt(&mut self, namespace: Arc<str>) {
        self.namespace = Some(namespace);
        self.generation += 1;
        self.requests.forget_shared();
        self.tokens.forget_shared();
        self.running = 0;
    }

    /// Notes what was granted to an ask that was made then. All that was granted stays, also when one part is refused.
    pub(super) fn granted(&mut self, granted: &Granted, need: Need, asked_at: Duration) -> Result<(), Refused> {
        let slot = granted.slot;
        let mut refused = None;
        for (counted, part, kind) in [
            (&mut self.requests, granted.requests, Kind::Requests),
            (&mut self.tokens, granted.tokens, Kind::Tokens),
        ] {
            if let Some(part) = part
                && let Err(retry_after) = counted.granted(part, slot, asked_at)
            {
                refused = Some(Refused {
                    kind,
                    retry_after: Some(retry_after),
                });
            }
        }
        if let Some(running) = granted.running {
            self.running = running;
            self.running_until = asked_at + RUNNING_TTL;
            if running <= need.running {
                refused = Some(Refused {
                    kind: Kind::Running,
                    retry_after: Some(RUNNING_RETRY),
                });
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Admits a request for which there is room.
    pub(super) fn admit(&mut self, limits: RateLimits, need: Need, now: Duration) -> Place {
        let slot = self.span.slot_at(now);
        let tokens = limits.tpm.map_or(0, |tpm| Self::charge(tpm, need.tokens));
        self.requests.window.add(now, 1);
        self.tokens.window.add(now, tokens);
        self.requests.part = self.requests.part.saturating_sub(1);
        let has_part = self.tokens.part >= tokens && tokens > 0;
        self.tokens.part = self.tokens.part.saturating_sub(tokens);
        Place {
            slot,
            shared: has_part.then_some((self.generation, self.tokens.part_slot)),
            tokens,
        }
    }

    /// Takes a request back that was admitted, but is not let in for another reason.
    pub(super) fn take_back(&mut self, place: Place, now: Duration) {
        for (counted, amount) in [(&mut self.requests, 1), (&mut self.tokens, place.tokens)] {
            counted.window.take_back(place.slot, amount);
            if now < counted.part_until {
                counted.part = counted.part.saturating_add(amount);
            }
        }
    }

    /// Makes good what a request was charged, now that more is known of its tokens.
    pub(super) fn correct(&mut self, place: Place, delta: i64, now: Duration) {
        let amount = delta.unsigned_abs();
        if delta >= 0 {
            self.tokens.window.advance(now);
            self.tokens.window.add(now, amount);
            let at_hand = if now < self.tokens.part_until {
                self.tokens.part
            } else {
                0
            };
            let paid = amount.min(at_hand);
            self.tokens.part -= paid;
            if self.namespace.is_some() {
                self.tokens.debt = self.tokens.debt.saturating_add(amount - paid);
            }
        } else {
            self.tokens.window.take_back(place.slot, amount);
            if let Some((generation, slot)) = place.shared
                && generation == self.generation
            {
                self.tokens.unused.push((slot, amount));
            }
        }
    }

    /// What the shared counts are to be told now: what was not used, and how many requests are under way.
    pub(super) fn settle(&mut self, running: u64, now: Duration) -> Option<Settle> {
        let namespace = self.namespace.clone()?;
        self.requests.expire(now);
        self.tokens.expire(now);
        let renew_at = self.running_until.saturating_sub(RUNNING_TTL * 2 / 3);
        let is_due = self.running > running || (self.running > 0 && now >= renew_at);
        let settle = Settle {
            scope: Arc::from(""),
            namespace,
            requests: std::mem::take(&mut self.requests.unused),
            tokens: std::mem::take(&mut self.tokens.unused),
            debt: std::mem::take(&mut self.tokens.debt),
            running: is_due.then_some(running),
        };
        if is_due {
            self.running = running;
            self.running_until = now + RUNNING_TTL;
        }
        let is_nothing = settle.requests.is_empty() && settle.tokens.is_empty() && settle.debt == 0 && !is_due;
        (!is_nothing).then_some(settle)
    }

    /// Whether the shared counts hold nothing for this process.
    pub(super) fn is_settled(&self) -> bool {
        let counted = [&self.requests, &self.tokens];
        self.running == 0
            && counted
                .iter()
                .all(|it| it.part == 0 && it.unused.is_empty() && it.debt == 0)
    }

    /// How far requests and tokens are used.
    pub(super) fn levels(&self, limits: RateLimits, now: Duration) -> (Option<Level>, Option<Level>) {
        let requests = limits.rpm.map(|rpm| self.requests.level(rpm.into(), now));
        (requests, limits.tpm.map(|tpm| self.tokens.level(tpm, now)))
    }

    /// Whether nothing counts any more.
    pub(super) fn is_idle(&mut self, now: Duration) -> bool {
        self.requests.window.advance(now);
        self.tokens.window.advance(now);
        self.requests.window.sum() == 0 && self.tokens.window.sum() == 0 && self.is_settled()
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
