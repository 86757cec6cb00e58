//! PostgreSQL: a pool of connections, every job in a transaction of its own, any number of replicas at once.
//!
//! Who changes a conversation locks its row first. Leases are compared with the server's clock, the only one that
//! replicas share. A job may run more than once (another transaction won, the connection broke while it committed):
//! each is written so that the second time changes nothing.

mod books;
mod books_write;
mod call_rows;
mod calls;
mod clock;
mod conversations;
mod escalations;
mod health;
mod idempotency;
mod keys;
mod ledger;
mod migrate;
mod new_outcomes;
mod notes;
mod outage;
#[expect(
    clippy::duplicate_mod,
    reason = "the queries are compiled for each database's connection type"
)]
#[path = "../queries/mod.rs"]
mod queries;
mod refusal;
mod reports;
mod responses;
mod session;
mod tls;
mod transactions;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_actors::protocol::{
    CallStore, ConversationStore, EscalationStore, EventStore, IdempotencyStore, KeyStore, LedgerStore, NotebookStore,
    OutcomeStore, ReportStore, ResponseStore, StoreFuture, StoreHealth, TodoStore,
};
use tokio::runtime::Handle;

use self::session::{Connection, Server};
use self::transactions::{Access, Transactions};
use super::books::Books;
use super::error::{ADDRESS, OpenError};
use super::{DatabaseName, Engine};
use crate::config::{PostgresAddress, PostgresLimits};

/// Where a PostgreSQL database is, and how it is used.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The server, the database and the login.
    pub address: PostgresAddress,
    /// Connections and time limits.
    pub limits: PostgresLimits,
    /// The flag of the command line that gave the address, which messages then name; without one the settings did.
    pub flag: Option<&'static str>,
}

impl PostgresConfig {
    /// This database of the settings, with the default limits.
    #[must_use]
    pub fn new(address: PostgresAddress) -> Self {
        Self {
            address,
            limits: PostgresLimits::default(),
            flag: None,
        }
    }

    /// What messages call the address.
    fn name_of_address(&self) -> &'static str {
        self.flag.unwrap_or(ADDRESS)
    }
}

/// Checks the file with certificates that the address names.
pub(super) fn check(config: &PostgresConfig) -> Result<(), OpenError> {
    tls::connector(config).map(drop)
}

/// Claims the right to move data into the database, then creates or upgrades its tables. The connection returned holds the
/// claim for as long as it is open; there is none while another process holds it. Blocks.
pub(super) fn claim(config: &PostgresConfig, runtime: &Handle) -> Result<Option<Connection>, OpenError> {
    let server = Server::new(config)?;
    let mut mover = runtime.block_on(server.first_session(config.limits.start_wait))?;
    if !runtime.block_on(migrate::claim(server.label(), &mut mover))? {
        return Ok(None);
    }
    let connection = runtime.block_on(server.first_session(config.limits.start_wait))?;
    migrate::prepare(server.label(), connection)?;
    Ok(Some(mover))
}

/// An open PostgreSQL database.
#[derive(Debug)]
pub(super) struct Postgres {
    name: DatabaseName,
    transactions: Transactions,
}

impl Postgres {
    /// Waits for the server, creates or upgrades the tables, and makes the pool. Refuses a database that holds only a
    /// part of the data that is moved into it.
    pub(super) fn open(config: &PostgresConfig, runtime: &Handle) -> Result<Self, OpenError> {
        let server = Server::new(config)?;
        let connection = runtime.block_on(server.first_session(config.limits.start_wait))?;
        let schema = migrate::prepare_whole(server.label(), connection)?;
        Ok(Self {
            name: DatabaseName::Postgres {
                database: server.label().to_owned(),
                schema,
            },
            transactions: Transactions::new(&server, &config.limits, runtime),
        })
    }
}

impl Engine for Postgres {
    fn name(&self) -> &DatabaseName {
        &self.name
    }

    fn conversations(&self) -> Arc<dyn ConversationStore> {
        Arc::new(conversations::Conversations::new(self.transactions.clone()))
    }

    fn calls(&self) -> Arc<dyn CallStore> {
        Arc::new(calls::Calls::new(self.transactions.clone()))
    }

    fn responses(&self) -> Arc<dyn ResponseStore> {
        Arc::new(responses::Responses::new(self.transactions.clone()))
    }

    fn reports(&self) -> Arc<dyn ReportStore> {
        Arc::new(reports::Reports::new(self.transactions.clone()))
    }

    fn events(&self) -> Arc<dyn EventStore> {
        Arc::new(reports::Reports::new(self.transactions.clone()))
    }

    fn books(&self) -> Arc<dyn Books> {
        Arc::new(reports::Reports::new(self.transactions.clone()))
    }

    fn idempotency(&self) -> Arc<dyn IdempotencyStore> {
        Arc::new(idempotency::Idempotency::new(self.transactions.clone()))
    }

    fn keys(&self) -> Arc<dyn KeyStore> {
        Arc::new(keys::Keys::new(self.transactions.clone()))
    }

    fn ledger(&self) -> Arc<dyn LedgerStore> {
        Arc::new(ledger::Ledger::new(self.transactions.clone()))
    }

    fn health(&self) -> Arc<dyn StoreHealth> {
        Arc::new(health::Health::new(self.transactions.clone()))
    }

    fn escalations(&self) -> Arc<dyn EscalationStore> {
        Arc::new(escalations::Escalations::new(self.transactions.clone()))
    }

    fn outcomes(&self) -> Arc<dyn OutcomeStore> {
        Arc::new(notes::Notes::new(self.transactions.clone()))
    }

    fn notebook(&self) -> Arc<dyn NotebookStore> {
        Arc::new(notes::Notes::new(self.transactions.clone()))
    }

    fn todos(&self) -> Arc<dyn TodoStore> {
        Arc::new(notes::Notes::new(self.transactions.clone()))
    }

    fn release_leases_of(&self, instances: Vec<String>) -> StoreFuture<usize> {
        let instances = Arc::new(instances);
        self.transactions.submit(Access::Write, move |connection| {
            let instances = Arc::clone(&instances);
            async move {
                queries::abandon_work_of(connection, &instances).await?;
                let now = clock::now_us(connection).await?;
                queries::release(connection, &instances, now).await
            }
            .boxed()
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move { self.transactions.close().await }.boxed()
    }
}

/// The words of SQL that are PostgreSQL's own.
mod dialect {
    /// The year and month that a call was sent in.
    pub(super) const MONTH: &str = "to_char(to_timestamp(started_at / 1000000) AT TIME ZONE 'UTC', 'YYYYMM')";
    /// Locks the rows that are read.
    pub(super) const FOR_UPDATE: &str = " FOR UPDATE";
    /// The same, but passes over rows that others have locked.
    pub(super) const SKIP_LOCKED: &str = " FOR UPDATE SKIP LOCKED";
}

/// Locks that are held until the transaction ends.
mod lock {
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;
    use diesel_async::RunQueryDsl;

    use super::Connection;
    use crate::store::schema::conversations;
    use crate::store::stamped::Stamped;

    /// Lets nobody else put a change into this order. The numbers are arbitrary; they must only be the same in every version.
    pub(super) async fn stamps(connection: &mut Connection, of: Stamped) -> QueryResult<()> {
        let number: i64 = match of {
            Stamped::Budgets => 4_701_338_261_129_462_139,
            Stamped::Keys => 4_701_338_261_129_462_140,
            Stamped::Limits => 4_701_338_261_129_462_141,
        };
        let lock = diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(number);
        lock.execute(connection).await.map(drop)
    }

    /// The conversation's row.
    pub(super) async fn conversation(connection: &mut Connection, id: &str) -> QueryResult<()> {
        let locked = conversations::table
            .find(id)
            .select(conversations::id)
            .for_update()
            .first::<String>(connection);
        locked.await.optional().map(drop)
    }
}
