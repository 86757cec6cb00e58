//! A store in memory.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::protocol::{
    AmendAnswer, AttemptId, CallRecord, CallStore, Chain, CloseTurn, ConversationId, ConversationPage,
    ConversationStore, MessageStatus, OpenTurn, RequestId, ResponseId, ResponseStore, Role, StoreError, StoreFuture,
    StoredMessage, StoredResponse, TodoList, TodoStore, TurnOpened,
};

/// Call records, conversations and responses in memory. It keeps to the shape of the ports, not to every rule of the
/// database: those are tested where the database is. Nothing expires here.
#[derive(Debug, Default)]
pub struct MemoryStore {
    calls: ArcSwap<HashMap<AttemptId, Arc<CallRecord>>>,
    conversations: ArcSwap<HashMap<ConversationId, Vec<StoredMessage>>>,
    /// The places of messages that their clients have names for.
    named: ArcSwap<HashMap<(ConversationId, Arc<str>), i64>>,
    responses: ArcSwap<HashMap<ResponseId, StoredResponse>>,
    todos: ArcSwap<HashMap<ConversationId, Vec<TodoList>>>,
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

    /// The responses.
    #[must_use]
    pub fn responses(&self) -> Vec<StoredResponse> {
        self.responses.load().values().cloned().collect()
    }

    /// The messages of a conversation.
    #[must_use]
    pub fn messages(&self, conversation: &ConversationId) -> Vec<StoredMessage> {
        self.conversations.load().get(conversation).cloned().unwrap_or_default()
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T) -> StoreFuture<T> {
        self.try_answer(|store| Ok(work(store)))
    }

    fn try_answer<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T, StoreError>) -> StoreFuture<T> {
        let result = if **self.away.load() {
            Err(StoreError::Unavailable { source: None })
        } else {
            work(self)
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
            let name = turn.client_message_id.map(|id| (turn.conversation.clone(), id));
            let before = name.as_ref().and_then(|name| store.named.load().get(name).copied());
            let is_its_answer = |message: &&StoredMessage| {
                before.is_some_and(|seq| message.seq == seq + 1) && message.status == MessageStatus::Done
            };
            if let Some(answer) = history.iter().find(is_its_answer).cloned() {
                return TurnOpened::AlreadyAnswered { answer };
            }
            let seq = store.append(&turn.conversation, Role::User, &turn.message, MessageStatus::Pending);
            if let Some(name) = name {
                store.named.rcu(|named| {
                    let mut named = HashMap::clone(named);
                    named.insert(name.clone(), seq);
                    named
                });
            }
            TurnOpened::Opened {
                seq,
                history,
                route_layer: None,
            }
        })
    }

    fn close_turn(&self, turn: CloseTurn) -> StoreFuture<()> {
        self.try_answer(|store| {
            let messages = store.messages(&turn.conversation);
            if !messages.iter().any(|message| message.seq == turn.user_seq) {
                return turn.answer.map_or(Ok(()), |_| Err(StoreError::ConversationDeleted));
            }
            let (text, status) = match turn.answer {
                Some(text) => (text, MessageStatus::Done),
                None => ("".into(), MessageStatus::Failed),
            };
            store.conversations.rcu(|conversations| {
                let mut conversations = HashMap::clone(conversations);
                let messages = conversations.get_mut(&turn.conversation).into_iter().flatten();
                for message in messages.filter(|message| message.seq == turn.user_seq) {
                    message.status = status;
                }
                conversations
            });
            store.append(&turn.conversation, Role::Assistant, &text, status);
            Ok(())
        })
    }

    fn amend_answer(&self, amendment: AmendAnswer) -> StoreFuture<bool> {
        self.answer(|store| {
            let mut is_amended = false;
            store.conversations.rcu(|conversations| {
                let mut conversations = HashMap::clone(conversations);
                let newest = conversations.get_mut(&amendment.conversation);
                let newest = newest.and_then(|messages| messages.last_mut());
                is_amended = newest.is_some_and(|newest| {
                    let is_answer = newest.seq == amendment.user_seq + 1 && newest.status == MessageStatus::Done;
                    if is_answer {
                        newest.content = Arc::clone(&amendment.answer);
                    }
                    is_answer
                });
                conversations
            });
            is_amended
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

    fn delete_conversation(&self, conversation: ConversationId) -> StoreFuture<bool> {
        self.answer(|store| {
            let before = store.conversations.rcu(|conversations| {
                let mut conversations = HashMap::clone(conversations);
                conversations.remove(&conversation);
                conversations
            });
            store.named.rcu(|named| {
                let mut named = HashMap::clone(named);
                named.retain(|(of, _), _| *of != conversation);
                named
            });
            store.todos.rcu(|todos| {
                let mut todos = HashMap::clone(todos);
                todos.remove(&conversation);
                todos
            });
            before.contains_key(&conversation)
        })
    }
}

impl TodoStore for MemoryStore {
    fn open_list(&self, conversation: ConversationId) -> StoreFuture<Option<TodoList>> {
        self.answer(|store| {
            let lists = store.todos.load();
            let newest = lists.get(&conversation).and_then(|lists| lists.last());
            newest.filter(|list| list.is_open()).cloned()
        })
    }

    fn put(&self, conversation: ConversationId, _: RequestId, list: TodoList) -> StoreFuture<()> {
        self.answer(|store| {
            store.todos.rcu(|todos| {
                let mut todos = HashMap::clone(todos);
                let lists = todos.entry(conversation.clone()).or_default();
                match lists.iter_mut().find(|there| there.id == list.id) {
                    Some(there) => *there = list.clone(),
                    None => lists.push(list.clone()),
                }
                todos
            });
        })
    }
}

impl ResponseStore for MemoryStore {
    fn put(&self, response: StoredResponse) -> StoreFuture<()> {
        let is_taken = |there: &StoredResponse| *there != response;
        if self.responses.load().get(&response.id).is_some_and(is_taken) {
            return Box::pin(std::future::ready(Err(StoreError::ResponseMismatch)));
        }
        self.answer(|store| {
            store.responses.rcu(|responses| {
                let mut responses = HashMap::clone(responses);
                responses.insert(response.id.clone(), response.clone());
                responses
            });
        })
    }

    fn get(&self, id: &ResponseId) -> StoreFuture<Option<StoredResponse>> {
        self.answer(|store| store.responses.load().get(id).cloned())
    }

    fn chain(&self, id: &ResponseId, most: u32) -> StoreFuture<Chain> {
        self.answer(|store| {
            let responses = store.responses.load();
            let mut newest_first = Vec::new();
            let mut next = Some(id);
            while let Some(id) = next {
                let Some(response) = responses.get(id) else {
                    return Chain::Broken { missing: id.clone() };
                };
                newest_first.push(response.clone());
                if newest_first.len() > most as usize {
                    return Chain::TooLong;
                }
                next = response.previous.as_ref();
            }
            newest_first.reverse();
            Chain::Whole(newest_first)
        })
    }

    fn delete(&self, id: &ResponseId) -> StoreFuture<bool> {
        self.answer(|store| {
            let before = store.responses.rcu(|responses| {
                let mut responses = HashMap::clone(responses);
                responses.remove(id);
                responses
            });
            before.contains_key(id)
        })
    }

    fn purge_expired(&self) -> StoreFuture<usize> {
        self.answer(|_| 0)
    }
}
