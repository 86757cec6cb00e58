//! What speaks against an answer, moves up, and offers to move up.

use gateway_actors::protocol::{
    AnswerShape, Billing, CheckPlan, CheckStatus, Confirmation, Decision, Evidence, FailureKind, Layer, LegRole,
    ModelId, NanoUsd, Outcome, OutcomeEnd, QualityLevel,
};
use gateway_actors::testkit::samples::{decision, plan};
use gateway_actors::testkit::{CUT, Script, UNREADABLE, until};

use crate::scene::{COST, HELD_OF_BEST, REJECT, SUM, Scene, adds_up, after, say, story, text};

fn unchecked() -> Decision {
    decision(CheckPlan::Off)
}

#[actix_rt::test]
async fn an_unchecked_answer_is_one_call_and_has_its_decision_with_it() {
    let scene = Scene::paused();
    scene.plans(&["ant", "eel"], unchecked());
    let answer = scene.ask(SUM).await;
    assert_eq!(story(&answer).check, CheckStatus::Off);
    assert_eq!(
        answer.served.summary(),
        "L0 ant (next in its layer by price)",
        "told as it always was"
    );
    adds_up(&answer, &scene.records().await);
    let expected = ("ant".to_owned(), LegRole::Answer, Outcome::Completed, COST);
    assert_eq!(scene.rows().await, [expected]);
    scene.stop();
}

#[actix_rt::test]
async fn an_answer_that_was_cut_is_given_by_a_better_model_that_is_told_of_it() {
    let scene = Scene::paused();
    scene.plans(&["ant", "dog", "eel"], unchecked());
    scene.say(&[("ant", &format!("It is sev{CUT}")), ("dog", "7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(text(&answer), "7");
    let sent = scene.cell.upstream.sent_to("dog");
    assert!(
        sent[0].contains("It is sev") && sent[0].contains("truncated"),
        "{sent:?}"
    );
    assert_eq!(story(&answer).rises.len(), 1);
    assert_eq!(
        answer.served.summary(),
        "L0 ant (next in its layer by price) -> rise: L1 dog"
    );
    adds_up(&answer, &scene.records().await);
    let rows = scene.rows().await;
    assert_eq!((rows[1].0.as_str(), rows[1].1), ("dog", LegRole::Rise));
    scene.stop();
}

#[actix_rt::test]
async fn nothing_moves_up_to_what_is_not_worth_its_price_nor_is_it_offered() {
    let scene = Scene::paused();
    let cut = format!("It is sev{CUT}");
    scene.say(&[("ant", &cut), ("dog", "7"), ("eel", "7")]);
    scene.plans_without_worth(&["ant", "dog", "eel"], &["dog"], unchecked());
    let answer = scene.ask(SUM).await;
    assert_eq!(
        answer.served.summary(),
        "L0 ant (next in its layer by price) -> rise: L3 eel"
    );
    scene.say(&[("ant", &cut)]);
    scene.plans_without_worth(&["ant", "dog", "eel"], &["dog", "eel"], unchecked());
    let answer = scene.ask(SUM).await;
    assert!(text(&answer).starts_with("It is sev"));
    let told = story(&answer);
    assert!(told.rises.is_empty() && told.escalation.is_none());
    scene.stop();
}

#[actix_rt::test]
async fn after_an_answer_that_nobody_can_read_the_next_model_is_asked_as_after_one_that_failed() {
    let scene = Scene::paused();
    scene.plans(&["ant", "bee", "eel"], unchecked());
    scene.say(&[("ant", &format!("x{UNREADABLE}")), ("bee", "7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(text(&answer), "7");
    assert!(story(&answer).rises.is_empty(), "the next is told of nothing");
    adds_up(&answer, &scene.records().await);
    let expected = [("ant", Outcome::Malformed), ("bee", Outcome::Completed)];
    let rows = scene.rows().await;
    let rows = rows.iter().map(|(model, role, outcome, cost)| {
        assert_eq!((*role, *cost), (LegRole::Answer, COST), "billed as it was told");
        (model.as_str(), *outcome)
    });
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    scene.stop();
}

#[actix_rt::test]
async fn an_answer_that_nobody_can_read_is_evidence_where_no_other_model_is_left() {
    let unreadable = format!("x{UNREADABLE}");
    // A better one that may be asked is asked by failover, however many such answers came before it.
    let scene = Scene::paused();
    scene.plans(&["ant", "dog"], unchecked());
    scene.say(&[("ant", &unreadable), ("dog", "7")]);
    assert_eq!(text(&scene.ask(SUM).await), "7");
    scene.stop();
    // One that wants leave is offered.
    let scene = Scene::paused();
    scene.plans_with_leave(&["ant", "bee"], &["ant", "bee", "dog"], unchecked());
    scene.say(&[("ant", &unreadable), ("bee", &unreadable)]);
    let answer = scene.ask(SUM).await;
    let need = story(&answer).escalation.as_ref().unwrap();
    assert_eq!((need.suggested, need.evidence), (Layer::L1, Evidence::InvalidOutput));
    adds_up(&answer, &scene.records().await);
    assert_eq!(scene.cell.upstream.calls(), ["ant", "bee"]);
    scene.stop();
    // One that failed behind it takes nothing away, and a client that left is told nothing.
    let scene = Scene::paused();
    scene.plans_with_leave(&["ant", "bee"], &["ant", "bee", "dog"], unchecked());
    scene.say(&[("ant", &unreadable)]);
    scene.script("bee", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    let answer = scene.ask(SUM).await;
    assert!(story(&answer).escalation.is_some());
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn after_an_answer_with_nothing_in_it_another_of_its_layer_is_asked_before_any_rise_or_offer() {
    for (with_leave, more) in [(false, &["ant", "bee", "eel"][..]), (true, &["ant", "bee"][..])] {
        let scene = Scene::paused();
        match with_leave {
            false => scene.plans(more, unchecked()),
            true => scene.plans_with_leave(more, &["ant", "bee", "eel"], unchecked()),
        }
        scene.say(&[("ant", " \n"), ("bee", "7")]);
        let answer = scene.ask(SUM).await;
        assert_eq!(text(&answer), "7");
        assert!(story(&answer).rises.is_empty() && story(&answer).escalation.is_none());
        adds_up(&answer, &scene.records().await);
        let rows: Vec<_> = scene
            .rows()
            .await
            .into_iter()
            .map(|row| (row.0, row.2, row.3))
            .collect();
        let row = |model: &str, outcome| (model.to_owned(), outcome, COST);
        assert_eq!(rows, [row("ant", Outcome::Malformed), row("bee", Outcome::Completed)]);
        scene.stop();
    }
}

#[actix_rt::test]
async fn an_answer_with_nothing_in_it_is_evidence_where_no_other_of_its_layer_is_left() {
    // A dearer one that may be asked is asked as a better one, told of it.
    let scene = Scene::paused();
    scene.plans(&["ant", "dog", "dog-two", "eel"], unchecked());
    scene.say(&[("ant", ""), ("dog", ""), ("dog-two", ""), ("eel", "7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(text(&answer), "7");
    assert_eq!(scene.cell.upstream.calls(), ["ant", "dog", "dog-two", "eel"]);
    assert_eq!(story(&answer).rises.len(), 2);
    adds_up(&answer, &scene.records().await);
    scene.stop();
    // One that wants leave is offered, and no more of the others are asked than after any failure.
    let scene = Scene::paused();
    let cheap = ["ant", "bee", "bee-two", "cat"];
    scene.plans_with_leave(&cheap, &["ant", "bee", "bee-two", "cat", "dog"], unchecked());
    scene.say(&cheap.map(|model| (model, "")));
    let answer = scene.ask(SUM).await;
    let need = story(&answer).escalation.as_ref().unwrap();
    assert_eq!((need.suggested, need.evidence), (Layer::L1, Evidence::Empty));
    assert_eq!(scene.cell.upstream.calls(), ["ant", "bee", "bee-two"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn answers_with_nothing_in_them_shut_nobody_out() {
    let scene = Scene::paused();
    scene.plans(&["ant"], unchecked());
    for _ in 0..10 {
        scene.say(&[("ant", "")]);
        scene.ask(SUM).await;
    }
    scene.say(&[("ant", "7")]);
    assert_eq!(text(&scene.ask(SUM).await), "7");
    scene.stop();
}

#[actix_rt::test]
async fn a_request_moves_up_at_most_twice() {
    let scene = Scene::paused();
    scene.plans(&["ant", "dog", "eel"], unchecked());
    let cut = format!("and then{CUT}");
    scene.say(&[("ant", &cut), ("dog", &cut), ("eel", &cut)]);
    let answer = scene.ask(SUM).await;
    assert_eq!(scene.cell.upstream.calls(), ["ant", "dog", "eel"]);
    assert_eq!(answer.served.model.id.as_str(), "eel");
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn what_was_paid_for_is_given_when_the_better_model_fails() {
    for script in [
        Script::Fail(FailureKind::ServerError, Billing::NotBilled),
        Script::Fail(FailureKind::Reset, Billing::Ambiguous),
        Script::Fail(FailureKind::Rejected, Billing::NotBilled),
        Script::Panic,
    ] {
        let scene = Scene::paused();
        scene.plans(&["ant", "eel"], unchecked());
        scene.say(&[("ant", &format!("It is sev{CUT}"))]);
        scene.script("eel", [script.clone()]);
        let answer = scene.ask(SUM).await;
        assert_eq!(answer.served.model.id.as_str(), "ant");
        assert!(story(&answer).escalation.is_none(), "{script:?}");
        adds_up(&answer, &scene.records().await);
        scene.stop();
    }
}

#[actix_rt::test]
async fn what_was_paid_for_is_given_when_the_better_model_stalls_until_its_time_is_over() {
    for (script, seconds) in [
        (after(600_000, say("7")), 60),
        (Script::Fail(FailureKind::FirstByteTimeout, Billing::Ambiguous), 0),
    ] {
        for is_reviewed in [false, true] {
            let scene = Scene::paused();
            let (decision, said) = match is_reviewed {
                true => (scene.review(&["bee"]), "It is sev".to_owned()),
                false => (unchecked(), format!("It is sev{CUT}")),
            };
            scene.plans(&["ant", "eel"], decision);
            scene.say(&[("ant", &said), ("bee", REJECT)]);
            scene.script("eel", [script.clone()]);
            let began = tokio::time::Instant::now();
            let answer = scene.cell.pipeline.complete(scene.cell.ask(SUM)).await.unwrap();
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert_eq!(answer.served.model.id.as_str(), "ant");
            let told = (story(&answer).check, story(&answer).check_reason);
            let expected = match is_reviewed {
                true => (CheckStatus::Rejected, Some("timeout")),
                false => (CheckStatus::Off, None),
            };
            assert_eq!(told, expected);
            adds_up(&answer, &scene.records().await);
            let rows = scene.rows().await;
            let rise = rows.last().unwrap();
            assert_eq!((rise.0.as_str(), rise.1), ("eel", LegRole::Rise));
            assert_eq!((rise.2, rise.3), (Outcome::TimedOut, HELD_OF_BEST));
            scene.stop();
        }
    }
}

#[actix_rt::test]
async fn an_empty_answer_of_a_better_model_takes_nothing_away() {
    let scene = Scene::paused();
    scene.plans(&["ant", "eel"], unchecked());
    scene.say(&[("ant", &format!("It is sev{CUT}")), ("eel", " ")]);
    let answer = scene.ask(SUM).await;
    assert_eq!(answer.served.model.id.as_str(), "ant");
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn without_leave_the_answer_comes_with_an_offer_and_nothing_more_is_paid() {
    let scene = Scene::paused();
    scene.plans_with_leave(&["ant"], &["ant", "dog", "eel"], unchecked());
    scene.say(&[("ant", "seven")]);
    let call = scene.call(|request| request.question.shape = AnswerShape::Json);
    let answer = scene.cell.pipeline.complete(call).await.unwrap();
    let need = story(&answer).escalation.as_ref().unwrap();
    assert_eq!(
        (need.current, need.suggested, need.evidence),
        (Layer::L0, Layer::L1, Evidence::InvalidOutput)
    );
    assert_eq!(
        need.estimated_cost,
        Some(NanoUsd(1_200)),
        "the worst case of a call of L1"
    );
    assert_eq!(need.package.attempts[0].answer, "seven");
    assert_eq!(scene.cell.upstream.calls(), ["ant"]);
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn a_model_of_unknown_price_is_offered_only_where_no_other_of_its_layer_is() {
    for (more, expected) in [
        (&["ant", "fog", "dog", "eel"][..], Some(NanoUsd(1_200))),
        (&["ant", "fog"][..], None),
    ] {
        let scene = Scene::paused();
        scene.plans_with_leave(&["ant"], more, unchecked());
        scene.say(&[("ant", " ")]);
        let answer = scene.ask(SUM).await;
        let need = story(&answer).escalation.as_ref().unwrap();
        assert_eq!((need.suggested, need.estimated_cost), (Layer::L1, expected));
        scene.records().await;
        scene.stop();
    }
}

#[actix_rt::test]
async fn a_request_that_is_too_hard_for_what_may_be_used_is_answered_with_an_offer() {
    let scene = Scene::paused();
    let (without, with) = (scene.all(&["ant"]), scene.all(&["ant", "dog", "eel"]));
    scene.cell.pipeline.plan_by(move |request| {
        let has_leave = request.wish.leave != gateway_actors::protocol::Leave::Standing;
        let mut planned = plan(if has_leave { &with } else { &without }, unchecked());
        planned.confirmation = (!has_leave).then_some(Confirmation {
            layer: Layer::L3,
            evidence: Evidence::TooHard,
        });
        Some(Ok(planned))
    });
    let answer = scene.ask(SUM).await;
    let need = story(&answer).escalation.as_ref().unwrap();
    assert_eq!((need.suggested, need.evidence), (Layer::L3, Evidence::TooHard));
    let stream = scene.cell.pipeline.stream(scene.cell.ask(SUM)).await.unwrap();
    let need = stream.routing.as_ref().unwrap().escalation.as_ref().unwrap();
    assert_eq!((need.suggested, need.evidence), (Layer::L3, Evidence::TooHard));
    drop(stream);
    assert_eq!(scene.cell.upstream.calls(), ["ant", "ant"]);
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn an_approved_note_goes_out_with_the_first_call_and_is_told() {
    let scene = Scene::paused();
    scene.plans(&["eel"], unchecked());
    let mut call = scene.cell.ask(SUM);
    call.plan.wish.note = Some("what was tried before".into());
    let answer = scene.cell.pipeline.complete(call).await.unwrap();
    assert!(scene.cell.upstream.sent_to("eel")[0].ends_with("what was tried before"));
    let note = story(&answer).note.as_ref().unwrap();
    assert_eq!(&*note.0, "what was tried before");
    assert!(story(&answer).rises.is_empty());
    scene.records().await;
    scene.stop();
}

#[actix_rt::test]
async fn an_approved_answer_counts_as_escalated_and_one_that_failed_does_not() {
    let scene = Scene::new();
    scene.plans(&["eel"], unchecked());
    let approved = || {
        let mut call = scene.cell.ask(SUM);
        call.plan.wish.above = Some(Layer::L0);
        call
    };
    scene.say(&[("eel", "7")]);
    scene.cell.pipeline.complete(approved()).await.unwrap();
    scene.script("eel", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.cell.pipeline.complete(approved()).await.unwrap_err();
    scene.records().await;
    until("both outcomes", || scene.cell.notes.outcomes().len() >= 2).await;
    let escalated: Vec<_> = scene
        .cell
        .notes
        .outcomes()
        .iter()
        .map(|row| (row.ended, row.escalated))
        .collect();
    assert_eq!(escalated, [(OutcomeEnd::Answered, true), (OutcomeEnd::Failed, false)]);
    scene.stop();
}

#[actix_rt::test]
async fn a_failure_of_a_provider_is_failover_and_no_evidence() {
    let scene = Scene::paused();
    scene.plans(&["ant", "bee", "eel"], unchecked());
    scene.script("ant", [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    scene.script("bee", [say("7")]);
    let answer = scene.ask(SUM).await;
    assert_eq!((text(&answer), story(&answer).rises.len()), ("7", 0));
    adds_up(&answer, &scene.records().await);
    scene.stop();
}

#[actix_rt::test]
async fn what_became_of_a_request_is_told_once_whether_or_not_it_was_answered() {
    let scene = Scene::new();
    scene.plans(&["ant", "dog"], unchecked());
    scene.say(&[("ant", &format!("and then{CUT}")), ("dog", "7")]);
    let mut call = scene.cell.ask(SUM);
    call.plan.quality = QualityLevel::High;
    let answered = call.plan.request;
    scene.cell.pipeline.complete(call).await.unwrap();
    for model in ["ant", "dog"] {
        scene.script(model, [Script::Fail(FailureKind::ServerError, Billing::NotBilled)]);
    }
    scene.cell.pipeline.complete(scene.cell.ask(SUM)).await.unwrap_err();
    scene.records().await;
    until("both outcomes", || scene.cell.notes.outcomes().len() >= 2).await;
    let outcomes = scene.cell.notes.outcomes();
    let told: Vec<_> = outcomes
        .iter()
        .map(|row| {
            (
                row.model.as_str(),
                row.ended,
                row.replaced.as_ref().map(ModelId::as_str),
                row.evidence,
            )
        })
        .collect();
    // What spoke against the first answer is nothing against the one that was given.
    let (well, failed) = (OutcomeEnd::Answered, OutcomeEnd::Failed);
    assert_eq!(told, [("dog", well, Some("ant"), None), ("ant", failed, None, None)]);
    assert!(outcomes[0].escalated && !outcomes[1].escalated);
    assert_eq!((outcomes[0].request, outcomes[0].cost), (answered, NanoUsd(15 + 150)));
    assert_eq!(outcomes[0].quality, QualityLevel::High);
    scene.stop();
}
