//! The retry budget: attempts on targets that are not known to work stay a fraction of the traffic, so that an outage
//! is not answered with a multiple of the load.

use tokio::time::Instant;

use super::settings::DispatchSettings;

const SECONDS: usize = 10;

/// Requests and retries of the last ten seconds, in slots of one.
#[derive(Debug)]
pub(super) struct RetryBudget {
    ratio: f64,
    min: u32,
    since: Instant,
    newest: u64,
    slots: [Slot; SECONDS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    requests: u32,
    retries: u32,
}

impl RetryBudget {
    pub(super) fn new(settings: &DispatchSettings, now: Instant) -> Self {
        Self {
            ratio: settings.retry_ratio,
            min: settings.retry_min,
            since: now,
            newest: 0,
            slots: [Slot::default(); SECONDS],
        }
    }

    /// Counts a request.
    pub(super) fn request(&mut self, now: Instant) {
        self.slide(now);
        if let Some(newest) = self.slots.first_mut() {
            newest.requests = newest.requests.saturating_add(1);
        }
    }

    /// Counts a retry if the budget has room for it.
    pub(super) fn try_retry(&mut self, now: Instant) -> bool {
        self.slide(now);
        let requests: u32 = self.slots.iter().map(|slot| slot.requests).sum();
        let retries: u32 = self.slots.iter().map(|slot| slot.retries).sum();
        let allowed = f64::from(requests) * self.ratio + f64::from(self.min);
        if f64::from(retries) + 1.0 > allowed {
            return false;
        }
        if let Some(newest) = self.slots.first_mut() {
            newest.retries += 1;
        }
        true
    }

    fn slide(&mut self, now: Instant) {
        let second = now.saturating_duration_since(self.since).as_secs();
        let passed = second.saturating_sub(self.newest);
        for _ in 0..passed.min(SECONDS as u64) {
            self.slots.rotate_right(1);
            if let Some(newest) = self.slots.first_mut() {
                *newest = Slot::default();
            }
        }
        self.newest = self.newest.max(second);
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
