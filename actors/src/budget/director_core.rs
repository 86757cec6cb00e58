//! What the director decides: whom to ask for more, what to give back, who gets what.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::action::{Action, WaiterId};
use super::director_changes::Changes;
use super::director_lease::LeaseKeeper;
use super::director_lost::LostLeases;
use super::director_questions::{Unknown, question, unanswered};
use super::slices::Slices;
use super::waiters::Waiters;
use crate::protocol::{
    BudgetBook, BudgetChanges, BudgetEntry, BudgetError, GiveBack, Grant, GrantRequest, InstanceId, LeaseId, NanoUsd,
    Period, Recall, Refill, Scope, Shortage, Slice, StoreError,
};

/// How often other processes' wishes are looked for while something is held.
const LOOK_FOR_RECALLS: Duration = Duration::from_millis(250);
/// How long it takes until the ledger is asked again for what other processes are to give back.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long a call waits for what other processes are to give back: four times as long as they take to look.
const RECALL_PATIENCE: Duration = Duration::from_secs(1);
/// A lease counts as run out only so long after its time: clocks may run at different speeds.
const GRACE: Duration = Duration::from_secs(5);
/// A scope that is asked for again within this time gets twice as much in stock.
const THIRSTY: Duration = Duration::from_secs(1);
/// How many calls like the first one a stock is for.
const FIRST_STOCK: i64 = 8;

/// The director's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSettings {
    /// How long the process's claim on what it holds lasts when it cannot be renewed. Default 60 s.
    pub lease: Duration,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
        }
    }
}

/// How fast a scope is being spent.
#[derive(Debug)]
struct Thirst {
    stock: NanoUsd,
    asked: Instant,
}

/// What the BudgetDirector decides from. Everything that cells need is in the published book.
#[derive(Debug)]
pub struct DirectorCore {
    pub(super) published: Arc<ArcSwap<BudgetBook>>,
    lease: LeaseKeeper,
    pub(super) slices: Slices,
    pub(super) waiters: Waiters,
    /// A question for more is under way: there is one at a time.
    granting: bool,
    /// Scopes that other processes are to give something back of, and when the ledger is asked again.
    pub(super) recalled: HashMap<Scope, Instant>,
    /// Questions of which it is not known whether the ledger granted anything: they are asked once more then.
    pub(super) unknown: HashMap<Scope, Unknown>,
    thirst: HashMap<Scope, Thirst>,
    changes: Changes,
    looking_for_recalls: bool,
    next_recalls: Instant,
    next_expiry: Instant,
    lost: LostLeases,
}

impl DirectorCore {
    /// A director over what is in the book: the budgets, and slices of an earlier core of the same process.
    #[must_use]
    pub fn new(
        settings: BudgetSettings,
        instance: InstanceId,
        published: Arc<ArcSwap<BudgetBook>>,
        now: Instant,
    ) -> Self {
        let book = published.load_full();
        let slices = Slices::of(&book, now);
        let lease = LeaseKeeper::new(instance, settings.lease, Arc::clone(book.holdings()), now);
        let unknown = unanswered(&book, now);
        Self {
            published,
            lease,
            slices,
            waiters: Waiters::default(),
            granting: false,
            recalled: HashMap::new(),
            unknown,
            thirst: HashMap::new(),
            changes: Changes::new(now),
            looking_for_recalls: false,
            next_recalls: now,
            next_expiry: now,
            lost: LostLeases::new(now),
        }
    }

    /// Somebody wants money that the cells have not in memory.
    pub fn refill(&mut self, id: WaiterId, wanted: Refill, now: Instant) -> Vec<Action> {
        self.waiters.add(id, wanted, now);
        self.serve(Vec::new(), now)
    }

    /// Budgets may have changed.
    pub fn reload(&mut self, now: Instant) -> Vec<Action> {
        self.changes.look_now(now).into_iter().collect()
    }

    /// Whether changed budgets are being looked for.
    #[must_use]
    pub fn is_reloading(&self) -> bool {
        self.changes.is_looking()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        actions.extend(self.changes.tick(now));
        // What somebody waits for is not given back because it does not suffice yet.
        for scope in self.slices.take_out_idle(!self.waiters.is_empty(), now) {
            self.thirst.remove(&scope);
        }
        if !self.published.load().is_empty() {
            actions.extend(self.lease.keep(now));
            if now >= self.next_expiry {
                self.next_expiry = now + self.lease.ttl() / 3;
                actions.push(Action::ExpireLeases { grace: GRACE });
            }
        }
        if let Some(lease) = self.lease.known()
            && self.slices.is_holding()
            && !self.looking_for_recalls
            && now >= self.next_recalls
        {
            self.looking_for_recalls = true;
            self.next_recalls = now + LOOK_FOR_RECALLS;
            actions.push(Action::Recalls { lease });
        }
        actions.extend(self.lost.end_one(self.published.load().holdings(), now));
        self.lose_patience(&mut actions, now);
        self.serve(actions, now)
    }

    /// The ledger knows that a lost lease has ended; or records of its calls are still to be stored, or it did not answer.
    pub fn lost_ended(&mut self, lease: LeaseId, ended: Result<bool, StoreError>, now: Instant) -> Vec<Action> {
        self.lost.heard(self.published.load().holdings(), lease, ended, now);
        self.serve(Vec::new(), now)
    }

    /// The ledger opened a lease, or did not.
    pub fn lease_opened(&mut self, opened: Result<LeaseId, StoreError>, sent: Instant, now: Instant) -> Vec<Action> {
        self.lease.heard(opened.is_ok());
        match opened {
            Ok(lease) => {
                self.lease.opened(lease, sent);
                self.serve(Vec::new(), now)
            }
            Err(error) => {
                tracing::warn!(%error, "the ledger gives no lease; paid calls that a budget pays for are refused");
                self.lease.failed();
                self.waiters.refuse_all()
            }
        }
    }

    /// The ledger renewed a lease, or did not.
    pub fn lease_renewed(
        &mut self,
        lease: LeaseId,
        renewed: Result<bool, StoreError>,
        sent: Instant,
        now: Instant,
    ) -> Vec<Action> {
        if self.lease.known() != Some(lease) {
            return self.serve(Vec::new(), now);
        }
        self.lease.heard(renewed.is_ok());
        match renewed {
            Ok(true) => self.lease.renewed(sent),
            Ok(false) => self.lose_lease(now),
            Err(error) => {
                tracing::warn!(%error, "the lease on what this process holds of budgets could not be renewed");
                self.lease.failed();
                if self.lease.valid(now).is_none() {
                    return self.waiters.refuse_all();
                }
            }
        }
        self.serve(Vec::new(), now)
    }

    /// The ledger granted more, or did not.
    pub fn granted(
        &mut self,
        lease: LeaseId,
        wanted: &[GrantRequest],
        granted: Result<Vec<Grant>, StoreError>,
        now: Instant,
    ) -> Vec<Action> {
        self.granting = false;
        let mut actions = Vec::new();
        if self.lease.known() == Some(lease) {
            self.lease.heard(granted.is_ok());
            match granted {
                Ok(grants) => {
                    for (asked, grant) in wanted.iter().zip(grants) {
                        self.take_grant(asked, grant, &mut actions, now);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the ledger could not be asked for more of a budget");
                    self.note_unanswered(wanted, now + ASK_AGAIN);
                    let asked = |short: &Shortage| wanted.iter().any(|asked| asked.scope == short.entry.scope);
                    self.waiters.refuse(&mut actions, now, |short, _| {
                        asked(short).then_some(BudgetError::LedgerUnavailable)
                    });
                }
            }
        }
        self.serve(actions, now)
    }

    /// The ledger took back what it was given, or did not.
    pub fn given_back(
        &mut self,
        lease: LeaseId,
        parts: &[GiveBack],
        given: Result<(), StoreError>,
        now: Instant,
    ) -> Vec<Action> {
        self.lease.heard(given.is_ok());
        match given {
            Ok(()) => self.slices.given_back(lease, parts),
            Err(error) => {
                tracing::debug!(%error, "what is not needed of budgets could not be given back yet");
                self.slices.not_given_back();
            }
        }
        self.serve(Vec::new(), now)
    }

    /// The ledger told what other processes want back.
    pub fn recalled(&mut self, lease: LeaseId, recalls: Result<Vec<Recall>, StoreError>, now: Instant) -> Vec<Action> {
        self.looking_for_recalls = false;
        self.lease.heard(recalls.is_ok());
        if let Ok(recalls) = recalls
            && self.lease.known() == Some(lease)
        {
            for recall in &recalls {
                self.slices.recall(recall);
                self.thirst.remove(&recall.scope);
            }
        }
        self.serve(Vec::new(), now)
    }

    /// The ledger told which budgets changed.
    pub fn changed(&mut self, changes: Result<BudgetChanges, StoreError>, now: Instant) -> Vec<Action> {
        self.lease.heard(changes.is_ok());
        let next = match changes {
            Ok(changes) => {
                let next = changes.next;
                self.apply(changes);
                Some(next)
            }
            Err(error) => {
                tracing::debug!(%error, "changed budgets could not be looked for");
                None
            }
        };
        let actions = self.changes.looked(next, now).into_iter().collect();
        self.serve(actions, now)
    }

    fn take_grant(&mut self, asked: &GrantRequest, grant: Grant, actions: &mut Vec<Action>, now: Instant) {
        let book = self.published.load_full();
        let entry = book.get(&asked.scope);
        // An answer to a director that was lost may come after one that this director got to its next question.
        let is_late = entry.is_some_and(|entry| asked.seq < entry.next_question());
        self.note_answered(asked);
        match grant {
            Grant::Granted {
                period,
                granted,
                now: told,
                ..
            } => {
                self.recalled.remove(&asked.scope);
                self.keep_granted(&asked.scope, entry, period, granted, told, now);
                // Last: until it is kept, a director that comes after this one has to ask once more.
                if let Some(entry) = entry {
                    entry.set_answered(asked.seq);
                }
            }
            Grant::Short { .. } if is_late => {}
            // What was posted for a lease of this process that ran out is taken back before long.
            Grant::Short { recalling, .. } if recalling || self.lost.are_being_ended(now) => {
                self.recalled.insert(asked.scope.clone(), now + ASK_AGAIN);
            }
            Grant::Short {
                left,
                period,
                now: told,
                ..
            } => {
                if let Some(entry) = entry {
                    entry.set_answered(asked.seq);
                }
                self.recalled.remove(&asked.scope);
                self.waiters.refuse(actions, now, |short, _| {
                    let refused = short.entry.scope == asked.scope && short.missing > left;
                    refused.then(|| exhausted(&short.entry, period.left_at(told)))
                });
            }
            Grant::NoBudget => {
                // It may have been set again since, and heard of before this answer.
                if let Some(entry) = entry.filter(|entry| entry.next_question() == asked.seq) {
                    entry.set_answered(asked.seq);
                    entry.remove();
                }
                actions.extend(self.changes.look_at_all_now(now));
            }
            Grant::LeaseLost => self.lose_lease(now),
        }
    }

    /// Keeps what was granted. It is spent from now on, unless the budget has other periods by now, or is gone.
    fn keep_granted(
        &mut self,
        scope: &Scope,
        entry: Option<&Arc<BudgetEntry>>,
        period: Period,
        granted: NanoUsd,
        told: i64,
        now: Instant,
    ) {
        let Some(term) = self.lease.term() else { return };
        let window = Period::window_of(&period.id);
        let slice = self.slices.find_or_keep(scope, &period.id, now, || {
            let ends = period.left_at(told).map(|left| now + left);
            Slice::new(scope.clone(), period.clone(), ends, term)
        });
        slice.granted(granted);
        if let Some(entry) = entry.filter(|entry| window == Some(entry.rule.window)) {
            let before = entry.replace_slice(Some(Arc::clone(&slice)));
            self.slices.retire(before);
            self.slices.spend_from(&slice);
        }
    }

    /// Gives the waiters what there is, and asks for what is missing.
    fn serve(&mut self, mut actions: Vec<Action>, now: Instant) -> Vec<Action> {
        let mut wants = self.waiters.serve(&mut actions, now);
        // What an answer that is under way adds to stays where it is: by half of what it needs nobody is served.
        if !self.granting && self.slices.heed_recalls() {
            wants = self.waiters.serve(&mut actions, now);
        }
        actions.extend(self.give_back());
        if wants.is_empty() && self.unknown.is_empty() {
            return actions;
        }
        if let Some(action) = self.lease.make_valid(now) {
            actions.push(action);
            return actions;
        }
        let Some(lease) = self.lease.valid(now).map(|term| term.lease()) else {
            return actions;
        };
        if self.granting {
            return actions;
        }
        let mut wanted = self.questions_again(&wants, now);
        for (scope, want) in wants {
            let is_recalled = self.recalled.get(&scope).is_some_and(|again| now < *again);
            // Of a budget that was deleted and set again, what came of the last question before is found out first.
            let (next, unknown) = (want.entry.next_question(), self.unknown.get(&scope));
            let is_unknown = unknown.is_some_and(|unknown| now < unknown.again || unknown.seq != next);
            if !is_recalled && !is_unknown {
                let wish = want.total + self.stock(&scope, want.least, now);
                let question = question(&want.entry, want.least, wish);
                self.published.load().holdings().note_question(question.seq);
                wanted.push(question);
            }
        }
        if !wanted.is_empty() {
            self.granting = true;
            actions.push(Action::Grant { lease, wanted });
        }
        actions
    }

    /// How much of a scope is to be had in stock, so that the next calls need not wait.
    fn stock(&mut self, scope: &Scope, amount: NanoUsd, now: Instant) -> NanoUsd {
        let first = NanoUsd(amount.0.saturating_mul(FIRST_STOCK));
        let thirst = self.thirst.entry(scope.clone()).or_insert(Thirst {
            stock: NanoUsd(first.0 / 2),
            asked: now,
        });
        let is_thirsty = now.saturating_duration_since(thirst.asked) < THIRSTY;
        thirst.stock = if is_thirsty {
            NanoUsd(thirst.stock.0.saturating_mul(2))
        } else {
            first
        };
        thirst.asked = now;
        thirst.stock
    }

    fn give_back(&mut self) -> Option<Action> {
        let lease = self.lease.known()?;
        let parts = self.slices.give_back_now();
        (!parts.is_empty()).then_some(Action::GiveBack { lease, parts })
    }

    /// Refuses those who wait for other processes for too long.
    fn lose_patience(&mut self, actions: &mut Vec<Action>, now: Instant) {
        if self.granting || self.recalled.is_empty() {
            return;
        }
        let mut given_up = Vec::new();
        let recalled = &self.recalled;
        self.waiters.refuse(actions, now, |short, since| {
            let is_late = now.saturating_duration_since(since) >= RECALL_PATIENCE;
            if !is_late || !recalled.contains_key(&short.entry.scope) {
                return None;
            }
            given_up.push(Arc::clone(&short.entry));
            Some(exhausted(&short.entry, None))
        });
        for entry in given_up {
            // The next question is a new one, of which the others must hear again.
            if self.recalled.remove(&entry.scope).is_some() {
                entry.set_answered(entry.next_question());
            }
        }
    }

    /// All slices are gone; calls that are under way settle under the lease that they began with.
    fn lose_lease(&mut self, now: Instant) {
        tracing::warn!("the lease on what this process holds of budgets was lost; it asks for a new one");
        let lost = self.lease.lost();
        let slices = self.slices.lose_all();
        if let Some(lease) = lost {
            self.published.load().holdings().note_lost(lease, slices);
            self.lost.begin(now + RECALL_PATIENCE);
        }
        self.recalled.clear();
        self.unknown.clear();
        self.published.load().holdings().forget_questions(|_, _| true);
        for entry in self.published.load().entries() {
            entry.replace_slice(None);
            entry.forget_questions();
        }
    }
}

fn exhausted(entry: &BudgetEntry, renews_in: Option<Duration>) -> BudgetError {
    BudgetError::Exhausted {
        scope: entry.scope.clone(),
        then: entry.rule.on_exhausted,
        renews_in,
    }
}
