//! Explanations as clients see them.

use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::test::{TestRequest, call_service};
use gateway_actors::protocol::{
    ArmChosen, ArmSpec, Confirmation, Estimate, Evidence, HealthNote, NanoUsd, Reason, RejectReason, Rejected,
    Selection,
};
use serde_json::{Value, json};

use super::*;
use crate::http::testing::{Told, app, model, parts, story};

fn candidate(id: &str) -> Candidate {
    Candidate {
        model: Arc::new(model(id, "alpha")),
        reason: Reason {
            selection: Selection::TaskList(0),
            health: HealthNote::Healthy,
            price_rank: 0,
            is_too_dear: false,
            is_not_worth_it: false,
        },
    }
}

fn plan() -> Plan {
    let mut decision = story(None).decision;
    decision.skipped = vec![(Layer::L0, "unlikely")];
    decision.check = CheckPlan::Review {
        reviewers: vec![candidate("small"), candidate("other")],
    };
    decision.arm = Some(ArmChosen {
        experiment: "exp_1".into(),
        arm: "a".into(),
        spec: ArmSpec::Layer(Layer::L0),
        is_shut: false,
    });
    decision.estimates = vec![Estimate {
        model: Arc::new(model("small", "alpha")),
        chance: 0.5,
        cost: NanoUsd(9),
        known: false,
    }];
    Plan {
        candidates: vec![candidate("small")],
        rejected: vec![Rejected {
            model: Arc::new(model("tiny", "beta")),
            reason: RejectReason::WindowTooSmall,
        }],
        decision: Some(Box::new(decision)),
        confirmation: Some(Confirmation {
            layer: Layer::L3,
            evidence: Evidence::TooHard,
        }),
    }
}

#[test]
fn a_plan_is_told_in_full() {
    let plan = plan();
    let mut told = serde_json::to_value(explained(&plan, 42, RequestId::generate())).unwrap();
    assert!(told["requestId"].take().as_str().unwrap().starts_with("req_"));
    assert_eq!(
        told,
        json!({
            "task": "code", "complexity": "complex", "unsure": false, "difficulty": 0.5, "signals": {"code": 0.25},
            "startLayer": "L0", "strategy": "layers", "skipped": [{"layer": "L0", "why": "unlikely"}],
            "check": {"kind": "review", "members": ["small", "other"], "between": [], "top": null},
            "experiment": {"id": "exp_1", "arm": "a"},
            "candidates": [{"model": "small", "layer": "L0", "provider": "alpha", "chance": 0.5, "known": false,
                "estimatedCostNanoUsd": 9, "reason": "number 1 of the task list"}],
            "rejected": [{"model": "tiny", "layer": "L0", "provider": "beta", "reason": "the input does not fit its window"}],
            "confirmation": {"layer": "L3", "reason": "complexity"},
            "decisionMicros": 42, "requestId": null,
        })
    );
}

#[test]
fn of_a_named_model_there_are_candidates_and_no_decision() {
    let plan = Plan {
        decision: None,
        confirmation: None,
        ..plan()
    };
    let told = serde_json::to_value(explained(&plan, 1, RequestId::generate())).unwrap();
    let members: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(members, ["candidates", "decisionMicros", "rejected", "requestId"]);
}

#[actix_web::test]
async fn an_explanation_plans_what_was_asked_and_redeems_nothing() {
    let pipeline = Told {
        explain: Box::new(|request| {
            assert!(request.wish.explain && request.wish.task_is_given);
            assert_eq!((request.task, request.max_layer), (TaskType::Code, Some(Layer::L1)));
            assert_eq!(request.needs.max_output, Some(5));
            Ok(plan())
        }),
        ..Told::default()
    };
    let app = app(parts(), pipeline).await;
    let post = async |body: Value| {
        let request = TestRequest::post()
            .uri("/v1/route/explain")
            .insert_header(("host", "localhost"));
        let response = call_service(&app, request.set_json(body).to_request()).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body()).await.unwrap();
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let body = json!({"message": "sort it", "taskType": "code", "maxLayer": "L1", "maxTokens": 5,
        "conversationId": "conv-1"});
    let (status, told) = post(body).await;
    assert_eq!((status, &told["complexity"]), (200, &json!("complex")), "{told}");
    let (status, told) = post(json!({"message": "x", "escalationToken": "esc1.a.b"})).await;
    assert_eq!((status, &told["error"]["param"]), (400, &json!("escalationToken")));
}
