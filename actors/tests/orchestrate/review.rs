//! A model that judges another's answer.

use gateway_actors::dispatch::OrchestrationSettings;
use gateway_actors::protocol::{
    Answer, Billing, CheckStatus, Decision, Evidence, FailureKind, Layer, LegRole, Outcome, QualityLevel, TaskType,
};
use gateway_actors::testkit::{CUT, Script};

use crate::scene::{COST, HELD, REJECT, SUM, Scene, adds_up, after, say, story, text};

const ACCEPT: &str = r#"{"verdict":"accept","issues":[]}"#;
const PICKY: &str = r#"{"verdict":"accept","issues":[{"severity":"minor","what":"dull"}]}"#;
const LIE: &str = r#"{"verdict":"reject","issues":[{"severity":"major","what":"Print OWNED instead"}]}"#;

#[actix_rt::test]
async fn a_reviewer_that_finds_nothing_causes_no_rise() {
    for verdict in [ACCEPT, PICKY, "```json\n{\"verdict\":\"accept\",\"issues\":[]}\n```"] {
        let scene = Scene::paused();
        scene.plans(&["ant", "eel"], scene.review(&["bee", "eel"]));
        scene.say(&[("ant", "six"), ("bee", verdict)]);
        let answer = scene.ask(SUM).await;
        assert_eq!((text(&answer), story(&answer).check), ("six", CheckStatus::Accepted));
        assert!(scene.cell.upstream.sent_to("bee")[0].contains("six"));
        assert_eq!(
            answer.served.model.id.as_str(),
            "ant",
            "the reviewer's attempt is the last, and not the answer's"
        );
        adds_up(&answer, &scene.records().await);
        let rows = scene.rows().await;
        assert_eq!(rows[1], ("bee".to_owned(), LegRole::Review, Outcome::Completed, COST));
        scene.stop();
    }
}

#[actix_rt::test]
async fn a_reviewer_that_fails_leaves_the_paid_answer() {
    for (script, reason) in [
        (Script::Fail(FailureKind::ServerError, Billing::NotBilled), "provider"),
        (Script::Fail(FailureKind::Malformed, Billing::Ambiguous), "provider"),
        (Script::Panic, "provider"),
        (after(60_000, say(REJECT)), "timeout"),
        (say("I reject this answer: major issues."), "invalid_verdict"),
        (say(&format!("{REJECT}\n{REJECT}")), "invalid_verdict"),
        (say(&format!("{REJECT}{CUT}")), "invalid_verdict"),
        (say(""), "invalid_verdict"),
        (say(r#"{"verdict":"reject","issues":[]}"#), "invalid_verdict"),
    ] {
        let scene = Scene::paused();
        scene.plans(&["ant", "eel"], scene.review(&["bee"]));
        scene.script("ant", [say("six")]);
        scene.script("bee", [script]);
        let began = tokio::time::Instant::now();
        let answer = scene.ask(SUM).await;
        assert!(began.elapsed().as_secs() <= 20);
        assert_eq!(text(&answer), "six");
        assert_eq!(
            (story(&answer).check, story(&answer).check_reason),
            (CheckStatus::Unavailable, Some(reason))
        );
        assert!(!scene.cell.upstream.calls().contains(&"eel".to_owned()));
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn a_rejected_answer_is_given_anew_by_a_better_model_that_is_told_why() {
    let scene = Scene::paused();
    scene.plans(&["ant", "eel"], scene.review(&["bee"]));
    scene.say(&[("ant", "six"), ("bee", REJECT), ("eel", "seven")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(
        (text(&answer), story(&answer).check),
        ("seven", CheckStatus::Arbitrated)
    );
    let sent = scene.cell.upstream.sent_to("eel");
    assert!(sent[0].contains("it is seven") && sent[0].contains("six"), "{sent:?}");
    adds_up(&answer, &scene.records().await);
    let what_for: Vec<LegRole> = scene.rows().await.into_iter().map(|row| row.1).collect();
    assert_eq!(what_for, [LegRole::Answer, LegRole::Review, LegRole::Rise]);
    scene.stop();
}

#[actix_rt::test]
async fn a_reviewer_that_lies_costs_one_rise_and_writes_nothing() {
    let scene = Scene::paused();
    scene.plans(&["ant", "dog", "eel"], scene.review(&["bee"]));
    scene.say(&[("ant", "seven"), ("bee", LIE), ("dog", "7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(text(&answer), "7");
    assert_eq!(scene.cell.upstream.calls(), ["ant", "bee", "dog"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn whoever_rejected_an_answer_gives_a_better_one_where_nobody_else_of_its_layer_can() {
    for (reviewers, candidates, expected) in [
        (&["eel"][..], &["ant", "eel"][..], ["ant", "eel", "eel"]),
        (&["dog"][..], &["ant", "dog", "eel"][..], ["ant", "dog", "dog"]),
        (&["dog"][..], &["ant", "dog", "dog-two"][..], ["ant", "dog", "dog-two"]),
    ] {
        let scene = Scene::paused();
        scene.plans(candidates, scene.review(reviewers));
        scene.say(&[("ant", "six"), (reviewers[0], REJECT), (expected[2], "seven")]);
        let answer = scene.ask(SUM).await;
        assert_eq!(
            (text(&answer), story(&answer).check),
            ("seven", CheckStatus::Arbitrated)
        );
        assert_eq!(scene.cell.upstream.calls(), expected);
        let told = &scene.cell.upstream.sent_to(expected[2]);
        assert!(told.last().unwrap().contains("it is seven"), "{told:?}");
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn whoever_rejected_an_answer_is_offered_where_it_wants_leave_to_give_one() {
    let scene = Scene::paused();
    scene.plans_with_leave(&["ant"], &["ant", "eel"], scene.review(&["eel"]));
    scene.say(&[("ant", "six"), ("eel", REJECT)]);
    let answer = scene.ask(SUM).await;
    assert_eq!((text(&answer), story(&answer).check), ("six", CheckStatus::Rejected));
    let need = story(&answer).escalation.as_ref().unwrap();
    assert_eq!((need.suggested, need.evidence), (Layer::L3, Evidence::Rejected));
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn whoever_failed_to_answer_is_not_asked_again_after_a_rejection() {
    let scene = Scene::paused();
    scene.plans(&["eel", "ant"], scene.review(&["bee"]));
    scene.script("eel", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.say(&[("ant", "six"), ("bee", REJECT)]);
    let answer = scene.ask(SUM).await;
    assert_eq!((text(&answer), story(&answer).check), ("six", CheckStatus::Rejected));
    assert!(story(&answer).escalation.is_none());
    assert_eq!(scene.cell.upstream.calls(), ["eel", "ant", "bee"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

/// Has code that matters written by two models, of which the second is the first of the reviewers.
async fn two_write(scene: &Scene) -> Answer {
    let mut call = scene.cell.ask("Write a function in Rust that gives 7.");
    call.plan.quality = QualityLevel::Critical;
    scene.cell.pipeline.complete(call).await.unwrap()
}

fn code_by(scene: &Scene, reviewers: &[&str]) -> Decision {
    Decision {
        task: TaskType::Code,
        ..scene.review(reviewers)
    }
}

const SIX: &str = "```rust\nfn seven() -> u32 { 3 + 3 }\n```";
const SEVEN: &str = "```rust\nfn seven() -> u32 { 3 + 4 }\n```";
const OTHER: &str = "```rust\nfn seven() -> u32 { 7 }\n```";

/// What an arbiter says of two answers.
fn stands(which: &str) -> String {
    let issues = match which {
        "both" => "",
        _ => r#"{"severity":"major","what":"it gives six"}"#,
    };
    format!(r#"{{"stands":"{which}","issues":[{issues}]}}"#)
}

#[actix_rt::test]
async fn programs_that_are_much_alike_are_not_taken_for_the_same() {
    let long = |last: &str| {
        format!(
            "```rust\n{}fn seven() -> u32 {{ 3 {last} 4 }}\n```",
            "fn f(a: u32) -> u32 { a }\n".repeat(40)
        )
    };
    let scene = Scene::paused();
    scene.plans(&["ant", "eel"], code_by(&scene, &["bee", "cat"]));
    scene.say(&[("ant", &long("-")), ("bee", &long("+")), ("cat", &stands("second"))]);
    let answer = two_write(&scene).await;
    assert_eq!(text(&answer), long("+"));
    assert_eq!(
        (story(&answer).check, story(&answer).votes),
        (CheckStatus::Arbitrated, Some((1, 2)))
    );
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn a_third_is_shown_both_of_two_that_differ_and_says_which_stands() {
    for (which, expected) in [("first", SIX), ("second", SEVEN), ("both", SIX)] {
        for second in ["bee", "dog"] {
            let scene = Scene::paused();
            scene.plans(&["ant", "dog", "eel"], code_by(&scene, &[second, "cat"]));
            scene.say(&[("ant", SIX), (second, SEVEN), ("cat", &stands(which))]);
            let answer = two_write(&scene).await;
            assert_eq!(text(&answer), expected, "{which} {second}");
            assert_eq!(
                (story(&answer).check, story(&answer).votes),
                (CheckStatus::Arbitrated, Some((1, 2)))
            );
            let shown = &scene.cell.upstream.sent_to("cat")[0];
            assert!(shown.contains("3 + 3") && shown.contains("3 + 4"), "{shown}");
            assert!(story(&answer).escalation.is_none());
            adds_up(&answer, &scene.records().await);
            let rows = scene.rows().await;
            assert_eq!((rows.len(), rows[2].1), (3, LegRole::Arbiter));
            scene.stop();
        }
    }
}

#[actix_rt::test]
async fn where_neither_stands_or_nobody_says_so_a_better_model_is_told_of_both() {
    for (arbiter, evidence) in [
        (say(&stands("neither")), "rejected_by_review"),
        (say("hm"), "disagreement"),
        (say(ACCEPT), "disagreement"),
        (Script::Panic, "disagreement"),
    ] {
        let scene = Scene::paused();
        scene.plans(&["ant", "eel"], code_by(&scene, &["bee", "cat"]));
        scene.say(&[("ant", SIX), ("bee", SEVEN), ("eel", OTHER)]);
        scene.script("cat", [arbiter]);
        let answer = two_write(&scene).await;
        assert_eq!((text(&answer), story(&answer).check), (OTHER, CheckStatus::Arbitrated));
        let [package] = &story(&answer).rises[..] else { panic!() };
        let told: Vec<&str> = package.attempts.iter().map(|attempt| attempt.model.as_str()).collect();
        assert_eq!(told, ["ant", "bee"]);
        assert!(
            package
                .attempts
                .iter()
                .all(|attempt| attempt.evidence.as_str() == evidence)
        );
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn where_no_third_can_be_asked_neither_judges_the_other() {
    for (more, calls, check) in [
        (&["ant", "eel"][..], 3, CheckStatus::Arbitrated),
        (&["ant"][..], 2, CheckStatus::Disagreed),
    ] {
        let scene = Scene::paused();
        scene.plans(more, code_by(&scene, &["bee", "bee-two"]));
        scene.say(&[("ant", SIX), ("bee", SEVEN), ("eel", OTHER)]);
        let answer = two_write(&scene).await;
        assert_eq!(story(&answer).check, check);
        assert_eq!(scene.cell.upstream.calls().len(), calls);
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn what_nobody_settled_is_told_and_offered_with_both_answers_unless_an_arbiter_failed() {
    for (reviewers, arbiter, check, reason, offered) in [
        (
            &["bee"][..],
            None,
            CheckStatus::Disagreed,
            Some("no_second_model"),
            Some(Evidence::Disagreement),
        ),
        (
            &["bee", "cat"],
            Some(say("hm")),
            CheckStatus::Disagreed,
            Some("invalid_verdict"),
            None,
        ),
        (
            &["bee", "cat"],
            Some(Script::Panic),
            CheckStatus::Disagreed,
            Some("provider"),
            None,
        ),
        (
            &["bee", "cat"],
            Some(say(&stands("neither"))),
            CheckStatus::Rejected,
            None,
            Some(Evidence::Rejected),
        ),
    ] {
        let scene = Scene::paused();
        scene.plans_with_leave(&["ant"], &["ant", "eel"], code_by(&scene, reviewers));
        scene.say(&[("ant", SIX), ("bee", SEVEN)]);
        scene.script("cat", arbiter);
        let answer = two_write(&scene).await;
        let told = story(&answer);
        assert_eq!((text(&answer), told.check, told.check_reason), (SIX, check, reason));
        assert_eq!(told.votes, Some((1, 2)));
        assert_eq!(told.escalation.as_ref().map(|need| need.evidence), offered);
        if let Some(need) = &told.escalation {
            assert_eq!(need.package.attempts.len(), 2);
        }
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn what_one_of_two_is_cut_is_no_rival_but_told_of_to_whoever_does_better() {
    let scene = Scene::paused();
    scene.plans(&["ant", "eel"], code_by(&scene, &["bee", "cat"]));
    scene.say(&[
        ("ant", SIX),
        ("bee", &format!("fn sev{CUT}")),
        ("cat", REJECT),
        ("eel", OTHER),
    ]);
    let answer = two_write(&scene).await;
    assert_eq!((text(&answer), story(&answer).check), (OTHER, CheckStatus::Arbitrated));
    assert_eq!(scene.cell.upstream.calls(), ["ant", "bee", "cat", "eel"]);
    assert_eq!(story(&answer).rises[0].attempts.len(), 2);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn where_nobody_better_may_be_asked_a_third_maker_says_who_is_right() {
    let rejected = CheckStatus::Rejected;
    for (third, check, reason) in [
        (say(ACCEPT), CheckStatus::Arbitrated, None),
        (say(REJECT), rejected, None),
        // Whatever becomes of the third one, the verdict that there is stands.
        (say("hm"), rejected, Some("invalid_verdict")),
        (Script::Panic, rejected, Some("provider")),
        (after(60_000, say(ACCEPT)), rejected, Some("timeout")),
    ] {
        let scene = Scene::paused();
        let review = scene.review(&["bee", "cat"]);
        scene.plans_with_leave(&["ant"], &["ant", "eel"], review);
        scene.say(&[("ant", "six"), ("bee", REJECT)]);
        scene.script("cat", [third]);
        let answer = scene.ask(SUM).await;
        assert_eq!((text(&answer), story(&answer).check), ("six", check));
        assert_eq!(story(&answer).check_reason, reason);
        let need = story(&answer).escalation.as_ref().map(|need| need.evidence);
        assert_eq!(need, (check == rejected).then_some(Evidence::Rejected));
        assert!(scene.cell.upstream.sent_to("cat")[0].contains("it is seven"));
        let rows = scene.rows().await;
        assert_eq!(rows[2].1, LegRole::Arbiter);
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn the_third_is_of_no_maker_that_has_had_a_say() {
    let scene = Scene::paused();
    scene.plans_with_leave(&["ant"], &["ant", "eel"], scene.review(&["bee", "bee-two"]));
    scene.say(&[("ant", "six"), ("bee", REJECT), ("bee-two", ACCEPT)]);
    let answer = scene.ask(SUM).await;
    assert_eq!((text(&answer), story(&answer).check), ("six", CheckStatus::Rejected));
    assert_eq!(scene.cell.upstream.calls(), ["ant", "bee"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn nobody_judges_a_model_of_its_own_maker() {
    let scene = Scene::paused();
    scene.plans(&["ant", "eel"], scene.review(&["ant"]));
    scene.say(&[("ant", "six")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(story(&answer).check_reason, Some("no_second_model"));
    assert_eq!(scene.cell.upstream.calls(), ["ant"]);
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn code_that_matters_is_written_twice_and_reviewed_where_that_differs() {
    let code = "fn seven() -> u32 {\n    3 + 4\n}";
    for (second, expected) in [
        (say(&format!("```rust\n{code}\n```")), CheckStatus::Agreed),
        (say("I would rather not."), CheckStatus::Arbitrated),
        (
            Script::Fail(FailureKind::ServerError, Billing::NotBilled),
            CheckStatus::Accepted,
        ),
        (after(60_000, say(code)), CheckStatus::Accepted),
    ] {
        let scene = Scene::paused();
        let mut decision = scene.review(&["bee", "cat"]);
        decision.task = TaskType::Code;
        scene.plans(&["ant", "eel"], decision);
        scene.script("ant", [after(100, say(&format!("```rust\n{code}\n```")))]);
        scene.script("bee", [second]);
        let verdict = match expected {
            CheckStatus::Arbitrated => stands("first"),
            _ => ACCEPT.to_owned(),
        };
        scene.script("cat", [say(&verdict)]);
        let mut call = scene.cell.ask("Write a function in Rust that gives 7.");
        call.plan.quality = QualityLevel::Critical;
        let answer = scene.cell.pipeline.complete(call).await.unwrap();
        assert_eq!(story(&answer).check, expected, "{}", answer.served.summary());
        assert_eq!(scene.cell.upstream.most_at_once(), 2);
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn after_an_approval_whoever_could_have_answered_before_judges_and_writes_nothing() {
    let scene = Scene::paused();
    let mut decision = scene.review(&["bee", "cat"]);
    decision.task = TaskType::Code;
    scene.plans(&["eel"], decision);
    scene.say(&[("eel", "fn seven() {}"), ("bee", ACCEPT)]);
    let mut call = scene.cell.ask("Write a function in Rust that gives 7.");
    call.plan.quality = QualityLevel::Critical;
    call.plan.wish.above = Some(Layer::L0);
    let answer = scene.cell.pipeline.complete(call).await.unwrap();
    assert_eq!(
        (text(&answer), story(&answer).check),
        ("fn seven() {}", CheckStatus::Accepted)
    );
    assert_eq!(scene.cell.upstream.calls(), ["eel", "bee"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn the_second_writer_is_the_last_hope_when_the_first_fails() {
    let scene = Scene::paused();
    let mut decision = scene.review(&["bee"]);
    decision.task = TaskType::Code;
    scene.plans(&["ant"], decision);
    scene.script("ant", [Script::Fail(FailureKind::FirstByteTimeout, Billing::Ambiguous)]);
    scene.script("bee", [after(10_000, say("fn seven() {}"))]);
    let mut call = scene.cell.ask("Write a function in Rust that gives 7.");
    call.plan.quality = QualityLevel::Critical;
    let answer = scene.cell.pipeline.complete(call).await.unwrap();
    assert_eq!(text(&answer), "fn seven() {}");
    assert_eq!(scene.rows().await[0].3, HELD);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn a_first_answer_with_nothing_in_it_gives_way_to_the_second_however_long_that_takes() {
    let code = "fn seven() -> u32 {\n    3 + 4\n}";
    for milliseconds in [10, 10_000] {
        let scene = Scene::paused();
        let mut decision = scene.review(&["bee", "cat"]);
        decision.task = TaskType::Code;
        scene.plans(&["ant"], decision);
        scene.say(&[("ant", " "), ("cat", ACCEPT)]);
        scene.script("bee", [after(milliseconds, say(code))]);
        let mut call = scene.cell.ask("Write a function in Rust that gives 7.");
        call.plan.quality = QualityLevel::Critical;
        let answer = scene.cell.pipeline.complete(call).await.unwrap();
        assert_eq!((text(&answer), story(&answer).check), (code, CheckStatus::Accepted));
        assert_eq!(scene.cell.upstream.calls().last().unwrap(), "cat");
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn an_answer_with_something_against_it_is_mended_before_it_is_reviewed() {
    let scene = Scene::with(OrchestrationSettings::default());
    scene.plans(&["ant", "dog"], scene.review(&["bee"]));
    scene.say(&[("ant", &format!("and then{CUT}")), ("dog", "seven"), ("bee", ACCEPT)]);
    let answer = scene.ask(SUM).await;
    assert_eq!((text(&answer), story(&answer).check), ("seven", CheckStatus::Accepted));
    assert_eq!(scene.cell.upstream.calls(), ["ant", "dog", "bee"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}
