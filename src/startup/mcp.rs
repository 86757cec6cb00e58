//! The life of a process that serves one MCP client over its standard streams.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::drain::{CUT, FLUSH, nothing_under_way, settle, until};
use super::signals::Signals;
use super::{ServeError, describe, fatal, in_system, keys, limits, offers, provider_infos};
use crate::auth::LocalIdentity;
use crate::config::Settings;
use crate::mcp::{self, Desk, GatewayServer, Orders, Pipes, StatusParts, StdioTransport};
use crate::reload::Reloader;
use crate::store::{StorageHealth, Store};
use crate::system::{ActorSystem, Ports};

/// How long calls that were given up may take to end by themselves.
const LINGER: Duration = Duration::from_millis(500);

/// Serves an MCP client over stdin and stdout until its input ends, its output is closed, a signal or a fatal fault,
/// then drains. Blocks. Stdout belongs to the client from here on. The reloader loads settings of the same sources.
///
/// Any number of such processes, and one that serves HTTP, may use the same database and folder.
///
/// # Errors
/// When it cannot start, and when it ended for another reason than the client or a signal.
pub fn mcp(settings: &Settings, reloader: Reloader) -> Result<(), ServeError> {
    let pipes = Pipes::take().map_err(ServeError::System)?;
    let mut settings = settings.clone();
    // One client, one cell.
    settings.http.workers = 1;
    in_system(&settings, async |store, ports, signals| {
        run(&settings, reloader, store, ports, signals, pipes).await
    })
}

async fn run(
    settings: &Settings,
    reloader: Reloader,
    store: &Store,
    ports: Ports,
    mut signals: Signals,
    pipes: Pipes,
) -> Result<(), ServeError> {
    let storage = StorageHealth::new(store.health(), ports.journal.clone());
    let (ring, _keeping_fresh) = keys::open(settings, store).await?;
    let identity = LocalIdentity::new(keys::auth(settings, &ring), settings.auth.api_key.clone());
    identity.caller().await.map_err(ServeError::Identity)?;
    let limits = limits::open(settings, &ring, ports.instance).await?;
    let (system, arbiters) = ActorSystem::start(settings, ports);
    // Lets the supervisor start: an actor that is dropped before it has started would start while everything ends.
    tokio::task::yield_now().await;
    keys::spend_within_budgets(&ring, &system).await?;
    let (desk, orders) = Desk::new();
    let worker = start_cell(&system, orders).await?;
    let patience = settings.drain.stdio;
    let (transport, end) = StdioTransport::start(pipes, patience).map_err(ServeError::System)?;
    let parts = status_parts(settings, storage, &system);
    let server = GatewayServer::new(
        identity,
        limits,
        desk,
        parts,
        offers(settings, store),
        settings.http.default_deadline,
        end.give_up(),
    );
    tracing::info!(
        models = settings.models.len(),
        providers = settings.providers.len(),
        "serving MCP over stdio"
    );

    let mut session = std::pin::pin!(mcp::serve(server, transport));
    let mut is_over = false;
    let given_up = end.give_up();
    let ended = tokio::select! {
        () = &mut session => {
            is_over = true;
            Ok(())
        }
        () = signals.end.asked_for() => Ok(()),
        reason = fatal(&system) => Err(ServeError::Fatal { reason }),
        never = reloader.run(settings, &system.live_catalogue, &mut signals.hangup) => match never {},
    };
    tracing::info!("draining");
    end.stop();
    let began = Instant::now();
    let drain = async {
        if !is_over {
            session.await;
        }
        // What nobody waits for any more may still end by itself: it is booked exactly then.
        let patience = if *given_up.borrow() { Duration::ZERO } else { patience };
        let until_then = (began + patience).max(Instant::now() + LINGER);
        until(until_then, || nothing_under_way(&system)).await;
    };
    tokio::select! {
        () = drain => {}
        () = signals.end.asked_for() => tracing::warn!("second signal: what is under way is cut"),
    }
    // Before the cell ends, and its actors with it.
    system.cut();
    until(Instant::now() + CUT, || nothing_under_way(&system)).await;
    settle(&system, FLUSH).await;
    worker.stop();
    if worker.join().is_err() {
        tracing::error!("the cell's thread had panicked");
    }
    arbiters.stop();
    ended
}

/// Starts the cell on a thread of its own, as workers have one, and serves the orders there.
async fn start_cell(system: &Arc<ActorSystem>, orders: Orders) -> Result<Arbiter, ServeError> {
    let worker = Arbiter::new();
    let (started, cell) = oneshot::channel();
    let system = Arc::clone(system);
    worker.spawn_fn(move || {
        let pipeline = system.cell();
        // Whoever waits may have been stopped.
        let _ = started.send(pipeline.as_ref().map(|_| ()).map_err(describe));
        if let Ok(pipeline) = pipeline {
            actix_rt::spawn(orders.serve(pipeline));
        }
    });
    match cell.await {
        Ok(Ok(())) => Ok(worker),
        Ok(Err(reason)) => Err(ServeError::Cell(reason)),
        Err(_) => Err(ServeError::Cell("its thread ended".to_owned())),
    }
}

fn status_parts(settings: &Settings, storage: StorageHealth, system: &ActorSystem) -> StatusParts {
    StatusParts {
        catalogue: Arc::clone(&system.catalogue),
        health: Arc::clone(&system.health),
        providers: provider_infos(settings),
        totals: system.totals.clone(),
        budgets: system.budgets.clone(),
        gauges: system.gauges.clone(),
        store_health: Arc::new(storage),
        system_health: system.system_health.clone(),
    }
}
