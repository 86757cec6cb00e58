//! The end of a process's work: what is under way ends or is cut, and its call records and outcomes reach the database.

use std::sync::Arc;
use std::time::Duration;

use actix_server::ServerHandle;
use gateway_actors::protocol::FlushOutcomes;
use gateway_actors::runtime::tell;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::config::DrainSettings;
use crate::http::{Lifecycle, Shared};
use crate::system::ActorSystem;

/// How long call records and outcomes may take to reach the database at the end; the records that do not are in the
/// journal.
pub(super) const FLUSH: Duration = Duration::from_secs(5);
/// How long what is cut may take to be told so, to settle, and to be written when nobody waits any longer.
pub(super) const CUT: Duration = Duration::from_secs(2);

/// Readiness says no; after a while new requests are refused; what is under way ends, or is told that it will not and
/// settles; records reach the database; the server stops last, since a stopped worker ends the tasks and the actors on its
/// thread. Until then it accepts connections, so that whoever comes is told to go elsewhere and whoever watches can look.
pub(super) async fn drain(
    settings: &DrainSettings,
    system: &Arc<ActorSystem>,
    edge: &Shared,
    lifecycle: &watch::Sender<Lifecycle>,
    server: &ServerHandle,
) {
    tracing::info!("draining");
    lifecycle.send_replace(Lifecycle::Leaving);
    sleep(settings.readiness).await;
    lifecycle.send_replace(Lifecycle::Draining);
    let start = Instant::now();
    let (gauges, admission) = (&system.gauges, &edge.admission);
    // Turns and attempts may outlive their requests, which in turn may have none yet.
    let only_streams = || {
        admission.whole_answers_awaited() == 0
            && gauges.turns.get() == 0
            && gauges.attempts.get() <= gauges.streams.get()
    };
    if !until(start + settings.in_flight, only_streams).await {
        tracing::warn!(limit = ?settings.in_flight, "answers that are not ready in time are given up");
        lifecycle.send_replace(Lifecycle::Cutting);
    }
    let no_streams = || admission.streams_awaited() == 0 && gauges.streams.get() == 0;
    if !until(start + settings.streams, no_streams).await {
        tracing::warn!(limit = ?settings.streams, "streams that do not end in time are cut");
    }
    cut(system, lifecycle).await;
    server.pause().await;
    settle(system, FLUSH).await;
    server.stop(true).await;
}

/// Cuts what is under way, and waits until all of it has been told so and has settled.
pub(super) async fn cut(system: &ActorSystem, lifecycle: &watch::Sender<Lifecycle>) {
    // In this order: who reads a stream that is cut must know why.
    lifecycle.send_replace(Lifecycle::Ending);
    system.cut();
    until(Instant::now() + CUT, || nothing_under_way(system)).await;
}

pub(super) fn nothing_under_way(system: &ActorSystem) -> bool {
    let gauges = &system.gauges;
    gauges.turns.get() == 0 && gauges.attempts.get() == 0 && gauges.streams.get() == 0
}

/// Takes the call records and outcomes to the database, within this time.
pub(super) async fn settle(system: &ActorSystem, at_most: Duration) {
    // Side by side: outcomes are not money, and records do not wait for them.
    let (records, outcomes) = tokio::join!(
        timeout(at_most, flush(system)),
        timeout(at_most, flush_outcomes(system))
    );
    if records.is_err() {
        tracing::warn!("call records are left in the journal for the next start");
    }
    if outcomes.is_err() {
        tracing::warn!("outcomes did not reach the database in time; nothing will be learned of them");
    }
}

/// Waits until it is done, and says whether it is.
pub(super) async fn until(deadline: Instant, done: impl Fn() -> bool) -> bool {
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(Duration::from_millis(10)).await;
    }
    true
}

/// Waits until every cell's call records are in the database.
async fn flush(system: &ActorSystem) {
    for cell in system.cells().iter() {
        cell.flush(FLUSH).await;
    }
}

/// Waits until every outcome is in the database.
async fn flush_outcomes(system: &ActorSystem) {
    let (stored, waiting) = oneshot::channel();
    if tell(system.learning(), FlushOutcomes(stored)).is_ok() {
        // A director that was rebuilt meanwhile has lost what it held, and counted it.
        let _ = waiting.await;
    }
}
