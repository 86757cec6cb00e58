//! The real gateway binary as a child process, with its own folder, port and database.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::client::{Client, chat};
use super::records::{CallRow, read_calls, read_calls_of_postgres};
use super::refusals::{assert_none_was_refused, assert_tells_no_secret};
use super::setup::Setup;
use super::wait::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_ai-mcp-gateway");
/// The settings file's name in the folder.
const CONFIG: &str = "gateway.toml";
const START_LIMIT: Duration = Duration::from_secs(30);
const SETTLE_LIMIT: Duration = Duration::from_secs(15);
/// How long a provider may be left alone after it is well again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(45);

/// Everything the process wrote, line by line.
type Log = Arc<watch::Sender<Vec<String>>>;

/// A running gateway. A test that ends without [`Gateway::finish`], or [`Gateway::retire`] for one that has ended, fails.
#[derive(Debug)]
pub(crate) struct Gateway {
    setup: Setup,
    folder: TempDir,
    child: Child,
    address: SocketAddr,
    /// When this process was started, in microseconds since 1970.
    started_at: i64,
    log: Log,
    panics_expected: bool,
    /// The request by which this process's records are told from those of others on the same database.
    last_request: Option<String>,
    /// Whether all that must hold at the end of a test has been looked at.
    is_finished: bool,
}

impl Gateway {
    /// What of the statistics is 0 when no request is under way.
    pub(crate) const UNDER_WAY: [&str; 7] = [
        "waiting",
        "bodyBytes",
        "openHolds",
        "heldNanoUsd",
        "leases",
        "openStreams",
        "openTurns",
    ];

    /// Starts the binary with these settings and waits until it listens.
    pub(crate) fn start(setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let log = Log::default();
        let started_at = now_us();
        let (child, address) = spawn(&setup, folder.path(), &log);
        Self {
            setup,
            folder,
            child,
            address,
            started_at,
            log,
            panics_expected: false,
            last_request: None,
            is_finished: false,
        }
    }

    /// Starts the binary again on the same data, on a new port. The old process must have ended.
    pub(crate) fn restart(&mut self) {
        self.started_at = now_us();
        let (child, address) = spawn(&self.setup, self.folder.path(), &self.log);
        self.child = child;
        self.address = address;
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client that shows the admin key, if there is one.
    pub(crate) fn client(&self) -> Client {
        let client = self.anonymous();
        match self.authorization() {
            Some(authorization) => client.with_header("authorization", &authorization),
            None => client,
        }
    }

    /// What a client's header `Authorization` must say, if there is an admin key.
    pub(crate) fn authorization(&self) -> Option<String> {
        let key = self.setup.env.get("GATEWAY_ADMIN_KEY");
        key.map(|key| format!("Bearer {key}"))
    }

    /// A client that shows no key.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&format!("http://{}", self.address))
    }

    /// The folder of its settings, database and journal, which other processes may share.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every call record that is in the database.
    pub(crate) fn calls(&self) -> Vec<CallRow> {
        match self.setup.env.get("DATABASE_URL") {
            Some(url) if url.starts_with("postgres") => read_calls_of_postgres(url),
            // What is no absolute path is one in the process's folder.
            Some(url) => read_calls(&self.folder().join(url.trim_start_matches("sqlite:"))),
            None => Self::calls_in(self.folder()),
        }
    }

    /// Every call record that is in a folder's database.
    pub(crate) fn calls_in(folder: &Path) -> Vec<CallRow> {
        read_calls(&folder.join("gateway.db"))
    }

    /// `ai-mcp-gateway <command> --config FILE`, with its settings and data in this folder and none of the machine's
    /// own. The command may have arguments behind it, separated by spaces.
    pub(crate) fn command(command: &str, setup: &Setup, folder: &Path) -> Command {
        let config = folder.join(CONFIG);
        std::fs::write(&config, setup.file()).unwrap();
        let mut process = Command::new(BINARY);
        process
            .args(command.split(' '))
            .arg("--config")
            .arg(config)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder.join("data"))
            .env(
                "DATABASE_URL",
                format!("sqlite:{}", folder.join("gateway.db").display()),
            )
            .env("API_PORT", "0")
            .envs(&setup.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process
    }

    /// Runs a command of the program with this gateway's settings and data, while it runs or after it has ended.
    pub(crate) fn run(&self, command: &str) -> Output {
        Self::command(command, &self.setup, self.folder()).output().unwrap()
    }

    /// Whether the process has ended and nobody has looked yet.
    pub(crate) fn is_dead(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        stat.unwrap().contains(") Z ")
    }

    /// Waits until the database holds this many call records, and returns them.
    #[track_caller]
    pub(crate) fn wait_for_calls(&self, count: usize) -> Vec<CallRow> {
        let what = format!("{count} call records");
        wait_for(&what, SETTLE_LIMIT, || self.calls().len() >= count);
        let calls = self.calls();
        assert_eq!(calls.len(), count, "more call records than calls: {calls:#?}");
        calls
    }

    /// The answer of `/v1/server-stats`.
    pub(crate) fn stats(&self) -> Value {
        self.client().get("/v1/server-stats").json()
    }

    /// Waits until every request, body, stream, turn, hold and lease is gone and every call record is in the database.
    #[track_caller]
    pub(crate) fn wait_until_settled(&self) {
        wait_for("the gateway to settle", SETTLE_LIMIT, || {
            let stats = self.stats();
            let count = |field: &str| {
                let value = &stats["gateway"][field];
                value
                    .as_u64()
                    .unwrap_or_else(|| panic!("gateway.{field} is not a count in {stats}"))
            };
            // The question itself may count as a request in flight.
            let idle = count("inFlight") <= 1;
            let nothing_open = Self::UNDER_WAY.iter().all(|field| count(field) == 0);
            let calls = u64::try_from(self.calls_of_this_process().len()).unwrap();
            idle && nothing_open && stats["llm"]["totalCalls"] == calls
        });
    }

    /// The call records that this process made; those of its predecessors are not in its statistics.
    pub(crate) fn calls_of_this_process(&self) -> Vec<CallRow> {
        let mut calls = self.calls();
        calls.retain(|call| call.started_at >= self.started_at);
        if let Some(request) = &self.last_request {
            let last = calls.iter().find(|call| call.request_id == *request);
            let instance = last.map(|call| call.instance_id.clone());
            calls.retain(|call| Some(&call.instance_id) == instance.as_ref());
        }
        let instances: HashSet<&str> = calls.iter().map(|call| call.instance_id.as_str()).collect();
        assert!(instances.len() <= 1, "one process, many instances");
        calls
    }

    /// What the process wrote to stderr and stdout so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// Kills the process without warning.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How many files and sockets the process has open.
    pub(crate) fn open_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        files.unwrap().count()
    }

    /// A number that the system tells of the process: `VmRSS` in KiB, `Threads`.
    pub(crate) fn system_number(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The bytes of memory that the process has in use now, and the most since it was last asked to forget them
    /// (proc(5): `VmRSS` and `VmHWM`).
    pub(crate) fn memory(&self) -> (u64, u64) {
        let bytes = |name| self.system_number(name) * 1024;
        (bytes("VmRSS"), bytes("VmHWM"))
    }

    /// Has the kernel forget the most memory that the process had in use (proc(5): 5 in `clear_refs`).
    pub(crate) fn forget_peak_of_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// Asks the process to end.
    pub(crate) fn sigterm(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks the process to read its settings again.
    pub(crate) fn sighup(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The process.
    pub(crate) fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).unwrap();
        Pid::from_raw(id).unwrap()
    }

    /// Replaces the settings file; the environment changes at the next restart.
    pub(crate) fn change_file(&mut self, setup: Setup) {
        let new = self.folder.path().join("gateway.toml.new");
        std::fs::write(&new, setup.file()).unwrap();
        std::fs::rename(new, self.folder.path().join(CONFIG)).unwrap();
        self.setup = setup;
    }

    /// The same, but with a file that has the old one's length and time of modification.
    pub(crate) fn change_file_unseen(&mut self, setup: Setup) {
        let path = self.folder.path().join(CONFIG);
        let old = std::fs::metadata(&path).unwrap();
        let mut new = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        new.write_all(setup.file().as_bytes()).unwrap();
        new.as_file().set_modified(old.modified().unwrap()).unwrap();
        assert_eq!(new.as_file().metadata().unwrap().len(), old.len());
        new.persist(path).unwrap();
        self.setup = setup;
    }

    /// Waits until the process has ended by itself and returns its exit code.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self, at_most: Duration) -> i32 {
        exit_status(&mut self.child, at_most)
            .code()
            .expect("the process was killed by a signal")
    }

    /// Says that this test makes the gateway panic.
    pub(crate) fn expect_panics(&mut self) {
        self.panics_expected = true;
    }

    /// Checks on the way out that the process lives, serves the next good request as soon as a provider is asked again,
    /// leaks nothing, has made no call for a request that it refused, has told no secret to its log, and has not
    /// panicked. Providers must be well.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.finish_after(&chat("a good request"));
    }

    /// The same, when this is what a good request is.
    #[track_caller]
    pub(crate) fn finish_after(mut self, request: &Value) {
        assert!(self.is_running(), "the gateway has ended");
        wait_for("the next good request to be served", RECOVERY_LIMIT, || {
            let reply = self.client().post("/v1/chat/completions", request);
            self.last_request = Some(reply.request_id().to_owned());
            reply.status == 200
        });
        self.finish_without_a_model();
    }

    /// The same for a gateway without a model that could serve anything.
    #[track_caller]
    pub(crate) fn finish_without_a_model(mut self) {
        assert!(self.is_running(), "the gateway has ended");
        self.wait_until_settled();
        assert_none_was_refused(&self.calls());
        let log = self.log();
        assert_tells_no_secret(&log.join("\n"));
        let panics: Vec<&String> = log.iter().filter(|line| line.contains("panicked")).collect();
        assert!(
            self.panics_expected || panics.is_empty(),
            "the gateway panicked: {panics:#?}"
        );
        self.is_finished = true;
    }

    /// Lets go of a gateway whose process has ended and is not to be started again.
    #[track_caller]
    pub(crate) fn retire(mut self) {
        assert!(!self.is_running(), "the gateway has not ended");
        self.is_finished = true;
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            let log = self.log();
            let tail = &log[log.len().saturating_sub(40)..];
            eprintln!("the gateway's last words:\n{}", tail.join("\n"));
        } else {
            assert!(self.is_finished, "the test ends without Gateway::finish");
        }
    }
}

/// Runs `ai-mcp-gateway <command> --config FILE` until it ends by itself; returns its exit code and all it wrote. The
/// command may have arguments behind it, separated by spaces.
#[track_caller]
pub(crate) fn run_to_exit(command: &str, setup: &Setup) -> (i32, String) {
    let folder = TempDir::new().unwrap();
    let mut child = Gateway::command(command, setup, folder.path()).spawn().unwrap();
    let log = Log::default();
    let stdout = child.stdout.take().unwrap();
    let stderr = child.stderr.take().unwrap();
    let readers = [collect(stdout, &log), collect(stderr, &log)];
    let status = exit_status(&mut child, START_LIMIT);
    for reader in readers {
        reader.join().unwrap();
    }
    let text = log.borrow().join("\n");
    (status.code().expect("the process was killed by a signal"), text)
}

/// Starts `serve` and waits for the line that tells the address.
fn spawn(setup: &Setup, folder: &Path, log: &Log) -> (Child, SocketAddr) {
    let mut child = Gateway::command("serve", setup, folder).spawn().unwrap();
    let errors = collect(child.stderr.take().unwrap(), log);
    let stdout = child.stdout.take().unwrap();
    let (found, address) = mpsc::channel();
    let output = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("listening on http://") {
                found.send(address.trim_end_matches('/').to_owned()).ok();
            }
            output.send_modify(|lines| lines.push(line));
        }
    });
    match address.recv_timeout(START_LIMIT) {
        Ok(address) => (child, address.parse().unwrap()),
        Err(_) => {
            child.kill().ok();
            let status = child.wait().unwrap();
            errors.join().unwrap();
            panic!("the gateway did not start ({status}): {}", log.borrow().join("\n"));
        }
    }
}

/// Gathers lines in the background until the other end closes.
fn collect(output: impl Read + Send + 'static, log: &Log) -> thread::JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.send_modify(|lines| lines.push(line));
        }
    })
}

fn now_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_micros()).unwrap()
}

#[track_caller]
fn exit_status(child: &mut Child, at_most: Duration) -> ExitStatus {
    let mut status = None;
    wait_for("the gateway to end", at_most, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}
