//! PostgreSQL for tests: databases of their own on the server of the test run, and servers that a test may stop.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Where the test run's server is: the URL of its superuser.
const SERVER: &str = "GATEWAY_TEST_POSTGRES_URL";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres.py");

/// An empty database, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct PostgresDatabase {
    server: String,
    name: String,
}

impl PostgresDatabase {
    /// A new database on the test run's server.
    #[track_caller]
    pub(crate) fn create() -> Self {
        let Ok(server) = std::env::var(SERVER) else {
            panic!(
                "{SERVER} is not set: run scripts/test.sh, or `python3 scripts/postgres.py serve` and set it to the URL that is printed"
            );
        };
        Self::create_on(&server)
    }

    /// A new database on this server.
    pub(crate) fn create_on(server: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        execute(server, &format!("CREATE DATABASE {name}"));
        Self {
            server: server.to_owned(),
            name,
        }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// Runs statements in it.
    pub(crate) fn execute(&self, statements: &str) {
        execute(&self.url(), statements);
    }

    /// Runs statements in a transaction that stays open, with the locks that it takes.
    pub(crate) fn begin(&self, statements: &str) -> OpenTransaction {
        let runtime = served_runtime();
        let client = runtime.block_on(async {
            let client = connect(&self.url()).await.unwrap();
            client.batch_execute(&format!("BEGIN; {statements}")).await.unwrap();
            client
        });
        OpenTransaction { runtime, client }
    }

    /// The first column of every row that a query gives, as text.
    pub(crate) fn texts(&self, query: &str) -> Vec<String> {
        texts(&self.url(), query)
    }

    /// A connection to it that stays open, for whoever looks often.
    pub(crate) fn reader(&self) -> PostgresReader {
        let runtime = served_runtime();
        let client = runtime.block_on(connect(&self.url())).unwrap();
        PostgresReader { runtime, client }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // The server may be gone by now, and its databases with it.
        let dropped = try_execute(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        if let Err(error) = dropped {
            eprintln!("{} stays behind: {error}", self.name);
        }
    }
}

/// A transaction of another program.
pub(crate) struct OpenTransaction {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl OpenTransaction {
    /// Takes back what it did, and frees its locks.
    pub(crate) fn roll_back(self) {
        self.runtime.block_on(self.client.batch_execute("ROLLBACK")).unwrap();
    }
}

/// A connection that stays open.
pub(crate) struct PostgresReader {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl PostgresReader {
    /// The first column of every row that a query gives, whole numbers, as they were at one moment.
    pub(crate) fn numbers(&self, query: &str) -> Vec<i64> {
        let rows = self.runtime.block_on(self.client.query(query, &[])).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// A runtime that serves a connection between questions too.
fn served_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn try_execute(url: &str, statements: &str) -> Result<(), tokio_postgres::Error> {
    runtime().block_on(async { connect(url).await?.batch_execute(statements).await })
}

/// Runs statements.
#[track_caller]
fn execute(url: &str, statements: &str) {
    try_execute(url, statements).unwrap_or_else(|error| panic!("{error:?}: {statements}"));
}

/// The first column of every row that a query gives, as text.
fn texts(url: &str, query: &str) -> Vec<String> {
    rows(url, query).into_iter().map(|row| row.get(0)).collect()
}

/// Every row that a query gives.
pub(super) fn rows(url: &str, query: &str) -> Vec<tokio_postgres::Row> {
    runtime().block_on(async { connect(url).await.unwrap().query(query, &[]).await.unwrap() })
}

/// A server of a test's own, to be stopped, hung and started again. Its data outlives its stops.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    folder: TempDir,
    port: u16,
    tls: Option<(PathBuf, PathBuf)>,
    script: Option<Child>,
    url: String,
}

impl PostgresServer {
    /// A new server; with a certificate and its key, one that offers TLS.
    pub(crate) fn start(tls: Option<(PathBuf, PathBuf)>) -> Self {
        let folder = TempDir::new().unwrap();
        // Its user must reach the data, which nobody else may.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self {
            folder,
            port,
            tls,
            script: None,
            url: String::new(),
        };
        server.start_again();
        server
    }

    /// The URL of its superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops it: its connections end, new ones are refused.
    pub(crate) fn stop(&mut self) {
        if let Some(mut script) = self.script.take() {
            signal(script.id(), Signal::TERM);
            script.wait().unwrap();
        }
    }

    /// Starts it again, at the same address, with the same data.
    pub(crate) fn start_again(&mut self) {
        assert!(self.script.is_none(), "it runs");
        let mut command = Command::new("python3");
        command
            .arg(SCRIPT)
            .args(["serve", "--until-eof", "--port", &self.port.to_string(), "--data"])
            .arg(self.folder.path().join("postgres"));
        if let Some((certificate, key)) = &self.tls {
            command
                .arg("--tls-certificate")
                .arg(certificate)
                .arg("--tls-key")
                .arg(key);
        }
        let mut script = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs scripts/postgres.py");
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        self.script = Some(script);
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            panic!("scripts/postgres.py did not start PostgreSQL: see its message above");
        };
        self.url = url.to_owned();
    }

    /// Stops every one of its processes where it stands: connections stay open, nobody answers.
    pub(crate) fn hang(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets a hung server go on.
    pub(crate) fn go_on(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&self, what: Signal) {
        let pid_file = self.folder.path().join("postgres/data/postmaster.pid");
        let postmaster: u32 = std::fs::read_to_string(pid_file)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        signal(postmaster, what);
        let tasks = format!("/proc/{postmaster}/task/{postmaster}/children");
        // A read of this list may miss some while others of them end (proc(5)).
        for _ in 0..5 {
            for child in std::fs::read_to_string(&tasks).unwrap().split_whitespace() {
                signal(child.parse().unwrap(), what);
            }
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // A stopped process does not end.
        if self.script.is_some() {
            self.go_on();
        }
        self.stop();
    }
}

fn signal(process: u32, what: Signal) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    // A backend that has ended since is no longer of interest.
    let _ = kill_process(process, what);
}
