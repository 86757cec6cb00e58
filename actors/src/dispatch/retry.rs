//! The retry budget: attempts on targets that are not known to work stay a fraction of the traffic, so that an outage
//! is not answered with a multiple of the load.

use tokio::time::Instant;

use super::settings::DispatchSettings;
use crate::runtime::Window;

/// How many retries there may be, from the requests and retries of the last while.
#[derive(Debug)]
pub(super) struct RetryBudget {
    ratio: f64,
    min: u32,
    /// Requests, and retries as marks.
    window: Window,
}

impl RetryBudget {
    pub(super) fn new(settings: &DispatchSettings, now: Instant) -> Self {
        Self {
            ratio: settings.retry_ratio,
            min: settings.retry_min,
            window: Window::new(settings.retry_window, now),
        }
    }

    /// Counts a request.
    pub(super) fn request(&mut self, now: Instant) {
        self.window.add(1, 0, now);
    }

    /// Counts a retry if the budget has room for it.
    pub(super) fn try_retry(&mut self, now: Instant) -> bool {
        let (requests, retries) = self.window.sums(now);
        let allowed = f64::from(requests) * self.ratio + f64::from(self.min);
        let has_room = f64::from(retries) + 1.0 <= allowed;
        if has_room {
            self.window.add(0, 1, now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn retries_stay_a_fifth_of_the_requests_plus_three() {
        let now = Instant::now();
        let mut budget = RetryBudget::new(&DispatchSettings::default(), now);
        for _ in 0..100 {
            budget.request(now);
        }
        let granted = (0..1_000).filter(|_| budget.try_retry(now)).count();
        assert_eq!(granted, 23);
        let later = now + Duration::from_secs(10);
        assert_eq!((0..1_000).filter(|_| budget.try_retry(later)).count(), 3);
    }
}
