//! Budgets: what they have left is planned with, and what is called off while they are asked is not sent.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::dispatch::OrchestrationSettings;
use gateway_actors::protocol::{
    BudgetRule, BudgetStore, CallRecord, CheckStatus, Layer, Leave, NanoUsd, OnExhausted, Plan, QualityLevel, Scope,
    Target, TaskType, Window,
};
use gateway_actors::testkit::samples::{dispatch, finished};
use gateway_actors::testkit::until;

use crate::scene::{Scene, say, story, text};

/// Sets the budget of the whole gateway, and waits until it is known.
async fn set(scene: &Scene, limit: NanoUsd, max_layer: Option<Layer>) {
    let rule = BudgetRule {
        limit,
        window: Window::Total,
        on_exhausted: OnExhausted::Refuse,
        max_layer,
        alert_percents: Vec::new(),
    };
    scene.cell.ledger.set_budget(Scope::Global, rule).await.unwrap();
    until("the budget", || scene.cell.book.load().get(&Scope::Global).is_some()).await;
}

/// Books what was spent before.
fn spend(scene: &Scene, cost: NanoUsd) {
    let mut record = CallRecord {
        cost,
        ..finished(&dispatch())
    };
    record.dispatch.charges = None;
    scene.cell.ledger.post(&[Arc::new(record)]);
}

/// The models of a plan that have a price; no budget pays for others.
fn ids(plan: &Plan) -> Vec<&str> {
    let priced = plan.candidates.iter().filter(|one| one.model.price.is_some());
    priced.map(|one| one.model.id.as_str()).collect()
}

#[actix_rt::test]
async fn what_the_budgets_have_not_left_any_more_is_planned_last_and_refuses_nobody() {
    let scene = Scene::new();
    let limit = NanoUsd(10_000_000_000);
    spend(&scene, limit - NanoUsd(1_000));
    set(&scene, limit, None).await;
    let call = || {
        let mut call = scene.cell.ask("What is the capital of France?");
        // It would begin with the best.
        call.plan.quality = QualityLevel::Critical;
        call.plan.wish.leave = Leave::UpTo(Layer::L3);
        call.plan.needs.input_estimate = 2_000;
        call
    };
    let planned = scene.cell.pipeline.explain(call(), None).await.unwrap();
    assert_eq!(ids(&planned)[0], "free");
    let too_dear = planned.candidates.iter().filter(|one| one.reason.is_too_dear);
    assert_eq!(too_dear.count(), 7, "all that cost something: {:?}", ids(&planned));
    let answer = scene.cell.pipeline.complete(call()).await.unwrap();
    assert_eq!(answer.served.model.id.as_str(), "free");
    assert_eq!(answer.served.cost, NanoUsd::ZERO);

    // With more to spend it is the best again.
    set(&scene, NanoUsd(20_000_000_000), None).await;
    let entry = || Arc::clone(scene.cell.book.load().get(&Scope::Global).unwrap());
    until("the new limit", || entry().rule.limit != limit).await;
    let planned = scene.cell.pipeline.explain(call(), None).await.unwrap();
    assert_eq!(ids(&planned)[0], "eel");
    scene.stop();
}

#[actix_rt::test]
async fn what_would_be_done_is_told_within_the_budget() {
    let scene = Scene::new();
    set(&scene, NanoUsd(1_000_000_000), Some(Layer::L0)).await;
    let mut call = scene.cell.ask("What is the capital of France?");
    call.plan.quality = QualityLevel::Critical;
    call.plan.wish.leave = Leave::UpTo(Layer::L3);
    let planned = scene.cell.pipeline.explain(call, None).await.unwrap();
    let layers: Vec<Layer> = planned.candidates.iter().map(|one| one.model.layer).collect();
    assert!(layers.iter().all(|layer| *layer == Layer::L0), "{:?}", ids(&planned));
    assert!(scene.cell.upstream.calls().is_empty());
    scene.stop();
}

#[actix_rt::test]
async fn a_leg_that_is_called_off_while_it_waits_for_its_hold_sends_nothing() {
    let scene = Scene::with(OrchestrationSettings {
        straggler: Duration::from_millis(20),
        review_timeout: Duration::from_millis(20),
        ..OrchestrationSettings::default()
    });
    set(&scene, NanoUsd(1_000_000_000), None).await;
    let held = scene.cell.ledger.hold_grants();
    let mut decision = scene.review(&["ant"]);
    decision.task = TaskType::Code;
    scene.plans(&["free"], decision);
    scene.script("free", [say("fn seven() {}")]);
    let place: Arc<()> = Arc::default();
    let mut call = scene.cell.ask("Write a function in Rust that gives 7.");
    call.plan.quality = QualityLevel::Critical;
    call.context.place = Some(place.clone());
    // The second writer is given up, and then the reviewer: neither has had its hold.
    let answer = scene.cell.pipeline.complete(call).await.unwrap();
    assert_eq!(
        (text(&answer), story(&answer).check),
        ("fn seven() {}", CheckStatus::Unavailable)
    );
    assert!(Arc::strong_count(&place) > 1, "the second writer still waits");
    held.close();
    until("the place", || Arc::strong_count(&place) == 1).await;
    assert_eq!(scene.cell.upstream.calls(), ["free"]);
    scene.records().await;
    is_given_back(&scene).await;
    scene.stop();
}

#[actix_rt::test]
async fn a_client_that_leaves_while_the_budgets_are_asked_costs_nothing() {
    let scene = Scene::new();
    set(&scene, NanoUsd(1_000_000_000), None).await;
    let held = scene.cell.ledger.hold_grants();
    let place: Arc<()> = Arc::default();
    let mut call = scene.cell.call();
    call.plan.target = Target::Named("ant".into());
    call.context.place = Some(place.clone());
    let leaving = tokio::time::timeout(Duration::from_millis(20), scene.cell.pipeline.complete(call));
    assert!(leaving.await.is_err());
    assert!(Arc::strong_count(&place) > 1, "it still waits for its hold");
    held.close();
    until("the place", || Arc::strong_count(&place) == 1).await;
    assert!(scene.cell.upstream.calls().is_empty());
    scene.records().await;
    is_given_back(&scene).await;
    scene.stop();
}

/// Nothing of the budget is held for a call, and nothing was spent of it.
async fn is_given_back(scene: &Scene) {
    let entry = Arc::clone(scene.cell.book.load().get(&Scope::Global).unwrap());
    let slice = entry.slice().unwrap();
    // What came for whoever does not wait any more goes back on the director's thread.
    until("what is open", || slice.open() == 0).await;
    assert_eq!(slice.available(), slice.had());
}
