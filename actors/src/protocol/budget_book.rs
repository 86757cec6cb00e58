//! Every budget as cells read it, published by the BudgetDirector.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::time::Instant;

use super::ids::ConversationId;
use super::ledger::{BudgetRule, LeaseId};
use super::money::NanoUsd;
use super::scope::Scope;
use super::slice::{LeaseTerm, Slice};
use super::tenancy::KeyId;

/// A budget, and the slice of it that is spent from now.
#[derive(Debug)]
pub struct BudgetEntry {
    /// What it is for.
    pub scope: Scope,
    /// What holds for it.
    pub rule: BudgetRule,
    state: Arc<EntryState>,
}

/// What outlives a change of the rule.
#[derive(Debug, Default)]
struct EntryState {
    slice: ArcSwapOption<Slice>,
    /// The last question of the present lease, and the last that was answered.
    asked: AtomicU64,
    answered: AtomicU64,
    gone: AtomicBool,
    told: ArcSwapOption<Told>,
}

/// What the ledger said of a budget.
#[derive(Debug)]
struct Told {
    /// What it could have granted then; nothing where it could not be asked.
    left: Option<NanoUsd>,
    at: Instant,
    /// The slice that was spent from then, and what this process had of it.
    slice: Option<Arc<Slice>>,
    had: NanoUsd,
}

impl BudgetEntry {
    /// A budget that nothing is spent from yet.
    #[must_use]
    pub fn new(scope: Scope, rule: BudgetRule) -> Self {
        Self {
            scope,
            rule,
            state: Arc::default(),
        }
    }

    /// A budget that was deleted and is set again, or may have been. Its questions have numbers after this one: the ledger
    /// knows which were asked before, and takes no notice of an earlier one.
    #[must_use]
    pub fn new_after(last_question: u64, scope: Scope, rule: BudgetRule) -> Self {
        let entry = Self::new(scope, rule);
        entry.ask(last_question);
        entry.set_answered(last_question);
        entry
    }

    /// The same budget under another rule. What it had left under this one says nothing of it.
    #[must_use]
    pub fn with_rule(&self, rule: BudgetRule) -> Self {
        self.state.told.store(None);
        Self {
            scope: self.scope.clone(),
            rule,
            state: Arc::clone(&self.state),
        }
    }

    /// The slice that is spent from.
    #[must_use]
    pub fn slice(&self) -> Option<Arc<Slice>> {
        self.state.slice.load_full()
    }

    /// Has another slice spent from, or none; the one before.
    pub fn replace_slice(&self, slice: Option<Arc<Slice>>) -> Option<Arc<Slice>> {
        self.state.slice.swap(slice)
    }

    /// The number of the next question to the ledger: the last one's, if that has no answer yet.
    #[must_use]
    pub fn next_question(&self) -> u64 {
        self.state.answered.load(Ordering::Acquire) + 1
    }

    /// Whether a question was asked that has no answer yet.
    #[must_use]
    pub fn has_open_question(&self) -> bool {
        self.state.asked.load(Ordering::Acquire) > self.state.answered.load(Ordering::Acquire)
    }

    /// Notes that a question is asked.
    pub fn ask(&self, seq: u64) {
        self.state.asked.store(seq, Ordering::Release);
    }

    /// Notes that a question was answered, or that its answer does not matter any more.
    pub fn set_answered(&self, seq: u64) {
        self.state.answered.fetch_max(seq, Ordering::AcqRel);
    }

    /// Begins to count questions anew: there is another lease.
    pub fn forget_questions(&self) {
        self.state.asked.store(0, Ordering::Release);
        self.state.answered.store(0, Ordering::Release);
    }

    /// Notes what the ledger could still grant, or that it could not be asked.
    pub fn note_left(&self, left: Option<NanoUsd>, at: Instant) {
        let slice = self.slice();
        let had = slice.as_ref().map_or(NanoUsd::ZERO, |slice| slice.had());
        self.state.told.store(Some(Arc::new(Told { left, at, slice, had })));
    }

    /// When the ledger was asked for it last; nothing where that says nothing of now.
    #[must_use]
    pub fn told_at(&self, now: Instant) -> Option<Instant> {
        let told = self.state.told.load();
        let told = told.as_ref()?;
        told.known_of(self.slice().as_ref(), now).then_some(told.at)
    }

    /// About how much is left: what the ledger could grant when it was asked last, and what this process has got and spent
    /// since. What others have got and spent since is not in it. Nothing where it is not known.
    #[must_use]
    pub fn left(&self, now: Instant) -> Option<NanoUsd> {
        let told = self.state.told.load();
        let (told, slice) = (told.as_ref()?, self.slice());
        let left = told.left.filter(|_| told.known_of(slice.as_ref(), now))?;
        let Some(slice) = slice else { return Some(left) };
        Some((left + told.had - slice.had() + slice.available()).max(NanoUsd::ZERO))
    }

    /// Notes that there is no such budget any more: whoever has it in hand need not heed it.
    pub fn remove(&self) {
        self.state.gone.store(true, Ordering::Release);
    }

    /// Whether there is no such budget any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.state.gone.load(Ordering::Acquire)
    }
}

impl Told {
    /// Whether it says something of this slice: one of another period, or of another lease, has other sums.
    fn known_of(&self, slice: Option<&Arc<Slice>>, now: Instant) -> bool {
        match (&self.slice, slice) {
            (_, None) => true,
            (None, Some(slice)) => !slice.is_over(now),
            (Some(then), Some(slice)) => Arc::ptr_eq(then, slice) && !slice.is_over(now),
        }
    }
}

/// What the process holds of all budgets: noted where a director that has panicked leaves it to the next.
#[derive(Debug, Default)]
pub struct Holdings {
    /// The term of the lease.
    pub term: ArcSwapOption<LeaseTerm>,
    /// Every slice under it, those of earlier periods too.
    pub slices: ArcSwap<Vec<Arc<Slice>>>,
    last_question: AtomicU64,
    /// Questions without an answer about budgets that were deleted meanwhile: something may have been granted.
    open_questions: ArcSwap<Vec<(Scope, u64)>>,
    /// Leases that were lost and that the ledger does not know to have ended.
    lost: ArcSwap<Vec<LostLease>>,
}

/// A lease that ran out while the process went on: what its slices held was posted in full.
#[derive(Debug, Clone)]
pub struct LostLease {
    /// The lease.
    pub lease: LeaseId,
    /// Its slices, of which nothing can be taken any more.
    slices: Vec<Arc<Slice>>,
}

impl LostLease {
    /// Whether every call that it paid for has ended, and was handed over to be stored.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.slices.iter().all(|slice| slice.open() == 0)
    }
}

impl Holdings {
    /// Notes the number of a question that is asked about whatever budget.
    pub fn note_question(&self, seq: u64) {
        self.last_question.fetch_max(seq, Ordering::AcqRel);
    }

    /// The highest number that a question about any budget has had.
    #[must_use]
    pub fn last_question(&self) -> u64 {
        self.last_question.load(Ordering::Acquire)
    }

    /// Keeps the question of a deleted budget that has no answer, if there is one.
    pub fn keep_question_of(&self, gone: &BudgetEntry) {
        if gone.has_open_question() {
            let mut open = Vec::clone(&self.open_questions.load());
            open.retain(|(scope, _)| *scope != gone.scope);
            open.push((gone.scope.clone(), gone.next_question()));
            self.open_questions.store(Arc::new(open));
        }
    }

    /// Notes that a lease was lost, with these slices, which nothing can be taken from.
    pub fn note_lost(&self, lease: LeaseId, slices: Vec<Arc<Slice>>) {
        let mut lost = Vec::clone(&self.lost.load());
        lost.push(LostLease { lease, slices });
        self.lost.store(Arc::new(lost));
    }

    /// The leases that were lost.
    #[must_use]
    pub fn lost(&self) -> Arc<Vec<LostLease>> {
        self.lost.load_full()
    }

    /// Forgets a lost lease: the ledger knows that it has ended.
    pub fn forget_lost(&self, lease: LeaseId) {
        let mut lost = Vec::clone(&self.lost.load());
        lost.retain(|lost| lost.lease != lease);
        self.lost.store(Arc::new(lost));
    }

    /// The questions that were kept.
    #[must_use]
    pub fn open_questions(&self) -> Arc<Vec<(Scope, u64)>> {
        self.open_questions.load_full()
    }

    /// Forgets kept questions that were answered, or do not matter any more.
    pub fn forget_questions(&self, is_answered: impl Fn(&Scope, u64) -> bool) {
        let open = self.open_questions.load();
        if open.iter().any(|(scope, seq)| is_answered(scope, *seq)) {
            let mut open = Vec::clone(&open);
            open.retain(|(scope, seq)| !is_answered(scope, *seq));
            self.open_questions.store(Arc::new(open));
        }
    }
}

/// Every budget, as cells read it.
#[derive(Debug, Default)]
pub struct BudgetBook {
    holdings: Arc<Holdings>,
    global: Option<Arc<BudgetEntry>>,
    projects: HashMap<Arc<str>, Arc<BudgetEntry>>,
    users: HashMap<Arc<str>, Arc<BudgetEntry>>,
    keys: HashMap<KeyId, Arc<BudgetEntry>>,
    conversations: HashMap<ConversationId, Arc<BudgetEntry>>,
}

/// Whose money a call costs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payer<'a> {
    /// The project.
    pub project: Option<&'a str>,
    /// The user.
    pub user: Option<&'a str>,
    /// The virtual key.
    pub key: Option<&'a KeyId>,
    /// The conversation.
    pub conversation: Option<&'a ConversationId>,
}

/// The budgets that a call must be paid from, all of them or none.
pub type BudgetPath = Vec<Arc<BudgetEntry>>;

impl BudgetBook {
    /// A book of these budgets.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = Arc<BudgetEntry>>) -> Self {
        Self::default().with(entries)
    }

    /// A book of these budgets that follows this one.
    #[must_use]
    pub fn with(&self, entries: impl IntoIterator<Item = Arc<BudgetEntry>>) -> Self {
        let mut book = Self {
            holdings: Arc::clone(&self.holdings),
            ..Self::default()
        };
        for entry in entries {
            match &entry.scope {
                Scope::Global => book.global = Some(entry),
                Scope::Project(id) => _ = book.projects.insert(Arc::clone(id), entry),
                Scope::User(id) => _ = book.users.insert(Arc::clone(id), entry),
                Scope::Key(id) => _ = book.keys.insert(id.clone(), entry),
                Scope::Conversation(id) => _ = book.conversations.insert(id.clone(), entry),
            }
        }
        book
    }

    /// What the process holds.
    #[must_use]
    pub fn holdings(&self) -> &Arc<Holdings> {
        &self.holdings
    }

    /// The budget of this scope.
    #[must_use]
    pub fn get(&self, scope: &Scope) -> Option<&Arc<BudgetEntry>> {
        match scope {
            Scope::Global => self.global.as_ref(),
            Scope::Project(id) => self.projects.get(id),
            Scope::User(id) => self.users.get(id),
            Scope::Key(id) => self.keys.get(id),
            Scope::Conversation(id) => self.conversations.get(id),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    /// The budgets that concern a call.
    #[must_use]
    pub fn path(&self, payer: Payer<'_>) -> BudgetPath {
        let project = payer.project.and_then(|id| self.projects.get(id));
        let user = payer.user.and_then(|id| self.users.get(id));
        let key = payer.key.and_then(|id| self.keys.get(id));
        let conversation = payer.conversation.and_then(|id| self.conversations.get(id));
        // A name without a tenant is for every conversation of that name.
        let named = payer.conversation.filter(|id| id.has_tenant());
        let named = named.and_then(|id| self.conversations.get(id.client_text()));
        let entries = [self.global.as_ref(), project, user, key, conversation, named];
        entries.into_iter().flatten().cloned().collect()
    }

    /// Every budget.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<BudgetEntry>> {
        let projects_and_users = self.projects.values().chain(self.users.values());
        let others = self.keys.values().chain(self.conversations.values());
        self.global.iter().chain(projects_and_users).chain(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{InstanceId, LeaseId, OnExhausted, Reserved, Window};

    fn entry() -> Arc<BudgetEntry> {
        let rule = BudgetRule {
            limit: NanoUsd(1_000),
            window: Window::Total,
            on_exhausted: OnExhausted::Refuse,
            max_layer: None,
            alert_percents: Vec::new(),
        };
        Arc::new(BudgetEntry::new(Scope::Global, rule))
    }

    fn slice(ends: Option<Instant>, now: Instant) -> Arc<Slice> {
        let lease = LeaseId {
            instance: InstanceId::generate(),
            epoch: 1,
        };
        let term = LeaseTerm::new(lease, now, now + std::time::Duration::from_secs(60));
        let period = Window::Total.period_at(0);
        Arc::new(Slice::new(Scope::Global, period, ends, Arc::new(term)))
    }

    #[test]
    fn what_is_left_follows_what_this_process_gets_spends_and_gives_back() {
        let (entry, now) = (entry(), Instant::now());
        assert_eq!((entry.left(now), entry.told_at(now)), (None, None));
        entry.note_left(Some(NanoUsd(500)), now);
        assert_eq!((entry.left(now), entry.told_at(now)), (Some(NanoUsd(500)), Some(now)));
        let slice = slice(None, now);
        slice.granted(NanoUsd(300));
        entry.replace_slice(Some(Arc::clone(&slice)));
        assert_eq!(entry.left(now), Some(NanoUsd(500)), "what it was granted it has");
        let path = [Arc::clone(&entry)];
        let held = Reserved::take(&path, NanoUsd(100), now).unwrap();
        assert_eq!(entry.left(now), Some(NanoUsd(400)), "what is held is not left");
        held.settle(NanoUsd(30));
        assert_eq!(entry.left(now), Some(NanoUsd(470)));
        slice.drain();
        assert_eq!(
            entry.left(now),
            Some(NanoUsd(470)),
            "what was given back can be granted again"
        );
        // The ledger says the same later, when it knows what was spent.
        entry.note_left(Some(NanoUsd(470)), now);
        assert_eq!(entry.left(now), Some(NanoUsd(470)));
        entry.note_left(None, now);
        assert_eq!((entry.left(now), entry.told_at(now)), (None, Some(now)));
    }

    #[test]
    fn a_call_is_paid_by_its_own_conversation_and_by_the_name_of_it() {
        let rule = entry().rule.clone();
        let scopes = ["conversation:talk", "conversation:p=a/talk", "conversation:p=a/other"];
        let of_scope = |scope: &str| Arc::new(BudgetEntry::new(scope.parse().unwrap(), rule.clone()));
        let book = BudgetBook::new(scopes.map(of_scope));
        let paid_by = |stored: &str| {
            let conversation = ConversationId::from_stored(stored).unwrap();
            let path = book.path(Payer {
                conversation: Some(&conversation),
                ..Payer::default()
            });
            path.iter().map(|entry| entry.scope.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(paid_by("p=a/talk"), ["conversation:p=a/talk", "conversation:talk"]);
        assert_eq!(paid_by("p=b/talk"), ["conversation:talk"]);
        assert_eq!(paid_by("talk"), ["conversation:talk"]);
        assert_eq!(paid_by("p=a/other"), ["conversation:p=a/other"]);
        assert_eq!(paid_by("other"), Vec::<String>::new());
    }

    #[test]
    fn what_was_told_of_another_slice_or_period_says_nothing() {
        let (entry, now) = (entry(), Instant::now());
        let later = now + std::time::Duration::from_secs(1);
        entry.replace_slice(Some(slice(Some(later), now)));
        entry.note_left(Some(NanoUsd(500)), now);
        assert_eq!(entry.left(now), Some(NanoUsd(500)));
        assert_eq!((entry.left(later), entry.told_at(later)), (None, None));
        entry.replace_slice(Some(slice(None, now)));
        assert_eq!((entry.left(now), entry.told_at(now)), (None, None));
    }
}
