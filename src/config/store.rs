//! `[store]` and `[redis]`: where things are kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::postgres::PostgresAddress;
use super::problem::Report;
use super::reader::{Environment, Reader, key, variable};
use super::value::{Written, integer, millis, secret_text, text};

/// The database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file (`sqlite:PATH`).
    Sqlite(PathBuf),
    /// A PostgreSQL server (`postgres://…`).
    Postgres(Box<PostgresAddress>),
}

impl Database {
    /// Reads `sqlite:PATH` or `postgres://…`.
    ///
    /// # Errors
    /// What it must be; without any part of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PostgresAddress::parse(text).map(|address| Self::Postgres(Box::new(address)));
        }
        let path = text
            .strip_prefix("sqlite:")
            .ok_or("be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.ends_with('/') {
            return Err("be sqlite:PATH, with the path of a file".to_owned());
        }
        if path == ":memory:" || path.contains('?') {
            return Err("be sqlite:PATH, a file on disk and no options after it".to_owned());
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

/// Where the database and the gateway's other files are.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The database (`url`, `DATABASE_URL`). Default: `gateway.db` in the data folder.
    pub database: Database,
    /// Where a path of the database that cannot be used is to be changed, for messages: `DATABASE_URL`, or what names the
    /// data folder if the database is in it for want of an address.
    pub database_setting: &'static str,
    /// The folder of the gateway's files (`data_dir`, `GATEWAY_DATA_DIR`). Default: the folder of the SQLite file
    /// where `DATABASE_URL` names one, else `$XDG_DATA_HOME/ai-mcp-gateway` or `~/.local/share/ai-mcp-gateway`.
    pub data_dir: PathBuf,
    /// What the parts of a PostgreSQL address are called in compose files (`POSTGRES_…`).
    pub postgres: PostgresSettings,
    /// How PostgreSQL is used; SQLite has no use for it.
    pub limits: PostgresLimits,
}

/// How many connections to PostgreSQL there are, and how long each thing may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresLimits {
    /// Connections of this process (`max_connections`, `DATABASE_MAX_CONNECTIONS`). Default 10.
    pub max_connections: u32,
    /// How long a statement may take (`statement_timeout_ms`). Default 5 s.
    pub statement_timeout: Duration,
    /// How long a statement may wait for another transaction (`lock_timeout_ms`). Default 2 s.
    pub lock_timeout: Duration,
    /// How long the start waits for a server that is away (`start_wait_ms`). Default 30 s.
    pub start_wait: Duration,
}

impl Default for PostgresLimits {
    fn default() -> Self {
        Self {
            max_connections: 10,
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(2),
            start_wait: Duration::from_secs(30),
        }
    }
}

impl PostgresLimits {
    fn read(&mut self, reader: &mut Reader<'_>) {
        let connections = key("max_connections").or_variable("DATABASE_MAX_CONNECTIONS");
        reader.set(connections, &mut self.max_connections, integer(1..=1_000));
        let statement = millis(100..=60_000);
        reader.set(key("statement_timeout_ms"), &mut self.statement_timeout, statement);
        reader.set(key("lock_timeout_ms"), &mut self.lock_timeout, millis(10..=60_000));
        reader.set(key("start_wait_ms"), &mut self.start_wait, millis(0..=600_000));
    }
}

/// `POSTGRES_DB`, `POSTGRES_USER` and their like, as compose files set them.
#[derive(Debug, Clone, Default)]
pub struct PostgresSettings {
    /// The database's name.
    pub database: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<SecretString>,
    /// The server.
    pub host: Option<String>,
    /// The server's port.
    pub port: Option<u16>,
}

/// What replicas share besides the database.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Its address (`url`, `REDIS_URL`), which may hold a password.
    pub url: Option<SecretString>,
    /// Its password (`REDIS_PASSWORD`), if the address has none.
    pub password: Option<SecretString>,
    /// How long it is waited for (`timeout_ms`), 1 ms to 10 s. Default 50 ms.
    pub timeout: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: None,
            password: None,
            timeout: Duration::from_millis(50),
        }
    }
}

impl RedisSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set_some(key("url").or_variable("REDIS_URL"), &mut self.url, |written| {
            let url = secret_text(written)?;
            let text = url.expose_secret();
            if !text.starts_with("redis://") {
                return Err("begin with redis://: Redis is not spoken to over TLS".to_owned());
            }
            let has_password = Url::parse(text).map_or(text.contains('@'), |url| url.password().is_some());
            if has_password && written.is_in_a_file() {
                return Err("have no password in a file: set the variable REDIS_URL, or REDIS_PASSWORD".to_owned());
            }
            Ok(url)
        });
        reader.set(key("timeout_ms"), &mut self.timeout, millis(1..=10_000));
        reader.set_some(variable("REDIS_PASSWORD"), &mut self.password, secret_text);
    }
}

/// The settings as written: the defaults of paths depend on each other and on the environment.
#[derive(Debug, Default)]
pub(super) struct WrittenStore {
    database: Option<Database>,
    data_dir: Option<PathBuf>,
    postgres: PostgresSettings,
    limits: PostgresLimits,
}

impl WrittenStore {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        let url = key("url").or_variable("DATABASE_URL");
        reader.set_some(url, &mut self.database, database);
        let data_dir = key("data_dir").or_variable("GATEWAY_DATA_DIR").or_flag("--data-dir");
        reader.set_some(data_dir, &mut self.data_dir, |written| text(written).map(PathBuf::from));
        let postgres = &mut self.postgres;
        reader.set_some(variable("POSTGRES_DB"), &mut postgres.database, text);
        reader.set_some(variable("POSTGRES_USER"), &mut postgres.user, text);
        reader.set_some(variable("POSTGRES_PASSWORD"), &mut postgres.password, secret_text);
        reader.set_some(variable("POSTGRES_HOST"), &mut postgres.host, text);
        reader.set_some(variable("POSTGRES_PORT"), &mut postgres.port, integer(1..=65_535));
        self.limits.read(reader);
    }

    pub(super) fn resolve(mut self, environment: &Environment, report: &mut Report) -> StoreSettings {
        if self.database.is_none() && self.postgres.host.is_some() {
            match PostgresAddress::of_parts(&self.postgres) {
                Ok(address) => self.database = Some(Database::Postgres(Box::new(address))),
                Err(wanted) => report.problem(environment.place("POSTGRES_HOST"), format!("must {wanted}")),
            }
        }
        let data_dir = self.data_dir.unwrap_or_else(|| match &self.database {
            Some(Database::Sqlite(path)) => folder_of(path),
            _ => default_data_dir(environment, report),
        });
        let database_setting = match self.database {
            Some(_) => "DATABASE_URL",
            None => "--data-dir or GATEWAY_DATA_DIR",
        };
        let database = self
            .database
            .unwrap_or_else(|| Database::Sqlite(data_dir.join("gateway.db")));
        StoreSettings {
            database,
            database_setting,
            data_dir,
            postgres: self.postgres,
            limits: self.limits,
        }
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn default_data_dir(environment: &Environment, report: &mut Report) -> PathBuf {
    // The XDG specification says to ignore relative paths.
    let absolute = |name| {
        environment
            .text(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data_home = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    match data_home {
        Some(folder) => folder.join("ai-mcp-gateway"),
        None => {
            report.warn(
                "store.data_dir",
                "neither XDG_DATA_HOME nor HOME is set, so data goes to ./ai-mcp-gateway-data; set GATEWAY_DATA_DIR \
                 to choose a folder",
            );
            PathBuf::from("ai-mcp-gateway-data")
        }
    }
}

fn database(written: Written<'_>) -> Result<Database, String> {
    let database = Database::parse(secret_text(written)?.expose_secret().trim())?;
    let has_password = matches!(&database, Database::Postgres(address) if address.server.get_password().is_some());
    if has_password && written.is_in_a_file() {
        return Err("have no password in a file: set the variable DATABASE_URL to the whole address".to_owned());
    }
    Ok(database)
}
