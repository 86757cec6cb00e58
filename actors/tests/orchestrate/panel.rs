//! Models that answer side by side.

use gateway_actors::protocol::{
    AnswerShape, Billing, CheckPlan, CheckStatus, ErrorKind, Evidence, FailureKind, Layer, LegRole, NanoUsd, Outcome,
};
use gateway_actors::testkit::Script;

use crate::scene::{COST, HELD, HELD_OF_BEST, SUM, Scene, adds_up, after, held, say, story, text};

const MEMBERS: [&str; 3] = ["ant", "bee", "cat"];
const CANDIDATES: [&str; 5] = ["ant", "bee", "cat", "dog", "eel"];

fn with_panel(scene: &Scene) {
    scene.plans(&CANDIDATES, scene.panel(&MEMBERS, Some("eel")));
}

#[actix_rt::test]
async fn three_who_agree_are_asked_at_once_and_believed() {
    let scene = Scene::paused();
    with_panel(&scene);
    for model in MEMBERS {
        scene.script(model, [after(50, say("3 + 4 = 7\nAnswer: 7"))]);
    }
    let answer = scene.ask(SUM).await;
    assert_eq!(text(&answer), "3 + 4 = 7\nAnswer: 7");
    assert_eq!(
        (story(&answer).check, story(&answer).votes),
        (CheckStatus::Agreed, Some((3, 3)))
    );
    assert!(story(&answer).confidence.unwrap() > 0.9);
    assert_eq!(scene.cell.upstream.most_at_once(), 3);
    adds_up(&answer, &scene.records().await);
    for (row, model) in scene.rows().await.into_iter().zip(MEMBERS) {
        assert_eq!(row, (model.to_owned(), LegRole::Panel, Outcome::Completed, COST));
    }
    let summary = answer.served.summary();
    assert!(
        summary.starts_with("panel: L0 ant + L0 bee + L0 cat (3 of 3 agree, 0."),
        "{summary}"
    );
    scene.stop();
}

#[actix_rt::test]
async fn what_three_disagree_about_is_settled_by_the_best() {
    let scene = Scene::paused();
    with_panel(&scene);
    scene.say(&[
        ("ant", "Answer: 7"),
        ("bee", "Answer: 12"),
        ("cat", "Answer: 34"),
        ("eel", "Answer: 7"),
    ]);
    let answer = scene.ask(SUM).await;
    assert_eq!(answer.served.model.id.as_str(), "eel");
    assert_eq!(story(&answer).check, CheckStatus::Arbitrated);
    let sent = scene.cell.upstream.sent_to("eel");
    for told in ["Answer: 12", "Answer: 34", "disagreement"] {
        assert!(sent[0].contains(told), "{sent:?}");
    }
    adds_up(&answer, &scene.records().await);
    assert_eq!(scene.rows().await[3].1, LegRole::Rise);
    scene.stop();
}

#[actix_rt::test]
async fn what_was_paid_for_is_given_when_the_best_stalls_after_members_have_disagreed() {
    for (script, seconds) in [
        (after(600_000, say("Answer: 7")), 60),
        (Script::Fail(FailureKind::FirstByteTimeout, Billing::Ambiguous), 0),
    ] {
        let scene = Scene::paused();
        with_panel(&scene);
        scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 12"), ("cat", "Answer: 34")]);
        scene.script("eel", [script]);
        let began = tokio::time::Instant::now();
        let answer = scene.ask(SUM).await;
        assert_eq!(began.elapsed().as_secs(), seconds);
        assert!(MEMBERS.contains(&answer.served.model.id.as_str()));
        assert_eq!(
            (story(&answer).check, story(&answer).votes),
            (CheckStatus::Disagreed, Some((1, 3)))
        );
        assert!(story(&answer).escalation.is_none(), "there was leave");
        adds_up(&answer, &scene.records().await);
        let rows = scene.rows().await;
        let expected = ("eel".to_owned(), LegRole::Rise, Outcome::TimedOut, HELD_OF_BEST);
        assert_eq!((rows.len(), &rows[3]), (4, &expected));
        scene.stop();
    }
}

#[actix_rt::test]
async fn a_member_that_fails_counts_as_silent_and_nothing_of_the_others_is_lost() {
    let scene = Scene::paused();
    with_panel(&scene);
    scene.script("ant", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.script("bee", [Script::Panic]);
    scene.say(&[("cat", "Answer: 7"), ("eel", "Answer: 7")]);
    let answer = scene.ask(SUM).await;
    assert!(text(&answer).contains('7'));
    assert_eq!(
        (story(&answer).check, story(&answer).check_reason),
        (CheckStatus::Unavailable, Some("provider"))
    );
    let records = scene.records().await;
    let rows = scene.rows().await;
    assert_eq!(rows[0].2, Outcome::Refused);
    assert_eq!(
        (rows[1].2, rows[1].3),
        (Outcome::Interrupted, HELD),
        "what panicked is booked in full"
    );
    let told: NanoUsd = records.iter().map(|record| record.cost).sum::<NanoUsd>() - HELD;
    assert_eq!(answer.served.cost, told, "the answer tells of what has ended");
    scene.stop();
}

#[actix_rt::test]
async fn members_who_all_answer_with_nothing_to_compare_are_no_fault_of_their_providers() {
    let scene = Scene::paused();
    with_panel(&scene);
    for model in MEMBERS {
        scene.say(&[(model, "It is hard to say.")]);
    }
    scene.say(&[("eel", "Answer: 7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(
        (story(&answer).check, story(&answer).check_reason),
        (CheckStatus::Unavailable, Some("incomparable"))
    );
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn when_all_members_fail_the_others_are_tried_as_for_any_request() {
    let scene = Scene::paused();
    with_panel(&scene);
    for model in MEMBERS {
        scene.script(model, [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    }
    scene.script("eel", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.say(&[("dog", "Answer: 7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(answer.served.model.id.as_str(), "dog");
    assert_eq!(story(&answer).check, CheckStatus::Unavailable);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn when_nobody_answers_the_first_members_error_is_told() {
    let scene = Scene::paused();
    with_panel(&scene);
    scene.script("ant", [Script::Fail(FailureKind::RateLimited, Billing::NotBilled)]);
    for model in ["bee", "cat", "dog", "eel"] {
        scene.script(model, [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    }
    let error = scene.cell.pipeline.complete(scene.cell.ask(SUM)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UpstreamRateLimited);
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn a_loser_is_settled_and_counted_once() {
    // What it costs is learned for a while; then all that was held for it may be on the bill.
    for (late, outcome, cost) in [(5_000, Outcome::Completed, COST), (60_000, Outcome::Superseded, HELD)] {
        let scene = Scene::paused();
        with_panel(&scene);
        scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 7"), ("eel", "Answer: 7")]);
        scene.script("cat", [after(late, say("Answer: 7"))]);
        let answer = scene.ask(SUM).await;
        assert!(text(&answer).contains('7'));
        let running = story(&answer).legs.iter().find(|leg| leg.held.is_some()).unwrap();
        assert_eq!(
            (running.held, running.attempts[0].model.id.as_str()),
            (Some(HELD), "cat")
        );
        assert!(
            answer.served.summary().contains("L0 cat: running"),
            "{}",
            answer.served.summary()
        );
        assert!(
            scene.cell.gauges.attempts.get() > 0,
            "it goes on without being waited for"
        );
        adds_up(&answer, &scene.records().await);
        let rows = scene.rows().await;
        assert_eq!(rows[2], ("cat".to_owned(), LegRole::Panel, outcome, cost));
        scene.stop();
    }
}

#[actix_rt::test]
async fn a_free_loser_is_dropped_at_once() {
    let scene = Scene::paused();
    scene.plans(&CANDIDATES, scene.panel(&["ant", "bee", "free"], Some("eel")));
    scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 7"), ("eel", "Answer: 7")]);
    let (_never, stuck) = held(say("Answer: 7"));
    scene.script("free", [stuck]);
    scene.ask(SUM).await;
    let began = tokio::time::Instant::now();
    let rows = scene.rows().await;
    assert!(began.elapsed().as_secs() < 1);
    let free = rows.iter().find(|row| row.0 == "free").unwrap();
    assert_eq!((free.2, free.3), (Outcome::Superseded, NanoUsd::ZERO));
    scene.stop();
}

#[actix_rt::test]
async fn a_straggler_is_waited_for_only_so_long() {
    let scene = Scene::paused();
    with_panel(&scene);
    // They disagree, so that the third would have a say.
    scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 8"), ("eel", "Answer: 7")]);
    scene.script("cat", [after(30_000, say("Answer: 7"))]);
    let began = tokio::time::Instant::now();
    let answer = scene.ask(SUM).await;
    let took = began.elapsed().as_millis();
    assert!((3_000..4_000).contains(&took), "{took} ms");
    assert!(text(&answer).contains('7'));
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn the_last_hope_is_waited_for_where_the_others_said_nothing() {
    let scene = Scene::paused();
    scene.plans(&MEMBERS, scene.panel(&MEMBERS, None));
    scene.say(&[("ant", ""), ("bee", " ")]);
    scene.script("cat", [after(10_000, say("Answer: 7"))]);
    let answer = scene.ask(SUM).await;
    assert_eq!(text(&answer), "Answer: 7");
    adds_up(&answer, &scene.records().await);
    let rows = scene.rows().await;
    assert_eq!(rows[2], ("cat".to_owned(), LegRole::Panel, Outcome::Completed, COST));
    scene.stop();
}

#[actix_rt::test]
async fn where_a_better_model_answers_in_the_end_nobody_agreed_about_its_answer() {
    let scene = Scene::paused();
    scene.plans(&["ant", "bee", "cat", "dog"], scene.panel(&MEMBERS, None));
    for model in MEMBERS {
        scene.say(&[(model, "Answer: 7")]);
    }
    // They agree, but JSON was asked for.
    scene.say(&[("dog", r#"{"apples":7}"#)]);
    let call = scene.call(|request| request.question.shape = AnswerShape::Json);
    let answer = scene.cell.pipeline.complete(call).await.unwrap();
    assert_eq!(answer.served.model.id.as_str(), "dog");
    assert_eq!(
        (story(&answer).check, story(&answer).votes),
        (CheckStatus::Arbitrated, Some((3, 3)))
    );
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn where_the_best_may_not_be_used_it_is_offered() {
    let scene = Scene::paused();
    let panel = scene.panel(&MEMBERS, None);
    scene.plans_with_leave(&MEMBERS, &CANDIDATES, panel);
    scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 12"), ("cat", "Answer: 34")]);
    let answer = scene.ask(SUM).await;
    let need = story(&answer).escalation.as_ref().unwrap();
    assert_eq!(need.evidence, Evidence::Disagreement);
    assert_eq!(need.package.attempts.len(), 3);
    assert_eq!(story(&answer).check, CheckStatus::Disagreed);
    assert_eq!(scene.cell.upstream.calls().len(), 3);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn that_a_member_failed_or_cannot_be_compared_is_no_reason_to_ask_for_money() {
    let down = || Script::Fail(FailureKind::ServerError, Billing::NotBilled);
    let vague = || say("It is hard to say.");
    let six = || say("Answer: 6");
    for (scripts, check, reason) in [
        (
            [say("Answer: 7"), down(), down()],
            CheckStatus::Unavailable,
            Some("provider"),
        ),
        (
            [say("Answer: 7"), down(), after(60_000, six())],
            CheckStatus::Unavailable,
            Some("provider"),
        ),
        (
            [say("Answer: 7"), vague(), vague()],
            CheckStatus::Unavailable,
            Some("incomparable"),
        ),
        (
            [vague(), vague(), vague()],
            CheckStatus::Unavailable,
            Some("incomparable"),
        ),
        ([say("Answer: 7"), say("Answer: 7"), down()], CheckStatus::Agreed, None),
    ] {
        let scene = Scene::paused();
        let mut panel = scene.panel(&MEMBERS, None);
        // Whatever it costs, the best would be worth it.
        if let CheckPlan::Panel(panel) = &mut panel.check {
            panel.lambda = 0.0001;
        }
        scene.plans_with_leave(&MEMBERS, &CANDIDATES, panel);
        for (model, script) in MEMBERS.into_iter().zip(scripts) {
            scene.script(model, [script]);
        }
        let answer = scene.ask(SUM).await;
        let told = story(&answer);
        assert_eq!((told.check, told.check_reason), (check, reason), "{}", text(&answer));
        assert!(told.escalation.is_none(), "{:?}", told.escalation);
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn an_answer_of_the_best_alone_says_why_nobody_checked_it() {
    let at_once = |scene: &Scene| {
        let mut decision = scene.panel(&MEMBERS, Some("eel"));
        if let CheckPlan::Panel(panel) = &mut decision.check {
            (panel.lambda, panel.straight_to_top) = (0.5, true);
            panel.costs = vec![panel.unit; 4];
        }
        decision
    };
    let scene = Scene::paused();
    scene.plans(&CANDIDATES, at_once(&scene));
    scene.say(&[("eel", "Answer: 7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(
        (story(&answer).check, story(&answer).check_reason),
        (CheckStatus::Off, Some("strongest_at_once"))
    );
    assert_eq!(scene.cell.upstream.calls(), ["eel"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
    // Where it fails the others are compared after all.
    let scene = Scene::paused();
    scene.plans(&CANDIDATES, at_once(&scene));
    scene.script("eel", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 7"), ("cat", "Answer: 7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(
        (story(&answer).check, story(&answer).check_reason),
        (CheckStatus::Agreed, None)
    );
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn two_who_differ_are_reason_enough_where_a_third_is_missing() {
    let scene = Scene::paused();
    scene.plans_with_leave(&MEMBERS, &CANDIDATES, scene.panel(&MEMBERS, None));
    scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 12")]);
    scene.script("cat", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    let answer = scene.ask(SUM).await;
    let need = story(&answer).escalation.as_ref().unwrap();
    assert_eq!(
        (need.evidence, need.package.attempts.len()),
        (Evidence::Disagreement, 2)
    );
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn what_is_offered_is_the_model_that_was_weighed_where_it_may_be_asked() {
    for (with_leave, suggested) in [(&CANDIDATES[..], Layer::L3), (&CANDIDATES[..4], Layer::L1)] {
        let scene = Scene::paused();
        scene.plans_with_leave(&MEMBERS, with_leave, scene.panel(&MEMBERS, None));
        scene.say(&[("ant", "Answer: 7"), ("bee", "Answer: 12"), ("cat", "Answer: 34")]);
        let answer = scene.ask(SUM).await;
        let need = story(&answer).escalation.as_ref().unwrap();
        assert_eq!((need.current, need.suggested), (Layer::L0, suggested));
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn legs_count_as_one_request_for_the_retry_budget_and_fail_over_to_nobody() {
    let scene = Scene::paused();
    with_panel(&scene);
    scene.script("ant", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.say(&[("bee", "Answer: 7"), ("cat", "Answer: 7"), ("eel", "Answer: 7")]);
    scene.ask(SUM).await;
    let calls = scene.cell.upstream.calls();
    assert!(!calls.contains(&"dog".to_owned()), "{calls:?}");
    assert_eq!(calls.iter().filter(|model| *model == "ant").count(), 1);
    scene.records().await;
    scene.stop();
}
