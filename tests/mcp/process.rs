//! `ai-mcp-gateway mcp` as a child process, spoken to line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use super::support::{CallRow, Gateway, Setup, wait_for};

/// How long anything may take that is not meant to hang.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Lines that a thread gathers.
type Lines = Arc<watch::Sender<Vec<String>>>;

/// A running process. A test that leaves it running without [`Process::finish`] fails.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines,
    log: Lines,
    /// The process's own, unless it shares another's.
    own_folder: Option<TempDir>,
    folder: PathBuf,
    last_id: i64,
    has_session: bool,
}

impl Process {
    /// Starts it in a folder of its own.
    pub(crate) fn start(setup: &Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let mut process = Self::start_in(setup, folder.path());
        process.own_folder = Some(folder);
        process
    }

    /// Starts it on the data in this folder.
    pub(crate) fn start_in(setup: &Setup, folder: &Path) -> Self {
        Self::spawn(&mut Gateway::command("mcp", setup, folder), folder)
    }

    /// Starts this command.
    pub(crate) fn spawn(command: &mut Command, folder: &Path) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, log) = (Lines::default(), Lines::default());
        gather(child.stdout.take().unwrap(), &output);
        gather(child.stderr.take().unwrap(), &log);
        Self {
            input: child.stdin.take(),
            child,
            output,
            log,
            own_folder: None,
            folder: folder.to_owned(),
            last_id: 0,
            has_session: false,
        }
    }

    /// Starts it with its stdout left to the test.
    pub(crate) fn start_unread(setup: &Setup) -> (Self, ChildStdout) {
        let folder = TempDir::new().unwrap();
        let mut command = Gateway::command("mcp", setup, folder.path());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let log = Lines::default();
        gather(child.stderr.take().unwrap(), &log);
        let process = Self {
            input: child.stdin.take(),
            child,
            output: Lines::default(),
            log,
            folder: folder.path().to_owned(),
            own_folder: Some(folder),
            last_id: 0,
            has_session: false,
        };
        (process, stdout)
    }

    /// The same, with a session of revision 2025-11-25 begun.
    pub(crate) fn begun(setup: &Setup) -> Self {
        let mut process = Self::start(setup);
        process.begin();
        process
    }

    /// Begins a session of revision 2025-11-25.
    pub(crate) fn begin(&mut self) -> Value {
        let id = self.ask("initialize", &initialize("2025-11-25"));
        let answer = self.answer(&id);
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        self.has_session = true;
        answer
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &Value) {
        self.send_bytes(format!("{message}\n").as_bytes());
    }

    /// Sends these bytes.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends these bytes to a process that may have gone.
    pub(crate) fn try_send(&mut self, message: &Value) -> bool {
        let line = format!("{message}\n");
        self.input.as_mut().unwrap().write_all(line.as_bytes()).is_ok()
    }

    /// Sends a request under a fresh id, and returns the id.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = json!(self.last_id);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Sends a call of a tool, and returns its id.
    pub(crate) fn ask_tool(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Waits for the answer under this id.
    #[track_caller]
    pub(crate) fn answer(&self, id: &Value) -> Value {
        let find = || self.messages().into_iter().find(|message| is_answer(message, id));
        let mut found = None;
        wait_for(&format!("the answer to {id}"), LIMIT, || {
            found = find();
            found.is_some()
        });
        found.unwrap()
    }

    /// Sends a request and waits for its result.
    #[track_caller]
    pub(crate) fn result(&mut self, method: &str, params: &Value) -> Value {
        let id = self.ask(method, params);
        let answer = self.answer(&id);
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    /// Calls a tool and waits for its result.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.result("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Calls a tool that works, and returns its structured content.
    #[track_caller]
    pub(crate) fn works(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result}");
        result["structuredContent"].clone()
    }

    /// Calls a tool that fails, and returns the error it tells.
    #[track_caller]
    pub(crate) fn fails(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.call(tool, arguments);
        tool_error(&result)
    }

    /// Every message on stdout so far; each line must be one.
    #[track_caller]
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.output.borrow().iter().map(|line| message(line)).collect()
    }

    /// Waits until there are this many messages that satisfy a condition.
    #[track_caller]
    pub(crate) fn wait_for_messages(&self, what: &str, count: usize, condition: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut found = Vec::new();
        wait_for(what, LIMIT, || {
            found = self.messages();
            found.retain(&condition);
            found.len() >= count
        });
        found
    }

    /// What it wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    /// Every call record in its database.
    pub(crate) fn calls(&self) -> Vec<CallRow> {
        Gateway::calls_in(&self.folder)
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Kills it without warning.
    pub(crate) fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends its input.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits until it has ended by itself, and returns its exit code.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self, at_most: Duration) -> i32 {
        let mut status = None;
        wait_for("the process to end", at_most, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code().expect("it was killed by a signal")
    }

    /// Checks on the way out that a process that still has its input serves the next good request, ends well with its
    /// input, wrote nothing but messages, answered nothing twice and did not panic.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        let takes_requests = self.input.is_some() && self.child.try_wait().unwrap().is_none();
        if takes_requests && self.has_session {
            self.works("gateway_status", &json!({}));
        } else if takes_requests {
            self.result("server/discover", &json!({"_meta": meta("2026-07-28")}));
        }
        self.close_input();
        assert_eq!(self.wait_exit(LIMIT), 0, "{}", self.log());
        let mut answered = Vec::new();
        for message in self.messages() {
            let is_answer = message.get("method").is_none();
            if let (true, Some(id)) = (is_answer, message.get("id")) {
                assert!(!answered.contains(id), "{id} was answered twice");
                answered.push(id.clone());
            }
        }
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let is_left = self.child.try_wait().unwrap().is_none();
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            let log = self.log.borrow().clone();
            eprintln!("its last words:\n{}", log[log.len().saturating_sub(40)..].join("\n"));
        } else {
            assert!(!is_left, "the test ends without Process::finish");
        }
    }
}

/// What `initialize` is called with.
pub(crate) fn initialize(revision: &str) -> Value {
    json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}})
}

/// The `_meta` of a request of revision 2026-07-28, which has no session.
pub(crate) fn meta(revision: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}
    })
}

/// The error that a tool's result tells.
#[track_caller]
pub(crate) fn tool_error(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    assert!(result.get("structuredContent").is_none(), "{result}");
    let body: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert!(
        body["error"]["type"].is_string() && body["error"]["message"].is_string(),
        "{body}"
    );
    body["error"].clone()
}

/// A line of stdout as the message that it must be.
#[track_caller]
pub(crate) fn message(line: &str) -> Value {
    match serde_json::from_str::<Value>(line) {
        Ok(message) if message["jsonrpc"] == "2.0" => message,
        _ => panic!("stdout has a line that is no JSON-RPC message: {line:.200}"),
    }
}

fn is_answer(message: &Value, id: &Value) -> bool {
    message.get("method").is_none() && message.get("id") == Some(id)
}

fn gather(output: impl Read + Send + 'static, lines: &Lines) {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lines.send_modify(|lines| lines.push(line));
        }
    });
}
