//! The `mcp` program as a child process, which sees none of the machine's own settings.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use super::support::Gateway;

/// One run of the program, set up step by step.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
}

impl Program {
    /// `mcp ARGUMENTS…`, with nothing in its environment.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp"));
        command
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command }
    }

    /// Talks to this gateway.
    pub(crate) fn to(self, gateway: &Gateway) -> Self {
        self.env("MCP_ENDPOINT", &format!("http://{}", gateway.address()))
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it with nothing on stdin.
    pub(crate) fn run(mut self) -> Run {
        Run::read(self.command.output().unwrap())
    }

    /// Runs it with this piped in.
    pub(crate) fn run_with_input(mut self, input: &[u8]) -> Run {
        let mut child = self.command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Run::read(child.wait_with_output().unwrap())
    }

    /// Runs it with a terminal as stdin, at which this is typed before the end of the input.
    pub(crate) fn run_at_terminal(mut self, typed: &str) -> Run {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let terminal = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let child: Child = self.command.stdin(terminal).spawn().unwrap();
        let mut keyboard = File::from(master);
        // Ctrl-D ends the input.
        keyboard.write_all(format!("{typed}\u{4}").as_bytes()).unwrap();
        Run::read(child.wait_with_output().unwrap())
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn read(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program was killed by a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What it printed, after checking that it succeeded.
    #[track_caller]
    pub(crate) fn answer(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.stdout
    }

    /// The same as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.answer()).unwrap()
    }

    /// What it complained about, after checking its exit code and that it printed nothing else.
    #[track_caller]
    pub(crate) fn complaint(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        &self.stderr
    }
}
