//! The signals that a process hears.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a write beyond a limit on file sizes raises besides its error, on the common Linux architectures.
const SIGXFSZ: i32 = 25;

/// Every signal that is not left to the operating system, which would end the process. SIGUSR1 does nothing; nor does
/// SIGXFSZ: the write's error is handled like that of a full disk.
pub(super) struct Signals {
    /// What ends the process in order.
    pub(super) end: End,
    /// SIGHUP, at which the settings are read again.
    pub(super) hangup: Signal,
    _ignored: [Signal; 2],
}

/// SIGTERM and SIGINT.
pub(super) struct End {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Hears them from here on.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            end: End {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            },
            hangup: signal(SignalKind::hangup())?,
            _ignored: [
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::from_raw(SIGXFSZ))?,
            ],
        })
    }
}

impl End {
    /// Waits for a signal that ends the process.
    pub(super) async fn asked_for(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
