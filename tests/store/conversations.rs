//! The port `ConversationStore`: what both databases promise, alone and together with other stores on the same data.

use std::time::Duration;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    ConversationId, MessageStatus, OpenTurn, RequestId, Role, StoreError, StoredMessage, TurnOpened,
};

use crate::database::{TestStore, on_each_database};
use crate::samples::{close, conversation, turn};

on_each_database! {
    j18_any_text_comes_back_as_it_was,
    of_many_stores_that_open_a_turn_at_once_one_holds_the_conversation,
    of_many_stores_that_take_over_a_lease_that_ran_out_one_holds_it,
    a_turn_is_stored_and_the_next_one_gets_it_as_history,
    history_is_the_newest_answered_messages_without_failed_turns,
    a_conversation_that_another_request_holds_is_busy_and_nothing_is_stored,
    a_request_that_opens_its_turn_twice_stores_its_message_once,
    a_turn_whose_lease_ran_out_is_closed_by_the_next_and_cannot_be_answered_late,
    the_turns_of_dead_processes_are_closed_at_start_and_those_of_living_ones_are_not,
    closing_twice_changes_nothing,
    a_message_that_was_answered_gets_the_same_answer_again,
    a_failed_newest_message_that_is_sent_again_keeps_its_place,
    a_message_that_is_being_answered_is_busy_when_it_is_sent_again,
    a_reopened_turn_that_is_left_behind_again_is_closed_without_a_gap,
    an_older_failed_message_that_is_sent_again_becomes_the_newest_turn,
    pages_walk_back_to_the_first_message,
    a_page_carries_the_newest_summary_and_the_to_do_lists,
    conversations_stay_contiguous_while_several_stores_write_to_them,
}

fn open(store: &Store, turn: &OpenTurn) -> Result<TurnOpened, StoreError> {
    store.block_on(store.conversations().open_turn(turn.clone()))
}

/// Opens a turn that must open; its place and its history.
fn opened(store: &Store, turn: &OpenTurn) -> (i64, Vec<StoredMessage>) {
    match open(store, turn).unwrap() {
        TurnOpened::Opened { seq, history, .. } => (seq, history),
        other => panic!("{other:?}"),
    }
}

fn closed(store: &Store, turn: &OpenTurn, seq: i64, answer: Option<&str>) {
    store
        .block_on(store.conversations().close_turn(close(turn, seq, answer)))
        .unwrap();
}

/// A whole turn.
fn say(store: &Store, id: &ConversationId, message: &str, answer: Option<&str>) -> i64 {
    let turn = turn(id, message);
    let (seq, _) = opened(store, &turn);
    closed(store, &turn, seq, answer);
    seq
}

fn all(store: &Store, id: &ConversationId) -> Vec<StoredMessage> {
    let page = store.block_on(store.conversations().page(id.clone(), 10_000, None));
    page.unwrap().unwrap().messages
}

fn texts(messages: &[StoredMessage]) -> Vec<&str> {
    messages.iter().map(|message| &*message.content).collect()
}

fn statuses(messages: &[StoredMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.status.as_str()).collect()
}

#[track_caller]
fn assert_contiguous_and_alternating(messages: &[StoredMessage]) {
    for (place, message) in messages.iter().enumerate() {
        assert_eq!(message.seq, i64::try_from(place).unwrap() + 1);
        let role = if place % 2 == 0 { Role::User } else { Role::Assistant };
        assert_eq!(message.role, role, "at {}", message.seq);
    }
}

fn a_turn_is_stored_and_the_next_one_gets_it_as_history(test: &TestStore) {
    let id = conversation("conv-1");
    let first = turn(&id, "hello");
    assert_eq!(opened(&test.store, &first), (1, vec![]));
    closed(&test.store, &first, 1, Some("good day"));

    let (seq, history) = opened(&test.store, &turn(&id, "how are you"));
    assert_eq!(seq, 3);
    assert_eq!(texts(&history), ["hello", "good day"]);
    assert_eq!(statuses(&all(&test.store, &id)), ["done", "done", "pending"]);
}

fn history_is_the_newest_answered_messages_without_failed_turns(test: &TestStore) {
    let id = conversation("conv-1");
    say(&test.store, &id, "one", Some("1"));
    say(&test.store, &id, "lost", None);
    say(&test.store, &id, "two", Some("2"));
    say(&test.store, &id, "three", Some("3"));

    let mut next = turn(&id, "four");
    next.history_limit = 4;
    let (seq, history) = opened(&test.store, &next);
    assert_eq!(seq, 9);
    assert_eq!(texts(&history), ["two", "2", "three", "3"]);
    assert_contiguous_and_alternating(&all(&test.store, &id));
}

fn a_conversation_that_another_request_holds_is_busy_and_nothing_is_stored(test: &TestStore) {
    let id = conversation("conv-1");
    opened(&test.store, &turn(&id, "first"));
    match open(&test.neighbour(), &turn(&id, "second")) {
        Err(StoreError::ConversationBusy { retry_after }) => {
            assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_secs(60));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(texts(&all(&test.store, &id)), ["first"]);
}

fn a_request_that_opens_its_turn_twice_stores_its_message_once(test: &TestStore) {
    let id = conversation("conv-1");
    let twice = turn(&id, "hello");
    assert_eq!(opened(&test.store, &twice).0, 1);
    assert_eq!(opened(&test.store, &twice).0, 1);
    assert_eq!(texts(&all(&test.store, &id)), ["hello"]);
}

fn a_turn_whose_lease_ran_out_is_closed_by_the_next_and_cannot_be_answered_late(test: &TestStore) {
    let id = conversation("conv-1");
    let mut dead = turn(&id, "lost");
    dead.lease = Duration::ZERO;
    assert_eq!(opened(&test.store, &dead).0, 1);

    let (seq, history) = opened(&test.store, &turn(&id, "next"));
    assert_eq!((seq, history), (3, vec![]));

    let late = test.store.conversations().close_turn(close(&dead, 1, Some("late")));
    let late = test.store.block_on(late);
    assert!(matches!(late, Err(StoreError::ConversationBusy { .. })), "{late:?}");
    closed(&test.store, &dead, 1, None);
    let messages = all(&test.store, &id);
    assert_eq!(texts(&messages), ["lost", "", "next"]);
    assert_eq!(statuses(&messages), ["failed", "failed", "pending"]);
}

fn the_turns_of_dead_processes_are_closed_at_start_and_those_of_living_ones_are_not(test: &TestStore) {
    let (of_dead, of_living) = (conversation("dead"), conversation("living"));
    let dead = turn(&of_dead, "lost");
    opened(&test.store, &dead);
    opened(&test.store, &turn(&of_living, "running"));

    let released = test.store.block_on(test.store.release_leases_of(&[dead.instance]));
    assert_eq!(released.unwrap(), 1);
    assert_eq!(statuses(&all(&test.store, &of_dead)), ["failed", "failed"]);
    assert_eq!(statuses(&all(&test.store, &of_living)), ["pending"]);
    assert_eq!(opened(&test.store, &turn(&of_dead, "again")).0, 3);
    let released = test.store.block_on(test.store.release_leases_of(&[dead.instance]));
    assert_eq!(released.unwrap(), 0);
}

fn closing_twice_changes_nothing(test: &TestStore) {
    let id = conversation("conv-1");
    let answered = turn(&id, "hello");
    opened(&test.store, &answered);
    closed(&test.store, &answered, 1, Some("first answer"));
    let before = all(&test.store, &id);
    closed(&test.store, &answered, 1, Some("second answer"));
    closed(&test.store, &answered, 1, None);
    assert_eq!(all(&test.store, &id), before);

    let failed = turn(&id, "fails");
    opened(&test.store, &failed);
    closed(&test.store, &failed, 3, None);
    let before = all(&test.store, &id);
    closed(&test.store, &failed, 3, None);
    closed(&test.store, &failed, 3, Some("changed its mind"));
    assert_eq!(all(&test.store, &id), before);
}

fn a_message_that_was_answered_gets_the_same_answer_again(test: &TestStore) {
    let id = conversation("conv-1");
    let mut first = turn(&id, "hello");
    first.client_message_id = Some("m-1".into());
    opened(&test.store, &first);
    closed(&test.store, &first, 1, Some("good day"));
    opened(&test.store, &turn(&id, "a turn that runs"));

    let mut again = turn(&id, "hello");
    again.client_message_id = Some("m-1".into());
    match open(&test.store, &again).unwrap() {
        TurnOpened::AlreadyAnswered { answer } => {
            assert_eq!((answer.seq, &*answer.content), (2, "good day"));
            assert_eq!((answer.role, answer.status), (Role::Assistant, MessageStatus::Done));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(all(&test.store, &id).len(), 3);

    let mut other_text = turn(&id, "good night");
    other_text.client_message_id = Some("m-1".into());
    let refused = open(&test.store, &other_text);
    assert!(matches!(refused, Err(StoreError::MessageMismatch)), "{refused:?}");
    assert_eq!(all(&test.store, &id).len(), 3);

    let mut elsewhere = turn(&conversation("conv-2"), "hello");
    elsewhere.client_message_id = Some("m-1".into());
    assert_eq!(opened(&test.store, &elsewhere).0, 1);
}

fn a_failed_newest_message_that_is_sent_again_keeps_its_place(test: &TestStore) {
    let id = conversation("conv-1");
    for closes_first in [true, false] {
        let mut failing = turn(&id, "try");
        failing.client_message_id = Some(format!("m-{closes_first}").into());
        failing.lease = Duration::ZERO;
        let (seq, _) = opened(&test.store, &failing);
        if closes_first {
            closed(&test.store, &failing, seq, None);
        }

        let mut again = failing.clone();
        again.request = RequestId::generate();
        again.message = "try harder".into();
        assert_eq!(opened(&test.store, &again).0, seq);
        closed(&test.store, &again, seq, Some("done"));
    }
    let messages = all(&test.store, &id);
    assert_eq!(texts(&messages), ["try harder", "done", "try harder", "done"]);
    assert_contiguous_and_alternating(&messages);
}

fn a_message_that_is_being_answered_is_busy_when_it_is_sent_again(test: &TestStore) {
    let id = conversation("conv-1");
    let mut running = turn(&id, "hello");
    running.client_message_id = Some("m-1".into());
    opened(&test.store, &running);
    running.request = RequestId::generate();
    assert!(matches!(
        open(&test.store, &running),
        Err(StoreError::ConversationBusy { .. })
    ));
}

fn a_reopened_turn_that_is_left_behind_again_is_closed_without_a_gap(test: &TestStore) {
    let id = conversation("conv-1");
    let mut failing = turn(&id, "try");
    failing.client_message_id = Some("m-1".into());
    opened(&test.store, &failing);
    closed(&test.store, &failing, 1, None);
    failing.request = RequestId::generate();
    failing.lease = Duration::ZERO;
    opened(&test.store, &failing);

    assert_eq!(opened(&test.store, &turn(&id, "next")).0, 3);
    let messages = all(&test.store, &id);
    assert_eq!(statuses(&messages), ["failed", "failed", "pending"]);
    assert_contiguous_and_alternating(&messages);
}

fn an_older_failed_message_that_is_sent_again_becomes_the_newest_turn(test: &TestStore) {
    let id = conversation("conv-1");
    let mut failing = turn(&id, "try");
    failing.client_message_id = Some("m-1".into());
    opened(&test.store, &failing);
    closed(&test.store, &failing, 1, None);
    say(&test.store, &id, "something else", Some("sure"));

    let mut again = failing.clone();
    again.request = RequestId::generate();
    assert_eq!(opened(&test.store, &again).0, 5);
    closed(&test.store, &again, 5, Some("done"));
    assert!(matches!(
        open(&test.store, &failing),
        Ok(TurnOpened::AlreadyAnswered { .. })
    ));
    let messages = all(&test.store, &id);
    assert_eq!(
        statuses(&messages),
        ["failed", "failed", "done", "done", "done", "done"]
    );
    assert_contiguous_and_alternating(&messages);
}

fn pages_walk_back_to_the_first_message(test: &TestStore) {
    let id = conversation("conv-1");
    for number in 0..4 {
        say(&test.store, &id, &format!("q{number}"), Some("a"));
    }
    let mut before = None;
    let mut places = Vec::new();
    loop {
        let page = test.store.conversations().page(id.clone(), 3, before);
        let page = test.store.block_on(page).unwrap().unwrap();
        places.push(page.messages.iter().map(|message| message.seq).collect::<Vec<_>>());
        before = page.next_before;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(places, [vec![6, 7, 8], vec![3, 4, 5], vec![1, 2]]);
    let unknown = test.store.conversations().page(conversation("unknown"), 3, None);
    assert!(test.store.block_on(unknown).unwrap().is_none());
}

fn a_page_carries_the_newest_summary_and_the_to_do_lists(test: &TestStore) {
    let id = conversation("conv-1");
    say(&test.store, &id, "hello", Some("good day"));
    test.execute(
        "INSERT INTO context_summaries (conversation_id, version, summary, covers_seq, created_at)
         VALUES ('conv-1', 2, 'newer', 2, 1), ('conv-1', 1, 'older', 2, 1);
         INSERT INTO todo_lists (id, conversation_id, todo_data, created_at, updated_at)
         VALUES ('list-1', 'conv-1', '[]', 1, 1)",
    );

    let page = test.store.block_on(test.store.conversations().page(id, 10, None));
    let page = page.unwrap().unwrap();
    assert_eq!(page.summary.as_deref(), Some("newer"));
    assert_eq!(page.todos, ["[]"]);
}

fn conversations_stay_contiguous_while_several_stores_write_to_them(test: &TestStore) {
    const TURNS: usize = 6;
    let ids = [conversation("conv-a"), conversation("conv-b")];
    std::thread::scope(|scope| {
        for store_number in 0..3 {
            let ids = &ids;
            scope.spawn(move || {
                // Three that never pause can keep one of them waiting for long.
                let store = test.patient_neighbour();
                let turns = (0..TURNS).map(|number| {
                    let conversations = store.conversations();
                    let id = &ids[number % ids.len()];
                    let mut turn = turn(id, &format!("{store_number}.{number}"));
                    turn.client_message_id = Some(turn.message.clone());
                    async move {
                        let seq = loop {
                            match conversations.open_turn(turn.clone()).await {
                                Ok(TurnOpened::Opened { seq, .. }) => break seq,
                                Err(StoreError::ConversationBusy { .. }) => tokio::task::yield_now().await,
                                other => panic!("{other:?}"),
                            }
                        };
                        let answer = (number % 3 > 0).then_some("answer");
                        conversations.close_turn(close(&turn, seq, answer)).await.unwrap();
                    }
                });
                store.block_on(futures_util::future::join_all(turns));
                store.shutdown(Duration::from_secs(5));
            });
        }
    });
    for id in &ids {
        let messages = all(&test.store, id);
        assert_eq!(messages.len(), 3 * TURNS);
        assert_contiguous_and_alternating(&messages);
        assert!(messages.iter().all(|message| message.status != MessageStatus::Pending));
    }
}

fn j18_any_text_comes_back_as_it_was(test: &TestStore) {
    let every_plane: String = (0..=16_u32)
        .filter_map(|plane| char::from_u32(plane * 0x1_0000 + 0xfffd))
        .collect();
    let long = "long ".repeat(200_000);
    let texts_to_store = [
        "'quotes' \"and\" $1 ?1 :name",
        "back\\slash \\0 \\x00",
        "{}[]",
        &every_plane,
        &long,
    ];
    let id = conversation("conv-1");
    for text in texts_to_store {
        say(&test.store, &id, text, Some(text));
    }
    let stored = all(&test.store, &id);
    let expected: Vec<&str> = texts_to_store.into_iter().flat_map(|text| [text, text]).collect();
    assert!(texts(&stored) == expected, "a text came back changed");
}

/// Opens a turn of its own in each of several stores at once; how many opened.
fn opened_at_once(test: &TestStore, id: &ConversationId) -> usize {
    let stores: Vec<Store> = (0..4).map(|_| test.patient_neighbour()).collect();
    let opening = stores.iter().enumerate().map(|(number, store)| {
        let opened = store.conversations().open_turn(turn(id, &format!("from {number}")));
        async move {
            match opened.await {
                Ok(TurnOpened::Opened { .. }) => 1,
                Err(StoreError::ConversationBusy { .. }) => 0,
                other => panic!("{other:?}"),
            }
        }
    });
    let opened = test.store.block_on(futures_util::future::join_all(opening));
    opened.into_iter().sum()
}

fn of_many_stores_that_open_a_turn_at_once_one_holds_the_conversation(test: &TestStore) {
    let id = conversation("conv-1");
    assert_eq!(opened_at_once(test, &id), 1);
    assert_eq!(statuses(&all(&test.store, &id)), ["pending"]);
}

fn of_many_stores_that_take_over_a_lease_that_ran_out_one_holds_it(test: &TestStore) {
    let id = conversation("conv-1");
    let mut dead = turn(&id, "lost");
    dead.lease = Duration::ZERO;
    opened(&test.store, &dead);
    assert_eq!(opened_at_once(test, &id), 1);
    let messages = all(&test.store, &id);
    assert_eq!(statuses(&messages), ["failed", "failed", "pending"]);
    assert_contiguous_and_alternating(&messages);
}
