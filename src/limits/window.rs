//! What was asked for in the last minute, counted in slots.
//!
//! A charge counts from the slot that it is made in until a whole minute lies between: at whatever moment one looks, what
//! counts includes all that was charged in the sixty seconds before. So no minute, wherever it begins, holds more than was
//! allowed at any moment in it.

use std::collections::VecDeque;
use std::time::Duration;

/// Slots in a minute.
const SLOTS: u64 = 60;

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
        let slot = (minute / 60).max(Duration::from_millis(1));
        Self { slot }
    }

    /// How long a slot is.
    #[must_use]
    pub fn slot(self) -> Duration {
        self.slot
    }

    /// How many slots a charge counts in that may be used so much later than it was made: the one it is made in, those of a
    /// minute, and those in between.
    #[must_use]
    pub fn slots_counted(self, later: Duration) -> u64 {
        let later = later.as_millis().div_ceil(self.slot.as_millis().max(1));
        SLOTS + 1 + u64::try_from(later).unwrap_or(SLOTS)
    }

    /// The slot of a moment.
    pub(super) fn slot_at(self, now: Duration) -> u64 {
        let slot = now.as_millis() / self.slot.as_millis().max(1);
        u64::try_from(slot).unwrap_or(u64::MAX)
    }

    /// How long it is from a moment to the beginning of a slot.
    pub(super) fn until(self, slot: u64, now: Duration) -> Duration {
        let start = self.slot.saturating_mul(u32::try_from(slot).unwrap_or(u32::MAX));
        start.saturating_sub(now)
    }
}

/// The charges that count.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Slots with charges, oldest first.
    slots: VecDeque<(u64, u64)>,
    sum: u64,
}

impl Window {
    /// Forgets what counts no more in this slot.
    pub(super) fn advance(&mut self, slot: u64) {
        while let Some((oldest, amount)) = self.slots.front().copied() {
            if oldest + SLOTS >= slot {
                break;
            }
            self.sum = self.sum.saturating_sub(amount);
            self.slots.pop_front();
        }
    }

    /// All that counts.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// Charges an amount in this slot, which is not before that of any other charge.
    pub(super) fn add(&mut self, slot: u64, amount: u64) {
        if amount == 0 {
            return;
        }
        self.sum = self.sum.saturating_add(amount);
        match self.slots.back_mut() {
            Some((newest, there)) if *newest >= slot => *there = there.saturating_add(amount),
            _ => self.slots.push_back((slot, amount)),
        }
    }

    /// Takes back what was charged in a slot, if that still counts.
    pub(super) fn take_back(&mut self, slot: u64, amount: u64) {
        if let Ok(place) = self.slots.binary_search_by_key(&slot, |(slot, _)| *slot)
            && let Some((_, there)) = self.slots.get_mut(place)
        {
            let taken = amount.min(*there);
            *there -= taken;
            self.sum = self.sum.saturating_sub(taken);
        }
    }

    /// The slot in which at least so much of it counts no more; none if it is not that much.
    pub(super) fn slot_without(&self, excess: u64) -> Option<u64> {
        let mut gone = 0_u64;
        self.slots.iter().find_map(|(slot, amount)| {
            gone = gone.saturating_add(*amount);
            (gone >= excess).then_some(slot + SLOTS + 1)
        })
    }

    /// The slot in which nothing counts any more.
    pub(super) fn slot_of_nothing(&self) -> Option<u64> {
        let charged = self.slots.iter().rev().find(|(_, amount)| *amount > 0);
        charged.map(|(slot, _)| slot + SLOTS + 1)
    }

    /// What counts by age in slots, newest last.
    pub(super) fn by_age(&self, slot: u64) -> Vec<(u64, u64)> {
        let charged = self.slots.iter().filter(|(_, amount)| *amount > 0);
        charged
            .map(|(at, amount)| (slot.saturating_sub(*at), *amount))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_holds_more_than_was_allowed_at_any_moment() {
        const LIMIT: u64 = 7;
        let seed = 11;
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let span = Span::default();
        let (mut window, mut admitted) = (Window::default(), Vec::<Duration>::new());
        let mut now = Duration::ZERO;
        for _ in 0..20_000 {
            now += Duration::from_millis(random.u64(0..4_000));
            let slot = span.slot_at(now);
            window.advance(slot);
            if window.sum() < LIMIT {
                window.add(slot, 1);
                admitted.push(now);
            }
        }
        assert!(admitted.len() > 1_000);
        for (place, first) in admitted.iter().enumerate() {
            let within = admitted[place..]
                .iter()
                .take_while(|at| **at - *first <= Duration::from_secs(60));
            assert!(within.count() as u64 <= LIMIT, "more than {LIMIT} from {first:?} on");
        }
    }

    #[test]
    fn it_is_known_when_there_is_room_again() {
        let mut window = Window::default();
        window.add(10, 5);
        window.add(12, 3);
        assert_eq!(
            (window.sum(), window.slot_without(1), window.slot_without(6)),
            (8, Some(71), Some(73))
        );
        assert_eq!((window.slot_without(9), window.slot_of_nothing()), (None, Some(73)));
        window.advance(70);
        assert_eq!(window.sum(), 8);
        window.advance(71);
        assert_eq!(window.sum(), 3);
        let span = Span::default();
        assert_eq!(
            span.until(73, Duration::from_millis(71_250)),
            Duration::from_millis(1_750)
        );
    }

    #[test]
    fn what_is_taken_back_counts_no_more_and_what_is_gone_stays_gone() {
        let mut window = Window::default();
        window.add(1, 5);
        window.add(2, 5);
        window.take_back(1, 4);
        window.take_back(2, 9);
        window.take_back(3, 1);
        assert_eq!((window.sum(), window.by_age(3)), (1, vec![(2, 1)]));
        window.advance(62);
        window.take_back(1, 1);
        assert_eq!(window.sum(), 0);
    }

    #[test]
    fn a_charge_that_is_used_later_counts_for_longer() {
        assert_eq!(Span::default().slots_counted(Duration::ZERO), 61);
        assert_eq!(Span::default().slots_counted(Duration::from_millis(500)), 62);
        assert_eq!(
            Span::of(Duration::from_secs(3)).slots_counted(Duration::from_millis(500)),
            71
        );
    }
}
