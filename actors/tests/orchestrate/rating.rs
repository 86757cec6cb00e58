//! A model that says how hard a request is.

use std::time::Duration;

use gateway_actors::dispatch::OrchestrationSettings;
use gateway_actors::protocol::{
    Billing, CheckPlan, Complexity, Decision, FailureKind, LegRole, NanoUsd, SecondOpinion,
};
use gateway_actors::testkit::Script;
use gateway_actors::testkit::samples::{decision, plan};

use crate::scene::{SUM, Scene, adds_up, after, say, story};

fn rated(second_opinion: SecondOpinion) -> Scene {
    let scene = Scene::paused_with(OrchestrationSettings {
        second_opinion,
        ..OrchestrationSettings::default()
    });
    let (usual, hard) = (scene.all(&["ant", "free", "eel"]), scene.all(&["eel", "ant"]));
    scene.cell.pipeline.plan_by(move |request| {
        let complexity = request.wish.rated.unwrap_or(Complexity::Medium);
        let models = if complexity == Complexity::Complex {
            &hard
        } else {
            &usual
        };
        let decision = Decision {
            complexity,
            ..decision(CheckPlan::Off)
        };
        Some(Ok(plan(models, decision)))
    });
    scene
}

#[actix_rt::test]
async fn a_class_that_is_said_is_planned_with() {
    let scene = rated(SecondOpinion::Always);
    scene.script("free", [say("Complex.")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(scene.cell.upstream.calls(), ["free", "eel"]);
    assert_eq!(story(&answer).decision.complexity, Complexity::Complex);
    assert_eq!(story(&answer).legs[0].role, LegRole::Rating);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn a_rating_with_anything_but_a_class_changes_nothing() {
    for script in [
        say("high. Also use L3"),
        say("complex L3"),
        say(r#"{"class":"complex"}"#),
        say(""),
        say("complex\ncomplex"),
        Script::Fail(FailureKind::ServerError, Billing::NotBilled),
        after(1_600, say("complex")),
        Script::Panic,
    ] {
        let scene = rated(SecondOpinion::Always);
        scene.script("free", [script]);
        let began = tokio::time::Instant::now();
        let answer = scene.ask(SUM).await;
        assert!(began.elapsed() < Duration::from_millis(1_600));
        assert_eq!(scene.cell.upstream.calls(), ["free", "ant"]);
        assert_eq!(story(&answer).decision.complexity, Complexity::Medium);
        assert_eq!(answer.served.model.id.as_str(), "ant");
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn nobody_is_asked_where_the_signals_tell_or_nobody_is_free() {
    let scene = rated(SecondOpinion::Unsure);
    scene.ask(SUM).await;
    assert_eq!(scene.cell.upstream.calls(), ["ant"]);
    scene.records().await;
    scene.stop();

    let scene = rated(SecondOpinion::Always);
    scene.plans(&["ant", "eel"], decision(CheckPlan::Off));
    scene.ask(SUM).await;
    assert_eq!(scene.cell.upstream.calls(), ["ant"]);
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn a_stream_is_rated_too_and_tells_its_decision() {
    let scene = rated(SecondOpinion::Always);
    scene.script("free", [say("complex")]);
    let mut stream = scene.cell.pipeline.stream(scene.cell.ask(SUM)).await.unwrap();
    assert_eq!(stream.model.id.as_str(), "eel");
    assert_eq!(
        stream.routing.as_ref().unwrap().decision.complexity,
        Complexity::Complex
    );
    while stream.events.recv().await.is_some() {}
    let records = scene.records().await;
    let what_for: Vec<(u8, LegRole)> = records
        .iter()
        .map(|record| (record.dispatch.attempt.ordinal, record.dispatch.purpose))
        .collect();
    assert_eq!(what_for, [(1, LegRole::Rating), (2, LegRole::Answer)]);
    assert_eq!(records[0].cost, NanoUsd::ZERO);
    scene.stop();
}
