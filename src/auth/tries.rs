//! Who tries keys that are none: after a few a minute an address is told to wait.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong keys that an address may send in a window before it is told to wait.
const FREE_TRIES: u32 = 20;
/// In seconds.
const WINDOW: u32 = 60;
/// Places of the table: a power of two. Two addresses that share one count together, which costs those who send good
/// keys nothing: they do not come here.
const PLACES: usize = 8_192;

/// The wrong keys of the last minute, by the address that sent them. It never grows.
#[derive(Debug)]
pub(super) struct FailedTries {
    hasher: RandomState,
    start: Instant,
    /// Each the second, counted from the start, in which the window began, and how many came since.
    places: Box<[AtomicU64]>,
}

impl FailedTries {
    /// An empty table.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            hasher: RandomState::new(),
            start: now,
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Counts a wrong key from this address; how long to wait if there were too many.
    pub(super) fn count(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let hash = self.hasher.hash_one(subscriber(address));
        let place = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let place = self.places.get(place)?;
        let second = u32::try_from(now.saturating_duration_since(self.start).as_secs()).unwrap_or(u32::MAX);
        let next = |packed: u64| {
            let (since, count) = unpacked(packed);
            match second.saturating_sub(since) {
                elapsed if count > 0 && elapsed < WINDOW => (since, count.saturating_add(1)),
                _ => (second, 1),
            }
        };
        let before = place
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |packed| {
                let (since, count) = next(packed);
                Some(u64::from(since) << 32 | u64::from(count))
            })
            .unwrap_or_else(|packed| packed);
        let (since, count) = next(before);
        let left = WINDOW.saturating_sub(second.saturating_sub(since));
        (count > FREE_TRIES).then(|| Duration::from_secs(left.into()))
    }
}

fn unpacked(packed: u64) -> (u32, u32) {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    (half(packed >> 32), half(packed))
}

/// An IPv6 subscriber has at least 2^64 addresses, and counts as one.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_held_up_after_its_free_tries_and_free_again_after_the_window() {
        let start = Instant::now();
        let tries = FailedTries::new(start);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let begin = start + Duration::from_secs(100);
        for _ in 0..FREE_TRIES {
            assert_eq!(tries.count(address, begin), None);
        }
        let later = begin + Duration::from_secs(15);
        assert_eq!(tries.count(address, later), Some(Duration::from_secs(45)));
        assert_eq!(tries.count(address, begin + Duration::from_secs(60)), None);
    }

    #[test]
    fn the_addresses_of_one_subscriber_count_together() {
        let now = Instant::now();
        let tries = FailedTries::new(now);
        for last in 0..FREE_TRIES {
            assert_eq!(tries.count(format!("2001:db8::{last:x}").parse().unwrap(), now), None);
        }
        assert!(tries.count("2001:db8::ffff:1".parse().unwrap(), now).is_some());
        assert_ne!(
            subscriber("2001:db8::1".parse().unwrap()),
            subscriber("2001:db8:0:1::1".parse().unwrap())
        );
        assert_eq!(
            subscriber("::ffff:192.0.2.1".parse().unwrap()),
            IpAddr::from([192, 0, 2, 1])
        );
    }
}
