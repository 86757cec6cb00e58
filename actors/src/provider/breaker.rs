//! A breaker: closed (calls pass), open (none do), half-open (one probe at a time).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::settings::BreakerSettings;
use crate::protocol::{Gate, ProbePermit};
use crate::runtime::Window;

/// Decides when calls may pass, from how they went.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    state: State,
    window: Window,
    /// How often it has opened without a good time in between; doubles the time it stays open.
    openings: u32,
}

#[derive(Debug)]
enum State {
    Closed { since: Instant, consecutive: u32 },
    Open { until: Instant, probe: Arc<ProbePermit> },
    HalfOpen { successes: u32, probe: Arc<ProbePermit> },
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self::from_gate(settings, &Gate::default(), now)
    }

    /// A breaker whose published gate is all that is left of it. The leave to probe is a fresh one: the verdict of
    /// whoever took the old one may be what was lost, and then nobody would ever give it back.
    pub(super) fn from_gate(settings: BreakerSettings, gate: &Gate, now: Instant) -> Self {
        let state = match gate {
            Gate::Closed { shaky } => State::Closed {
                since: now,
                consecutive: u32::from(*shaky),
            },
            Gate::Open { until, .. } => State::Open {
                until: *until,
                probe: Arc::default(),
            },
            Gate::HalfOpen { .. } => State::HalfOpen {
                successes: 0,
                probe: Arc::default(),
            },
        };
        Self {
            settings,
            state,
            window: Window::new(settings.window, now),
            openings: 0,
        }
    }

    pub(super) fn settings(&self) -> BreakerSettings {
        self.settings
    }

    pub(super) fn gate(&self) -> Gate {
        match &self.state {
            State::Closed { consecutive, .. } => Gate::Closed {
                shaky: *consecutive > 0,
            },
            State::Open { until, probe } => Gate::Open {
                until: *until,
                probe: Arc::clone(probe),
            },
            State::HalfOpen { probe, .. } => Gate::HalfOpen {
                probe: Arc::clone(probe),
            },
        }
    }

    /// Counts calls that went well. While the gate is not closed only a probe decides: the others began before it
    /// opened.
    pub(super) fn on_success(&mut self, count: u32, probe: bool, now: Instant) {
        match &mut self.state {
            State::Closed { consecutive, .. } => {
                *consecutive = 0;
                self.window.add(count, 0, now);
            }
            State::Open { .. } if probe => self.half_open(1, now),
            State::HalfOpen { successes, .. } if probe => {
                let successes = *successes + 1;
                self.half_open(successes, now);
            }
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
    }

    /// Counts a call that failed. `noise` in -1 to 1 is the jitter's throw.
    pub(super) fn on_failure(&mut self, probe: bool, noise: f64, now: Instant) {
        match &mut self.state {
            State::Closed { consecutive, .. } => {
                *consecutive += 1;
                let in_a_row = *consecutive;
                self.window.add(1, 1, now);
                let (calls, failures) = self.window.sums(now);
                let too_many = calls >= self.settings.ratio_min_calls
                    && f64::from(failures) >= self.settings.failure_ratio * f64::from(calls);
                if in_a_row >= self.settings.consecutive_failures || too_many {
                    self.open(noise, now);
                }
            }
            // A last resort, sent before its time, proves nothing new when it fails.
            State::Open { until, .. } if probe && now >= *until => self.open(noise, now),
            State::HalfOpen { .. } if probe => self.open(noise, now),
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
    }

    /// Opens for a time of the caller's choice.
    pub(super) fn open_for(&mut self, time: Duration, now: Instant) {
        self.state = State::Open {
            until: now + time,
            probe: Arc::default(),
        };
    }

    /// Takes back the leave to probe from a call that said nothing about this breaker.
    pub(super) fn renew_probe(&mut self) {
        match &mut self.state {
            State::Open { probe, .. } | State::HalfOpen { probe, .. } => *probe = Arc::default(),
            State::Closed { .. } => {}
        }
    }

    fn open(&mut self, noise: f64, now: Instant) {
        let calm = match &self.state {
            State::Closed { since, .. } => now.saturating_duration_since(*since) > self.open_time(0.0) * 2,
            State::Open { .. } | State::HalfOpen { .. } => false,
        };
        self.openings = if calm { 1 } else { self.openings.saturating_add(1) };
        self.window = Window::new(self.settings.window, now);
        let time = self.open_time(noise);
        self.open_for(time, now);
    }

    fn open_time(&self, noise: f64) -> Duration {
        let doublings = self.openings.saturating_sub(1).min(16);
        let time = self
            .settings
            .open_base
            .saturating_mul(1 << doublings)
            .min(self.settings.open_cap);
        time.mul_f64((1.0 + self.settings.jitter * noise).max(0.0))
    }

    fn half_open(&mut self, successes: u32, now: Instant) {
        self.state = if successes >= self.settings.probes_to_close {
            State::Closed {
                since: now,
                consecutive: 0,
            }
        } else {
            State::HalfOpen {
                successes,
                probe: Arc::default(),
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(now: Instant) -> Breaker {
        Breaker::new(BreakerSettings::default(), now)
    }

    fn open_seconds(breaker: &Breaker, now: Instant) -> u64 {
        match breaker.gate() {
            Gate::Open { until, .. } => (until - now).as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it_and_a_success_in_between_does_not() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        for _ in 0..4 {
            breaker.on_failure(false, 0.0, now);
        }
        breaker.on_success(1, false, now);
        for _ in 0..4 {
            breaker.on_failure(false, 0.0, now);
            assert!(matches!(breaker.gate(), Gate::Closed { shaky: true }));
        }
        breaker.on_failure(false, 0.0, now);
        assert_eq!(open_seconds(&breaker, now), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_it_stays_open_is_a_fifth_more_or_less_by_chance() {
        let now = Instant::now();
        for (noise, seconds) in [(-1.0, 4), (0.0, 5), (1.0, 6)] {
            let mut breaker = breaker(now);
            for _ in 0..5 {
                breaker.on_failure(false, noise, now);
            }
            assert_eq!(open_seconds(&breaker, now), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_twenty_calls_failing_opens_it() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        for nth in 0..19 {
            if nth % 2 == 0 {
                breaker.on_failure(false, 0.0, now);
            } else {
                breaker.on_success(1, false, now);
            }
        }
        assert!(matches!(breaker.gate(), Gate::Closed { .. }));
        breaker.on_failure(false, 0.0, now);
        assert!(matches!(breaker.gate(), Gate::Open { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn three_good_probes_close_it_and_a_bad_one_opens_it_for_longer() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        for _ in 0..5 {
            breaker.on_failure(false, 0.0, now);
        }
        let later = now + Duration::from_secs(6);
        breaker.on_success(1, true, later);
        assert!(matches!(breaker.gate(), Gate::HalfOpen { .. }));
        breaker.on_failure(true, 0.0, later);
        assert_eq!(open_seconds(&breaker, later), 10);
        for _ in 0..3 {
            breaker.on_success(1, true, later + Duration::from_secs(11));
        }
        assert!(matches!(breaker.gate(), Gate::Closed { shaky: false }));
    }

    #[tokio::test(start_paused = true)]
    async fn verdicts_of_calls_that_began_before_it_opened_change_nothing() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        for _ in 0..50 {
            breaker.on_failure(false, 0.0, now);
        }
        breaker.on_success(9, false, now);
        assert_eq!(open_seconds(&breaker, now), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_last_resort_that_fails_does_not_lengthen_the_wait_for_the_next_probe() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        for _ in 0..5 {
            breaker.on_failure(false, 0.0, now);
        }
        for _ in 0..3 {
            breaker.on_failure(true, 0.0, now + Duration::from_secs(1));
        }
        assert_eq!(open_seconds(&breaker, now), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn flapping_stays_open_for_longer_each_time_up_to_the_cap() {
        let mut now = Instant::now();
        let mut breaker = breaker(now);
        let mut last = 0;
        for _ in 0..12 {
            for _ in 0..5 {
                breaker.on_failure(false, 0.0, now);
            }
            let seconds = open_seconds(&breaker, now);
            assert!(seconds >= last, "{seconds} after {last}");
            last = seconds;
            now += Duration::from_secs(seconds + 1);
            for _ in 0..3 {
                breaker.on_success(1, true, now);
            }
        }
        assert_eq!(last, 300);
    }
}
