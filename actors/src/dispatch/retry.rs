//! The retry budget: attempts on targets that are not known to work stay a fraction of the traffic, so that an outage
//! is not answered with a multiple of the load.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::DispatchSettings;

const SLOTS: u32 = 10;

/// Requests and retries of the last while, in ten slots of equal length.
#[derive(Debug)]
pub(super) struct RetryBudget {
    ratio: f64,
    min: u32,
    slot: Duration,
    newest_since: Instant,
    slots: [Slot; SLOTS as usize],
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
            slot: settings.retry_window / SLOTS,
            newest_since: now,
            slots: [Slot::default(); SLOTS as usize],
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
        for _ in 0..SLOTS {
            if now.saturating_duration_since(self.newest_since) < self.slot {
                return;
            }
            self.slots.rotate_right(1);
            if let Some(newest) = self.slots.first_mut() {
                *newest = Slot::default();
            }
            self.newest_since += self.slot;
        }
        // Silence for longer than the whole window: every slot was emptied above.
        self.newest_since = now;
    }
}

#[cfg(test)]
mod tests {
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
