use std::sync::Arc;

use gateway_actors::protocol::{
    ArmChosen, ArmSpec, Candidate, Estimate, Evidence, HandOffAttempt, HandOffNote, HealthNote, Model, Outcome, Reason,
    Selection,
};
use serde_json::{Value, json};

use super::*;
use crate::http::testing::{model, served_with, story};

fn reason() -> Reason {
    Reason {
        selection: Selection::Layer,
        health: HealthNote::Healthy,
        price_rank: 0,
        is_too_dear: false,
        is_not_worth_it: false,
    }
}

fn attempt(ordinal: u8, role: LegRole, model: &Arc<Model>, outcome: Outcome) -> AttemptTrace {
    AttemptTrace {
        ordinal,
        role,
        model: Arc::clone(model),
        reason: reason(),
        outcome,
        cost: NanoUsd(i64::from(ordinal)),
    }
}

fn told(served: Option<&Served>, explain: bool) -> Value {
    serde_json::to_value(Routing::of(served, explain)).unwrap()
}

/// A panel of which one member runs on, then a better model.
fn checked() -> Served {
    let (a, b, c, d) = (
        Arc::new(model("a", "alpha")),
        Arc::new(model("b", "beta")),
        Arc::new(model("c", "gamma")),
        Arc::new(model("d", "alpha")),
    );
    let leg = |role, held: Option<i64>, attempts| LegTrace {
        role,
        attempts,
        held: held.map(NanoUsd),
    };
    let panel = LegRole::Panel;
    let mut told = story(None);
    told.legs = vec![
        leg(
            panel,
            None,
            vec![
                attempt(1, panel, &a, Outcome::TimedOut),
                attempt(4, panel, &b, Outcome::Completed),
            ],
        ),
        leg(panel, None, vec![attempt(2, panel, &b, Outcome::Completed)]),
        leg(panel, Some(70), vec![attempt(3, panel, &c, Outcome::Interrupted)]),
        leg(
            LegRole::Rise,
            None,
            vec![attempt(5, LegRole::Rise, &d, Outcome::Completed)],
        ),
    ];
    told.check = CheckStatus::Arbitrated;
    told.checkers = vec!["b".into(), "c".into()];
    (told.votes, told.confidence) = (Some((1, 3)), Some(0.81));
    told.decision.arm = Some(ArmChosen {
        experiment: "exp_1".into(),
        arm: "b".into(),
        spec: ArmSpec::Layer(Layer::L0),
        is_shut: false,
    });
    told.candidates = vec![Candidate {
        model: Arc::clone(&a),
        reason: reason(),
    }];
    told.decision.estimates = vec![Estimate {
        model: Arc::clone(&a),
        chance: 0.25,
        cost: NanoUsd(8),
        known: true,
    }];
    told.rises = vec![Arc::new(HandOff {
        summary: "a first turn".into(),
        task: TaskType::Code,
        attempts: vec![HandOffAttempt {
            layer: Layer::L0,
            model: "b".into(),
            evidence: Evidence::Disagreement,
            answer: "41".into(),
        }],
        known_issues: vec!["off by one".into()],
        open_questions: Vec::new(),
        request: "What is 6 x 7?".into(),
        tokens: 20,
    })];
    served_with(Some(told))
}

#[test]
fn every_attempt_is_told_in_the_order_in_which_it_was_begun() {
    let told = told(Some(&checked()), false);
    let attempts = told["attempts"].as_array().unwrap();
    let lines: Vec<String> = attempts
        .iter()
        .map(|attempt| {
            let text = |name: &str| attempt[name].as_str().unwrap().to_owned();
            format!(
                "{} {} {} {}",
                text("role"),
                text("model"),
                text("outcome"),
                attempt["costNanoUsd"]
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "panel a timed_out 1",
            "panel b completed 2",
            "panel c running 0",
            "panel b completed 4",
            "rise d completed 5"
        ]
    );
    assert_eq!(attempts[2]["heldNanoUsd"], 70);
    assert_eq!(attempts[1].get("heldNanoUsd"), None);
    assert_eq!(
        told["crossCheck"],
        json!({"status": "arbitrated", "models": ["b", "c"], "agreed": 1, "of": 3, "confidence": 0.81})
    );
    assert_eq!(told["experiment"], json!({"id": "exp_1", "arm": "b"}));
    assert_eq!(
        (&told["startLayer"], &told["strategy"]),
        (&json!("L0"), &json!("layers"))
    );
    for on_request in ["candidates", "signals", "trace"] {
        assert_eq!(told.get(on_request), None, "{on_request}");
    }
}

#[test]
fn on_request_all_of_it_is_told() {
    let told = told(Some(&checked()), true);
    assert_eq!(
        told["candidates"],
        json!([{"model": "a", "layer": "L0", "provider": "alpha", "chance": 0.25, "known": true,
            "estimatedCostNanoUsd": 8, "reason": "next in its layer by price"}])
    );
    assert_eq!(told["signals"], json!({"code": 0.25}));
    assert_eq!(told["trace"]["legs"].as_array().unwrap().len(), 4);
    assert_eq!(told["trace"]["legs"][2]["attempts"][0]["outcome"], "running");
    assert_eq!(
        told["trace"]["handOffs"],
        json!([{"summary": "a first turn", "task": "code", "attempts": [{"layer": "L0", "model": "b",
            "evidence": "disagreement", "answer": "41"}], "knownIssues": ["off by one"], "openQuestions": [],
            "request": "What is 6 x 7?", "tokens": 20}])
    );
}

#[test]
fn what_was_kept_with_an_approved_offer_is_told_before_what_was_told_within_the_request() {
    let mut served = checked();
    served.routing.as_mut().unwrap().note = Some(HandOffNote("what was tried before".into()));
    let told = told(Some(&served), true);
    let hand_offs = told["trace"]["handOffs"].as_array().unwrap();
    assert_eq!(hand_offs[0], json!({"text": "what was tried before", "tokens": 5}));
    assert_eq!(hand_offs[1]["summary"], "a first turn");
    assert_eq!(hand_offs.len(), 2);
}

#[test]
fn of_a_named_model_there_is_the_summary_alone() {
    let plain = served_with(None);
    assert_eq!(told(Some(&plain), true), json!({"summary": "", "fromCache": false}));
    assert_eq!(
        told(None, true),
        json!({"summary": "this message was answered before", "fromCache": true})
    );
}
