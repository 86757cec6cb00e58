//! Requests that wait for a place at a provider.

use std::time::Duration;

use gateway_actors::protocol::{ChatCall, ErrorKind, PlanRequest, Target};
use gateway_actors::testkit::{Script, TestCell, TestSettings, test_model};

use super::{held, settled};

/// Providers with one place each.
fn narrow() -> TestCell {
    let models = vec![test_model("a", "alpha", 1_000), test_model("b", "beta", 1_001)];
    let settings = TestSettings {
        places: Some(1),
        ..TestSettings::default()
    };
    TestCell::start_with(models, settings)
}

/// Time for whoever can go on to do so: it stands still for all others.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn named(cell: &TestCell, model: &str) -> ChatCall {
    ChatCall {
        plan: PlanRequest {
            target: Target::Named(model.into()),
            ..cell.call().plan
        },
        ..cell.call()
    }
}

#[actix_rt::test]
async fn a_request_waits_for_a_place_at_any_of_its_candidates() {
    tokio::time::pause();
    let cell = narrow();
    let (_first, at_a) = held(Script::Answer);
    let (second, at_b) = held(Script::Answer);
    cell.upstream.script("a", [at_a]);
    cell.upstream.script("b", [at_b]);
    let ask = || Box::pin(cell.pipeline.complete(cell.call()));
    let (mut one, mut two, mut three) = (ask(), ask(), ask());
    for asked in [&mut one, &mut two, &mut three] {
        assert!(futures_util::poll!(asked).is_pending());
        a_while().await;
    }
    assert_eq!(cell.upstream.calls(), ["a", "b"]);
    second.notify_one();
    assert_eq!(two.await.unwrap().served.model.id.as_str(), "b");
    assert_eq!(three.await.unwrap().served.model.id.as_str(), "b");
    // Where none is free in time the client is told so.
    let refused = cell.pipeline.complete(named(&cell, "a")).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Overloaded);
    drop(one);
    tokio::time::resume();
    cell.stop();
}

#[actix_rt::test]
async fn whoever_takes_a_place_elsewhere_keeps_nobody_waiting() {
    tokio::time::pause();
    let cell = narrow();
    let (first, at_a) = held(Script::Answer);
    let (second, at_b) = held(Script::Answer);
    cell.upstream.script("a", [at_a]);
    cell.upstream.script("b", [at_b]);
    let ask = |call| Box::pin(cell.pipeline.complete(call));
    let (mut one, mut two) = (ask(cell.call()), ask(cell.call()));
    let (mut either, mut only) = (ask(cell.call()), ask(named(&cell, "b")));
    for asked in [&mut one, &mut two, &mut either, &mut only] {
        assert!(futures_util::poll!(asked).is_pending());
        a_while().await;
    }
    first.notify_one();
    second.notify_one();
    let began = tokio::time::Instant::now();
    let (either, only) = futures_util::join!(either, only);
    assert_eq!(
        either.unwrap().served.model.id.as_str(),
        "a",
        "the first of those that are free"
    );
    assert_eq!(only.unwrap().served.model.id.as_str(), "b");
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    one.await.unwrap();
    two.await.unwrap();
    tokio::time::resume();
    settled(&cell).await;
    cell.stop();
}
