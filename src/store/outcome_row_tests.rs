//! Outcomes that are made of calls, and who sees them.

use super::*;

fn call(purpose: LegRole, model: &str, success: bool) -> CallLabels {
    CallLabels {
        key_id: None,
        user_id: Some("u".into()),
        project_id: Some("p".into()),
        conversation_id: None,
        endpoint: "/v1/chat".into(),
        task: "code".into(),
        layer: "L1".into(),
        model_id: model.into(),
        purpose: purpose.as_str().into(),
        outcome: if success { Outcome::Completed } else { Outcome::TimedOut }
            .as_str()
            .into(),
        success,
        cost_nano_usd: 10,
        duration_us: 5,
        started_at: 100,
    }
}

#[test]
fn an_outcome_is_made_of_the_call_that_answered() {
    use LegRole::{Answer, Review, Rise};

    for (calls, model, escalated, failed) in [
        (vec![call(Answer, "a", true)], "a", false, false),
        (
            vec![
                call(Answer, "a", false),
                call(Answer, "b", true),
                call(Review, "c", true),
            ],
            "b",
            false,
            false,
        ),
        (vec![call(Answer, "a", true), call(Rise, "b", true)], "b", true, false),
        (vec![call(Answer, "a", true), call(Rise, "b", false)], "a", false, false),
        (
            vec![call(Answer, "a", false), call(Review, "b", true)],
            "a",
            false,
            true,
        ),
        (vec![call(Review, "b", true)], "b", false, true),
    ] {
        let made = StoredOutcome::of_calls("req_1", &calls, 7).unwrap();
        assert_eq!(
            (&*made.model_id, made.escalated, &*made.ended, made.created_at),
            (model, escalated, if failed { "failed" } else { "answered" }, 105),
            "{calls:?}"
        );
        assert_eq!(made.cost_nano_usd, 10 * i64::try_from(calls.len()).unwrap());
    }
    assert_eq!(StoredOutcome::of_calls("req_1", &[], 7), None);
    for (outcome, ended) in [
        (Outcome::Broken, "failed"),
        (Outcome::ClientLeft, "left"),
        (Outcome::Refused, "refused"),
        (Outcome::Cut, "refused"),
    ] {
        let last = CallLabels {
            outcome: outcome.as_str().into(),
            ..call(Answer, "a", false)
        };
        assert_eq!(StoredOutcome::of_calls("req_1", &[last], 7).unwrap().ended, ended);
    }
}

#[test]
fn a_row_is_seen_by_whoever_sees_its_calls() {
    let row = call(LegRole::Answer, "a", true).labels();
    let labels = |project: Option<&str>, user: Option<&str>| RecordOwner::Labels {
        project: project.map(Into::into),
        user: user.map(Into::into),
    };
    for (owner, sees) in [
        (RecordOwner::Everyone, true),
        (RecordOwner::Key(KeyId::generate()), false),
        (labels(Some("p"), None), true),
        (labels(Some("p"), Some("u")), true),
        (labels(None, Some("u")), true),
        (labels(Some("p"), Some("v")), false),
        (labels(Some("q"), Some("u")), false),
    ] {
        assert_eq!(row.are_of(&owner), sees, "{owner:?}");
    }
}
