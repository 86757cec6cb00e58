//! Conversations that are deleted: what goes with them, and what a turn finds that runs meanwhile.

use std::time::Duration;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    AmendAnswer, ConversationId, EscalationDecision, OpenTurn, RequestId, StoreError, StoredMessage, TodoStatus,
    TurnOpened,
};

use crate::database::{TestStore, on_each_database};
use crate::escalations::{new_offer, offer_in, offered};
use crate::outcomes::{insert, outcome};
use crate::samples::{close, conversation, finished_call, turn};
use crate::todos::{list, put, talked};

on_each_database! {
    a_conversation_goes_with_all_that_is_its_own_and_no_account_does,
    f14_a_turn_whose_conversation_is_deleted_is_told_so_and_stores_nothing,
    f14_what_begins_under_the_id_of_a_deleted_conversation_is_not_touched_by_its_turns,
    f14_a_message_that_is_sent_again_after_a_deletion_is_answered_once,
    f14_a_better_answer_does_not_outlive_its_conversation,
    f14_deletions_between_turns_of_many_stores_leave_whole_conversations,
}

/// The tables of which a conversation has rows.
const ITS_OWN: [&str; 5] = [
    "conversations",
    "messages",
    "context_summaries",
    "todo_lists",
    "escalations",
];

fn forget(store: &Store, id: &ConversationId) -> bool {
    let deleted = store.conversations().delete_conversation(id.clone());
    store.block_on(deleted).unwrap()
}

fn open(store: &Store, turn: &OpenTurn) -> Result<TurnOpened, StoreError> {
    store.block_on(store.conversations().open_turn(turn.clone()))
}

/// Opens a turn that must be its conversation's first.
#[track_caller]
fn begins(store: &Store, turn: &OpenTurn) {
    match open(store, turn) {
        Ok(TurnOpened::Opened {
            seq,
            history,
            route_layer,
        }) => assert_eq!((seq, history, route_layer), (1, vec![], None)),
        other => panic!("{other:?}"),
    }
}

fn closed(store: &Store, turn: &OpenTurn, answer: Option<&str>) -> Result<(), StoreError> {
    store.block_on(store.conversations().close_turn(close(turn, 1, answer)))
}

#[track_caller]
fn assert_deleted<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::ConversationDeleted)), "{result:?}");
}

fn stored(store: &Store, id: &ConversationId) -> Option<Vec<StoredMessage>> {
    let page = store.block_on(store.conversations().page(id.clone(), 100, None));
    page.unwrap().map(|page| page.messages)
}

fn texts(store: &Store, id: &ConversationId) -> Vec<String> {
    let messages = stored(store, id).unwrap();
    messages.iter().map(|message| message.content.to_string()).collect()
}

fn rows(test: &TestStore, table: &str) -> usize {
    test.texts(&format!("SELECT 'x' FROM {table}")).len()
}

fn a_conversation_goes_with_all_that_is_its_own_and_no_account_does(test: &TestStore) {
    let store = &test.store;
    let turns = ["conv-1", "conv-2"].map(|id| talked(store, id));
    for (number, turn) in turns.iter().enumerate() {
        let id = turn.conversation.as_str();
        test.execute(&format!(
            "INSERT INTO context_summaries (conversation_id, version, summary, covers_seq, created_at)
             VALUES ('{id}', 1, 'a summary', 2, 1), ('{id}', 2, 'a newer one', 2, 1)"
        ));
        put(store, turn, &list(&format!("list-{number}"), &[TodoStatus::Open])).unwrap();
        let offers = [offer_in(turn, 1), offer_in(turn, 1)];
        offers.iter().for_each(|offer| offered(store, offer));
        let decided = store.escalations().decide(offers[0].id, EscalationDecision::Reject);
        store.block_on(decided).unwrap();
    }
    offered(store, &new_offer(i64::MAX));
    // Accounts of the first conversation.
    let (call, row) = (finished_call(), outcome());
    assert_eq!(call.dispatch.conversation.as_ref(), Some(&turns[0].conversation));
    store.block_on(store.calls().insert_calls(vec![call])).unwrap();
    insert(store, std::slice::from_ref(&row));
    assert_eq!(ITS_OWN.map(|table| rows(test, table)), [2, 4, 4, 2, 5]);

    assert!(!forget(store, &conversation("conv")));
    assert!(forget(store, &turns[0].conversation));
    assert_eq!(ITS_OWN.map(|table| rows(test, table)), [1, 2, 2, 1, 3]);
    assert_eq!(["llm_calls", "outcomes"].map(|table| rows(test, table)), [1, 1]);
    assert_eq!(stored(store, &turns[0].conversation), None);
    assert_eq!(texts(store, &turns[1].conversation), ["hello", "good day"]);
    assert!(!forget(store, &turns[0].conversation));
    begins(store, &turn(&turns[0].conversation, "again"));
}

fn f14_a_turn_whose_conversation_is_deleted_is_told_so_and_stores_nothing(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    let running = turn(&id, "hello");
    begins(store, &running);
    assert!(forget(&test.neighbour(), &id));
    assert_deleted(put(store, &running, &list("list-1", &[TodoStatus::Open])));
    assert_deleted(closed(store, &running, Some("late")));
    assert_deleted(store.block_on(store.escalations().offer(offer_in(&running, 1))));
    // A turn without an answer has an error of its own to tell.
    closed(store, &running, None).unwrap();
    assert_eq!(ITS_OWN.map(|table| rows(test, table)), [0; 5]);
    // What its process left when it died is gone, too.
    let released = store.block_on(store.release_leases_of(&[running.instance]));
    assert_eq!(released.unwrap(), 0);
}

fn f14_what_begins_under_the_id_of_a_deleted_conversation_is_not_touched_by_its_turns(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    let (mut old, new) = (turn(&id, "old"), turn(&id, "new"));
    begins(store, &old);
    assert!(forget(store, &id));
    begins(&test.neighbour(), &new);
    for client_id in [None, Some("m-1".into())] {
        old.client_message_id = client_id;
        assert_deleted(put(store, &old, &list("list-1", &[TodoStatus::Open])));
        assert_deleted(closed(store, &old, Some("late")));
        closed(store, &old, None).unwrap();
    }
    assert_eq!(texts(store, &id), ["new"]);
    // The new turn's hold is its own, and so is its answer.
    let busy = open(store, &turn(&id, "next"));
    assert!(matches!(busy, Err(StoreError::ConversationBusy { .. })), "{busy:?}");
    closed(store, &new, Some("answer")).unwrap();
    assert_deleted(closed(store, &old, Some("late")));
    closed(store, &old, None).unwrap();
    assert_eq!(texts(store, &id), ["new", "answer"]);
    assert_eq!(rows(test, "todo_lists"), 0);
}

fn f14_a_message_that_is_sent_again_after_a_deletion_is_answered_once(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    let mut old = turn(&id, "hello");
    old.client_message_id = Some("m-1".into());
    begins(store, &old);
    assert!(forget(store, &id));
    let mut new = old.clone();
    new.request = RequestId::generate();
    begins(store, &new);
    // Whoever waits for the old answer finds the message being answered, and then its answer.
    let late = closed(store, &old, Some("late"));
    assert!(matches!(late, Err(StoreError::ConversationBusy { .. })), "{late:?}");
    closed(store, &new, Some("answer")).unwrap();
    let again = open(store, &old);
    assert!(
        matches!(&again, Ok(TurnOpened::AlreadyAnswered { answer }) if &*answer.content == "answer"),
        "{again:?}"
    );
    assert_eq!(texts(store, &id), ["hello", "answer"]);
}

fn f14_a_better_answer_does_not_outlive_its_conversation(test: &TestStore) {
    let store = &test.store;
    let first = talked(store, "conv-1");
    let id = first.conversation.clone();
    let offer = offer_in(&first, 1);
    offered(store, &offer);
    let decided = store.escalations().decide(offer.id, EscalationDecision::Approve);
    store.block_on(decided).unwrap();
    let amend = || {
        let amended = store.conversations().amend_answer(AmendAnswer {
            conversation: id.clone(),
            user_seq: 1,
            offer: offer.id,
            request: offer.request,
            answer: "better".into(),
            route_layer: None,
        });
        store.block_on(amended).unwrap()
    };
    assert!(forget(store, &id));
    assert!(!amend());
    assert_eq!(stored(store, &id), None);
    talked(store, "conv-1");
    assert!(!amend());
    assert_eq!(texts(store, &id), ["hello", "good day"]);
}

fn f14_deletions_between_turns_of_many_stores_leave_whole_conversations(test: &TestStore) {
    let id = conversation("conv-1");
    let store = &test.store;
    std::thread::scope(|scope| {
        for number in 0..3 {
            let id = &id;
            scope.spawn(move || {
                let store = test.patient_neighbour();
                let conversations = store.conversations();
                let work = async {
                    for round in 0..10 {
                        let turn = turn(id, &format!("{number}.{round}"));
                        let seq = loop {
                            match conversations.open_turn(turn.clone()).await {
                                Ok(TurnOpened::Opened { seq, .. }) => break seq,
                                Err(StoreError::ConversationBusy { .. }) => tokio::task::yield_now().await,
                                other => panic!("{other:?}"),
                            }
                        };
                        if round % 3 == number {
                            conversations.delete_conversation(id.clone()).await.unwrap();
                        }
                        let closed = conversations.close_turn(close(&turn, seq, Some(&turn.message))).await;
                        assert!(
                            matches!(closed, Ok(()) | Err(StoreError::ConversationDeleted)),
                            "{closed:?}"
                        );
                    }
                };
                store.block_on(work);
                store.shutdown(Duration::from_secs(5));
            });
        }
    });
    let messages = stored(store, &id).unwrap_or_default();
    for (pair, place) in messages.chunks(2).zip(0..) {
        assert_eq!([pair[0].seq, pair[1].seq], [2 * place + 1, 2 * place + 2]);
        assert_eq!(pair[0].content, pair[1].content, "{messages:#?}");
    }
}
