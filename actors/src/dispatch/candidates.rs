//! Which of a request's candidates is tried next: leases, gates, and the retry budget.

use std::collections::VecDeque;

use futures_util::future::select_all;
use tokio::time::{Instant, timeout};

use super::failure::Blocked;
use super::run::Run;
use super::settings::AmbiguousFailover;
use crate::protocol::{
    Acquire, AttemptTrace, Billing, Candidate, ErrorKind, FailureKind, GatewayError, HealthNote, InFlight, Lease,
    ProviderName, Unavailable, UpstreamFailure,
};

impl Run {
    /// The next candidate that may be tried, with its lease.
    pub(super) async fn next(
        &self,
        queue: &mut VecDeque<Candidate>,
        blocked: &mut Blocked,
        last: Option<&(Candidate, UpstreamFailure)>,
    ) -> Result<Option<(Candidate, Lease)>, GatewayError> {
        let now = Instant::now();
        if now >= self.call.context.deadline {
            return Err(GatewayError::new(
                ErrorKind::DeadlineExceeded,
                "the request's deadline passed before a provider had answered",
            ));
        }
        while let Some(candidate) = queue.pop_front() {
            if !self.may_try(&candidate, last, now) {
                continue;
            }
            match self.acquire(&candidate, false).await {
                Ok(lease) => return Ok(Some((candidate, lease))),
                Err(why) => blocked.note(candidate, why),
            }
        }
        match last {
            None => self.when_all_are_blocked(blocked).await,
            Some((candidate, failure)) => self.once_more(candidate, failure, now).await,
        }
    }

    /// Whether a candidate may be tried after the failures so far. One that is known to work always may, within the
    /// number of attempts; others are paid for out of the retry budget.
    fn may_try(&self, candidate: &Candidate, last: Option<&(Candidate, UpstreamFailure)>, now: Instant) -> bool {
        let Some((failed, failure)) = last else {
            return true;
        };
        if self.account.attempts.len() > usize::from(self.cell.settings.extra_attempts) {
            return false;
        }
        let model = &candidate.model;
        // Another entry of the catalogue for what has just failed is no alternative.
        let is_same =
            |tried: &AttemptTrace| tried.model.provider == model.provider && tried.model.api_model == model.api_model;
        if self.account.attempts.iter().any(is_same) {
            return false;
        }
        if failure.kind == FailureKind::ContextTooLong && model.context_window <= failed.model.context_window {
            return false;
        }
        let may_be_billed_twice = failure.billing == Billing::Ambiguous && !model.is_free();
        if may_be_billed_twice && self.cell.settings.ambiguous == AmbiguousFailover::FreeOnly {
            return false;
        }
        candidate.reason.health == HealthNote::Healthy || self.cell.retries.borrow_mut().try_retry(now)
    }

    /// The same candidate a second time, when there was no other: only for a call that cannot be billed twice.
    async fn once_more(
        &self,
        candidate: &Candidate,
        failure: &UpstreamFailure,
        now: Instant,
    ) -> Result<Option<(Candidate, Lease)>, GatewayError> {
        let safe = match failure.kind {
            FailureKind::Connect => true,
            FailureKind::Reset => candidate.model.is_free(),
            _ => false,
        };
        let allowed = self.cell.settings.extra_attempts > 0;
        if self.account.attempts.len() != 1 || !safe || !allowed || !self.cell.retries.borrow_mut().try_retry(now) {
            return Ok(None);
        }
        let lease = self.acquire(candidate, false).await.ok();
        Ok(lease.map(|lease| (candidate.clone(), lease)))
    }

    /// Nothing could be tried: waits for a place, or lets one call a second through an open gate.
    async fn when_all_are_blocked(&self, blocked: &Blocked) -> Result<Option<(Candidate, Lease)>, GatewayError> {
        if !blocked.full.is_empty() {
            return Ok(self.wait_for_place(&blocked.full).await);
        }
        if let Some(candidate) = &blocked.open
            && self.cell.last_resort.try_pass(Instant::now())
        {
            let lease = self.acquire(candidate, true).await.ok();
            return Ok(lease.map(|lease| (candidate.clone(), lease)));
        }
        Ok(None)
    }

    /// Waits for a place at any of these; where there are several, the first of them is taken.
    async fn wait_for_place(&self, full: &[Candidate]) -> Option<(Candidate, Lease)> {
        let mut names: Vec<&ProviderName> = full.iter().map(|candidate| &candidate.model.provider).collect();
        names.sort_unstable();
        names.dedup();
        let providers = names.into_iter().filter_map(|name| self.cell.provider(name));
        let places = Places(providers.map(|provider| &*provider.in_flight).collect());
        let left = self.call.context.deadline.saturating_duration_since(Instant::now());
        let patience = self.cell.settings.capacity_wait.min(left);
        let waiting = async {
            loop {
                let mut is_full = false;
                for candidate in full {
                    match self.acquire(candidate, false).await {
                        Ok(lease) => return Some((candidate.clone(), lease)),
                        Err(Unavailable::AtCapacity) => is_full = true,
                        Err(_) => {}
                    }
                }
                if !is_full {
                    return None;
                }
                places.freed().await;
            }
        };
        timeout(patience, waiting).await.ok().flatten()
    }

    pub(super) async fn acquire(&self, candidate: &Candidate, force: bool) -> Result<Lease, Unavailable> {
        let provider = self
            .cell
            .provider(&candidate.model.provider)
            .ok_or(Unavailable::Restarting)?;
        for _ in 0..2 {
            let wanted = Acquire {
                model: candidate.model.id.clone(),
                force,
                now: Instant::now(),
            };
            match provider.actor.ask(wanted).await {
                Ok(Err(Unavailable::Restarting)) | Err(_) => {}
                Ok(lease) => return lease,
            }
        }
        Err(Unavailable::Restarting)
    }
}

/// Where a request waits for a place.
struct Places<'a>(Vec<&'a InFlight>);

impl Places<'_> {
    /// A call has ended at one of them.
    async fn freed(&self) {
        let freed = self.0.iter().map(|place| Box::pin(place.freed()));
        select_all(freed).await;
    }
}

impl Drop for Places<'_> {
    /// Whoever waits there too may have been passed over for this one, which took a place elsewhere.
    fn drop(&mut self) {
        self.0.iter().for_each(|place| place.pass_on());
    }
}
