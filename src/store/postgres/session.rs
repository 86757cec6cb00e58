//! Connections: how one is made and set up, and the pool.

use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::pooled_connection::bb8;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::outage::Outage;
use super::refusal::Refusal;
use super::{PostgresConfig, tls};
use crate::config::PostgresLimits;
use crate::store::error::{ADDRESS, OpenError};

/// The connection that every query takes.
pub(super) type Connection = AsyncPgConnection;

/// The connections that jobs share.
pub(super) type Pool = bb8::Pool<Connection>;

/// How long a job waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(2);
/// How long opening one connection may take, if the address does not say.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection whose transaction does nothing for so long is closed by the server: its client has died or hangs.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(15);
/// TCP keepalive: after how long a silent server is first asked whether it is still there, the time between two such
/// questions, and how many of them may go unanswered.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);
/// How long sent data may go unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// Pauses between two tries to reach a server at the start.
const START_PAUSE: Duration = Duration::from_millis(250);

/// Has the server tell its errors in English, by which they are told apart. Not every user may ask for that, and who may
/// not is served all the same.
const ENGLISH: &str = "DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false);
    EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

diesel::define_sql_function! {
    /// Sets a parameter of the session.
    fn set_config(name: Text, value: Text, is_local: Bool) -> Text;
}

diesel::define_sql_function! {
    /// A parameter of the session.
    fn current_setting(name: Text) -> Text;
}

/// A server and how to talk to it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Server {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    limits: PostgresLimits,
    label: String,
    flag: Option<&'static str>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// The server of this configuration; no connection is made yet.
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, OpenError> {
        let mut server = config.address.server.clone();
        if server.get_connect_timeout().is_none() {
            server.connect_timeout(CONNECT);
        }
        if server.get_tcp_user_timeout().is_none() {
            server.tcp_user_timeout(UNACKNOWLEDGED);
        }
        let (idle, interval, retries) = KEEPALIVE;
        server
            .keepalives_idle(idle)
            .keepalives_interval(interval)
            .keepalives_retries(retries);
        Ok(Self {
            config: server,
            tls: tls::connector(config)?,
            limits: config.limits,
            label: config.address.label(),
            flag: config.flag,
        })
    }

    /// Host, port and database.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Advice on the settings, in the words of whoever gave the address.
    fn in_words(&self, advice: &str) -> String {
        match self.flag {
            None => advice.to_owned(),
            // Nothing is added to the address of a flag.
            Some(flag) => advice.replace(" (or POSTGRES_PASSWORD)", "").replace(ADDRESS, flag),
        }
    }

    /// The first connection. A server that is away, or not ready yet, is tried again until `patience` has passed; one
    /// that refuses the login is not.
    pub(super) async fn first_session(&self, patience: Duration) -> Result<Connection, OpenError> {
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            let refusal = match self.session().await {
                Ok(mut connection) => {
                    self.warn_of_other_languages(&mut connection).await;
                    return Ok(connection);
                }
                Err(refusal) => refusal,
            };
            let server = self.label.clone();
            let advice = self.in_words(refusal.advice());
            match refusal {
                Refusal::Final { reason, .. } => return Err(OpenError::Refused { server, advice, reason }),
                Refusal::Away { reason, .. } if Instant::now() + START_PAUSE >= deadline => {
                    return Err(OpenError::Unreachable { server, advice, reason });
                }
                Refusal::Away { reason, .. } => {
                    if !told {
                        tracing::warn!(%server, %reason, advice, "waiting for the database");
                        told = true;
                    }
                    sleep(START_PAUSE).await;
                }
            }
        }
    }

    /// The pool; its connections are opened when they are first needed. Call on the store runtime.
    pub(super) fn pool(&self, max_connections: u32) -> Pool {
        let mut config = ManagerConfig::default();
        // The server may have been restarted since a connection was last used: a question costs less than a refusal.
        config.recycling_method = RecyclingMethod::Verified;
        let server = self.clone();
        let outage = Arc::new(Outage::default());
        config.custom_setup = Box::new(move |_| {
            let (server, outage) = (server.clone(), Arc::clone(&outage));
            async move { server.session_of_pool(&outage).await }.boxed()
        });
        Pool::builder()
            .max_size(max_connections)
            .connection_timeout(ACQUIRE)
            .build_unchecked(AsyncDieselConnectionManager::new_with_config(String::new(), config))
    }

    /// A connection for the pool, which tries without end.
    async fn session_of_pool(&self, outage: &Outage) -> Result<Connection, ConnectionError> {
        let began = Instant::now();
        let session = self.session().await;
        match &session {
            Ok(_) => {
                if let Some(lasted) = outage.connected(Instant::now()) {
                    tracing::info!(server = self.label, ?lasted, "the database takes connections again");
                }
            }
            Err(refusal) if outage.failed(began, refusal.reason()) => tracing::warn!(
                server = self.label,
                reason = refusal.reason(),
                advice = refusal.advice(),
                "cannot connect to the database"
            ),
            Err(_) => {}
        }
        session.map_err(|refusal| ConnectionError::BadConnection(refusal.reason().to_owned()))
    }

    /// A connection, ready for use.
    pub(super) async fn session(&self) -> Result<Connection, Refusal> {
        let limit = self.config.get_connect_timeout().copied().unwrap_or(CONNECT);
        match timeout(limit, self.connect()).await {
            Ok(connected) => connected,
            Err(_elapsed) => Err(Refusal::silent()),
        }
    }

    async fn connect(&self) -> Result<Connection, Refusal> {
        let connected = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                Connection::try_from_client_and_connection(client, connection).await
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                Connection::try_from_client_and_connection(client, connection).await
            }
        };
        let mut connection = connected.map_err(|error| Refusal::away(error.to_string()))?;
        self.set_up(&mut connection)
            .await
            .map_err(|error| Refusal::away(error.to_string()))?;
        Ok(connection)
    }

    async fn set_up(&self, connection: &mut Connection) -> QueryResult<()> {
        let ms = |limit: Duration| limit.as_millis().to_string();
        diesel::select((
            set_config("statement_timeout", ms(self.limits.statement_timeout), false),
            set_config("lock_timeout", ms(self.limits.lock_timeout), false),
            set_config("idle_in_transaction_session_timeout", ms(IDLE_IN_TRANSACTION), false),
        ))
        .execute(connection)
        .await?;
        connection.batch_execute(ENGLISH).await
    }

    /// Errors that are not understood are not tried again: no data is lost by it, but more requests are refused.
    async fn warn_of_other_languages(&self, connection: &mut Connection) {
        let language = diesel::select(current_setting("lc_messages"))
            .get_result(connection)
            .await;
        let language: String = language.unwrap_or_default();
        let is_english = ["C", "POSIX", "en"].iter().any(|english| language.starts_with(english));
        if !is_english {
            tracing::warn!(
                server = self.label,
                language,
                "the database tells its errors in another language than English, and its user may not change that: \
                 deadlocks and timeouts are not tried again. As a superuser, run \
                 ALTER ROLE … SET lc_messages = 'C' for the user in DATABASE_URL"
            );
        }
    }
}
