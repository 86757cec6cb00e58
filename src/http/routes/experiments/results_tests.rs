use gateway_actors::protocol::{
    Arm, ArmSpec, CheckStatus, Evidence, ExperimentId, ExperimentStatus, GuardRails, Layer, QualityLevel, RequestId,
    Sticky, TaskType,
};

use super::*;

fn experiment() -> Experiment {
    let arm = |name: &str, layer| Arm {
        name: name.into(),
        weight: 1,
        spec: ArmSpec::Layer(layer),
    };
    Experiment {
        id: ExperimentId::generate(),
        name: "x".into(),
        status: ExperimentStatus::Running,
        task: None,
        sticky: Sticky::Request,
        arms: vec![arm("a", Layer::L0), arm("b", Layer::L1), arm("unused", Layer::L2)],
        guard: GuardRails::default(),
        stopped_reason: None,
        created_at: 0,
        updated_at: 0,
    }
}

fn outcome(experiment: &Experiment, arm: &str, failed: bool, cost: i64) -> OutcomeRow {
    OutcomeRow {
        request: RequestId::generate(),
        key_id: None,
        user_id: None,
        project_id: None,
        conversation: None,
        endpoint: "/v1/chat".into(),
        task: TaskType::Chat,
        complexity: None,
        quality: QualityLevel::Normal,
        difficulty: None,
        start: None,
        layer: Layer::L0,
        model: "small".into(),
        strategy: None,
        check: CheckStatus::Off,
        votes: None,
        confidence: None,
        evidence: None,
        escalated: false,
        replaced: None,
        ended: match failed {
            true => OutcomeEnd::Failed,
            false => OutcomeEnd::Answered,
        },
        accepted: None,
        rating: None,
        tests: None,
        experiment: Some((experiment.id, arm.into())),
        arm_failed: false,
        cost: NanoUsd(cost),
        created_at: 0,
    }
}

#[test]
fn arms_are_compared_with_the_first_and_only_certain_differences_count_as_decided() {
    let experiment = experiment();
    let mut rows = Vec::new();
    // Newcombe's example: 56 of 70 against 48 of 80.
    rows.extend((0..80).map(|place| outcome(&experiment, "a", place < 48, 1_000 + place)));
    rows.extend((0..70).map(|place| outcome(&experiment, "b", place < 56, 9_000 + place)));
    rows[0].accepted = Some(true);
    rows[1].accepted = Some(false);
    rows[2].rating = Some(1);
    rows[3].rating = Some(-1);
    // One that did not fail, and so does not change the rate of errors.
    rows[79].escalated = true;
    // What the caller did wrong is no error of the arm, but costs.
    for ended in [OutcomeEnd::Refused, OutcomeEnd::Left] {
        let mut row = outcome(&experiment, "a", false, 10);
        (row.ended, row.evidence) = (ended, Some(Evidence::Empty));
        rows.push(row);
    }
    let told = serde_json::to_value(Results::of(&experiment, &rows)).unwrap();
    assert_eq!(
        (told["counted"].as_u64(), told["truncated"].as_bool()),
        (Some(152), Some(false))
    );
    let [a, b, unused] = &told["results"].as_array().unwrap()[..] else {
        panic!("{told}")
    };
    assert_eq!(
        (&a["n"], &a["errors"], &a["costNanoUsd"]),
        (&82.into(), &48.into(), &83_180.into())
    );
    assert_eq!(
        a["ended"],
        serde_json::json!({"answered": 32, "failed": 48, "refused": 1, "left": 1})
    );
    assert_eq!(a["errorRate"]["value"], 0.6);
    assert_eq!(a["acceptedRate"]["value"], 0.5);
    assert_eq!(a["ratings"], serde_json::json!({"up": 1, "down": 1}));
    assert_eq!(a["escalatedRate"]["value"], 0.0125);
    assert_eq!(a.get("versusFirst"), None);
    let versus = &b["versusFirst"];
    assert!(
        (versus["errorRate"]["low"].as_f64().unwrap() - 0.0524).abs() < 1e-4,
        "{versus}"
    );
    assert!(
        (versus["errorRate"]["high"].as_f64().unwrap() - 0.3339).abs() < 1e-4,
        "{versus}"
    );
    assert_eq!(
        (&versus["errorRate"]["decided"], &versus["decided"]),
        (&true.into(), &true.into())
    );
    let mean = versus["meanCostUsd"]["value"].as_f64().unwrap();
    assert!((mean - 8.020_109_756e-6).abs() < 1e-12, "{mean}");
    assert_eq!(unused["errorRate"], serde_json::Value::Null);
    assert_eq!(unused["versusFirst"]["decided"], false);
}

#[test]
fn a_few_requests_decide_nothing() {
    let experiment = experiment();
    let rows = [
        outcome(&experiment, "a", false, 5),
        outcome(&experiment, "a", false, 5),
        outcome(&experiment, "b", true, 6),
        outcome(&experiment, "b", false, 5),
    ];
    let told = serde_json::to_value(Results::of(&experiment, &rows)).unwrap();
    let versus = &told["results"][1]["versusFirst"];
    assert_eq!(
        (&versus["errorRate"]["decided"], &versus["decided"]),
        (&false.into(), &false.into())
    );
}
