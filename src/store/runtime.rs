//! The store's own threads. They own every connection; everyone else sends them jobs and waits for the answer, so that
//! a caller who goes away cannot cancel a statement half-way. A SQLite statement would not bear it: diesel-async panics
//! when its future is dropped on a single-threaded runtime, which is what every thread of an actor system has.

use std::future::Future;
use std::time::Duration;

use gateway_actors::protocol::StoreFuture;
use tokio::runtime::{Builder, Handle, Runtime};

use super::error::{Fault, OpenError, QueryError};

const WORKER_THREADS: usize = 2;
/// One thread for each SQLite connection (a writer and two readers) and one to open a new one.
const BLOCKING_THREADS: usize = 4;

/// Whether the threads wait for sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// The database is a server.
    Needed,
    /// The database is a file.
    Unused,
}

/// The threads. Dropping it abandons what runs; [`StoreRuntime::shutdown`] waits for it.
#[derive(Debug)]
pub(super) struct StoreRuntime {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl StoreRuntime {
    /// Starts the threads, for a database on the network or not: waiting for sockets makes waking a thread dearer.
    pub(super) fn start(network: Network) -> Result<Self, OpenError> {
        let mut builder = Builder::new_multi_thread();
        if network == Network::Needed {
            builder.enable_io();
        }
        let runtime = builder
            .worker_threads(WORKER_THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("store")
            .enable_time()
            .build()
            .map_err(|source| OpenError::Threads { source })?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// For sending jobs.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits for a future on the calling thread, which must not itself be running one.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Ends the threads, waiting for what runs on them, but no longer than `timeout`.
    pub(super) fn shutdown(mut self, timeout: Duration) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(timeout);
        }
    }
}

impl Drop for StoreRuntime {
    fn drop(&mut self) {
        // A runtime that is dropped waits, which panics where the dropping thread runs a runtime of its own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Starts a job on the store's threads at once; dropping the answer's future does not cancel it.
pub(super) fn spawn<T, F>(handle: &Handle, job: F) -> StoreFuture<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, QueryError>> + Send + 'static,
{
    let task = handle.spawn(job);
    Box::pin(async move {
        match task.await {
            Ok(result) => result.map_err(Into::into),
            Err(error) if error.is_cancelled() => Err(Fault::unavailable("the store is closed").into()),
            Err(_panicked) => Err(Fault::failed("a store job panicked").into()),
        }
    })
}
