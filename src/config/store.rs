//! `[store]` and `[redis]`: where things are kept.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::problem::Report;
use super::reader::{Environment, Reader, key, variable};
use super::value::{Written, integer, secret_text, text};

/// The database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file (`sqlite:PATH`).
    Sqlite(PathBuf),
    /// A PostgreSQL server (`postgres://…`); not in this build yet.
    Postgres(SecretString),
}

/// Where the database and the gateway's other files are.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The database (`url`, `DATABASE_URL`). Default: `gateway.db` in the data folder.
    pub database: Database,
    /// The folder of the gateway's files (`data_dir`, `GATEWAY_DATA_DIR`). Default: the folder of the SQLite file
    /// where `DATABASE_URL` names one, else `$XDG_DATA_HOME/ai-mcp-gateway` or `~/.local/share/ai-mcp-gateway`.
    pub data_dir: PathBuf,
    /// What the parts of a PostgreSQL address are called in compose files (`POSTGRES_…`); not in this build yet.
    pub postgres: PostgresSettings,
}

impl StoreSettings {
    /// The folder of the cells' journals: one per database, so that two gateways in one folder keep apart.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        let database = match &self.database {
            Database::Sqlite(path) => path.file_name().unwrap_or(OsStr::new("sqlite")),
            Database::Postgres(_) => OsStr::new("postgres"),
        };
        self.data_dir.join("journal").join(database)
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

/// The cache that replicas share; not in this build yet.
#[derive(Debug, Clone, Default)]
pub struct RedisSettings {
    /// Its address (`url`, `REDIS_URL`), which may hold a password.
    pub url: Option<SecretString>,
    /// Its password (`REDIS_PASSWORD`), if the address has none.
    pub password: Option<SecretString>,
}

impl RedisSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set_some(key("url").or_variable("REDIS_URL"), &mut self.url, |written| {
            let url = secret_text(written)?;
            let text = url.expose_secret();
            if text.starts_with("redis://") || text.starts_with("rediss://") {
                Ok(url)
            } else {
                Err("begin with redis:// or rediss://".to_owned())
            }
        });
        reader.set_some(variable("REDIS_PASSWORD"), &mut self.password, secret_text);
    }
}

/// The settings as written: the defaults of paths depend on each other and on the environment.
#[derive(Debug, Default)]
pub(super) struct WrittenStore {
    database: Option<Database>,
    data_dir: Option<PathBuf>,
    postgres: PostgresSettings,
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
    }

    pub(super) fn resolve(self, environment: &Environment, report: &mut Report) -> StoreSettings {
        let data_dir = self.data_dir.unwrap_or_else(|| match &self.database {
            Some(Database::Sqlite(path)) => folder_of(path),
            _ => default_data_dir(environment, report),
        });
        let database = self
            .database
            .unwrap_or_else(|| Database::Sqlite(data_dir.join("gateway.db")));
        StoreSettings {
            database,
            data_dir,
            postgres: self.postgres,
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
    let wanted = "be sqlite:PATH";
    let url = secret_text(written)?;
    let text = url.expose_secret().trim();
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database::Postgres(url));
    }
    let path = text.strip_prefix("sqlite:").ok_or(wanted)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.ends_with('/') {
        return Err(format!("{wanted}, with the path of a file"));
    }
    if path == ":memory:" || path.contains('?') {
        return Err(format!("{wanted}, a file on disk and no options after it"));
    }
    Ok(Database::Sqlite(PathBuf::from(path)))
}
