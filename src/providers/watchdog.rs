//! The time limits of one call, on one timer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gateway_actors::protocol::{Billing, FailureKind, UpstreamFailure};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::UpstreamTimeouts;

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// Nothing (or nothing meaningful) came in time.
    FirstByte,
    /// It stalled in the middle.
    Idle,
    /// The whole call took longer than calls of its provider may.
    Total,
    /// The request's deadline came.
    Deadline,
}

impl From<Expired> for UpstreamFailure {
    /// A call that was given up may have been sent, and may be answered and billed at the provider's all the same.
    fn from(expired: Expired) -> Self {
        let (kind, detail) = match expired {
            Expired::FirstByte => (FailureKind::FirstByteTimeout, "no answer came in time"),
            Expired::Idle => (FailureKind::IdleTimeout, "the answer stalled"),
            Expired::Total => (
                FailureKind::TotalTimeout,
                "the call took longer than its provider's may",
            ),
            Expired::Deadline => (FailureKind::Deadline, "the call took too long"),
        };
        Self::new(kind, Billing::Ambiguous, detail)
    }
}

/// Watches one call. What comes in only moves a date; the timer is set anew when it fires too early.
#[derive(Debug)]
pub(super) struct Watchdog {
    sleep: Pin<Box<Sleep>>,
    waiting_for: Expired,
    /// When the present limit is passed; never after `end`.
    due: Instant,
    end: Instant,
    /// Whose limit `end` is: [`Expired::Total`] or [`Expired::Deadline`].
    last: Expired,
    idle: Duration,
}

impl Watchdog {
    /// Starts the time to the first byte.
    ///
    /// # Errors
    /// A failure that is not billed if the deadline has passed already.
    pub(super) fn start(timeouts: &UpstreamTimeouts, deadline: Instant) -> Result<Self, UpstreamFailure> {
        let now = Instant::now();
        if deadline <= now {
            let detail = "no time was left to make the call";
            return Err(UpstreamFailure::new(FailureKind::Deadline, Billing::NotBilled, detail));
        }
        let total = now + timeouts.total;
        let (end, last) = if total < deadline {
            (total, Expired::Total)
        } else {
            (deadline, Expired::Deadline)
        };
        let due = end.min(now + timeouts.first_byte);
        Ok(Self {
            sleep: Box::pin(sleep_until(due)),
            waiting_for: Expired::FirstByte,
            due,
            end,
            last,
            idle: timeouts.idle,
        })
    }

    /// Something came: from now on the limit is that between two chunks, anew.
    pub(super) fn touch(&mut self) {
        self.due = self.end.min(Instant::now() + self.idle);
        if self.waiting_for == Expired::FirstByte {
            self.waiting_for = Expired::Idle;
            if self.due < self.sleep.deadline() {
                self.sleep.as_mut().reset(self.due);
            }
        }
    }

    /// What is left must be over within this time.
    pub(super) fn hurry(&mut self, limit: Duration) {
        self.due = self.end.min(Instant::now() + limit);
        self.waiting_for = Expired::Idle;
        self.sleep.as_mut().reset(self.due);
    }

    /// Ready once a limit is passed.
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Expired> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.due <= self.sleep.deadline() {
                return Poll::Ready(if self.due == self.end {
                    self.last
                } else {
                    self.waiting_for
                });
            }
            self.sleep.as_mut().reset(self.due);
        }
    }

    /// Awaits something, but not beyond the limit.
    pub(super) async fn guard<F: Future>(&mut self, future: F) -> Result<F::Output, Expired> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_expired(cx).map(Err),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::sleep;

    const TIMEOUTS: UpstreamTimeouts = UpstreamTimeouts {
        connect: Duration::from_secs(3),
        first_byte: Duration::from_secs(20),
        idle: Duration::from_secs(5),
        total: Duration::from_secs(60),
    };

    fn watchdog(deadline: u64) -> Watchdog {
        Watchdog::start(&TIMEOUTS, Instant::now() + Duration::from_secs(deadline)).unwrap()
    }

    /// What expires, and after how many seconds.
    async fn expiry(watchdog: &mut Watchdog) -> (Expired, u64) {
        let start = Instant::now();
        let expired = watchdog.guard(pending::<()>()).await.unwrap_err();
        (expired, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_has_its_own_limit() {
        assert_eq!(expiry(&mut watchdog(100)).await, (Expired::FirstByte, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn the_idle_limit_holds_from_the_first_chunk_even_if_it_is_the_shorter_one() {
        let mut watchdog = watchdog(100);
        watchdog.guard(sleep(Duration::from_secs(1))).await.unwrap();
        watchdog.touch();
        assert_eq!(expiry(&mut watchdog).await, (Expired::Idle, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn every_chunk_starts_the_idle_limit_anew() {
        let mut watchdog = watchdog(100);
        for _ in 0..5 {
            watchdog.guard(sleep(Duration::from_secs(4))).await.unwrap();
            watchdog.touch();
        }
        assert_eq!(expiry(&mut watchdog).await, (Expired::Idle, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn the_total_and_the_callers_deadline_bound_everything() {
        assert_eq!(expiry(&mut watchdog(7)).await, (Expired::Deadline, 7));
        let mut watchdog = watchdog(100);
        for _ in 0..14 {
            watchdog.guard(sleep(Duration::from_secs(4))).await.unwrap();
            watchdog.touch();
        }
        assert_eq!(expiry(&mut watchdog).await, (Expired::Total, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_can_be_hurried() {
        let mut watchdog = watchdog(100);
        watchdog.hurry(Duration::from_secs(1));
        assert_eq!(expiry(&mut watchdog).await, (Expired::Idle, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_time_is_not_made() {
        let failure = Watchdog::start(&TIMEOUTS, Instant::now()).unwrap_err();
        assert_eq!(
            (failure.kind, failure.billing),
            (FailureKind::Deadline, Billing::NotBilled)
        );
    }
}
