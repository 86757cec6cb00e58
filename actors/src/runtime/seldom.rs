//! Log lines that would come with every request.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a line is not said again.
const PAUSE: Duration = Duration::from_secs(5);

/// Lets a line be logged now and then, with the number of those that were left out.
#[derive(Debug)]
pub(crate) struct Seldom {
    began: OnceLock<Instant>,
    /// When it may be said next, in milliseconds after the first.
    next_ms: AtomicU64,
    left_out: AtomicU64,
}

impl Seldom {
    /// One for a line that was not said yet.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self {
            began: OnceLock::new(),
            next_ms: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// How many lines were left out since the last one, if this one is to be said.
    pub(crate) fn now(&self) -> Option<u64> {
        let passed = self.began.get_or_init(Instant::now).elapsed();
        let now = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        let is_mine = self
            .next_ms
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
                (now >= next).then(|| now.saturating_add(pause))
            })
            .is_ok();
        if is_mine {
            return Some(self.left_out.swap(0, Ordering::AcqRel));
        }
        self.left_out.fetch_add(1, Ordering::AcqRel);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_is_said_at_once_and_then_now_and_then_with_how_many_were_left_out() {
        let seldom = Seldom::new();
        assert_eq!(seldom.now(), Some(0));
        for _ in 0..7 {
            assert_eq!(seldom.now(), None);
        }
        tokio::time::advance(PAUSE).await;
        assert_eq!((seldom.now(), seldom.now()), (Some(7), None));
        tokio::time::advance(PAUSE * 10).await;
        assert_eq!(seldom.now(), Some(1));
    }
}
