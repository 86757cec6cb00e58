//! The database and the journal: the adapters behind the ports `ConversationStore`, `CallStore`, `ResponseStore`,
//! `KeyStore`, `LedgerStore`, `IdempotencyStore`, `EscalationStore`, `OutcomeStore`, `NotebookStore`, `TodoStore`,
//! `StoreHealth` and `AttemptJournal`.
//!
//! [`Store`] owns its threads and, in `sqlite` or `postgres`, its connections. What is done to conversations and
//! responses is written once, in `queries`; the databases differ in how they lock, insert call records, change their
//! tables and are kept well. The journal (`journal`) needs no database: it is how records outlive the process until the
//! database has them.

mod books;
mod call_row;
mod cost_watch;
mod error;
mod escalation_row;
mod files;
mod health;
mod idempotency_row;
mod journal;
mod key_row;
mod ledger;
mod migrations;
mod models;
mod name;
mod notebook_row;
mod outcome_row;
mod postgres;
mod purge;
mod runtime;
mod schema;
mod sqlite;
mod stamped;
mod transfer;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use gateway_actors::protocol::{
    CallStore, ConversationStore, EscalationStore, EventStore, HashSecret, IdempotencyStore, InstanceId, KeyStore,
    LedgerStore, NanoUsd, NotebookStore, OutcomeStore, ReportStore, ResponseStore, StoreError, StoreFuture,
    StoreHealth, TodoStore,
};

use self::books::Books;
use self::postgres::Postgres;
use self::purge::Rubbish;
use self::runtime::{Network, StoreRuntime};
use self::sqlite::Sqlite;

pub use self::books::{Audit, Difference, Repriced, Repricing};
pub use self::cost_watch::CostWatch;
pub use self::error::OpenError;
pub use self::health::StorageHealth;
pub use self::journal::{
    DeadInstance, FileJournal, JournalDir, JournalLimits, JournalOpenError, LeftRecords, count_left, holds_journal,
    is_in_use, recover_dead,
};
pub use self::name::DatabaseName;
pub use self::postgres::PostgresConfig;
pub use self::purge::Purging;
pub use self::sqlite::SqliteConfig;
#[cfg(feature = "fault-injection")]
pub(crate) use self::sqlite::fill_disk;
pub use self::transfer::{TableMoved, Transfer, TransferError};

/// How long leases that have ended are kept, with their slices, and slices of periods that are over.
const LEASES_KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long offers are kept after they ended: whoever comes later is told so by the token itself.
const OFFERS_KEPT: Duration = Duration::from_secs(3_600);
/// How long outcomes are kept.
const OUTCOMES_KEPT: Duration = Duration::from_secs(180 * 24 * 3_600);
/// How long events are kept: longer than any period that ends, so that none is raised again.
const EVENTS_KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);

/// Where the database is.
#[derive(Debug, Clone)]
pub enum StoreConfig {
    /// A file on this machine, for one machine's processes.
    Sqlite(SqliteConfig),
    /// A server, for any number of replicas.
    Postgres(Box<PostgresConfig>),
}

impl StoreConfig {
    /// Checks that there is a database to look at, so that none is made by looking. A server is asked when it is opened.
    ///
    /// # Errors
    /// [`OpenError::NotThere`].
    pub fn is_there(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(config) if !config.path.exists() => Err(OpenError::NotThere {
                path: config.path.clone(),
                setting: error::ADDRESS,
            }),
            Self::Sqlite(_) | Self::Postgres(_) => Ok(()),
        }
    }

    /// Checks what can be told without the database: the files with certificates that an address names.
    ///
    /// # Errors
    /// [`OpenError::Address`], as opening the store would say it.
    pub fn check(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(config) => postgres::check(config),
        }
    }
}

impl From<SqliteConfig> for StoreConfig {
    fn from(config: SqliteConfig) -> Self {
        Self::Sqlite(config)
    }
}

impl From<PostgresConfig> for StoreConfig {
    fn from(config: PostgresConfig) -> Self {
        Self::Postgres(Box::new(config))
    }
}

/// What each database's module provides.
trait Engine: fmt::Debug + Send + Sync {
    fn name(&self) -> &DatabaseName;

    fn conversations(&self) -> Arc<dyn ConversationStore>;

    fn calls(&self) -> Arc<dyn CallStore>;

    fn responses(&self) -> Arc<dyn ResponseStore>;

    fn reports(&self) -> Arc<dyn ReportStore>;

    fn events(&self) -> Arc<dyn EventStore>;

    fn books(&self) -> Arc<dyn Books>;
    fn idempotency(&self) -> Arc<dyn IdempotencyStore>;

    fn keys(&self) -> Arc<dyn KeyStore>;

    fn ledger(&self) -> Arc<dyn LedgerStore>;

    fn health(&self) -> Arc<dyn StoreHealth>;

    fn escalations(&self) -> Arc<dyn EscalationStore>;

    fn outcomes(&self) -> Arc<dyn OutcomeStore>;

    fn notebook(&self) -> Arc<dyn NotebookStore>;

    fn todos(&self) -> Arc<dyn TodoStore>;

    /// Closes what these processes left open, and gives up what they had claimed; the answer is how many conversations were given back.
    fn release_leases_of(&self, instances: Vec<String>) -> StoreFuture<usize>;

    /// Refuses new work at once and closes the connections; ready when what was begun before is done.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// An open database. One per process; several processes may share it.
#[derive(Debug)]
pub struct Store {
    engine: Box<dyn Engine>,
    runtime: StoreRuntime,
}

impl Store {
    /// Opens the database, creating or upgrading its tables where needed, and starts the store's threads. Blocks: call
    /// it before the actor system starts. A PostgreSQL server that is away is waited for as long as the configuration
    /// says.
    ///
    /// # Errors
    /// When the database cannot be created, reached or upgraded; see [`OpenError`]. A damaged file is never replaced.
    pub fn open(config: StoreConfig) -> Result<Self, OpenError> {
        Self::open_under(config, None)
    }

    /// The same, for whoever has claimed the SQLite file.
    fn open_under(config: StoreConfig, claim: Option<&sqlite::Claim>) -> Result<Self, OpenError> {
        let runtime = StoreRuntime::start(match &config {
            StoreConfig::Sqlite(_) => Network::Unused,
            StoreConfig::Postgres(_) => Network::Needed,
        })?;
        let engine: Box<dyn Engine> = match config {
            StoreConfig::Sqlite(config) => Box::new(Sqlite::open(&config, claim, runtime.handle())?),
            StoreConfig::Postgres(config) => Box::new(Postgres::open(&config, runtime.handle())?),
        };
        Ok(Self { engine, runtime })
    }

    /// Which database this is.
    #[must_use]
    pub fn name(&self) -> &DatabaseName {
        self.engine.name()
    }

    /// The conversations.
    #[must_use]
    pub fn conversations(&self) -> Arc<dyn ConversationStore> {
        self.engine.conversations()
    }

    /// The call records.
    #[must_use]
    pub fn calls(&self) -> Arc<dyn CallStore> {
        self.engine.calls()
    }

    /// The responses that later requests may go on from.
    #[must_use]
    pub fn responses(&self) -> Arc<dyn ResponseStore> {
        self.engine.responses()
    }

    /// The budgets, and what was held and spent of them.
    #[must_use]
    pub fn ledger(&self) -> Arc<dyn LedgerStore> {
        self.engine.ledger()
    }

    /// The virtual keys.
    #[must_use]
    pub fn keys(&self) -> Arc<dyn KeyStore> {
        self.engine.keys()
    }

    /// The answers to requests with an idempotency key.
    #[must_use]
    pub fn idempotency(&self) -> Arc<dyn IdempotencyStore> {
        self.engine.idempotency()
    }

    /// The offers to go on with a dearer layer.
    #[must_use]
    pub fn escalations(&self) -> Arc<dyn EscalationStore> {
        self.engine.escalations()
    }

    /// What became of requests.
    #[must_use]
    pub fn outcomes(&self) -> Arc<dyn OutcomeStore> {
        self.engine.outcomes()
    }

    /// Experiments, heuristics, bugs and calibrations.
    #[must_use]
    pub fn notebook(&self) -> Arc<dyn NotebookStore> {
        self.engine.notebook()
    }

    /// The to-do lists.
    #[must_use]
    pub fn todos(&self) -> Arc<dyn TodoStore> {
        self.engine.todos()
    }

    /// Removes what has expired (responses, answers under idempotency keys, old events, offers and outcomes) and what has
    /// ended (leases of budgets, their slices), now and every hour, until the answer is dropped. A few at a time, so that others are served
    /// in between.
    pub fn keep_purging(&self) -> Purging {
        let (responses, answers) = (self.responses(), self.idempotency());
        let [slices, leases, events, offers, outcomes] = std::array::from_fn(|_| self.engine.books());
        let rubbish = vec![
            Rubbish::new("responses that have expired", move || responses.purge_expired()),
            Rubbish::new("answers under idempotency keys that have expired", move || {
                answers.purge_expired()
            }),
            Rubbish::new("slices of budgets that have ended", move || {
                slices.purge_slices(LEASES_KEPT)
            }),
            Rubbish::new("leases of budgets that have ended", move || {
                leases.purge_leases(LEASES_KEPT)
            }),
            Rubbish::new("events of long ago", move || events.purge_events(EVENTS_KEPT)),
            Rubbish::new("offers that ended long ago", move || offers.purge_offers(OFFERS_KEPT)),
            Rubbish::new("outcomes of long ago", move || outcomes.purge_outcomes(OUTCOMES_KEPT)),
        ];
        Purging::start(rubbish, self.runtime.handle())
    }

    /// Removes a batch of leases of budgets that ended and would have run out so long ago, of their slices, and of slices
    /// that hold nothing and whose period is over for so long; how many rows were removed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn purge_leases(&self, kept: Duration) -> Result<usize, StoreError> {
        let books = self.engine.books();
        Ok(books.purge_slices(kept).await? + books.purge_leases(kept).await?)
    }

    /// Removes a batch of events that were raised so long ago, save those of budgets whose period never ends; how many
    /// they were.
    pub fn purge_events(&self, kept: Duration) -> StoreFuture<usize> {
        self.engine.books().purge_events(kept)
    }

    /// Removes a batch of offers that ended so long ago; how many they were.
    pub fn purge_offers(&self, kept: Duration) -> StoreFuture<usize> {
        self.engine.books().purge_offers(kept)
    }

    /// Removes a batch of outcomes that are so old; how many they were.
    pub fn purge_outcomes(&self, kept: Duration) -> StoreFuture<usize> {
        self.engine.books().purge_outcomes(kept)
    }

    /// Reports over the call records.
    #[must_use]
    pub fn reports(&self) -> Arc<dyn ReportStore> {
        self.engine.reports()
    }

    /// What operators are told of.
    #[must_use]
    pub fn events(&self) -> Arc<dyn EventStore> {
        self.engine.events()
    }

    /// Raises a `cost_alert` once on each day whose call records cost this much or more, as long as the answer lives.
    pub fn keep_watching_costs(&self, threshold: NanoUsd) -> CostWatch {
        CostWatch::start(self.events(), threshold, self.runtime.handle())
    }

    /// Proves the books, as of one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn audit(&self) -> StoreFuture<Audit> {
        self.engine.books().audit()
    }

    /// Applies the present prices to call records, a batch after the other, each in a transaction of its own: stopped at any
    /// point it may be begun again. Blocks.
    ///
    /// # Errors
    /// When the database refuses. What was done before stays done.
    pub fn reprice(&self, repricing: &Repricing) -> Result<Repriced, StoreError> {
        let books = self.engine.books();
        let (mut done, mut behind) = (Repriced::default(), None);
        loop {
            let (batch, last) = self.block_on(books.reprice(repricing.clone(), behind))?;
            done = done.and(batch);
            match last {
                Some(last) => behind = Some(last),
                None => return Ok(done),
            }
        }
    }

    /// Whether the database works.
    #[must_use]
    pub fn health(&self) -> Arc<dyn StoreHealth> {
        self.engine.health()
    }

    /// Gives back the conversations that these dead processes held, closes the turns that they left unanswered as
    /// failed, and lets others do what they had claimed by an idempotency key. The answer is how many conversations were given back. Without it the same happens later, one by one, when
    /// a lease has run out and the conversation's next turn opens.
    pub fn release_leases_of(&self, instances: &[InstanceId]) -> StoreFuture<usize> {
        self.engine
            .release_leases_of(instances.iter().map(ToString::to_string).collect())
    }

    /// Waits for a store job on the calling thread. For start-up and shutdown: it panics on a thread that runs an
    /// asynchronous task.
    pub fn block_on<F: Future>(&self, job: F) -> F::Output {
        self.runtime.block_on(job)
    }

    /// Finishes what is queued, refuses what comes later, closes the connections and ends the threads. Blocks, but no
    /// longer than about twice `timeout`: what is queued has that time, and so have threads that still run afterwards.
    /// Panics on a thread that runs an asynchronous task.
    pub fn shutdown(self, timeout: Duration) {
        let Self { engine, runtime } = self;
        let closed = runtime.block_on(async move { tokio::time::timeout(timeout, engine.close()).await });
        if closed.is_err() {
            tracing::warn!("the store was stopped before every write was done");
        }
        runtime.shutdown(timeout);
    }
}

/// A fresh secret, to hash keys with or to sign. Without randomness none is made.
fn fresh_secret() -> Result<HashSecret, error::Fault> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error::Fault::failed(&error.to_string()))?;
    Ok(HashSecret::new(bytes))
}

/// The time in microseconds since 1970 (UTC).
fn now_us() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

/// A time in microseconds.
fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
