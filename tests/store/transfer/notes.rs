//! What is moved of offers, outcomes and the notebook.

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    Decided, EscalationDecision, Feedback, ImprovementKind, OutcomeRow, RecordOwner, StoredCalibration,
};

use super::Databases;
use crate::database::TestDatabase;
use crate::escalations::{new_offer, offer_in, offered};
use crate::notebook::{calibration, experiment, improvement, model_edit, note, put};
use crate::outcomes::{insert, outcome};
use crate::samples::{conversation, turn};

/// More than a page of the copy.
const OUTCOMES: usize = 601;

/// Tables, what of them is compared, and by what their rows are ordered.
pub(super) const COLUMNS: &[(&str, &str, &str)] = &[
    (
        "escalations",
        "id || caller || endpoint || request_id || coalesce(conversation_id, '-') || coalesce(user_seq, -1) || body
            || request_hash || from_layer || to_layer || reason || estimated_nano_usd || note || coalesce(answer, '-')
            || state || created_at || expires_at || coalesce(decided_at, -1)",
        "id",
    ),
    (
        "outcomes",
        "request_id || coalesce(key_id, '-') || coalesce(user_id, '-') || coalesce(project_id, '-')
            || coalesce(conversation_id, '-') || endpoint || task || coalesce(complexity, '-') || quality
            || coalesce(difficulty_milli, -1) || coalesce(start_layer, '-') || layer || model_id
            || coalesce(strategy, '-') || cross_check || coalesce(votes, -1) || coalesce(confidence_milli, -1)
            || coalesce(evidence, '-') || CAST(escalated AS INTEGER) || coalesce(replaced_model_id, '-') || ended
            || coalesce(CAST(accepted AS INTEGER), -1) || coalesce(rating, -7) || coalesce(tests_passed, -1)
            || coalesce(tests_failed, -1) || coalesce(comment, '-') || coalesce(experiment_id, '-')
            || coalesce(arm, '-') || cost_nano_usd || created_at || updated_at",
        "request_id",
    ),
    (
        "experiments",
        "id || name || status || coalesce(task, '-') || sticky || arms || guard || coalesce(stopped_reason, '-')
            || created_at || updated_at || coalesce(deleted_at, -1)",
        "id",
    ),
    (
        "improvements",
        "id || kind || title || data || CAST(enabled AS INTEGER) || created_at || updated_at
            || coalesce(deleted_at, -1)",
        "id",
    ),
    (
        "calibrations",
        "id || data || summary || coalesce(superseded_at, -1) || created_at",
        "id",
    ),
    (
        "model_edits",
        "model_id || coalesce(since, -1) || trials || created_at || updated_at",
        "model_id",
    ),
];

/// Puts rows into each of these tables, some of which were deleted or superseded.
pub(super) fn fill(source: &TestDatabase, store: &Store) {
    store.block_on(store.escalations().secret()).unwrap();
    let turn = turn(&conversation("conv-1"), "hello");
    let of_conversation = (0..2).map(|_| offer_in(&turn, 1));
    let offers: Vec<_> = of_conversation.chain((0..2).map(|_| new_offer(i64::MAX))).collect();
    for offer in &offers {
        offered(store, offer);
    }
    for (offer, decision) in offers.iter().zip(EscalationDecision::ALL) {
        store.block_on(store.escalations().decide(offer.id, *decision)).unwrap();
    }

    let bare = OutcomeRow {
        complexity: None,
        votes: None,
        accepted: None,
        rating: None,
        tests: None,
        experiment: None,
        ..outcome()
    };
    let rows: Vec<_> = (0..OUTCOMES).map(|_| outcome()).chain([bare]).collect();
    insert(store, &rows);
    let feedback = Feedback {
        request: rows[0].request,
        rating: Some(1),
        accepted: None,
        tests: Some((1, 0)),
        comment: Some("it's fine".into()),
    };
    let heard = store.outcomes().feedback(feedback, RecordOwner::Everyone);
    assert!(store.block_on(heard).unwrap());

    let experiments = [experiment(1), experiment(2)];
    experiments.iter().for_each(|one| assert!(put(store, one)));
    store
        .block_on(store.notebook().delete_experiment(experiments[0].id))
        .unwrap();
    let notes = [ImprovementKind::Bug, ImprovementKind::Heuristic].map(|kind| improvement(kind, 1));
    notes.iter().for_each(|one| assert!(note(store, one)));
    store
        .block_on(store.notebook().delete_improvement(notes[0].id))
        .unwrap();
    for id in ["cal_1", "cal_2"] {
        store
            .block_on(store.notebook().put_calibration(calibration(id, 1)))
            .unwrap();
    }
    assert_eq!(source.texts("SELECT id FROM calibrations").len(), 2);
    for edit in [model_edit("alpha", Some(7)), model_edit("beta/b", None)] {
        store.block_on(store.notebook().put_model_edit(edit)).unwrap();
    }
}

#[test]
fn an_offer_that_was_made_before_the_move_can_be_decided_about_after_it() {
    let databases = Databases::new();
    let source = databases.source.open();
    let secret = source.block_on(source.escalations().secret()).unwrap();
    drop(source);
    databases.transfer().unwrap();
    let target = databases.target.open();
    assert_eq!(target.block_on(target.escalations().secret()).unwrap(), secret);
    for (state, expected) in [("pending", true), ("approved", false), ("rejected", false)] {
        let id = databases
            .target
            .texts(&format!(
                "SELECT id FROM escalations WHERE state = '{state}' ORDER BY id"
            ))
            .remove(0);
        let decided = target
            .escalations()
            .decide(id.parse().unwrap(), EscalationDecision::Approve);
        let decided = target.block_on(decided).unwrap();
        assert_eq!(matches!(decided, Decided::Done(_)), expected, "{decided:?}");
    }
    let applies = target.block_on(target.notebook().calibration()).unwrap();
    assert_eq!(applies.map(|StoredCalibration { id, .. }| id).as_deref(), Some("cal_2"));
    let experiments = target.block_on(target.notebook().experiments()).unwrap();
    assert_eq!(experiments.len(), 1);
}
