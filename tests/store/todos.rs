//! The port `TodoStore`: what both databases promise.

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{ConversationId, OpenTurn, RequestId, StoreError, TodoList, TodoStatus, TodoStep};

use crate::database::{TestStore, on_each_database};
use crate::samples::{close, conversation, turn};

on_each_database! {
    the_newest_list_is_gone_on_with_if_a_step_of_it_is_open,
    a_list_that_is_put_again_takes_its_own_place,
    a_list_needs_a_message_of_its_request_and_replaces_none_of_another,
}

pub(crate) fn list(id: &str, statuses: &[TodoStatus]) -> TodoList {
    let steps = statuses.iter().zip(1..).map(|(status, number)| TodoStep {
        text: format!("step {number}: it's \"quoted\" \0 $1"),
        status: *status,
        model: (*status == TodoStatus::Done).then(|| "alpha-small".into()),
        result: (*status == TodoStatus::Done).then(|| "fn it() {}\n\0 'it'".into()),
    });
    TodoList {
        id: id.into(),
        task: "ab12".into(),
        steps: steps.collect(),
    }
}

/// A turn that was answered: its conversation is there.
pub(crate) fn talked(store: &Store, id: &str) -> OpenTurn {
    let turn = turn(&conversation(id), "hello");
    store.block_on(store.conversations().open_turn(turn.clone())).unwrap();
    store
        .block_on(store.conversations().close_turn(close(&turn, 1, Some("good day"))))
        .unwrap();
    turn
}

/// Stores a list of this turn.
pub(crate) fn put(store: &Store, turn: &OpenTurn, list: &TodoList) -> Result<(), StoreError> {
    let conversation = turn.conversation.clone();
    store.block_on(store.todos().put(conversation, turn.request, list.clone()))
}

fn open_list(store: &Store, conversation: &ConversationId) -> Option<TodoList> {
    store.block_on(store.todos().open_list(conversation.clone())).unwrap()
}

fn the_newest_list_is_gone_on_with_if_a_step_of_it_is_open(test: &TestStore) {
    use TodoStatus::{Done, Failed, Open};

    let store = &test.store;
    let turn = talked(store, "conv-1");
    let (id, other) = (turn.conversation.clone(), talked(store, "conv-2").conversation);
    assert_eq!(open_list(store, &id), None);
    let first = list("list-b", &[Done, Open]);
    put(store, &turn, &first).unwrap();
    assert_eq!(open_list(store, &id), Some(first));
    assert_eq!(open_list(store, &other), None);
    // The newest one counts, whatever it is called.
    let second = list("list-a", &[Done, Failed, Done]);
    put(store, &turn, &second).unwrap();
    test.execute("UPDATE todo_lists SET created_at = created_at - 10 WHERE id = 'list-b'");
    assert_eq!(open_list(store, &id), None);
    let page = store
        .block_on(store.conversations().page(id, 10, None))
        .unwrap()
        .unwrap();
    assert_eq!(page.todos.len(), 2);
    assert_eq!(serde_json::from_str::<TodoList>(&page.todos[1]).unwrap(), second);
}

fn a_list_that_is_put_again_takes_its_own_place(test: &TestStore) {
    use TodoStatus::{Done, Open};

    let store = &test.store;
    let turn = talked(store, "conv-1");
    for statuses in [[Open, Open], [Done, Open], [Done, Open], [Done, Done]] {
        put(store, &turn, &list("list-1", &statuses)).unwrap();
        let expected = statuses.contains(&Open).then(|| list("list-1", &statuses));
        assert_eq!(open_list(store, &turn.conversation), expected);
    }
    assert_eq!(test.texts("SELECT id FROM todo_lists"), ["list-1"]);
}

fn a_list_needs_a_message_of_its_request_and_replaces_none_of_another(test: &TestStore) {
    let store = &test.store;
    let (mine, yours) = (talked(store, "conv-1"), talked(store, "conv-2"));
    let theirs = list("list-1", &[TodoStatus::Open]);
    put(store, &yours, &theirs).unwrap();
    let refused = put(store, &mine, &list("list-1", &[TodoStatus::Done]));
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    let mut stranger = mine;
    stranger.request = RequestId::generate();
    for turn in [turn(&conversation("nobody"), "hello"), stranger] {
        let refused = put(store, &turn, &list("list-2", &[TodoStatus::Done]));
        assert!(matches!(refused, Err(StoreError::ConversationDeleted)), "{refused:?}");
    }
    assert_eq!(open_list(store, &yours.conversation), Some(theirs));
    assert_eq!(test.texts("SELECT id FROM todo_lists"), ["list-1"]);
}
