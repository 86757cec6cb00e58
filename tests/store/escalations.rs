//! The port `EscalationStore`: what both databases promise.

use std::time::Duration;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    Decided, EscalationDecision, EscalationId, EscalationState, Evidence, Layer, NanoUsd, NewEscalation, OpenTurn,
    PURGE_BATCH, RequestId, StoreError, StoredEscalation,
};

use crate::database::{TestDatabase, TestStore, on_each_database};
use crate::samples::{conversation, turn};
use crate::support::wait_for;
use crate::todos::talked;

on_each_database! {
    tokens_are_signed_with_a_secret_that_is_made_once_and_hashes_no_key,
    an_offer_comes_back_as_it_was_stored_and_is_stored_once,
    an_offer_in_a_conversation_that_is_not_there_is_not_stored,
    of_twenty_who_decide_at_once_one_alone_is_told_that_it_is_done,
    an_offer_that_is_decided_has_no_text_any_more,
    an_offer_that_ended_is_not_decided_about,
    a_decision_that_is_not_stored_is_not_made,
    offers_go_an_hour_after_they_ended,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// In a thousand years.
const FAR: i64 = 33_000_000_000_000_000;

/// An offer outside of conversations that ends then.
pub(crate) fn new_offer(expires_at: i64) -> NewEscalation {
    NewEscalation {
        id: EscalationId::generate(),
        caller: [7; 16],
        endpoint: "/v1/chat".into(),
        request: RequestId::generate(),
        conversation: None,
        user_seq: None,
        body: r#"{"message":"it's \"quoted\" \u0000 ünïcode"}"#.into(),
        request_digest: [0xab; 16],
        from: Layer::L0,
        to: Layer::L2,
        reason: Evidence::Disagreement,
        estimated: NanoUsd(12_300_000),
        note: "what was tried: $1 ?1 '; DROP TABLE escalations; --".into(),
        answer: Some("the answer so far".into()),
        expires_at,
    }
}

/// An offer of a better answer to this turn's message, at this place.
pub(crate) fn offer_in(turn: &OpenTurn, user_seq: i64) -> NewEscalation {
    NewEscalation {
        request: turn.request,
        conversation: Some(turn.conversation.clone()),
        user_seq: Some(user_seq),
        ..new_offer(FAR)
    }
}

#[track_caller]
pub(crate) fn offered(store: &Store, offer: &NewEscalation) {
    store.block_on(store.escalations().offer(offer.clone())).unwrap();
}

fn find(store: &Store, id: EscalationId) -> Option<StoredEscalation> {
    store.block_on(store.escalations().find(id)).unwrap()
}

fn decide(store: &Store, id: EscalationId, decision: EscalationDecision) -> Decided {
    store.block_on(store.escalations().decide(id, decision)).unwrap()
}

fn tokens_are_signed_with_a_secret_that_is_made_once_and_hashes_no_key(test: &TestStore) {
    let store = &test.store;
    let asked: Vec<_> = (0..8).map(|_| store.escalations().secret()).collect();
    let secrets: Vec<_> = asked
        .into_iter()
        .map(|secret| store.block_on(secret).unwrap())
        .collect();
    assert!(secrets.iter().all(|secret| *secret == secrets[0]));
    let other = test.neighbour();
    assert_eq!(other.block_on(other.escalations().secret()).unwrap(), secrets[0]);
    assert_ne!(store.block_on(store.keys().hash_secret()).unwrap(), secrets[0]);
}

fn an_offer_comes_back_as_it_was_stored_and_is_stored_once(test: &TestStore) {
    let store = &test.store;
    let turn = talked(store, "conv-1");
    let offer = offer_in(&turn, 1);
    let mut bare = new_offer(FAR);
    bare.answer = None;
    for offer in [&offer, &bare] {
        offered(store, offer);
        offered(store, offer);
        let stored = find(store, offer.id).unwrap();
        assert_eq!((&stored.new, stored.state), (offer, EscalationState::Pending));
    }
    assert_eq!(find(store, EscalationId::generate()), None);
    // Of what a model said, what PostgreSQL does not take is left out.
    let mut with_nul = new_offer(FAR);
    (with_nul.note, with_nul.answer) = ("a\0b".into(), Some("\0".into()));
    offered(store, &with_nul);
    let stored = find(store, with_nul.id).unwrap().new;
    assert_eq!((&*stored.note, stored.answer.as_deref()), ("ab", Some("")));
    assert_eq!(test.texts("SELECT id FROM escalations").len(), 3);
}

fn an_offer_in_a_conversation_that_is_not_there_is_not_stored(test: &TestStore) {
    let store = &test.store;
    let offer = offer_in(&turn(&conversation("nobody"), "hello"), 1);
    let refused = store.block_on(store.escalations().offer(offer));
    assert!(matches!(refused, Err(StoreError::ConversationDeleted)), "{refused:?}");
    assert_eq!(test.texts("SELECT id FROM escalations"), [""; 0]);
}

fn of_twenty_who_decide_at_once_one_alone_is_told_that_it_is_done(test: &TestStore) {
    let stores: Vec<Store> = (0..4).map(|_| test.patient_neighbour()).collect();
    for _ in 0..5 {
        let offer = new_offer(FAR);
        offered(&test.store, &offer);
        let deciding = (0..20).map(|number| {
            let decision = EscalationDecision::ALL[number / 4 % 2];
            let decided = stores[number % 4].escalations().decide(offer.id, decision);
            async move { (decision, decided.await.unwrap()) }
        });
        let decided = test.store.block_on(futures_util::future::join_all(deciding));
        let done: Vec<_> = decided
            .iter()
            .filter(|(_, decided)| matches!(decided, Decided::Done(_)))
            .collect();
        assert_eq!(done.len(), 1, "{decided:?}");
        let used = decided.iter().filter(|(_, decided)| *decided == Decided::Used);
        assert_eq!(used.count(), 19, "{decided:?}");
        let state = match done[0].0 {
            EscalationDecision::Approve => EscalationState::Approved,
            EscalationDecision::Reject => EscalationState::Rejected,
        };
        assert_eq!(find(&test.store, offer.id).unwrap().state, state);
    }
}

fn an_offer_that_is_decided_has_no_text_any_more(test: &TestStore) {
    let store = &test.store;
    for (decision, state) in [
        (EscalationDecision::Approve, EscalationState::Approved),
        (EscalationDecision::Reject, EscalationState::Rejected),
    ] {
        let (offer, other) = (new_offer(FAR), new_offer(FAR));
        offered(store, &offer);
        offered(store, &other);
        let expected = StoredEscalation {
            new: offer.clone(),
            state,
        };
        assert_eq!(decide(store, offer.id, decision), Decided::Done(Box::new(expected)));
        let left = test.texts(&format!(
            "SELECT state || '|' || body || '|' || note || '|' || coalesce(answer, '-') FROM escalations
             WHERE id = '{}' AND decided_at IS NOT NULL",
            offer.id
        ));
        assert_eq!(left, [format!("{state}|||-")]);
        for again in EscalationDecision::ALL {
            assert_eq!(decide(store, offer.id, *again), Decided::Used);
        }
        assert_eq!(find(store, other.id).unwrap().new, other);
    }
}

fn an_offer_that_ended_is_not_decided_about(test: &TestStore) {
    let store = &test.store;
    let ended = new_offer(1);
    offered(store, &ended);
    for decision in EscalationDecision::ALL {
        assert_eq!(decide(store, ended.id, *decision), Decided::Expired);
        assert_eq!(decide(store, EscalationId::generate(), *decision), Decided::Unknown);
    }
    assert_eq!(find(store, ended.id).unwrap().state, EscalationState::Pending);
    // One that was used stays so when it has ended.
    let used = new_offer(FAR);
    offered(store, &used);
    decide(store, used.id, EscalationDecision::Approve);
    test.execute(&format!(
        "UPDATE escalations SET expires_at = 1 WHERE id = '{}'",
        used.id
    ));
    assert_eq!(decide(store, used.id, EscalationDecision::Approve), Decided::Used);
}

#[test]
fn an_offer_ends_by_the_servers_clock() {
    let test = TestDatabase::postgres();
    let store = test.open();
    let now = test.texts("SELECT ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint)::text");
    let soon = now[0].parse::<i64>().unwrap() + 600_000_000;
    let (first, second) = (new_offer(soon), new_offer(soon));
    offered(&store, &first);
    offered(&store, &second);
    let approve = EscalationDecision::Approve;
    assert!(matches!(decide(&store, first.id, approve), Decided::Done(_)));
    // A server that is an hour ahead of this machine.
    let name = test.texts("SELECT current_database()").remove(0);
    test.execute(&format!(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
         $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$;
         ALTER DATABASE {name} SET search_path = public, pg_catalog"
    ));
    let ahead = test.open();
    assert_eq!(decide(&ahead, second.id, approve), Decided::Expired);
    assert!(matches!(decide(&store, second.id, approve), Decided::Done(_)));
}

fn a_decision_that_is_not_stored_is_not_made(test: &TestStore) {
    let offer = new_offer(FAR);
    offered(&test.store, &offer);
    let neighbour = test.neighbour();
    let escalations = neighbour.escalations();
    neighbour.shutdown(Duration::from_secs(10));
    let approve = EscalationDecision::Approve;
    let refused = test.store.block_on(escalations.decide(offer.id, approve));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let refused = test.store.block_on(escalations.offer(new_offer(FAR)));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let refused = test.store.block_on(escalations.secret());
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert!(matches!(decide(&test.store, offer.id, approve), Decided::Done(_)));
}

fn offers_go_an_hour_after_they_ended(test: &TestStore) {
    let store = &test.store;
    let purge = |kept| store.block_on(store.purge_offers(kept)).unwrap();
    let kept = new_offer(FAR);
    offered(store, &kept);
    for _ in 0..PURGE_BATCH + 3 {
        offered(store, &new_offer(FAR));
    }
    test.execute(&format!(
        "UPDATE escalations SET expires_at = {} WHERE id <> '{}'",
        microseconds_ago(HOUR),
        kept.id
    ));
    assert_eq!(purge(DAY), 0);
    assert_eq!(purge(Duration::ZERO), PURGE_BATCH);
    assert_eq!(test.texts("SELECT id FROM escalations").len(), 4);
    // By itself, however they were decided about, and no later than that.
    test.execute(&format!(
        "UPDATE escalations SET expires_at = {}, state = 'rejected' WHERE id <> '{}'",
        microseconds_ago(HOUR + Duration::from_secs(1)),
        kept.id
    ));
    let purging = store.keep_purging();
    wait_for("all of them to be gone", HOUR, || {
        test.texts("SELECT id FROM escalations") == [kept.id.to_string()]
    });
    drop(purging);
    assert_eq!(find(store, kept.id).unwrap().new, kept);
}

/// The moment so long ago.
pub(crate) fn microseconds_ago(time: Duration) -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from((now - time).as_micros()).unwrap()
}
