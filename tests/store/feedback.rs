//! What callers say of requests: what both databases promise.

use std::sync::Arc;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    CallRecord, EarlierTests, Feedback, KeyId, Layer, LegRole, NanoUsd, Outcome, OutcomeEnd, OutcomeRow, QualityLevel,
    RecordOwner, RequestId, TaskType,
};

use crate::database::{TestStore, on_each_database};
use crate::outcomes::{all, bare, insert, outcome, table};
use crate::samples::{conversation, dispatch, finished};

on_each_database! {
    feedback_is_taken_from_whoever_may_see_the_calls_and_from_nobody_else,
    what_is_said_again_replaces_all_that_was_said_before,
    a_named_model_gets_an_outcome_of_its_calls_when_somebody_says_what_they_think_of_it,
    an_outcome_that_comes_behind_its_feedback_keeps_it,
    tests_of_the_newest_answer_are_noted_with_it_and_leave_what_else_was_said,
    of_many_who_say_what_they_think_at_once_each_is_heard_and_one_row_is_made,
}

pub(crate) fn said(request: RequestId) -> Feedback {
    Feedback {
        request,
        rating: Some(1),
        accepted: Some(true),
        tests: Some((4, 0)),
        comment: Some("it's '; DROP TABLE outcomes; -- fine".into()),
    }
}

#[track_caller]
fn give(store: &Store, feedback: &Feedback, owner: &RecordOwner) -> bool {
    let noted = store.outcomes().feedback(feedback.clone(), owner.clone());
    store.block_on(noted).unwrap()
}

fn note_tests(store: &Store, told_by: RequestId, owner: &RecordOwner, tests: (u32, u32)) -> bool {
    let earlier = EarlierTests {
        conversation: conversation("conv-1"),
        told_by,
        owner: owner.clone(),
        tests,
    };
    store.block_on(store.outcomes().note_tests(earlier)).unwrap()
}

fn tests_of_the_newest_answer_are_noted_with_it_and_leave_what_else_was_said(test: &TestStore) {
    let store = &test.store;
    let everyone = &RecordOwner::Everyone;
    // In the order of their ids: two answers, one that failed, one that is only judged, one elsewhere, and who tells.
    let ids: Vec<RequestId> = (0..6).map(|_| RequestId::generate()).collect();
    let of = |request, role, outcome| {
        let mut called = call(request, 1, role, outcome);
        called.dispatch.conversation = Some(conversation("conv-1"));
        called
    };
    assert!(!note_tests(store, ids[5], everyone, (1, 1)), "nothing is known of it");
    let mut elsewhere = of(ids[4], LegRole::Answer, Outcome::Completed);
    elsewhere.dispatch.conversation = Some(conversation("conv-2"));
    let calls = vec![
        of(ids[0], LegRole::Answer, Outcome::Completed),
        of(ids[1], LegRole::Answer, Outcome::Completed),
        of(ids[2], LegRole::Answer, Outcome::Malformed),
        of(ids[3], LegRole::Review, Outcome::Completed),
        elsewhere,
        // A later answer of the conversation, and that of the request itself.
        of(ids[5], LegRole::Answer, Outcome::Completed),
        of(RequestId::generate(), LegRole::Answer, Outcome::Completed),
    ];
    insert_calls(store, calls);
    let row = OutcomeRow {
        request: ids[1],
        rating: Some(1),
        accepted: None,
        tests: None,
        ..outcome()
    };
    insert(store, std::slice::from_ref(&row));
    let stranger = RecordOwner::Key(KeyId::generate());
    assert!(!note_tests(store, ids[5], &stranger, (1, 1)));
    assert!(note_tests(store, ids[5], everyone, (3, 1)));
    let noted = OutcomeRow {
        tests: Some((3, 1)),
        ..row
    };
    assert_eq!(all(store), std::slice::from_ref(&noted));
    // The answer before it has no outcome yet.
    assert!(note_tests(store, ids[1], everyone, (2, 0)));
    let made = all(store).remove(0);
    assert_eq!(
        (made.request, made.tests, made.complexity),
        (ids[0], Some((2, 0)), None)
    );
    assert!(!note_tests(store, ids[0], everyone, (2, 0)), "there is none before");
}

fn labels(project: Option<&str>, user: Option<&str>) -> RecordOwner {
    RecordOwner::Labels {
        project: project.map(Into::into),
        user: user.map(Into::into),
    }
}

/// A call of this request, in this place.
fn call(request: RequestId, ordinal: u8, purpose: LegRole, outcome: Outcome) -> CallRecord {
    let mut sent = dispatch();
    sent.attempt.request = request;
    sent.attempt.ordinal = ordinal;
    sent.charges = None;
    sent.purpose = purpose;
    sent.model = format!("model-{ordinal}").into();
    sent.key_id = None;
    let mut record = finished(&sent);
    record.outcome = outcome;
    record
}

fn insert_calls(store: &Store, calls: Vec<CallRecord>) {
    let calls = calls.into_iter().map(Arc::new).collect();
    store.block_on(store.calls().insert_calls(calls)).unwrap();
}

fn feedback_is_taken_from_whoever_may_see_the_calls_and_from_nobody_else(test: &TestStore) {
    let store = &test.store;
    let noted = OutcomeRow {
        project_id: Some("p".into()),
        user_id: Some("u".into()),
        ..outcome()
    };
    insert(store, std::slice::from_ref(&noted));
    let of_calls = RequestId::generate();
    let mut called = call(of_calls, 1, LegRole::Answer, Outcome::Completed);
    called.dispatch.key_id.clone_from(&noted.key_id);
    (called.dispatch.project_id, called.dispatch.user_id) = (Some("p".into()), Some("u".into()));
    insert_calls(store, vec![called]);
    let before = test.texts("SELECT CAST(updated_at AS TEXT) FROM outcomes");
    let strangers = [
        RecordOwner::Key(KeyId::generate()),
        labels(Some("q"), None),
        labels(None, Some("v")),
        labels(Some("p"), Some("v")),
        labels(Some("p' OR '1'='1"), None),
    ];
    for request in [noted.request, of_calls] {
        for stranger in &strangers {
            assert!(!give(store, &said(request), stranger), "{stranger:?}");
        }
    }
    assert!(!give(store, &said(RequestId::generate()), &RecordOwner::Everyone));
    assert_eq!(test.texts("SELECT CAST(updated_at AS TEXT) FROM outcomes"), before);
    assert_eq!(all(store), std::slice::from_ref(&noted));

    let owners = [
        RecordOwner::Key(noted.key_id.clone().unwrap()),
        labels(Some("p"), None),
        labels(None, Some("u")),
        labels(Some("p"), Some("u")),
        RecordOwner::Everyone,
    ];
    for request in [noted.request, of_calls] {
        for owner in &owners {
            assert!(give(store, &said(request), owner), "{owner:?}");
        }
    }
    assert_eq!(all(store).len(), 2);
}

fn what_is_said_again_replaces_all_that_was_said_before(test: &TestStore) {
    let store = &test.store;
    let row = outcome();
    insert(store, std::slice::from_ref(&row));
    let feedback = said(row.request);
    assert!(give(store, &feedback, &RecordOwner::Everyone));
    let comments = || test.texts("SELECT coalesce(comment, '-') FROM outcomes");
    assert_eq!(comments(), [feedback.comment.as_deref().unwrap()]);
    let heard = OutcomeRow {
        rating: Some(1),
        accepted: Some(true),
        tests: Some((4, 0)),
        ..row.clone()
    };
    assert_eq!(all(store), [heard]);
    let nothing_but_a_rating = Feedback {
        rating: Some(0),
        accepted: None,
        tests: None,
        comment: None,
        request: row.request,
    };
    for _ in 0..2 {
        assert!(give(store, &nothing_but_a_rating, &RecordOwner::Everyone));
        let heard = OutcomeRow {
            rating: Some(0),
            accepted: None,
            tests: None,
            ..row.clone()
        };
        assert_eq!(all(store), [heard]);
        assert_eq!(comments(), ["-"]);
    }
}

fn a_named_model_gets_an_outcome_of_its_calls_when_somebody_says_what_they_think_of_it(test: &TestStore) {
    let store = &test.store;
    let request = RequestId::generate();
    // The neighbours in the table's order are others' calls.
    let (before, behind) = (RequestId::generate(), RequestId::generate());
    insert_calls(
        store,
        vec![
            call(before, 1, LegRole::Answer, Outcome::Completed),
            call(request, 1, LegRole::Answer, Outcome::Refused),
            call(request, 2, LegRole::Answer, Outcome::Completed),
            call(request, 11, LegRole::Review, Outcome::Completed),
            call(behind, 1, LegRole::Answer, Outcome::Completed),
        ],
    );
    assert!(give(store, &said(request), &labels(None, Some("user-1"))));
    let made = OutcomeRow {
        request,
        key_id: None,
        user_id: Some("user-1".into()),
        project_id: Some("project \"one\"".into()),
        conversation: Some(conversation("conv-1")),
        endpoint: "/v1/chat".into(),
        task: TaskType::CreateProject,
        quality: QualityLevel::Normal,
        layer: Layer::L1,
        model: "model-2".into(),
        accepted: Some(true),
        rating: Some(1),
        tests: Some((4, 0)),
        ended: OutcomeEnd::Answered,
        cost: NanoUsd(3 * 1_234),
        created_at: 1_700_000_000_004_500,
        ..bare()
    };
    assert_eq!(all(store), [made]);
    // Nobody thought about how hard it is: nothing is learned of it.
    assert_eq!(table(store, 0), []);
}

fn an_outcome_that_comes_behind_its_feedback_keeps_it(test: &TestStore) {
    let store = &test.store;
    let row = OutcomeRow {
        accepted: None,
        rating: None,
        tests: None,
        ..outcome()
    };
    insert_calls(store, vec![call(row.request, 1, LegRole::Answer, Outcome::Completed)]);
    assert!(give(store, &said(row.request), &RecordOwner::Everyone));
    insert(store, std::slice::from_ref(&row));
    let both = OutcomeRow {
        accepted: Some(true),
        rating: Some(1),
        tests: Some((4, 0)),
        ..row.clone()
    };
    assert_eq!(all(store), std::slice::from_ref(&both));
    assert_eq!(test.texts("SELECT comment FROM outcomes").len(), 1);
    // Once it was noted it stays.
    insert(
        store,
        &[OutcomeRow {
            cost: NanoUsd(1),
            ..row
        }],
    );
    assert_eq!(all(store), [both]);
}

fn of_many_who_say_what_they_think_at_once_each_is_heard_and_one_row_is_made(test: &TestStore) {
    let stores: Vec<Store> = (0..4).map(|_| test.patient_neighbour()).collect();
    for _ in 0..5 {
        let row = outcome();
        insert_calls(
            &test.store,
            vec![call(row.request, 1, LegRole::Answer, Outcome::Completed)],
        );
        let saying = (0..12).map(|number| {
            let store = stores[number % 4].outcomes();
            let (feedback, row) = (said(row.request), row.clone());
            async move {
                // The outcome itself comes in between.
                if number == 6 {
                    store.insert(vec![row]).await.unwrap();
                }
                store.feedback(feedback, RecordOwner::Everyone).await.unwrap()
            }
        });
        let heard = test.store.block_on(futures_util::future::join_all(saying));
        assert_eq!(heard, [true; 12]);
        let stored = all(&test.store).into_iter().find(|one| one.request == row.request);
        let expected = OutcomeRow {
            accepted: Some(true),
            rating: Some(1),
            tests: Some((4, 0)),
            ..row
        };
        assert_eq!(stored, Some(expected));
    }
    assert_eq!(test.texts("SELECT request_id FROM outcomes").len(), 5);
}
