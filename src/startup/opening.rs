//! Opens the database and takes over from dead processes, on a thread of its own: both may take long, and meanwhile the
//! process must hear whether it shall end.

use std::io;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::{ServeError, open_store, recover};
use crate::config::Settings;
use crate::store::Store;

/// A database that is being opened. When this is dropped the thread goes on until the process ends, which harms nothing:
/// whatever it does can be stopped at any point, since a killed process stops it too.
pub(super) struct Opening {
    thread: JoinHandle<()>,
    opened: oneshot::Receiver<Result<Store, ServeError>>,
}

/// Begins to open the database of the settings.
///
/// # Errors
/// When there is no thread for it.
pub(super) fn start(settings: &Settings) -> io::Result<Opening> {
    let settings = settings.clone();
    let (opened, store) = oneshot::channel();
    let thread = thread::Builder::new().name("opening".to_owned()).spawn(move || {
        // Nobody may wait any longer.
        let _ = opened.send(open(&settings));
    })?;
    Ok(Opening { thread, opened: store })
}

impl Opening {
    /// Waits until the database is open and nothing of dead processes is left.
    pub(super) async fn store(self) -> Result<Store, ServeError> {
        match self.opened.await {
            Ok(store) => store,
            Err(_) => match self.thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => Err(ServeError::Cell("its database was not opened".to_owned())),
            },
        }
    }
}

fn open(settings: &Settings) -> Result<Store, ServeError> {
    let store = open_store(settings)?;
    recover(&store, &store.name().journal_dir(&settings.store.data_dir))?;
    Ok(store)
}
