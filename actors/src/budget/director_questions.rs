//! Questions to the ledger: their numbers, and those that have no answer.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

use super::director_core::DirectorCore;
use super::waiters::Want;
use crate::protocol::{BudgetBook, BudgetEntry, GrantRequest, NanoUsd, Scope};

/// A question without an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unknown {
    pub(super) seq: u64,
    pub(super) again: Instant,
}

/// The questions that an earlier core asked and has no answer to.
pub(super) fn unanswered(book: &BudgetBook, now: Instant) -> HashMap<Scope, Unknown> {
    let unanswered = book.entries().filter(|entry| entry.has_open_question());
    let unanswered = unanswered.map(|entry| (entry.scope.clone(), entry.next_question()));
    // Those about budgets that were deleted come first: they are the earlier ones of their scopes.
    let of_deleted = Vec::clone(&book.holdings().open_questions());
    unanswered
        .chain(of_deleted)
        .map(|(scope, seq)| (scope, Unknown { seq, again: now }))
        .collect()
}

/// The next question about a budget, or the last one once more.
pub(super) fn question(entry: &BudgetEntry, least: NanoUsd, wish: NanoUsd) -> GrantRequest {
    let seq = entry.next_question();
    entry.ask(seq);
    GrantRequest {
        scope: entry.scope.clone(),
        seq,
        least,
        wish,
    }
}

impl DirectorCore {
    /// The ledger could not be asked this, or its answer was lost: it is asked again then, unless it was answered meanwhile
    /// to a director that had asked it too.
    pub(super) fn note_unanswered(&mut self, asked: &[GrantRequest], again: Instant) {
        let book = self.published.load_full();
        let of_deleted = book.holdings().open_questions();
        for GrantRequest { scope, seq, .. } in asked {
            let is_answered = book.get(scope).is_some_and(|entry| entry.next_question() > *seq);
            if !is_answered || of_deleted.contains(&(scope.clone(), *seq)) {
                self.unknown.insert(scope.clone(), Unknown { seq: *seq, again });
            }
        }
    }

    /// The ledger has answered this.
    pub(super) fn note_answered(&mut self, asked: &GrantRequest) {
        let is_answered = |scope: &Scope, seq| *scope == asked.scope && seq <= asked.seq;
        self.unknown.retain(|scope, unknown| !is_answered(scope, unknown.seq));
        self.published.load().holdings().forget_questions(is_answered);
    }

    /// The questions without an answer that nobody who waits asks again: what they were granted is to be known.
    pub(super) fn questions_again(&self, wants: &BTreeMap<Scope, Want>, now: Instant) -> Vec<GrantRequest> {
        let is_asked = |scope: &Scope, seq| wants.get(scope).is_some_and(|want| want.entry.next_question() == seq);
        let due = self.unknown.iter();
        let due = due.filter(|(scope, unknown)| now >= unknown.again && !is_asked(scope, unknown.seq));
        let nothing = NanoUsd::ZERO;
        due.map(|(scope, unknown)| GrantRequest {
            scope: scope.clone(),
            seq: unknown.seq,
            least: nothing,
            wish: nothing,
        })
        .collect()
    }
}
