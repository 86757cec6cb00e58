//! What stands behind the cell of a measurement in the place of a database: nothing is kept but the call records, and
//! these only until they are added up.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{
    AmendAnswer, AttemptId, AttemptJournal, Budget, BudgetChanges, BudgetCursor, BudgetRule, BudgetStatus, BudgetStore,
    CallRecord, CallStore, CloseTurn, ConversationId, ConversationPage, ConversationStore, DispatchRecord,
    ExpiredSlice, GiveBack, Grant, GrantRequest, InstanceId, JournalContents, JournalError, JournalSeq, LeaseId,
    LedgerStore, OpenTurn, Recall, RequestId, Scope, StoreError, StoreFuture, TodoList, TodoStore, TurnOpened,
};
use tokio::sync::mpsc::UnboundedSender;

/// A journal that counts: what is measured need not outlive the process.
#[derive(Debug, Default)]
pub(super) struct CountingJournal {
    last: Cell<u64>,
    open: Cell<i64>,
}

impl CountingJournal {
    /// How many attempts were begun and not ended.
    pub(super) fn open(&self) -> i64 {
        self.open.get()
    }

    fn next(&self, open: i64) -> JournalSeq {
        self.last.set(self.last.get() + 1);
        self.open.set(self.open.get() + open);
        JournalSeq(self.last.get())
    }
}

impl AttemptJournal for CountingJournal {
    fn dispatched(&self, _: &DispatchRecord) -> Result<JournalSeq, JournalError> {
        Ok(self.next(1))
    }

    fn finished(&self, _: &CallRecord) -> Result<JournalSeq, JournalError> {
        Ok(self.next(-1))
    }

    fn acknowledge(&self, _: &[AttemptId]) {}

    fn contents(&self) -> Result<JournalContents, JournalError> {
        Ok(JournalContents {
            last: JournalSeq(self.last.get()),
            ..JournalContents::default()
        })
    }

    fn finished_after(&self, _: JournalSeq, _: usize) -> Result<Vec<(JournalSeq, CallRecord)>, JournalError> {
        Ok(Vec::new())
    }
}

/// Hands call records over to whoever adds them up.
#[derive(Debug)]
pub(super) struct Records(pub(super) UnboundedSender<Arc<CallRecord>>);

impl CallStore for Records {
    fn insert_calls(&self, records: Vec<Arc<CallRecord>>) -> StoreFuture<()> {
        for record in records {
            // Whoever adds up is there as long as the cell.
            let _ = self.0.send(record);
        }
        ready(())
    }
}

/// No conversations, no to-do lists and no budgets.
#[derive(Debug)]
pub(super) struct Nothing;

fn ready<T: Send + 'static>(value: T) -> StoreFuture<T> {
    Box::pin(std::future::ready(Ok(value)))
}

fn none<T: Send + 'static>() -> StoreFuture<T> {
    Box::pin(std::future::ready(Err(StoreError::Unavailable { source: None })))
}

impl ConversationStore for Nothing {
    fn open_turn(&self, _: OpenTurn) -> StoreFuture<TurnOpened> {
        none()
    }

    fn close_turn(&self, _: CloseTurn) -> StoreFuture<()> {
        none()
    }

    fn amend_answer(&self, _: AmendAnswer) -> StoreFuture<bool> {
        ready(false)
    }

    fn page(&self, _: ConversationId, _: u32, _: Option<i64>) -> StoreFuture<Option<ConversationPage>> {
        ready(None)
    }

    fn delete_conversation(&self, _: ConversationId) -> StoreFuture<bool> {
        ready(false)
    }
}

impl TodoStore for Nothing {
    fn open_list(&self, _: ConversationId) -> StoreFuture<Option<TodoList>> {
        ready(None)
    }

    fn put(&self, _: ConversationId, _: RequestId, _: TodoList) -> StoreFuture<()> {
        ready(())
    }
}

impl BudgetStore for Nothing {
    fn budget_changes(&self, from: BudgetCursor) -> StoreFuture<BudgetChanges> {
        ready(BudgetChanges {
            budgets: Vec::<Budget>::new(),
            next: from,
            complete: true,
        })
    }

    fn set_budget(&self, _: Scope, _: BudgetRule) -> StoreFuture<BudgetStatus> {
        none()
    }

    fn recount(&self, _: Scope) -> StoreFuture<Option<BudgetStatus>> {
        none()
    }

    fn delete_budget(&self, _: Scope) -> StoreFuture<bool> {
        ready(false)
    }

    fn budget(&self, _: Scope) -> StoreFuture<Option<BudgetStatus>> {
        none()
    }
}

impl LedgerStore for Nothing {
    fn open_lease(&self, _: InstanceId, _: Duration) -> StoreFuture<LeaseId> {
        none()
    }

    fn renew_lease(&self, _: LeaseId, _: Duration) -> StoreFuture<bool> {
        ready(true)
    }

    fn expire_leases(&self, _: Duration) -> StoreFuture<Vec<ExpiredSlice>> {
        ready(Vec::new())
    }

    fn end_leases_of(&self, _: Vec<InstanceId>) -> StoreFuture<()> {
        ready(())
    }

    fn end_lease(&self, _: LeaseId) -> StoreFuture<()> {
        ready(())
    }

    fn grant(&self, _: LeaseId, wanted: Vec<GrantRequest>) -> StoreFuture<Vec<Grant>> {
        ready(wanted.iter().map(|_| Grant::NoBudget).collect())
    }

    fn give_back(&self, _: LeaseId, _: Vec<GiveBack>) -> StoreFuture<()> {
        ready(())
    }

    fn recalls(&self, _: LeaseId) -> StoreFuture<Vec<Recall>> {
        ready(Vec::new())
    }
}
