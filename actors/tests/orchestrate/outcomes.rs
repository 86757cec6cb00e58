//! What is told of requests once they have ended: how, and what all of it cost.

use std::time::Duration;

use gateway_actors::protocol::{
    ArmChosen, ArmSpec, Billing, CheckPlan, Decision, ExperimentId, FailureKind, Layer, NanoUsd, OutcomeEnd,
    OutcomeRow, Strategy,
};
use gateway_actors::testkit::samples::decision;
use gateway_actors::testkit::{CUT, Script, until};

use crate::scene::{COST, HELD, SUM, Scene, after, say};

/// The outcomes, once there are so many.
async fn told(scene: &Scene, count: usize) -> Vec<OutcomeRow> {
    until("the outcomes", || scene.cell.notes.outcomes().len() >= count).await;
    scene.cell.notes.outcomes()
}

fn ends(outcomes: &[OutcomeRow]) -> Vec<(&str, OutcomeEnd, NanoUsd)> {
    outcomes
        .iter()
        .map(|row| (row.model.as_str(), row.ended, row.cost))
        .collect()
}

#[actix_rt::test]
async fn a_streams_outcome_is_told_when_it_has_ended_and_with_what_it_cost() {
    let scene = Scene::paused();
    scene.plans(&["ant"], decision(CheckPlan::Off));
    scene.script("ant", [Script::Frames(2), Script::BreakAfter(2), Script::Stall(2)]);
    for ended in 0..2 {
        let mut stream = scene.cell.pipeline.stream(scene.cell.ask(SUM)).await.unwrap();
        while stream.events.recv().await.is_some() {}
        assert_eq!(told(&scene, ended + 1).await.len(), ended + 1);
    }
    let mut stream = scene.cell.pipeline.stream(scene.cell.ask(SUM)).await.unwrap();
    stream.events.recv().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.cell.notes.outcomes().len(), 2, "it has not ended");
    drop(stream);
    let expected = [
        ("ant", OutcomeEnd::Answered, COST),
        ("ant", OutcomeEnd::Failed, HELD),
        ("ant", OutcomeEnd::Left, HELD),
    ];
    assert_eq!(ends(&told(&scene, 3).await), expected);
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn a_stream_that_the_end_of_the_process_cuts_counts_for_nobody_and_with_what_was_held() {
    let scene = Scene::new();
    scene.plans(&["ant"], decision(CheckPlan::Off));
    scene.script("ant", [Script::Stall(1)]);
    let mut stream = scene.cell.pipeline.stream(scene.cell.ask(SUM)).await.unwrap();
    stream.events.recv().await.unwrap().unwrap();
    scene.cell.cut.send_replace(true);
    let expected = [("ant", OutcomeEnd::Refused, HELD)];
    assert_eq!(ends(&told(&scene, 1).await), expected);
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn a_call_that_still_runs_counts_with_what_is_held_for_it() {
    let scene = Scene::paused();
    scene.plans(
        &["ant", "bee", "cat", "eel"],
        scene.panel(&["ant", "bee", "cat"], Some("eel")),
    );
    scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 7")]);
    scene.script("cat", [after(5_000, say("Answer: 7"))]);
    scene.ask(SUM).await;
    let outcomes = told(&scene, 1).await;
    let [(_, OutcomeEnd::Answered, cost)] = ends(&outcomes)[..] else {
        panic!("{outcomes:?}")
    };
    // Two that agree, one that is late, and the best, which had to say so, too.
    assert_eq!(cost, COST + COST + HELD + NanoUsd(15_000));
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn a_request_whose_client_left_has_an_outcome_with_what_its_calls_may_cost() {
    let scene = Scene::paused();
    scene.plans(
        &["ant", "bee", "cat", "eel"],
        scene.panel(&["ant", "bee", "cat"], Some("eel")),
    );
    scene.say(&[("ant", "Answer: 1")]);
    for model in ["bee", "cat"] {
        scene.script(model, [after(30_000, say("Answer: 2"))]);
    }
    let asked = scene.cell.pipeline.complete(scene.cell.ask(SUM));
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err());
    let expected = [("ant", OutcomeEnd::Left, COST + HELD + HELD)];
    assert_eq!(ends(&told(&scene, 1).await), expected);
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn only_a_provider_that_was_to_blame_makes_a_request_a_failed_one() {
    use FailureKind as Kind;

    let scene = Scene::paused();
    scene.plans(&["ant"], decision(CheckPlan::Off));
    let cases = [
        (Kind::Auth, OutcomeEnd::Failed),
        (Kind::Malformed, OutcomeEnd::Failed),
        (Kind::FirstByteTimeout, OutcomeEnd::Failed),
        (Kind::Rejected, OutcomeEnd::Refused),
        (Kind::ContextTooLong, OutcomeEnd::Refused),
        (Kind::Deadline, OutcomeEnd::Refused),
    ];
    for (place, (kind, expected)) in cases.into_iter().enumerate() {
        scene.script("ant", [Script::Fail(kind, Billing::NotBilled)]);
        scene.cell.pipeline.complete(scene.cell.ask(SUM)).await.unwrap_err();
        let outcomes = told(&scene, place + 1).await;
        assert_eq!(outcomes.last().unwrap().ended, expected, "{kind:?}");
    }
    scene.records().await;
    scene.stop();
}

/// A decision for a request of an experiment's arm.
fn of_arm(spec: ArmSpec, is_shut: bool) -> Decision {
    Decision {
        arm: Some(ArmChosen {
            experiment: (*ExperimentId::generate().text()).into(),
            arm: "mine".into(),
            spec,
            is_shut,
        }),
        ..decision(CheckPlan::Off)
    }
}

#[actix_rt::test]
async fn an_arm_whose_model_fails_has_failed_though_another_model_answers() {
    let scene = Scene::new();
    let fails = || Script::Fail(FailureKind::ServerError, Billing::NotBilled);
    let (ant, bee) = (ArmSpec::Model("ant".into()), ArmSpec::Model("bee".into()));
    let cases = [
        ("its model answers", ant.clone(), false, None, false),
        ("its model fails", ant.clone(), false, Some(fails()), true),
        ("its model is left alone", bee.clone(), true, None, true),
        ("its model was not its first", bee, false, None, false),
        (
            "another of its layer answers",
            ArmSpec::Layer(Layer::L0),
            false,
            Some(fails()),
            false,
        ),
        ("its layer is left alone", ArmSpec::Layer(Layer::L3), true, None, true),
        (
            "it names no model",
            ArmSpec::Strategy(Strategy::Value),
            false,
            Some(fails()),
            false,
        ),
    ];
    for (number, (what, spec, is_shut, script, expected)) in cases.into_iter().enumerate() {
        scene.plans(&["ant", "cat"], of_arm(spec.clone(), is_shut));
        scene.script("ant", script.clone());
        scene.ask(SUM).await;
        let row = told(&scene, number * 2 + 1).await.pop().unwrap();
        assert_eq!((row.arm_failed, row.is_failure()), (expected, expected), "{what}");
        assert_eq!(row.ended, OutcomeEnd::Answered, "{what}: the client has its answer");
        scene.script("ant", script);
        let mut stream = scene.cell.pipeline.stream(scene.cell.ask(SUM)).await.unwrap();
        while stream.events.recv().await.is_some() {}
        let row = told(&scene, number * 2 + 2).await.pop().unwrap();
        assert_eq!(row.arm_failed, expected, "{what}, streamed");
    }
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn an_arm_whose_answer_was_given_up_for_a_better_one_has_not_failed() {
    let scene = Scene::new();
    scene.plans(&["ant", "dog"], of_arm(ArmSpec::Model("ant".into()), false));
    scene.say(&[("ant", &format!("It is sev{CUT}")), ("dog", "seven")]);
    scene.ask(SUM).await;
    let row = told(&scene, 1).await.pop().unwrap();
    assert_eq!(
        (row.model.as_str(), row.arm_failed, row.escalated),
        ("dog", false, true)
    );
    scene.records().await;
    scene.stop();
}
