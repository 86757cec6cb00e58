//! Redis for tests: the server of the test run, and servers that a test may stop and hang.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Where the test run's server is.
const SERVER: &str = "GATEWAY_TEST_REDIS_URL";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/redis.py");
const PASSWORD: &str = "redis-of-a-test";

/// The URL of the test run's server. Tests share it: what is limited has an id of its own in each.
#[track_caller]
pub(crate) fn redis_url() -> String {
    let Ok(url) = std::env::var(SERVER) else {
        panic!(
            "{SERVER} is not set: run scripts/test.sh, or `python3 scripts/redis.py serve` and set it to the URL that is printed"
        );
    };
    url
}

/// A server of a test's own. What is in it does not outlive its stops.
#[derive(Debug)]
pub(crate) struct RedisServer {
    folder: TempDir,
    port: u16,
    script: Option<Child>,
}

impl RedisServer {
    /// A new server.
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self {
            folder: TempDir::new().unwrap(),
            port,
            script: None,
        };
        server.start_again();
        server
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/0", self.port)
    }

    /// Stops it: its connections end, new ones are refused.
    pub(crate) fn stop(&mut self) {
        if let Some(mut script) = self.script.take() {
            signal(script.id(), Signal::TERM);
            script.wait().unwrap();
        }
    }

    /// Starts it again, empty, at the same address.
    pub(crate) fn start_again(&mut self) {
        assert!(self.script.is_none(), "it runs");
        let mut script = Command::new("python3")
            .arg(SCRIPT)
            .args([
                "serve",
                "--until-eof",
                "--port",
                &self.port.to_string(),
                "--password",
                PASSWORD,
            ])
            .arg("--folder")
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs scripts/redis.py");
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        self.script = Some(script);
        assert!(
            line.starts_with("listening on "),
            "scripts/redis.py did not start Redis: see its message above"
        );
    }

    /// Stops it where it stands: connections stay open, nobody answers.
    pub(crate) fn hang(&self) {
        signal(self.pid(), Signal::STOP);
    }

    /// Lets a hung server go on.
    pub(crate) fn go_on(&self) {
        signal(self.pid(), Signal::CONT);
    }

    fn pid(&self) -> u32 {
        std::fs::read_to_string(self.folder.path().join("pid"))
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Has it do this, a line of words without spaces in them, by its own client's protocol; what it says.
    pub(crate) fn command(&self, words: &str) -> String {
        let client = ::redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let mut words = words.split(' ');
        let mut command = ::redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        format!("{:?}", command.query::<::redis::Value>(&mut connection))
    }
}

impl Drop for RedisServer {
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
    // One that has ended since is no longer of interest.
    let _ = kill_process(process, what);
}
