//! A store in memory.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::protocol::{
    AttemptId, CallRecord, CallStore, CloseTurn, ConversationId, ConversationPage, ConversationStore, MessageStatus,
    OpenTurn, Role, StoreError, StoreFuture, StoredMessage, TurnOpened,
};

/// Call records and conversations in memory. It keeps to the shape of the ports, not to every rule of the database:
/// those are tested where the database is.
#[derive(Debug, Default)]
pub struct MemoryStore {
    calls: ArcSwap<HashMap<AttemptId, Arc<CallRecord>>>,
    conversations: ArcSwap<HashMap<ConversationId, Vec<StoredMessage>>>,
    away: ArcSwap<bool>,
}

impl MemoryStore {
    /// Makes the store unreachable, or reachable again.
    pub fn set_away(&self, away: bool) {
        self.away.store(Arc::new(away));
    }

    /// The call records.
    #[must_use]
    pub fn calls(&self) -> Vec<Arc<CallRecord>> {
        self.calls.load().values().cloned().collect()
    }

    /// The messages of a conversation.
    #[must_use]
    pub fn messages(&self, conversation: &ConversationId) -> Vec<StoredMessage> {
        self.conversations.load().get(conversation).cloned().unwrap_or_default()
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T) -> StoreFuture<T> {
        let result = if **self.away.load() {
            Err(StoreError::Unavailable { source: None })
        } else {
            Ok(work(self))
        };
        Box::pin(std::future::ready(result))
    }

    fn append(&self, conversation: &ConversationId, role: Role, content: &Arc<str>, status: MessageStatus) -> i64 {
        let mut seq = 0;
        self.conversations.rcu(|conversations| {
            let mut conversations = HashMap::clone(conversations);
            let messages = conversations.entry(conversation.clone()).or_default();
            seq = i64::try_from(messages.len()).unwrap_or(i64::MAX) + 1;
            messages.push(StoredMessage {
                seq,
                role,
                content: Arc::clone(content),
                status,
                created_at: 0,
            });
            conversations
        });
        seq
    }
}

impl CallStore for MemoryStore {
    fn insert_calls(&self, records: Vec<Arc<CallRecord>>) -> StoreFuture<()> {
        self.answer(|store| {
            store.calls.rcu(|calls| {
                let mut calls = HashMap::clone(calls);
                for record in &records {
                    calls
                        .entry(record.dispatch.attempt)
                        .or_insert_with(|| Arc::clone(record));
                }
                calls
            });
        })
    }
}

impl ConversationStore for MemoryStore {
    fn open_turn(&self, turn: OpenTurn) -> StoreFuture<TurnOpened> {
        self.answer(|store| {
            let history = store.messages(&turn.conversation);
            let seq = store.append(&turn.conversation, Role::User, &turn.message, MessageStatus::Pending);
            TurnOpened::Opened { seq, history }
        })
    }

    fn close_turn(&self, turn: CloseTurn) -> StoreFuture<()> {
        self.answer(|store| {
            let (text, status) = match turn.answer {
                Some(text) => (text, MessageStatus::Done),
                None => ("".into(), MessageStatus::Failed),
            };
            store.append(&turn.conversation, Role::Assistant, &text, status);
        })
    }

    fn page(&self, conversation: ConversationId, _: u32, _: Option<i64>) -> StoreFuture<Option<ConversationPage>> {
        self.answer(|store| {
            let messages = store.messages(&conversation);
            (!messages.is_empty()).then(|| ConversationPage {
                messages,
                ..ConversationPage::default()
            })
        })
    }
}
