//! A sliding count over a window of time: of events, and of those among or beside them that are marked.

use std::time::Duration;

use tokio::time::Instant;

const SLOTS: u32 = 10;

/// Events and marks of the last while, in ten slots of equal length.
#[derive(Debug)]
pub struct Window {
    slot: Duration,
    /// Newest first.
    slots: [Slot; SLOTS as usize],
    newest_since: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    events: u32,
    marks: u32,
}

impl Window {
    /// Counts over this length of time, nothing yet.
    #[must_use]
    pub fn new(length: Duration, now: Instant) -> Self {
        Self {
            slot: length / SLOTS,
            slots: [Slot::default(); SLOTS as usize],
            newest_since: now,
        }
    }

    /// Counts events and marks.
    pub fn add(&mut self, events: u32, marks: u32, now: Instant) {
        self.slide(now);
        if let Some(newest) = self.slots.first_mut() {
            newest.events = newest.events.saturating_add(events);
            newest.marks = newest.marks.saturating_add(marks);
        }
    }

    /// Events and marks in the window.
    pub fn sums(&mut self, now: Instant) -> (u32, u32) {
        self.slide(now);
        self.slots.iter().fold((0, 0), |(events, marks), slot| {
            (events.saturating_add(slot.events), marks.saturating_add(slot.marks))
        })
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
    async fn counts_leave_the_window_after_its_length() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(30), start);
        window.add(10, 5, start);
        window.add(1, 1, start + Duration::from_secs(24));
        assert_eq!(window.sums(start + Duration::from_secs(29)), (11, 6));
        assert_eq!(window.sums(start + Duration::from_secs(31)), (1, 1));
        assert_eq!(window.sums(start + Duration::from_secs(3_600)), (0, 0));
    }
}
