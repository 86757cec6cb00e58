//! Makes the tables ready, before the pool is made.

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::Connection;
use crate::store::error::{Fault, FaultKind, OpenError};
use crate::store::migrations::{self, Stopped};

/// Every change of the tables that this binary knows.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Makes replicas that start at the same time change the tables one after the other. The number is arbitrary; it must
/// only be the same in every version. The lock is held until the transaction ends, however it ends.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(4701338261129462137)";

/// Changing tables, and waiting for another replica that does, may take longer than other statements.
const PATIENCE: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '5min'";

/// Applies every change that has not been applied. Blocks.
pub(super) fn prepare(database: &str, connection: Connection) -> Result<(), OpenError> {
    migrate(database, &mut AsyncConnectionWrapper::from(connection), &MIGRATIONS)
}

fn migrate<S>(database: &str, connection: &mut AsyncConnectionWrapper<Connection>, source: &S) -> Result<(), OpenError>
where
    S: MigrationSource<Pg>,
{
    let applied = connection.transaction(|connection| {
        connection.batch_execute(PATIENCE)?;
        connection.batch_execute(ONE_AT_A_TIME)?;
        migrations::apply(connection, source)
    });
    applied.map_err(|stopped| match stopped {
        Stopped::Newer { found, known } => OpenError::NewerSchema {
            database: database.to_owned(),
            found,
            known,
        },
        Stopped::Driver(fault) => failed(database, fault),
    })
}

fn failed(database: &str, fault: Fault) -> OpenError {
    match fault.kind {
        FaultKind::Lost | FaultKind::Unavailable => OpenError::Unreachable {
            server: database.to_owned(),
            reason: fault.message.to_string(),
        },
        FaultKind::Full | FaultKind::Corrupt | FaultKind::Conflict | FaultKind::Failed => OpenError::Migration {
            database: database.to_owned(),
            source: Box::new(fault),
        },
    }
}
