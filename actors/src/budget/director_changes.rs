//! Budgets that were set, changed or deleted while the process runs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::action::Action;
use super::director_core::DirectorCore;
use crate::protocol::{Budget, BudgetChanges, BudgetCursor, BudgetEntry, Scope};

/// How often changed budgets are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// How often all budgets are read anew, whatever the order of their changes says: a database may be put back.
const ALL_EVERY: Duration = Duration::from_secs(300);
/// Within this time of its change a budget holds in every process that reaches the database, and the records of calls
/// that ended before are in it: a look, the tick before it, what a record waits for company, and the database's own time.
pub const HEARD_EVERYWHERE: Duration = Duration::from_millis(600);

/// The search for changed budgets.
#[derive(Debug)]
pub(super) struct Changes {
    from: BudgetCursor,
    asking: bool,
    once_more: bool,
    next: Instant,
    /// From when on the next look is for all budgets.
    all_at: Instant,
}

impl Changes {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            from: BudgetCursor::default(),
            asking: false,
            once_more: false,
            next: now,
            all_at: now,
        }
    }

    /// Whether a look is under way.
    pub(super) fn is_looking(&self) -> bool {
        self.asking
    }

    /// The look that is due by the clock.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Action> {
        let is_due = !self.asking && now >= self.next;
        is_due.then(|| self.look(now))
    }

    /// A look that begins now: the one under way is followed by another.
    pub(super) fn look_now(&mut self, now: Instant) -> Option<Action> {
        if self.asking {
            self.once_more = true;
            return None;
        }
        Some(self.look(now))
    }

    /// The same for all budgets: something was forgotten that may have been heard of already.
    pub(super) fn look_at_all_now(&mut self, now: Instant) -> Option<Action> {
        self.all_at = now;
        self.look_now(now)
    }

    fn look(&mut self, now: Instant) -> Action {
        self.asking = true;
        self.next = now + LOOK;
        if now >= self.all_at {
            self.all_at = now + ALL_EVERY;
            self.from = BudgetCursor::default();
        }
        let from = self.from;
        Action::Changes { from }
    }

    /// A look ended, up to this place if it went well; the one that follows it at once.
    pub(super) fn looked(&mut self, next: Option<BudgetCursor>, now: Instant) -> Option<Action> {
        self.asking = false;
        self.from = next.unwrap_or(self.from);
        let once_more = std::mem::take(&mut self.once_more);
        once_more.then(|| self.look(now))
    }
}

impl DirectorCore {
    /// Publishes a book with these changes, if there are any. What is in stock of a budget whose rule changed goes back:
    /// the next call asks anew.
    pub(super) fn apply(&mut self, mut changes: BudgetChanges) {
        let book = self.published.load();
        if changes.complete {
            // Of what was deleted before anything was heard of, nothing is told.
            let told: HashSet<&Scope> = changes.budgets.iter().map(|told| &told.scope).collect();
            let known = book.entries().map(|entry| &entry.scope);
            let deleted: Vec<Scope> = known.filter(|scope| !told.contains(scope)).cloned().collect();
            let deleted = deleted.into_iter().map(|scope| Budget { scope, rule: None });
            changes.budgets.extend(deleted);
        }
        // One that is gone is no longer heeded: set again, be it as it was, it is a new one.
        let is_new = |change: &Budget| match (&change.rule, book.get(&change.scope)) {
            (Some(rule), Some(known)) => known.is_gone() || known.rule != *rule,
            (rule, known) => rule.is_some() || known.is_some(),
        };
        let changed: Vec<Budget> = changes.budgets.into_iter().filter(is_new).collect();
        if changed.is_empty() {
            return;
        }
        let last_question = book.holdings().last_question();
        let entries = book.entries().map(|entry| (entry.scope.clone(), Arc::clone(entry)));
        let mut entries: HashMap<Scope, Arc<BudgetEntry>> = entries.collect();
        for change in changed {
            let known = entries.get(&change.scope);
            match (change.rule, known) {
                (Some(rule), Some(known)) if !known.is_gone() => {
                    self.slices.take_out(known);
                    if known.rule.window != rule.window {
                        self.slices.retire(known.replace_slice(None));
                    }
                    entries.insert(change.scope, Arc::new(known.with_rule(rule)));
                }
                (Some(rule), known) => {
                    if let Some(gone) = known {
                        self.forget(gone);
                    }
                    let entry = BudgetEntry::new_after(last_question, change.scope.clone(), rule);
                    entries.insert(change.scope, Arc::new(entry));
                }
                (None, Some(known)) => {
                    known.remove();
                    self.forget(known);
                    entries.remove(&change.scope);
                }
                (None, None) => {}
            }
        }
        self.published.store(Arc::new(book.with(entries.into_values())));
    }

    /// What is in stock of a budget that is gone goes back.
    fn forget(&mut self, gone: &BudgetEntry) {
        // A question that waits for what others give back was granted nothing.
        if self.recalled.remove(&gone.scope).is_none() {
            self.published.load().holdings().keep_question_of(gone);
        }
        self.slices.take_out(gone);
        self.slices.retire(gone.replace_slice(None));
    }
}
