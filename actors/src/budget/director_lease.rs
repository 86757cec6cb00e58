//! The process's lease on its slices.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::action::Action;
use crate::protocol::{Holdings, InstanceId, LeaseId, LeaseTerm};

/// A lease is renewed when this part of it has passed.
const RENEW_AFTER: u32 = 3;
/// How long it takes until a question about the lease that failed is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Opens a lease when one is needed, and keeps it while something is held under it.
#[derive(Debug)]
pub(super) struct LeaseKeeper {
    instance: InstanceId,
    ttl: Duration,
    holdings: Arc<Holdings>,
    /// A question about it is under way.
    asking: bool,
    /// When the next question may be asked.
    next: Instant,
}

impl LeaseKeeper {
    pub(super) fn new(instance: InstanceId, ttl: Duration, holdings: Arc<Holdings>, now: Instant) -> Self {
        Self {
            instance,
            ttl,
            holdings,
            asking: false,
            next: now,
        }
    }

    /// How long a lease lasts.
    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The lease, whether or not it can be spent under now.
    pub(super) fn known(&self) -> Option<LeaseId> {
        self.term().map(|term| term.lease())
    }

    /// The term of the lease, whether or not it can be spent under now.
    pub(super) fn term(&self) -> Option<Arc<LeaseTerm>> {
        self.holdings.term.load_full()
    }

    /// The term of the lease, if slices of it can be spent from.
    pub(super) fn valid(&self, now: Instant) -> Option<Arc<LeaseTerm>> {
        self.term().filter(|term| term.is_valid(now))
    }

    /// What must be asked for so that money can be spent.
    pub(super) fn make_valid(&mut self, now: Instant) -> Option<Action> {
        if self.valid(now).is_some() { None } else { self.ask(now) }
    }

    /// What must be asked for so that it does not run out.
    pub(super) fn keep(&mut self, now: Instant) -> Option<Action> {
        let is_due = self.known().is_some() && now >= self.next;
        if is_due { self.ask(now) } else { None }
    }

    fn ask(&mut self, now: Instant) -> Option<Action> {
        if self.asking {
            return None;
        }
        self.asking = true;
        self.next = now + AGAIN;
        let (instance, ttl) = (self.instance, self.ttl);
        Some(match self.known() {
            Some(lease) => Action::RenewLease { lease, ttl },
            None => Action::OpenLease { instance, ttl },
        })
    }

    /// A lease was opened by a question that was sent then. It lasts from the moment at which the database answered,
    /// which was no earlier. One that nobody knows of any more runs out by itself, with nothing held under it: a director
    /// that has panicked since had asked for it.
    pub(super) fn opened(&mut self, lease: LeaseId, sent: Instant) {
        self.asking = false;
        if self.known().is_some() {
            return;
        }
        let term = LeaseTerm::new(lease, sent, sent + self.ttl);
        self.holdings.term.store(Some(Arc::new(term)));
        self.next = sent + self.ttl / RENEW_AFTER;
    }

    /// The lease lasts longer, by a question that was sent then.
    pub(super) fn renewed(&mut self, sent: Instant) {
        self.asking = false;
        if let Some(term) = self.term() {
            term.extend(sent + self.ttl);
        }
        self.next = sent + self.ttl / RENEW_AFTER;
    }

    /// The question was not answered.
    pub(super) fn failed(&mut self) {
        self.asking = false;
    }

    /// Notes whether the ledger answers. While it does not, nothing is spent, although what the process holds would allow it:
    /// what is spent must be in the books before long, and whoever watches them must see it.
    pub(super) fn heard(&self, answers: bool) {
        if let Some(term) = self.term() {
            term.suspend(!answers);
        }
    }

    /// The lease has ended: nothing can be spent under it any more. Which it was.
    pub(super) fn lost(&mut self) -> Option<LeaseId> {
        self.asking = false;
        let term = self.holdings.term.swap(None)?;
        term.end();
        Some(term.lease())
    }
}
