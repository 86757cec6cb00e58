//! How many calls run at once: a few, the others wait in line, and the line has an end. A call that its client has given
//! up keeps its place as long as a provider is busy with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gateway_actors::protocol::{ErrorKind, GatewayError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Calls that run at once. A client is one program, and every call may be a model's answer that costs money.
pub(super) const AT_ONCE: usize = 8;
/// Calls that wait besides. With messages of at most 2 MiB they are 256 MiB at the very worst.
pub(super) const WAITING: usize = 128;

/// Calls that wait for a person. They run nothing, and hold no place among those that do.
const ASKED: usize = 32;

/// The calls that run and wait.
#[derive(Debug)]
pub(super) struct Slots {
    running: Arc<Semaphore>,
    asked: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

/// A place among the calls that run. Dropping it lets the next one run.
#[derive(Debug)]
pub(super) struct Slot {
    _running: OwnedSemaphorePermit,
    _inside: Inside,
}

/// Counts a call, from its arrival on.
#[derive(Debug)]
struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            asked: Arc::new(Semaphore::new(ASKED)),
            inside: Arc::default(),
        }
    }

    /// How many calls run or wait.
    pub(super) fn inside(&self) -> usize {
        self.inside.load(Ordering::Acquire)
    }

    /// Lets a call wait for a person, unless too many do.
    pub(super) fn ask(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.asked).try_acquire_owned().ok()
    }

    /// Waits for a place. They are given in the order in which they were asked for.
    pub(super) async fn take(&self, deadline: Instant) -> Result<Slot, GatewayError> {
        let before = self.inside.fetch_add(1, Ordering::AcqRel);
        let inside = Inside(Arc::clone(&self.inside));
        if before >= AT_ONCE + WAITING {
            let message = format!("{WAITING} calls wait already; call again when some have been answered");
            return Err(GatewayError::new(ErrorKind::Overloaded, message));
        }
        match timeout_at(deadline, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(running)) => Ok(Slot {
                _running: running,
                _inside: inside,
            }),
            Ok(Err(_closed)) => Err(GatewayError::component_failed("worker")),
            Err(_elapsed) => Err(GatewayError::new(
                ErrorKind::DeadlineExceeded,
                "the deadline passed while earlier calls were being answered",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_run_others_wait_and_too_many_are_refused() {
        let slots = Slots::new();
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut running = Vec::new();
        for _ in 0..AT_ONCE {
            running.push(slots.take(deadline).await.unwrap());
        }
        let waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(slots.take(deadline))).collect();
        let waiting = futures_util::future::join_all(waiting);
        let (waited, refused) = tokio::join!(waiting, async {
            tokio::task::yield_now().await;
            slots.take(deadline).await.map(|_| ()).unwrap_err()
        });
        assert_eq!(refused.kind, ErrorKind::Overloaded);
        assert!(waited.iter().all(|slot| {
            slot.as_ref()
                .is_err_and(|error| error.kind == ErrorKind::DeadlineExceeded)
        }));
        assert_eq!(slots.inside(), AT_ONCE);
        drop(running);
        assert_eq!(slots.inside(), 0);
        assert!(slots.take(Instant::now() + Duration::from_secs(1)).await.is_ok());
    }
}
