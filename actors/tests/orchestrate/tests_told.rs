//! What models are told of the client's failed tests before anybody has answered.

use gateway_actors::protocol::{Billing, ChatCall, CheckPlan, Decision, Evidence, FailureKind, TestResults};
use gateway_actors::testkit::samples::decision;
use gateway_actors::testkit::{CUT, Script};

use crate::scene::{SUM, Scene, adds_up, story, text};

/// A decision that starts higher for failed tests.
fn raised() -> Decision {
    Decision {
        raised_by: Some(Evidence::FailedTests),
        ..decision(CheckPlan::Off)
    }
}

/// A request after tests of which some failed.
fn after_tests(scene: &Scene) -> ChatCall {
    let mut call = scene.cell.ask(SUM);
    call.plan.wish.tests = Some(TestResults {
        passed: 3,
        failed: 1,
        output: Some("E assert 6 == 7".into()),
    });
    call
}

#[actix_rt::test]
async fn a_better_model_that_is_asked_for_failed_tests_is_told_of_them_once() {
    let scene = Scene::paused();
    scene.plans(&["dog", "dog-two", "eel"], raised());
    scene.script("dog", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.say(&[("dog-two", &format!("It is sev{CUT}")), ("eel", "7")]);
    let answer = scene.cell.pipeline.complete(after_tests(&scene)).await.unwrap();
    assert_eq!(text(&answer), "7");
    for model in ["dog", "dog-two", "eel"] {
        let sent = &scene.cell.upstream.sent_to(model)[0];
        for told in ["3 passed, 1 failed", "E assert 6 == 7"] {
            assert_eq!(sent.matches(told).count(), 1, "{model}: {sent}");
        }
    }
    let [first, second] = &story(&answer).rises[..] else {
        panic!("{:?}", story(&answer).rises)
    };
    assert!(first.attempts.is_empty() && first.request == SUM);
    assert!(first.known_issues[0].contains("E assert 6 == 7"));
    assert_eq!(second.attempts[0].model.as_str(), "dog-two");
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn being_told_of_failed_tests_is_no_move_up() {
    let scene = Scene::paused();
    scene.plans(&["ant", "dog", "eel"], raised());
    let cut = format!("and then{CUT}");
    scene.say(&[("ant", &cut), ("dog", &cut), ("eel", "7")]);
    let answer = scene.cell.pipeline.complete(after_tests(&scene)).await.unwrap();
    assert_eq!((text(&answer), story(&answer).rises.len()), ("7", 3));
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn failed_tests_that_an_approved_note_tells_of_are_not_told_again() {
    for (note, is_told) in [("the client's tests: 3 passed, 1 failed", true), ("it was cut", false)] {
        let scene = Scene::paused();
        scene.plans(&["dog", "eel"], raised());
        scene.say(&[("dog", &format!("and then{CUT}"))]);
        let mut call = after_tests(&scene);
        call.plan.wish.note = Some(note.into());
        let answer = scene.cell.pipeline.complete(call).await.unwrap();
        let packages = &story(&answer).rises;
        assert_eq!(packages.len(), if is_told { 1 } else { 2 });
        let issues = &packages.last().unwrap().known_issues;
        let is_there = issues.iter().any(|issue| issue.contains("1 failed"));
        assert_eq!(is_there, !is_told, "{issues:?}");
        scene.records().await;
        scene.stop();
    }
}

#[actix_rt::test]
async fn whoever_would_have_answered_anyway_is_told_of_failed_tests_and_of_no_others() {
    let scene = Scene::paused();
    scene.plans(&["ant"], decision(CheckPlan::Off));
    let answer = scene.cell.pipeline.complete(after_tests(&scene)).await.unwrap();
    let sent = scene.cell.upstream.sent_to("ant");
    assert!(
        sent[0].contains("3 passed, 1 failed") && sent[0].contains("E assert 6 == 7"),
        "{sent:?}"
    );
    assert!(story(&answer).rises[0].attempts.is_empty());
    let mut passed = after_tests(&scene);
    passed.plan.wish.tests.as_mut().unwrap().failed = 0;
    let answer = scene.cell.pipeline.complete(passed).await.unwrap();
    assert_eq!(scene.cell.upstream.sent_to("ant")[1], SUM);
    assert!(story(&answer).rises.is_empty());
    scene.records().await;
    scene.stop();
}
