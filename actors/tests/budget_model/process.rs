//! A process: the director's core as it is, the slices that its cells share, a journal, and calls under way.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_actors::budget::{Action, BudgetSettings, DirectorCore, WaiterId};
use gateway_actors::protocol::{
    BudgetBook, BudgetChanges, BudgetError, BudgetPath, Charges, GiveBack, Grant, GrantRequest, InstanceId, LeaseId,
    NanoUsd, Payer, Recall, Refill, Reserved, Scope, StoreError,
};
use tokio::time::Instant;

/// Whose money a call costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    pub(crate) project: Option<&'static str>,
    pub(crate) user: Option<&'static str>,
}

/// A call that was sent.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) reserved: Reserved,
}

/// What the journal says of a call.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) held: NanoUsd,
    pub(crate) charges: Option<Arc<Charges>>,
    /// Nothing while it is under way.
    pub(crate) cost: Option<NanoUsd>,
    /// The database has its record.
    pub(crate) stored: bool,
}

/// An answer of the ledger that has not arrived yet.
#[derive(Debug)]
pub(crate) enum Arriving {
    Opened(Result<LeaseId, StoreError>, Instant),
    Renewed(LeaseId, Result<bool, StoreError>, Instant),
    Granted(LeaseId, Vec<GrantRequest>, Result<Vec<Grant>, StoreError>),
    GivenBack(LeaseId, Vec<GiveBack>, Result<(), StoreError>),
    Recalled(LeaseId, Result<Vec<Recall>, StoreError>),
    Changed(Result<BudgetChanges, StoreError>),
    LostEnded(LeaseId, Result<bool, StoreError>),
}

/// A process that lives.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) instance: InstanceId,
    settings: BudgetSettings,
    core: DirectorCore,
    pub(crate) book: Arc<ArcSwap<BudgetBook>>,
    /// What the core wants done and nobody has done yet.
    pub(crate) to_do: Vec<Action>,
    pub(crate) arriving: Vec<Arriving>,
    waiting: HashMap<WaiterId, NanoUsd>,
    next_waiter: u64,
    pub(crate) calls: Vec<Call>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) refused: usize,
    pub(crate) unavailable: usize,
}

impl Process {
    pub(crate) fn start(settings: BudgetSettings, book: BudgetBook, now: Instant) -> Self {
        let (instance, book) = (InstanceId::generate(), Arc::new(ArcSwap::from_pointee(book)));
        Self {
            core: DirectorCore::new(settings, instance, Arc::clone(&book), now),
            instance,
            settings,
            book,
            to_do: Vec::new(),
            arriving: Vec::new(),
            waiting: HashMap::new(),
            next_waiter: 0,
            calls: Vec::new(),
            journal: Vec::new(),
            refused: 0,
            unavailable: 0,
        }
    }

    /// Begins a call that costs this much at most, if there is money for it at once; else it waits for the director. The
    /// calls that may be sent now.
    pub(crate) fn begin(&mut self, who: Who, amount: NanoUsd, now: Instant) -> Vec<Reserved> {
        let path = self.path(who);
        match Reserved::take(&path, amount, now) {
            Ok(reserved) => vec![reserved],
            Err(_short) => {
                self.next_waiter += 1;
                let waiter = WaiterId(self.next_waiter);
                self.waiting.insert(waiter, amount);
                let actions = self.core.refill(waiter, Refill { amount, path }, now);
                self.take(actions)
            }
        }
    }

    fn path(&self, who: Who) -> BudgetPath {
        self.book.load().path(Payer {
            project: who.project,
            user: who.user,
            ..Payer::default()
        })
    }

    /// What has to pay for such a call.
    pub(crate) fn heeds(&self, who: Who) -> impl Iterator<Item = Scope> {
        let path = self.path(who).into_iter();
        path.filter(|entry| !entry.is_gone()).map(|entry| entry.scope.clone())
    }

    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Reserved> {
        let actions = self.core.tick(now);
        self.take(actions)
    }

    /// The director panicked: its core is built anew from the book, and those who waited ask again (or not). What the
    /// ledger answers to the one before reaches the next, or is lost with the message that made it panic.
    pub(crate) fn lose_the_director(&mut self, is_heard: bool, now: Instant) {
        self.core = DirectorCore::new(self.settings, self.instance, Arc::clone(&self.book), now);
        if is_heard {
            // Of changes it hears only what it has asked for itself.
            self.to_do.retain(|action| !matches!(action, Action::Changes { .. }));
            self.arriving.retain(|answer| !matches!(answer, Arriving::Changed(_)));
        } else {
            self.to_do.clear();
            self.arriving.clear();
        }
        self.waiting.clear();
    }

    pub(crate) fn deliver(&mut self, answer: Arriving, now: Instant) -> Vec<Reserved> {
        let actions = match answer {
            Arriving::Opened(opened, sent) => self.core.lease_opened(opened, sent, now),
            Arriving::Renewed(lease, renewed, sent) => self.core.lease_renewed(lease, renewed, sent, now),
            Arriving::Granted(lease, wanted, granted) => self.core.granted(lease, &wanted, granted, now),
            Arriving::GivenBack(lease, parts, given) => self.core.given_back(lease, &parts, given, now),
            Arriving::Recalled(lease, recalls) => self.core.recalled(lease, recalls, now),
            Arriving::Changed(changes) => self.core.changed(changes, now),
            Arriving::LostEnded(lease, ended) => self.core.lost_ended(lease, ended, now),
        };
        self.take(actions)
    }

    /// Whether the database has the record of every call that is charged to this lease.
    pub(crate) fn has_stored(&self, lease: LeaseId) -> bool {
        let mut charged = self.journal.iter().filter(|entry| {
            let charges = entry.charges.as_deref();
            charges.is_some_and(|charges| charges.epoch == lease.epoch)
        });
        charged.all(|entry| entry.stored)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn take(&mut self, actions: Vec<Action>) -> Vec<Reserved> {
        let mut got = Vec::new();
        for action in actions {
            match action {
                Action::Answer(waiter, answer) => {
                    // Who asked a director that was lost does not wait any more: what it is given goes back.
                    if self.waiting.remove(&waiter).is_none() {
                        continue;
                    }
                    match answer {
                        Ok(reserved) => got.push(reserved),
                        Err(BudgetError::Exhausted { .. }) => self.refused += 1,
                        Err(_) => self.unavailable += 1,
                    }
                }
                action => self.to_do.push(action),
            }
        }
        got
    }
}
