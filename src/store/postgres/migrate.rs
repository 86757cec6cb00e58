//! Makes the tables ready, before the pool is made.

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::Connection;
use crate::store::error::{Fault, FaultKind, OpenError};
use crate::store::migrations::{self, Stopped};
use crate::store::schema::moves;

/// Every change of the tables that this binary knows.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Makes replicas that start at the same time change the tables one after the other. The number is arbitrary; it must
/// only be the same in every version. The lock is held until the transaction ends, however it ends.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(4701338261129462137)";

/// Changing tables, and waiting for another replica that does, may take longer than other statements.
const PATIENCE: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '5min'";

/// The schema in which queries find the tables.
const SCHEMA: &str = "(SELECT nspname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = 'conversations'::regclass)";

/// A table of another program in the schema in which the tables would be made, unless the gateway's are there or
/// elsewhere on the search path. What an extension brought is nobody's.
const FOREIGN: &str = "(SELECT min(relname::text) FROM pg_class
    WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
        AND relkind IN ('r', 'p', 'f') AND relname <> '__diesel_schema_migrations'
        AND NOT EXISTS (SELECT FROM pg_depend
            WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
        AND (to_regclass('conversations') IS NULL OR to_regclass('__diesel_schema_migrations') IS NULL))";

/// What to do about a database of another program.
const OWN_DATABASE: &str = "give the gateway a database of its own, or an empty schema in this one \
                            (`?options=-csearch_path%3DSCHEMA` at the end of the address)";

/// The lock of the one session that may move data into the database; as arbitrary a number as the other.
const MOVER: i64 = 4_701_338_261_129_462_138;

diesel::define_sql_function! {
    /// Takes a lock of this number for the session; whether it was free.
    fn pg_try_advisory_lock(number: BigInt) -> Bool;
}

/// Makes this session the one that may move data into the database, until it ends; whether no other was.
pub(super) async fn claim(database: &str, connection: &mut Connection) -> Result<bool, OpenError> {
    use diesel_async::SimpleAsyncConnection as _;

    // Only whoever runs the move waits for its statements.
    let unlimited = connection.batch_execute("SET statement_timeout = 0").await;
    unlimited.map_err(|error| failed(database, error.into()))?;
    let claim = diesel::select(pg_try_advisory_lock(MOVER));
    let claimed = diesel_async::RunQueryDsl::get_result(claim, connection).await;
    claimed.map_err(|error| failed(database, error.into()))
}

/// Applies every change that has not been applied. Blocks.
pub(super) fn prepare(database: &str, connection: Connection) -> Result<(), OpenError> {
    migrate(database, &mut AsyncConnectionWrapper::from(connection), &MIGRATIONS)
}

/// The same; then refuses a database that holds only a part of the data that is moved into it. The answer is the schema
/// that has the tables: the address, the user and the database may each choose one.
pub(super) fn prepare_whole(database: &str, connection: Connection) -> Result<String, OpenError> {
    let mut connection = AsyncConnectionWrapper::from(connection);
    migrate(database, &mut connection, &MIGRATIONS)?;
    let source = moves::table.select(moves::source).first(&mut connection).optional();
    migrations::refuse_half_moved(database, source.map_err(|error| failed(database, error.into()))?)?;
    let schema = diesel::select(sql::<Text>(SCHEMA)).get_result(&mut connection);
    schema.map_err(|error| failed(database, error.into()))
}

fn migrate<S>(database: &str, connection: &mut AsyncConnectionWrapper<Connection>, source: &S) -> Result<(), OpenError>
where
    S: MigrationSource<Pg>,
{
    let applied = connection.transaction(|connection| {
        connection.batch_execute(PATIENCE)?;
        connection.batch_execute(ONE_AT_A_TIME)?;
        let foreign = diesel::select(sql::<Nullable<Text>>(FOREIGN)).get_result(connection)?;
        migrations::refuse_foreign(foreign)?;
        migrations::apply(connection, source)
    });
    applied.map_err(|stopped| match stopped {
        Stopped::Foreign { table } => OpenError::Foreign {
            database: database.to_owned(),
            table,
            advice: OWN_DATABASE,
        },
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
            advice: "the connection ended, or a statement took too long: check the server's log and start again"
                .to_owned(),
            reason: fault.message.to_string(),
        },
        FaultKind::Failed if fault.message.starts_with("permission denied") => OpenError::Refused {
            server: database.to_owned(),
            advice: "its user may not create tables: make it the database's owner, or GRANT ALL ON SCHEMA public to it"
                .to_owned(),
            reason: fault.message.to_string(),
        },
        FaultKind::Full | FaultKind::Corrupt | FaultKind::Conflict | FaultKind::Failed => OpenError::Migration {
            database: database.to_owned(),
            source: Box::new(fault),
        },
    }
}
