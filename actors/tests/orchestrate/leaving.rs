//! Clients that leave, processes that end and tasks that panic while several calls are under way.

use std::time::Duration;

use gateway_actors::protocol::{ErrorKind, LegRole, NanoUsd, Outcome};
use gateway_actors::testkit::{Script, until};

use crate::scene::{COST, HELD, REJECT, SUM, Scene, after, held, say, text};

const MEMBERS: [&str; 3] = ["ant", "bee", "cat"];
const CANDIDATES: [&str; 5] = ["ant", "bee", "cat", "dog", "eel"];

/// What comes within the time that an answer is read on for after its client left is paid for what it cost; of what comes
/// later nobody knows that.
#[actix_rt::test]
async fn a_client_that_leaves_a_panel_has_it_read_on_for_a_while_and_nothing_more_sent() {
    for (milliseconds, outcome, cost) in [(9_000, Outcome::Completed, COST), (30_000, Outcome::ClientLeft, HELD)] {
        let scene = Scene::paused();
        scene.plans(&CANDIDATES, scene.panel(&MEMBERS, Some("eel")));
        // They would disagree, and the best would be asked.
        for (model, said) in [("ant", "Answer: 1"), ("bee", "Answer: 2"), ("cat", "Answer: 3")] {
            scene.script(model, [after(milliseconds, say(said))]);
        }
        let leaving = tokio::time::timeout(
            Duration::from_secs(1),
            scene.cell.pipeline.complete(scene.cell.ask(SUM)),
        );
        assert!(leaving.await.is_err());
        let rows = scene.rows().await;
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_eq!((row.1, row.2, row.3), (LegRole::Panel, outcome, cost), "{}", row.0);
        }
        scene.stop();
    }
}

/// Leaves after each of these times: before, between and within the calls of a panel, a rise, a review.
#[actix_rt::test]
async fn whenever_a_client_leaves_every_call_is_recorded_and_nothing_is_left_over() {
    for milliseconds in [0, 1, 50, 99, 100, 101, 150, 199, 200, 201, 250, 299, 300, 301, 400] {
        for checks in ["panel", "review"] {
            let scene = Scene::paused();
            let decision = match checks {
                "panel" => scene.panel(&MEMBERS, Some("eel")),
                _ => scene.review(&["bee"]),
            };
            scene.plans(&CANDIDATES, decision);
            scene.script("ant", [after(100, say("Answer: 1"))]);
            let bees = if checks == "panel" { "Answer: 2" } else { REJECT };
            scene.script("bee", [after(100, say(bees))]);
            scene.script("cat", [after(200, say("Answer: 3"))]);
            scene.script("dog", [after(100, say("Answer: 4"))]);
            scene.script("eel", [after(100, say("Answer: 4"))]);
            let patience = Duration::from_millis(milliseconds);
            let call = scene.cell.ask(SUM);
            let place = std::sync::Arc::new(());
            let call = gateway_actors::protocol::ChatCall {
                context: gateway_actors::protocol::CallContext {
                    place: Some(place.clone()),
                    ..call.context
                },
                ..call
            };
            let left = tokio::time::timeout(patience, scene.cell.pipeline.complete(call)).await;
            drop(left);
            let records = scene.records().await;
            assert!(records.iter().all(|record| record.outcome == Outcome::Completed));
            until("the place", || std::sync::Arc::strong_count(&place) == 1).await;
            scene.stop();
        }
    }
}

#[actix_rt::test]
async fn what_is_cut_at_the_end_of_the_process_settles_leg_by_leg() {
    let scene = Scene::new();
    scene.plans(&CANDIDATES, scene.panel(&MEMBERS, Some("eel")));
    for model in MEMBERS {
        let (_never, stuck) = held(Script::Answer);
        scene.script(model, [stuck]);
    }
    let cutting = async {
        while scene.cell.gauges.attempts.get() < 3 {
            tokio::task::yield_now().await;
        }
        scene.cell.cut.send_replace(true);
    };
    let (answer, ()) = tokio::join!(scene.cell.pipeline.complete(scene.cell.ask(SUM)), cutting);
    assert_eq!(answer.unwrap_err().kind, ErrorKind::Draining);
    for row in scene.rows().await {
        assert_eq!((row.2, row.3), (Outcome::Cut, HELD), "{}", row.0);
    }
    scene.stop();
}

#[actix_rt::test]
async fn a_panic_in_a_leg_after_the_answer_loses_neither_the_answer_nor_money() {
    let scene = Scene::new();
    scene.plans(&CANDIDATES, scene.review(&["bee"]));
    scene.script("ant", [say("six")]);
    scene.script("bee", [Script::Panic]);
    let answer = scene.ask(SUM).await;
    assert_eq!((text(&answer), answer.served.cost), ("six", COST));
    let rows = scene.rows().await;
    assert_eq!((rows[0].2, rows[0].3), (Outcome::Completed, COST));
    assert_eq!((rows[1].2, rows[1].3), (Outcome::Interrupted, HELD));
    scene.stop();
}

#[actix_rt::test]
async fn a_journal_that_cannot_be_written_stops_paid_legs_and_not_free_ones() {
    let scene = Scene::paused();
    scene.plans(&CANDIDATES, scene.panel(&["free", "bee", "cat"], Some("eel")));
    scene.say(&[("free", "Answer: 7")]);
    scene.cell.journal.set_full(true);
    let answer = scene.ask(SUM).await;
    assert_eq!(answer.served.model.id.as_str(), "free");
    assert_eq!(scene.cell.upstream.calls(), ["free"]);
    assert_eq!(answer.served.cost, NanoUsd::ZERO);
    scene.cell.journal.set_full(false);
    scene.stop();
}
