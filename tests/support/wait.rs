//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Looks at a condition until it holds, and fails the test when it does not within `at_most`.
#[track_caller]
pub(crate) fn wait_for(what: &str, at_most: Duration, mut condition: impl FnMut() -> bool) {
    let started = now();
    while !condition() {
        assert!(started.elapsed() < at_most, "waited {at_most:?} in vain for {what}");
        pause();
    }
}

/// The same for a condition that comes true within microseconds and that many wait for one after another: others may run
/// between two looks, and no time is let pass.
#[track_caller]
pub(crate) fn look_until(what: &str, at_most: Duration, mut condition: impl FnMut() -> bool) {
    let started = now();
    while !condition() {
        assert!(started.elapsed() < at_most, "looked {at_most:?} in vain for {what}");
        std::thread::yield_now();
    }
}

/// Looks for as long as this, every now and then, and tells each look how much of the time has gone by. The last look
/// comes when all of it has.
pub(crate) fn look_for(time: Duration, mut look: impl FnMut(Duration)) {
    let started = now();
    loop {
        let gone = started.elapsed();
        look(gone);
        if gone >= time {
            return;
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tests look at the real clock"
)]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the pause between two looks at a condition")]
fn pause() {
    std::thread::sleep(BETWEEN_LOOKS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        wait_for("the third look", Duration::from_secs(10), || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
    }

    #[test]
    fn looks_come_in_order_until_the_time_is_over() {
        let time = Duration::from_millis(50);
        let mut looks = Vec::new();
        look_for(time, |gone| looks.push(gone));
        assert!(looks.len() > 1 && looks.is_sorted(), "{looks:?}");
        assert_eq!(looks.iter().filter(|gone| **gone >= time).count(), 1);
    }

    #[test]
    #[should_panic(expected = "in vain for something that never happens")]
    fn a_condition_that_never_holds_fails_the_test() {
        wait_for("something that never happens", Duration::ZERO, || false);
    }
}
