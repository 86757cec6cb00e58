//! What was asked for in the last minute, counted in slots.
//!
//! A charge counts until a whole minute has passed since the last charge of its slot: at whatever moment one looks, what
//! counts includes all that was charged in the sixty seconds before. So no sixty seconds, wherever they begin, hold more
//! than was allowed at any moment in them, and nothing counts for more than a minute from now on.

use std::collections::VecDeque;
use std::time::Duration;

/// Slots in a minute.
const SLOTS: u32 = 60;
/// Shared slots in a slot. They are short, since all of one counts as long as its last moment.
const SHARED_SLOTS: u32 = 10;

/// How long a minute is, and so a slot. It is shorter in tests only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    slot: Duration,
}

impl Default for Span {
    fn default() -> Self {
        Self::of(Duration::from_secs(60))
    }
}

impl Span {
    /// A minute that is this long, at least 60 ms.
    #[must_use]
    pub fn of(minute: Duration) -> Self {
        let slot = (minute / SLOTS).max(Duration::from_millis(1));
        Self { slot }
    }

    /// How long a minute is.
    #[must_use]
    pub fn minute(self) -> Duration {
        self.slot * SLOTS
    }

    /// How long a slot of the shared counts is.
    #[must_use]
    pub fn shared_slot(self) -> Duration {
        (self.slot / SHARED_SLOTS).max(Duration::from_millis(1))
    }

    /// How many of these a charge counts in that may be used so much later than it was made: the one it is made in, those
    /// of a minute, and those in between.
    #[must_use]
    pub fn shared_slots_counted(self, later: Duration) -> u64 {
        let slots = |time: Duration| {
            let slots = time.as_nanos().div_ceil(self.shared_slot().as_nanos());
            u64::try_from(slots).unwrap_or(u64::MAX)
        };
        slots(self.minute()).saturating_add(slots(later)).saturating_add(1)
    }

    /// How many of these ago a charge was made at least that is so many slots old.
    #[must_use]
    pub fn shared_age(self, slots: u64) -> u64 {
        let in_a_slot = self.slot.as_nanos() / self.shared_slot().as_nanos();
        // The slot may just have begun, and the charge have been made at the end of its own.
        slots
            .saturating_sub(1)
            .saturating_mul(u64::try_from(in_a_slot).unwrap_or(1))
    }

    /// The slot of a moment.
    pub(super) fn slot_at(self, now: Duration) -> u64 {
        let slot = now.as_nanos() / self.slot.as_nanos();
        u64::try_from(slot).unwrap_or(u64::MAX)
    }
}

/// The charges of a slot.
#[derive(Debug, Clone, Copy)]
struct Charged {
    slot: u64,
    amount: u64,
    /// When the last of them was made.
    last: Duration,
}

/// The charges that count.
#[derive(Debug, Default)]
pub(super) struct Window {
    span: Span,
    /// Slots with charges, oldest first.
    slots: VecDeque<Charged>,
    sum: u64,
}

impl Window {
    pub(super) fn new(span: Span) -> Self {
        Self {
            span,
            ..Self::default()
        }
    }

    /// Forgets what counts no more at this moment.
    pub(super) fn advance(&mut self, now: Duration) {
        while let Some(oldest) = self.slots.front() {
            if oldest.last.saturating_add(self.span.minute()) > now {
                break;
            }
            self.sum = self.sum.saturating_sub(oldest.amount);
            self.slots.pop_front();
        }
    }

    /// All that counts.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// Charges an amount at this moment.
    pub(super) fn add(&mut self, now: Duration, amount: u64) {
        if amount == 0 {
            return;
        }
        self.sum = self.sum.saturating_add(amount);
        let slot = self.span.slot_at(now);
        match self.slots.back_mut() {
            // Somebody else may have looked at the clock a little later, and come first.
            Some(newest) if newest.slot >= slot => {
                newest.amount = newest.amount.saturating_add(amount);
                newest.last = newest.last.max(now);
            }
            _ => self.slots.push_back(Charged {
                slot,
                amount,
                last: now,
            }),
        }
    }

    /// Takes back what was charged in a slot, if that still counts.
    pub(super) fn take_back(&mut self, slot: u64, amount: u64) {
        if let Ok(place) = self.slots.binary_search_by_key(&slot, |charged| charged.slot)
            && let Some(charged) = self.slots.get_mut(place)
        {
            let taken = amount.min(charged.amount);
            charged.amount -= taken;
            self.sum = self.sum.saturating_sub(taken);
        }
    }

    /// How long until at least so much of it counts no more; none if it is not that much. At most a minute.
    pub(super) fn until_without(&self, excess: u64, now: Duration) -> Option<Duration> {
        let mut gone = 0_u64;
        let last = self.slots.iter().find(|charged| {
            gone = gone.saturating_add(charged.amount);
            gone >= excess
        });
        last.map(|charged| self.until_gone(charged, now))
    }

    /// How long until nothing counts any more. At most a minute.
    pub(super) fn until_nothing(&self, now: Duration) -> Duration {
        let last = self.slots.iter().rev().find(|charged| charged.amount > 0);
        last.map_or(Duration::ZERO, |charged| self.until_gone(charged, now))
    }

    fn until_gone(&self, charged: &Charged, now: Duration) -> Duration {
        let minute = self.span.minute();
        // What was charged after this look at the clock was so before anybody hears of it.
        (charged.last + minute).saturating_sub(now).min(minute)
    }

    /// What counts by age in slots, newest last.
    pub(super) fn by_age(&self, now: Duration) -> Vec<(u64, u64)> {
        let slot = self.span.slot_at(now);
        let charged = self.slots.iter().filter(|charged| charged.amount > 0);
        charged
            .map(|charged| (slot.saturating_sub(charged.slot), charged.amount))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn no_minute_holds_more_than_was_allowed_and_whoever_waits_as_told_is_let_in() {
        const LIMIT: u64 = 7;
        let seed = 11;
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut window, mut admitted) = (Window::default(), Vec::<Duration>::new());
        let (mut now, mut told) = (Duration::ZERO, None);
        for _ in 0..20_000 {
            now += Duration::from_millis(random.u64(0..4_000));
            if let Some(told) = told.take().filter(|_| random.bool()) {
                now = now.max(told);
                window.advance(now);
                assert!(window.sum() < LIMIT, "refused at {now:?} after all");
            }
            window.advance(now);
            if window.sum() < LIMIT {
                window.add(now, 1);
                admitted.push(now);
            } else {
                let wait = window.until_without(1, now).unwrap();
                assert!(wait <= secs(60), "{wait:?}");
                told = Some(now + wait);
            }
        }
        assert!(admitted.len() > 1_000);
        for (place, first) in admitted.iter().enumerate() {
            let within = admitted[place..].iter().take_while(|at| **at - *first < secs(60));
            assert!(within.count() as u64 <= LIMIT, "more than {LIMIT} from {first:?} on");
        }
    }

    #[test]
    fn it_is_known_when_there_is_room_again() {
        let mut window = Window::default();
        window.add(Duration::from_millis(10_100), 2);
        window.add(Duration::from_millis(10_900), 3);
        window.add(Duration::from_millis(12_300), 3);
        let now = Duration::from_millis(12_400);
        let wait = |millis| Some(Duration::from_millis(millis));
        assert_eq!(
            (window.sum(), window.until_without(1, now), window.until_without(6, now)),
            (8, wait(58_500), wait(59_900))
        );
        assert_eq!(
            (window.until_without(9, now), Some(window.until_nothing(now))),
            (None, wait(59_900))
        );
        window.advance(Duration::from_millis(70_899));
        assert_eq!(window.sum(), 8);
        window.advance(Duration::from_millis(70_900));
        assert_eq!(window.sum(), 3);
        // Whoever looked at the clock before another charged is not told of more than a minute.
        assert_eq!(window.until_nothing(secs(12)), secs(60));
    }

    #[test]
    fn what_is_taken_back_counts_no_more_and_what_is_gone_stays_gone() {
        let mut window = Window::default();
        window.add(secs(1), 5);
        window.add(secs(2), 5);
        window.take_back(1, 4);
        window.take_back(2, 9);
        window.take_back(3, 1);
        assert_eq!((window.sum(), window.by_age(secs(3))), (1, vec![(2, 1)]));
        window.advance(secs(62));
        window.take_back(1, 1);
        assert_eq!(window.sum(), 0);
    }

    #[test]
    fn a_shared_charge_that_is_used_later_counts_for_longer() {
        let half = Duration::from_millis(500);
        assert_eq!(Span::default().shared_slots_counted(Duration::ZERO), 601);
        assert_eq!(Span::default().shared_slots_counted(half), 606);
        assert_eq!(Span::of(secs(3)).shared_slots_counted(half), 701);
        assert_eq!(
            [0, 1, 2, 60].map(|age| Span::default().shared_age(age)),
            [0, 0, 10, 590]
        );
    }
}
