//! The signals that a process hears.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a write beyond a limit on file sizes raises besides its error, on the common Linux architectures.
const SIGXFSZ: i32 = 25;

/// SIGTERM and SIGINT end the process. SIGUSR1 does nothing, but must not end it; nor must SIGXFSZ: the write's error is
/// handled like that of a full disk.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    _ignored: [Signal; 2],
}

impl Signals {
    /// Hears them from here on.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _ignored: [
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::from_raw(SIGXFSZ))?,
            ],
        })
    }

    /// Waits for a signal that ends the process.
    pub(super) async fn terminate(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
