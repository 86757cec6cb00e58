//! Better answers in the place of stored ones, and the layer below which a conversation does not fall.

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{AmendAnswer, ConversationId, Layer, OpenTurn, RequestId, StoreError, TurnOpened};

use crate::database::{TestStore, on_each_database};
use crate::escalations::{offer_in, offered};
use crate::samples::{close, conversation, turn};

on_each_database! {
    a_better_answer_takes_the_place_of_the_newest,
    a_better_answer_raises_the_conversation_to_its_layer,
    only_the_newest_answer_of_a_conversation_that_nobody_holds_is_replaced,
    a_better_answer_that_is_there_is_there_however_often_it_is_sent,
    a_turn_that_opens_meanwhile_sees_the_better_answer_or_stops_it,
    a_conversation_does_not_fall_below_the_dearest_layer_that_answered,
}

fn opened(store: &Store, turn: &OpenTurn) -> (i64, Option<Layer>) {
    match store.block_on(store.conversations().open_turn(turn.clone())).unwrap() {
        TurnOpened::Opened { seq, route_layer, .. } => (seq, route_layer),
        other => panic!("{other:?}"),
    }
}

fn closed(store: &Store, turn: &OpenTurn, seq: i64, answer: Option<&str>, layer: Option<Layer>) {
    let mut end = close(turn, seq, answer);
    end.route_layer = layer;
    store.block_on(store.conversations().close_turn(end)).unwrap();
}

/// A whole turn; its place.
fn say(store: &Store, id: &ConversationId, message: &str, answer: Option<&str>) -> i64 {
    let turn = turn(id, message);
    let (seq, _) = opened(store, &turn);
    closed(store, &turn, seq, answer, None);
    seq
}

/// What approving an offer leads to.
fn better(store: &Store, id: &ConversationId, user_seq: i64) -> AmendAnswer {
    let offer = offer_in(&turn(id, "one"), user_seq);
    offered(store, &offer);
    AmendAnswer {
        conversation: id.clone(),
        user_seq,
        offer: offer.id,
        request: RequestId::generate(),
        answer: "it's '; better".into(),
        route_layer: None,
    }
}

fn amend(store: &Store, amendment: &AmendAnswer) -> bool {
    store
        .block_on(store.conversations().amend_answer(amendment.clone()))
        .unwrap()
}

fn texts(store: &Store, id: &ConversationId) -> Vec<String> {
    let page = store.block_on(store.conversations().page(id.clone(), 100, None));
    let messages = page.unwrap().unwrap().messages;
    messages.iter().map(|message| message.content.to_string()).collect()
}

fn a_better_answer_takes_the_place_of_the_newest(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    say(store, &id, "one", Some("1"));
    let mut asked = turn(&id, "two");
    asked.client_message_id = Some("m-1".into());
    let (seq, _) = opened(store, &asked);
    closed(store, &asked, seq, Some("2"), None);
    let amendment = better(store, &id, seq);
    assert!(amend(store, &amendment));
    assert_eq!(texts(store, &id), ["one", "1", "two", &*amendment.answer]);
    // Whoever sends the message once more gets the better answer, and so does the next turn.
    let again = store.block_on(store.conversations().open_turn(asked)).unwrap();
    let TurnOpened::AlreadyAnswered { answer } = again else {
        panic!("{again:?}");
    };
    assert_eq!((answer.seq, &answer.content), (4, &amendment.answer));
    let next = store.block_on(store.conversations().open_turn(turn(&id, "three")));
    let Ok(TurnOpened::Opened { seq: 5, history, .. }) = next else {
        panic!("{next:?}");
    };
    assert_eq!(history.last().map(|message| &message.content), Some(&amendment.answer));
}

fn a_better_answer_raises_the_conversation_to_its_layer(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    let layer_of = |id: &ConversationId| {
        let page = store.block_on(store.conversations().page(id.clone(), 1, None));
        page.unwrap().unwrap().route_layer
    };
    let layer = || layer_of(&id);
    let seq = say(store, &id, "one", Some("1"));
    assert_eq!(layer(), None);
    for (answered, reached) in [
        (Some(Layer::L2), Some(Layer::L2)),
        (Some(Layer::L1), Some(Layer::L2)),
        (None, Some(Layer::L2)),
        (Some(Layer::L3), Some(Layer::L3)),
    ] {
        let mut amendment = better(store, &id, seq);
        amendment.route_layer = answered;
        assert!(amend(store, &amendment));
        assert_eq!(layer(), reached, "after an answer of {answered:?}");
    }
    // What is not stored raises nothing.
    let other = conversation("conv-2");
    let first = say(store, &other, "one", Some("1"));
    say(store, &other, "two", Some("2"));
    let mut late = better(store, &other, first);
    late.route_layer = Some(Layer::L1);
    assert!(!amend(store, &late));
    assert_eq!(layer_of(&other), None);
}

fn only_the_newest_answer_of_a_conversation_that_nobody_holds_is_replaced(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    let first = say(store, &id, "one", Some("1"));
    let second = say(store, &id, "two", Some("2"));
    let failed = say(store, &id, "three", None);
    for seq in [first, second, failed, 2, 4, 0, -1, 7, i64::MAX] {
        assert!(!amend(store, &better(store, &id, seq)), "{seq}");
    }
    let last = say(store, &id, "four", Some("4"));
    for seq in [first, second, failed, last - 1, last + 1] {
        assert!(!amend(store, &better(store, &id, seq)), "{seq}");
    }
    // While a turn holds the conversation nobody else changes it, and nothing is newest any more.
    let holding = turn(&id, "five");
    let (seq, _) = opened(store, &holding);
    assert!(!amend(store, &better(store, &id, last)) && !amend(store, &better(store, &id, seq)));
    closed(store, &holding, seq, None, None);
    assert!(!amend(store, &better(store, &id, last)));
    assert_eq!(
        texts(store, &id),
        ["one", "1", "two", "2", "three", "", "four", "4", "five", ""]
    );
    let other = conversation("conv-2");
    let seq = say(store, &other, "one", Some("1"));
    assert!(amend(store, &better(store, &other, seq)));
}

fn a_better_answer_that_is_there_is_there_however_often_it_is_sent(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    let seq = say(store, &id, "one", Some("1"));
    let amendment = better(store, &id, seq);
    assert!(amend(store, &amendment) && amend(store, &amendment));
    say(store, &id, "two", Some("2"));
    assert!(amend(store, &amendment));
    assert!(!amend(store, &better(store, &id, seq)));
    assert_eq!(texts(store, &id), ["one", &*amendment.answer, "two", "2"]);
}

fn a_turn_that_opens_meanwhile_sees_the_better_answer_or_stops_it(test: &TestStore) {
    let neighbour = test.patient_neighbour();
    for number in 0..20 {
        let id = conversation(&format!("conv-{number}"));
        let seq = say(&test.store, &id, "one", Some("1"));
        let amendment = better(&test.store, &id, seq);
        let (amending, opening) = (neighbour.conversations(), test.store.conversations());
        let both = async {
            tokio::join!(
                amending.amend_answer(amendment.clone()),
                opening.open_turn(turn(&id, "two"))
            )
        };
        let (amended, opened) = test.store.block_on(both);
        let Ok(TurnOpened::Opened { seq: 3, history, .. }) = opened else {
            panic!("{opened:?}");
        };
        let seen = history.last().map(|message| &message.content) == Some(&amendment.answer);
        assert_eq!(amended.unwrap(), seen);
        let stored = texts(&test.store, &id);
        assert_eq!(stored[1] == *amendment.answer, seen, "{stored:?}");
    }
}

fn a_conversation_does_not_fall_below_the_dearest_layer_that_answered(test: &TestStore) {
    let store = &test.store;
    let id = conversation("conv-1");
    let mut expected = None;
    for (answer, layer, then) in [
        (Some("a"), None, None),
        (Some("a"), Some(Layer::L1), Some(Layer::L1)),
        (None, Some(Layer::L3), Some(Layer::L1)),
        (Some("a"), Some(Layer::L0), Some(Layer::L1)),
        (Some("a"), Some(Layer::L2), Some(Layer::L2)),
        (Some("a"), None, Some(Layer::L2)),
    ] {
        let turn = turn(&id, "hello");
        let (seq, floor) = opened(store, &turn);
        assert_eq!(floor, expected);
        closed(store, &turn, seq, answer, layer);
        // A second time changes nothing.
        closed(store, &turn, seq, answer, Some(Layer::L3));
        let page = store.block_on(store.conversations().page(id.clone(), 1, None));
        assert_eq!(page.unwrap().unwrap().route_layer, then);
        expected = then;
    }
    test.execute("UPDATE conversations SET route_layer = 'L9'");
    let refused = store.block_on(store.conversations().open_turn(turn(&id, "hello")));
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
}
