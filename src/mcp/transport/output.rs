//! Lines to a writer that blocks, on a thread of their own.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Lines that wait to be written while the client reads slowly. When there are as many, no further message is taken
/// from it; some clients write a good deal before they read.
const WAITING: usize = 1_024;
/// How long a client may take to read the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The pipe that messages are written to.
#[derive(Debug)]
pub(crate) struct Pipes {
    output: File,
}

impl Pipes {
    /// Takes stdout away from the rest of the process: whatever else writes to it goes to stderr from now on, so that no
    /// library can spoil the messages.
    ///
    /// # Errors
    /// When stdout or stderr is closed.
    pub(crate) fn take() -> io::Result<Self> {
        let output = rustix::io::dup(rustix::stdio::stdout())?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        Ok(Self {
            output: File::from(output),
        })
    }
}

#[cfg(test)]
impl Pipes {
    /// Another output than this process's own.
    pub(crate) fn over(output: File) -> Self {
        Self { output }
    }
}

/// A message as a line.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// How far the writing thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Writing,
    /// The client does not read any more.
    Closed,
    /// Everything is written.
    Finished,
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Output {
    lines: Option<mpsc::Sender<Vec<u8>>>,
    state: watch::Receiver<State>,
}

/// Sends one line.
#[derive(Debug)]
pub(super) struct Sending(Option<mpsc::Sender<Vec<u8>>>);

impl Sending {
    /// Sends it when there is room, and calls this just before.
    pub(super) async fn send(self, line: Vec<u8>, before: impl FnOnce()) -> io::Result<()> {
        let gone = || io::Error::from(ErrorKind::BrokenPipe);
        let lines = self.0.ok_or_else(gone)?;
        let place = lines.reserve().await.map_err(|_closed| gone())?;
        before();
        place.send(line);
        Ok(())
    }
}

impl Output {
    /// Starts the thread.
    pub(super) fn start(pipes: Pipes) -> io::Result<Self> {
        let (lines, waiting) = mpsc::channel(WAITING);
        let (state, watched) = watch::channel(State::Writing);
        thread::Builder::new()
            .name("mcp-stdout".to_owned())
            .spawn(move || write(pipes.output, waiting, &state))?;
        Ok(Self {
            lines: Some(lines),
            state: watched,
        })
    }

    /// A way to send one line.
    pub(super) fn sender(&self) -> Sending {
        Sending(self.lines.clone())
    }

    /// Waits for room for a line; nothing when the output is closed.
    pub(super) async fn reserve(&self) -> Option<mpsc::Permit<'_, Vec<u8>>> {
        self.lines.as_ref()?.reserve().await.ok()
    }

    /// Waits until the client does not read any more.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut state = self.state.clone();
        async move {
            let _ = state.wait_for(|state| *state != State::Writing).await;
        }
    }

    /// Takes no further lines.
    pub(super) fn finish(&mut self) {
        self.lines = None;
    }

    /// Sees when everything is written.
    pub(super) fn written(&self) -> Written {
        Written(self.state.clone())
    }
}

/// Sees the writing thread's end.
#[derive(Debug)]
pub(crate) struct Written(watch::Receiver<State>);

impl Written {
    /// Waits until all lines are written, once no more can come. A client that does not read them is not waited for.
    pub(crate) async fn wait(mut self) {
        let written = self.0.wait_for(|state| *state != State::Writing);
        if timeout(LAST_LINES, written).await.is_err() {
            tracing::warn!("the client did not read the last messages");
        }
    }
}

fn write(mut output: File, mut lines: mpsc::Receiver<Vec<u8>>, state: &watch::Sender<State>) {
    while let Some(line) = lines.blocking_recv() {
        if let Err(error) = output.write_all(&line) {
            tracing::info!(%error, "the client does not read any more");
            state.send_replace(State::Closed);
            return;
        }
    }
    state.send_replace(State::Finished);
}
