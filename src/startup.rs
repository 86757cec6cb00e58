//! Build, run, drain: the life of a serving process.

mod calibration;
mod drain;
mod keys;
mod limits;
mod mcp;
mod opening;
mod recovery;
mod signals;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{BudgetChanges, BudgetCursor, ErrorKind, GatewayError, InstanceId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use self::drain::{CUT, cut, drain, settle};
use self::signals::Signals;
use crate::alerts;
use crate::auth::KeyRing;
use crate::config::{Database, PostgresAddress, Settings};
use crate::escalation::Offers;
use crate::http::{self, EdgeParts, Lifecycle, Shared};
use crate::limits::Limits;
use crate::providers::WebhookClient;
use crate::redis::RedisOpenError;
use crate::reload::Reloader;
use crate::status::ProviderInfo;
use crate::store::{
    JournalDir, JournalOpenError, OpenError, PostgresConfig, SqliteConfig, StorageHealth, Store, StoreConfig,
};
use crate::system::{ActorSystem, CellError, Ports};

pub use self::calibration::{CalibrationError, calibration};
pub use self::mcp::mcp;
pub(crate) use self::recovery::{Recovered, recover, recover_until};

/// How long the store may take to finish what is queued at the end.
pub(crate) const STORE_SHUTDOWN: Duration = Duration::from_secs(10);
/// How long the last bytes may take to reach their clients when nothing is under way any more.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Why the process could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database did not open.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The journal folder cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalOpenError),
    /// What a dead process left behind could not be taken over.
    #[error("what an earlier process left in the journal cannot be stored; mend the database and start again")]
    Recovery(#[source] gateway_actors::protocol::StoreError),
    /// The budgets could not be read.
    #[error("the budgets cannot be read from the database; mend the database and start again")]
    Budgets(#[source] gateway_actors::protocol::StoreError),
    /// The virtual keys cannot be read.
    #[error("the virtual keys in the database cannot be read; mend the database and start again")]
    Keys(#[source] gateway_actors::protocol::StoreError),
    /// The calibration cannot be used.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// Redis cannot be used, wherever it is.
    #[error(transparent)]
    Redis(#[from] RedisOpenError),
    /// The user that the process would act for may not come in.
    #[error("{0}")]
    Identity(GatewayError),
    /// The address cannot be bound.
    #[error("cannot listen at {address}; stop what listens there or choose another API_PORT")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A cell cannot be started.
    #[error("cannot start a worker: {0}")]
    Cell(String),
    /// Signals cannot be received, a standard stream cannot be used, or a thread cannot be started.
    #[error(
        "cannot set up signals, threads or standard streams: check that stdin, stdout and stderr are open and that no \
         limit of files or threads is reached"
    )]
    System(#[source] std::io::Error),
    /// Actors panicked too often, or one was lost to a panic.
    #[error("ended after {reason}; start it again, and report the panics that the log tells of")]
    Fatal {
        /// What happened.
        reason: String,
    },
}

impl ServeError {
    /// The exit code, after `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(OpenError::Corrupt { .. }) => 74,
            Self::Store(OpenError::Address { .. }) | Self::Redis(RedisOpenError::Address { .. }) => 78,
            Self::Calibration(_) => 78,
            Self::Identity(error) if error.kind == ErrorKind::Unauthenticated => 78,
            Self::Identity(_) => 69,
            Self::Store(_) | Self::Journal(_) | Self::Recovery(_) | Self::Keys(_) | Self::Budgets(_) => 69,
            Self::Bind { .. } | Self::Cell(_) | Self::System(_) | Self::Redis(RedisOpenError::Thread { .. }) => 1,
            Self::Fatal { .. } => 70,
        }
    }
}

/// Serves HTTP until a signal or a fatal fault, then drains. Blocks. The reloader loads settings of the same sources.
///
/// # Errors
/// When it cannot start, and when it ended for another reason than a signal.
pub fn serve(settings: &Settings, reloader: Reloader) -> Result<(), ServeError> {
    in_system(settings, async |store, ports, signals| {
        run(settings, reloader, store, ports, signals).await
    })
}

/// Opens the store, takes over from dead processes, runs a process's work in an actix system, and stores what is left.
/// Ends well when a signal comes before the work can begin.
fn in_system(
    settings: &Settings,
    work: impl AsyncFnOnce(&Store, Ports, Signals) -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    let calibration = calibration(settings)?;
    let system = actix_rt::System::new();
    let opened = system.block_on(async {
        let mut signals = Signals::new().map_err(ServeError::System)?;
        let opening = opening::start(settings).map_err(ServeError::System)?;
        tokio::select! {
            // A database that is there wins, so that what was opened is closed.
            biased;
            store = opening.store() => Ok(Some((store?, signals))),
            () = signals.end.asked_for() => Ok::<_, ServeError>(None),
        }
    })?;
    let Some((store, signals)) = opened else {
        tracing::info!("ended by a signal before the database was ready; nothing was served");
        return Ok(());
    };
    let journal_dir = store.name().journal_dir(&settings.store.data_dir);
    recovery::look_at_others(&journal_dir);
    let instance = InstanceId::generate();
    let ports = Ports {
        instance,
        journal: JournalDir::open(&journal_dir, instance)?,
        calls: store.calls(),
        conversations: store.conversations(),
        budgets: first_budgets(&store)?,
        ledger: store.ledger(),
        outcomes: store.outcomes(),
        notebook: store.notebook(),
        events: store.events(),
        todos: store.todos(),
        calibration,
    };
    let purging = store.keep_purging();
    let threshold = settings.cost.alert_threshold;
    let watching = threshold.map(|threshold| store.keep_watching_costs(threshold));
    let result = system.block_on(work(&store, ports, signals));
    drop((purging, watching));
    // Its actors hold the journal.
    drop(system);
    match collect(&store, &journal_dir, instance) {
        Ok(Recovered { all: true, .. }) => {}
        Ok(_) => tracing::warn!("what this process left in its journal is stored at the next start"),
        Err(error) => {
            let error = cause_of(&error);
            tracing::warn!(%error, "what this process left in its journal is stored at the next start");
        }
    }
    store.shutdown(STORE_SHUTDOWN);
    result
}

/// The budgets that there are.
fn first_budgets(store: &Store) -> Result<BudgetChanges, ServeError> {
    let all = store.ledger().budget_changes(BudgetCursor::default());
    store.block_on(all).map_err(ServeError::Budgets)
}

/// Why this process's own journal could not be stored: the error itself speaks of an earlier process, and of a start.
fn cause_of(error: &ServeError) -> &dyn std::error::Error {
    match error {
        ServeError::Recovery(cause) => cause,
        other => other,
    }
}

/// Stores what this process itself left in its journal: calls that were cut when it ended. Its worker threads give the
/// journal back when they end, which may take a moment.
fn collect(store: &Store, journal_dir: &Path, instance: InstanceId) -> Result<Recovered, ServeError> {
    let deadline = Instant::now() + CUT;
    while JournalDir::is_claimed(journal_dir, instance)? {
        if Instant::now() >= deadline {
            return Ok(Recovered::nothing_yet());
        }
        // The timer is made inside the block: outside of it there is no runtime any more.
        store.block_on(async { sleep(Duration::from_millis(5)).await });
    }
    let deadline = Some(Instant::now() + STORE_SHUTDOWN);
    let recovered = recover_until(store, journal_dir, Some(instance), deadline)?;
    if recovered.all && recovered.whole {
        // Also of a process that left no journal: then all its records are stored.
        let ended = store.block_on(store.ledger().end_leases_of(vec![instance]));
        ended.map_err(ServeError::Recovery)?;
    }
    Ok(recovered)
}

/// Opens the database of the settings, creating or upgrading it where needed.
///
/// # Errors
/// When it does not open.
pub fn open_store(settings: &Settings) -> Result<Store, OpenError> {
    Store::open(store_config(settings)).map_err(|error| error.with_setting(settings.store.database_setting))
}

/// Opens the database of the settings, which must be there, upgrading it where needed.
///
/// # Errors
/// When there is none, or it does not open.
pub fn open_existing_store(settings: &Settings) -> Result<Store, OpenError> {
    let config = store_config(settings);
    config
        .is_there()
        .and_then(|()| Store::open(config))
        .map_err(|error| error.with_setting(settings.store.database_setting))
}

/// Checks the files that the database's address names, without opening the database.
///
/// # Errors
/// When the address cannot be used.
pub fn check_store(settings: &Settings) -> Result<(), OpenError> {
    store_config(settings).check()
}

fn store_config(settings: &Settings) -> StoreConfig {
    match &settings.store.database {
        Database::Sqlite(path) => StoreConfig::from(SqliteConfig::new(path)),
        Database::Postgres(address) => StoreConfig::from(PostgresConfig {
            address: PostgresAddress::clone(address),
            limits: settings.store.limits,
            flag: None,
        }),
    }
}

async fn run(
    settings: &Settings,
    reloader: Reloader,
    store: &Store,
    ports: Ports,
    mut signals: Signals,
) -> Result<(), ServeError> {
    let storage = StorageHealth::new(store.health(), ports.journal.clone());
    let idempotency = http::Idempotency::new(store.idempotency(), ports.instance, settings.idempotency);
    let (ring, _keeping_fresh) = keys::open(settings, store).await?;
    let limits = limits::open(settings, &ring, ports.instance).await?;
    let (system, arbiters) = ActorSystem::start(settings, ports);
    // Lets the supervisor start: an actor that is dropped before it has started would start while everything ends.
    tokio::task::yield_now().await;
    keys::spend_within_budgets(&ring, &system).await?;
    let (lifecycle, watching) = watch::channel(Lifecycle::Starting);
    let shared = Shared::new(edge_parts(
        settings,
        store,
        (storage, idempotency, limits),
        &ring,
        &system,
        watching,
    ));
    let delivering = deliver_events(settings, store)?;
    let (failed, mut cell_failure) = watch::channel(None);
    let for_workers = Arc::clone(&system);
    let pipelines = move || {
        let cell = for_workers.cell();
        if let Err(error) = &cell {
            failed.send_replace(Some(describe(error)));
        }
        cell.ok()
    };
    let (server, address) = http::bind(&shared, LAST_BYTES, pipelines).map_err(|source| {
        let address = SocketAddr::new(settings.http.host, settings.http.port);
        ServeError::Bind { address, source }
    })?;
    let handle = server.handle();
    let serving = actix_rt::spawn(server);
    announce(address).map_err(ServeError::System)?;
    lifecycle.send_replace(Lifecycle::Serving);
    tracing::info!(%address, models = settings.models.len(), providers = settings.providers.len(), "serving");

    let ended = tokio::select! {
        () = signals.end.asked_for() => Ok(()),
        reason = fatal(&system) => Err(ServeError::Fatal { reason }),
        reason = first_failure(&mut cell_failure) => Err(ServeError::Cell(reason)),
        never = reloader.run(settings, &system.live_catalogue, &mut signals.hangup) => match never {},
    };
    let drain = drain(&settings.drain, &system, &shared, &lifecycle, &handle);
    tokio::select! {
        () = drain => {}
        () = signals.end.asked_for() => {
            tracing::warn!("second signal: what is under way is cut");
            cut(&system, &lifecycle).await;
            settle(&system, CUT).await;
            // A worker that does not end by itself is ended with the process; what is in its journal waits for the next.
            let _ = timeout(CUT, handle.stop(false)).await;
        }
    }
    if serving.await.is_err() {
        tracing::error!("the server's task had panicked");
    }
    if let Some(delivering) = delivering {
        delivering.abort();
    }
    arbiters.stop();
    ended
}

/// Begins to deliver events to the webhook of the settings, if there is one. What is not delivered when the process ends
/// waits in the database.
fn deliver_events(settings: &Settings, store: &Store) -> Result<Option<actix_rt::task::JoinHandle<()>>, ServeError> {
    let Some(address) = &settings.alerts.webhook_url else {
        return Ok(None);
    };
    let webhook = WebhookClient::new(address).map_err(|error| ServeError::Cell(error.to_string()))?;
    let (events, secret) = (store.events(), settings.alerts.webhook_secret.clone());
    Ok(Some(actix_rt::spawn(async move {
        match alerts::deliver(&*events, &webhook, secret.as_ref()).await {}
    })))
}

/// The offers to go on with a dearer layer.
fn offers(settings: &Settings, store: &Store) -> Offers {
    Offers::new(store.escalations(), settings.routing.escalation_ttl)
}

/// The configured providers, as the edges tell of them.
fn provider_infos(settings: &Settings) -> Vec<ProviderInfo> {
    let infos = settings.providers.iter().map(|provider| ProviderInfo {
        name: provider.name.clone(),
        kind: provider.kind.as_str(),
        has_key: provider.is_usable(),
    });
    infos.collect()
}

fn edge_parts(
    settings: &Settings,
    store: &Store,
    (storage, idempotency, limits): (StorageHealth, http::Idempotency, Arc<Limits>),
    ring: &Arc<KeyRing>,
    system: &Arc<ActorSystem>,
    lifecycle: watch::Receiver<Lifecycle>,
) -> EdgeParts {
    #[cfg(feature = "fault-injection")]
    let faults = {
        let system = Arc::clone(system);
        http::FaultSwitch(Box::new(move |fault| match fault {
            "disk-full" | "disk-free" => {
                crate::store::fill_disk(fault == "disk-full");
                true
            }
            other => match other
                .strip_prefix("abort-at-")
                .map(gateway_actors::runtime::AbortPoint::of_name)
            {
                Some(Some(point)) => {
                    gateway_actors::runtime::arm(point);
                    true
                }
                Some(None) => false,
                None => system.crash(other),
            },
        }))
    };
    EdgeParts {
        settings: settings.http.clone(),
        auth: keys::auth(settings, ring),
        keys: store.keys(),
        budget_store: system.budget_store(),
        exhausted_status: settings.budget.exhausted_status,
        catalogue: Arc::clone(&system.catalogue),
        health: Arc::clone(&system.health),
        providers: provider_infos(settings),
        totals: system.totals.clone(),
        budgets: system.budgets.clone(),
        gauges: system.gauges.clone(),
        conversations: store.conversations(),
        responses: store.responses(),
        response_settings: settings.responses,
        reports: store.reports(),
        offers: offers(settings, store),
        outcomes: store.outcomes(),
        notebook: store.notebook(),
        learned: Arc::clone(&system.learned),
        learning: Arc::clone(&system.learning_totals),
        events: store.events(),
        idempotency,
        limits,
        store_health: Arc::new(storage),
        system_health: system.system_health.clone(),
        lifecycle,
        #[cfg(feature = "fault-injection")]
        faults,
    }
}

/// The one line on stdout.
fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{address}")?;
    stdout.flush()
}

fn describe(error: &CellError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Waits until the process must end.
async fn fatal(system: &ActorSystem) -> String {
    let mut crashes = system.crashes.subscribe();
    let fatal = crashes.wait_for(|log| log.fatal().is_some()).await;
    let reason = fatal.ok().and_then(|log| log.fatal().map(ToOwned::to_owned));
    reason.unwrap_or_else(|| "the crash log was lost".to_owned())
}

/// Waits until a cell cannot be started.
async fn first_failure(failure: &mut watch::Receiver<Option<String>>) -> String {
    match failure.wait_for(Option::is_some).await {
        Ok(failure) => failure.clone().unwrap_or_default(),
        // Nobody can fail any more.
        Err(_) => std::future::pending().await,
    }
}
